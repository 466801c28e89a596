package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"

	"sluice/extproc/dialect"
)

// mlflowGetLimits is GET /api/2.0/endpoints/limits/{name}, which MLflow has
// and does not answer.
func (s *server) mlflowGetLimits(*call) error {
	return notAvailable("get_limits")
}

// mlflowSetLimits is POST /api/2.0/endpoints/limits/: MLflow checks the body
// first.
func (s *server) mlflowSetLimits(c *call) error {
	if wrong, err := c.limitsProblems(); err != nil || len(wrong) > 0 {
		if err != nil {
			return err
		}
		return unprocessable(wrong)
	}
	return notAvailable("set_limits")
}

func notAvailable(api string) *dialect.Error {
	return &dialect.Error{
		Status: http.StatusNotImplemented, Code: dialect.CodeNotImplemented, NoRetry: true,
		Message: "The " + api + " API is not available yet.",
	}
}

// problem is one entry of FastAPI's 422 list, keys in its order.
type problem struct {
	Type    string         `json:"type"`
	Loc     []any          `json:"loc"`
	Message string         `json:"msg"`
	Input   any            `json:"input"`
	Context map[string]any `json:"ctx,omitempty"`
}

func unprocessable(wrong []problem) error {
	detail, err := json.Marshal(wrong)
	if err != nil {
		return err
	}
	return &dialect.Error{
		Status: http.StatusUnprocessableEntity, Code: dialect.CodeInvalidRequest,
		Message: "The body is not valid.", Detail: detail,
	}
}

// limitsProblems checks a body as MLflow's SetLimitsConfig does.
func (c *call) limitsProblems() ([]problem, error) {
	body, err := c.body()
	if e, ok := err.(*dialect.Error); ok && e.Code == "body_missing" {
		return []problem{{Type: "missing", Loc: []any{"body"}, Message: "Field required"}}, nil
	}
	if err != nil {
		return nil, err
	}
	if t := c.r.Header.Get("Content-Type"); t != "" && !isJSON(t) {
		return []problem{notAnObject(string(body))}, nil
	}
	var input any
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&input); err != nil {
		at := len(body)
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			at = int(syntax.Offset) - 1
		}
		return []problem{{
			Type: "json_invalid", Loc: []any{"body", at}, Message: "JSON decode error",
			Input: map[string]any{}, Context: map[string]any{"error": "Expecting value"},
		}}, nil
	}
	object, ok := input.(map[string]any)
	if !ok {
		return []problem{notAnObject(input)}, nil
	}
	return limitsFields(object), nil
}

func limitsFields(object map[string]any) []problem {
	var wrong []problem
	if route, given := object["route"]; !given {
		wrong = append(wrong, missing("route", object))
	} else if _, ok := route.(string); !ok {
		wrong = append(wrong, problem{
			Type: "string_type", Loc: []any{"body", "route"}, Message: "Input should be a valid string", Input: route,
		})
	}
	if limits, given := object["limits"]; !given {
		wrong = append(wrong, missing("limits", object))
	} else if _, ok := limits.([]any); !ok {
		wrong = append(wrong, problem{
			Type: "list_type", Loc: []any{"body", "limits"}, Message: "Input should be a valid list", Input: limits,
		})
	}
	return wrong
}

func missing(field string, input any) problem {
	return problem{Type: "missing", Loc: []any{"body", field}, Message: "Field required", Input: input}
}

func notAnObject(input any) problem {
	return problem{
		Type: "model_attributes_type", Loc: []any{"body"}, Input: input,
		Message: "Input should be a valid dictionary or object to extract fields from",
	}
}

func isJSON(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && (t == "application/json" || strings.HasPrefix(t, "application/") && strings.HasSuffix(t, "+json"))
}
