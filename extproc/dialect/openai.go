package dialect

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"sluice/extproc/dialect/jsontext"
)

// parseJSON checks what the gateway itself relies on and leaves the rest to
// the provider: the body goes on as it is.
func parseJSON(route Route, op Operation, contentType string, body []byte) (*Request, *Error) {
	if contentType != "" && !isJSON(contentType) {
		return nil, &Error{
			Status: http.StatusUnsupportedMediaType, Code: CodeUnsupportedMediaType,
			Message: "Send the body as JSON, with the header 'Content-Type: application/json'.",
		}
	}
	members, err := scanObject(body)
	if err != nil {
		return nil, err
	}
	if err := ambiguous(members); err != nil {
		return nil, err
	}
	if route.Dialect == Gemini {
		return parseGemini(route, op, body, members)
	}
	model, err := modelOf(body, members)
	if err != nil {
		return nil, err
	}
	if route.Endpoint != "" && route.Endpoint != model {
		return nil, wrong("model", "The body names another endpoint than the one that was called.")
	}
	if !route.Operation.Fits(op) {
		return nil, wrongType(model, route.Operation)
	}
	if err := check(rulesOf(route), body, members); err != nil {
		return nil, err
	}
	route.Endpoint = model
	return &Request{
		Route: route, Body: body, Payload: body, members: members,
		Stream: route.Operation != Embeddings && route.Operation != CountTokens &&
			string(members.Value(body, "stream")) == "true",
		IncludeUsage: includeUsage(body, members),
		MaxTokens:    maxTokens(body, members),
		Tools:        toolNames(body, members),
	}, nil
}

// scanObject finds the members of a body, which must be one JSON object.
func scanObject(body []byte) (Members, *Error) {
	members, fault := jsontext.Scan(body)
	switch {
	case fault == nil && bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")):
		return members, nil
	case fault == nil:
		return nil, unreadable("The body must be a JSON object.")
	case fault.Fault == jsontext.FaultSyntax:
		what, at := jsontext.PythonError(body)
		return nil, unreadable("The body is not valid JSON: " + what + " at character " + strconv.Itoa(at) + ".")
	}
	return nil, unreadable("The body is not acceptable JSON: " + fault.Error() + " at byte " + strconv.Itoa(fault.Offset) + ".")
}

func unreadable(message string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: CodeInvalidJSON, Message: message}
}

func wrong(param, message string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: CodeInvalidRequest, Param: param, Message: message}
}

func modelOf(body []byte, members Members) (string, *Error) {
	text := members.Value(body, "model")
	if len(text) <= len(`""`) || text[0] != '"' {
		return "", wrong("model", "The field 'model' must be a string: the name of an endpoint.")
	}
	return jsontext.Unquote(text), nil
}

// wrongType is MLflow's sentence for a call of an endpoint of another type.
func wrongType(endpoint string, asked Operation) *Error {
	article := "a "
	if asked == Embeddings {
		article = "an "
	}
	return &Error{
		Status: http.StatusBadRequest, Code: CodeWrongEndpointType, Param: "model",
		Message: "Endpoint '" + clip(endpoint) + "' is not " + article + string(asked) + " endpoint.",
	}
}

// rule is what the value of a member must be, by its text.
type rule struct {
	key     string
	must    string
	ok      func(text []byte) bool
	missing bool // may be missing or null
	looked  bool // is looked into, value by value
}

func rulesOf(r Route) []rule {
	switch r.Dialect {
	case Responses:
		return responsesRules
	case Anthropic:
		return anthropicRules
	}
	return openAIRules[r.Operation]
}

// responsesRules are of OpenAI's Responses API.
var responsesRules = []rule{
	{"input", "a string or a list", isPrompt, true, false},
	{"stream", "true or false", isBool, true, false},
	{"max_output_tokens", "a whole number that is not negative", isCount, true, false},
	{"tools", "a list of objects", isObjects, true, true},
}

// anthropicRules are of Anthropic's Messages API, and of counting its tokens.
var anthropicRules = []rule{
	{"messages", "a list with at least one message", isFullList, false, false},
	{"stream", "true or false", isBool, true, false},
	{"max_tokens", "a whole number that is not negative", isCount, true, false},
	{"tools", "a list of objects", isObjects, true, true},
}

var openAIRules = map[Operation][]rule{
	Chat: {
		{"messages", "a list with at least one message", isFullList, false, false},
		{"stream", "true or false", isBool, true, false},
		{"stream_options", "an object", isObject, true, false},
		{"max_tokens", "a whole number that is not negative", isCount, true, false},
		{"max_completion_tokens", "a whole number that is not negative", isCount, true, false},
		{"tools", "a list of objects", isObjects, true, true},
		{"functions", "a list of objects", isObjects, true, true},
	},
	Completions: {
		{"prompt", "a string or a list", isPrompt, false, false},
		{"stream", "true or false", isBool, true, false},
		{"stream_options", "an object", isObject, true, false},
		{"max_tokens", "a whole number that is not negative", isCount, true, false},
	},
	Embeddings: {
		{"input", "a string or a list", isPrompt, false, false},
	},
}

func check(rules []rule, body []byte, members Members) *Error {
	for _, r := range rules {
		text := members.Value(body, r.key)
		if r.missing && (text == nil || string(text) == "null") {
			continue
		}
		if text == nil {
			return wrong(r.key, "The field '"+r.key+"' is missing: it must be "+r.must+".")
		}
		if jsontext.TooMany(text) && r.looked {
			return tooMany(r.key)
		}
		if !r.ok(text) {
			return wrong(r.key, "The field '"+r.key+"' must be "+r.must+".")
		}
		if r.looked {
			if e := unclear(text); e != nil {
				return e
			}
		}
	}
	return nil
}

func isBool(t []byte) bool   { return string(t) == "true" || string(t) == "false" }
func isObject(t []byte) bool { return t[0] == '{' }
func isPrompt(t []byte) bool { return t[0] == '"' || t[0] == '[' }

func isFullList(t []byte) bool {
	return t[0] == '[' && len(bytes.TrimSpace(t[1:len(t)-1])) > 0
}

func isCount(t []byte) bool { return strings.Trim(string(t), "0123456789") == "" }

func isObjects(t []byte) bool {
	if t[0] != '[' {
		return false
	}
	list := jsontext.Parse(t)
	for i := range list.Items() {
		if list.Items()[i].Kind != jsontext.Object {
			return false
		}
	}
	return true
}

// includeUsage reports whether a client asked for usage in its stream.
func includeUsage(body []byte, members Members) bool {
	text := members.Value(body, "stream_options")
	if len(text) == 0 || text[0] != '{' {
		return false
	}
	options, _ := jsontext.Scan(text)
	return string(options.Value(text, "include_usage")) == "true"
}
