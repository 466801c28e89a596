package dialect

import (
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/pydantic"
)

// parseMLflow checks a body as MLflow's server does: FastAPI reads it, a
// pydantic model checks it.
func parseMLflow(route Route, op Operation, contentType string, body []byte) (*Request, *Error) {
	schema, ok := mlflowSchemas[op]
	if !ok {
		return nil, Internal()
	}
	root, err := mlflowBody(contentType, body)
	if err != nil {
		return nil, err
	}
	payload, members, errs := pydantic.Dump(schema, root)
	if errs != nil {
		return nil, invalid(CodeInvalidRequest, errs)
	}
	route.Operation = op
	return &Request{
		Route: route, Body: body, Payload: payload, members: members,
		Stream:       string(members.Value(payload, "stream")) == "true",
		IncludeUsage: true,
		MaxTokens:    maxTokens(payload, members),
		Tools:        toolNames(payload, members),
	}, nil
}

// CheckMLflowLimits checks what is sent to set limits as MLflow's server does;
// nil when nothing is wrong.
func CheckMLflowLimits(contentType string, body []byte) *Error {
	root, err := mlflowBody(contentType, body)
	if err != nil {
		return err
	}
	if _, _, errs := pydantic.Dump(limitsModel, root); errs != nil {
		return invalid(CodeInvalidRequest, errs)
	}
	return nil
}

// mlflowBody reads a body into a value. A body that is not sent as JSON is a
// string to FastAPI, which no model accepts.
func mlflowBody(contentType string, body []byte) (*jsontext.Value, *Error) {
	if len(body) == 0 {
		return nil, invalid(CodeInvalidRequest, pydantic.MissingBody())
	}
	if !isJSON(contentType) {
		return &jsontext.Value{Kind: jsontext.String, Raw: AppendString(nil, string(body))}, nil
	}
	text := trimMark(body)
	members, fault := jsontext.Scan(text)
	switch {
	case fault == nil:
	case fault.Fault == jsontext.FaultSyntax:
		return nil, invalid(CodeInvalidJSON, pydantic.JSONError(jsontext.PythonError(text)))
	default:
		return nil, &Error{
			Status: http.StatusBadRequest, Code: CodeInvalidJSON,
			Message: "There was an error parsing the body",
		}
	}
	if err := ambiguous(members); err != nil {
		return nil, err
	}
	if jsontext.TooMany(text) {
		return nil, tooMany("body")
	}
	root := jsontext.Parse(text)
	return &root, nil
}

// invalid is a 422 with FastAPI's list of errors. The message, for records, is
// the first of them.
func invalid(code string, errs []byte) *Error {
	first := gjson.GetBytes(errs, "0")
	var at []string
	for _, place := range first.Get("loc").Array()[1:] {
		at = append(at, place.String())
	}
	param := clip(strings.Join(at, "."))
	message := first.Get("msg").String()
	if param != "" {
		message = param + ": " + message
	}
	return &Error{
		Status: http.StatusUnprocessableEntity, Code: code, Message: message, Param: param, Detail: errs,
	}
}

// ModelNotPermitted is MLflow's refusal of "model" in an invocation: the
// endpoint names it.
func ModelNotPermitted() *Error {
	return &Error{
		Status: http.StatusUnprocessableEntity, Code: CodeModelNotPermitted, Param: "model",
		Message: "The parameter 'model' is not permitted to be passed. The route being queried already defines a model instance.",
	}
}
