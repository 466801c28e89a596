package dialect

import (
	"net/http"

	"sluice/extproc/dialect/jsontext"
)

// parseUnified checks a call of the paths on which MLflow's newer gateway
// speaks its own dialect: "model" has named the endpoint and is no parameter,
// the members tell chat from embeddings, and what is wrong is a 400.
func parseUnified(route Route, op Operation, contentType string, body []byte) (*Request, *Error) {
	members, fault := jsontext.Scan(trimMark(body))
	if fault != nil || !isJSON(contentType) && contentType != "" {
		return nil, unreadable("Invalid JSON payload: the body must be a JSON object.")
	}
	if route.Operation == "" {
		switch {
		case has(members, "messages"):
			route.Operation = Chat
		case has(members, "input"):
			route.Operation = Embeddings
		default:
			return nil, wrong("", "Invalid request: payload format must be either chat or embeddings")
		}
	}
	if !route.Operation.Fits(op) {
		return nil, wrongType(route.Endpoint, route.Operation)
	}
	rest := trimMark(body)
	for i := range members {
		if members[i].Key == "model" {
			rest = jsontext.Apply(rest, members.Without(i))
			break
		}
	}
	route.Unified = false
	req, e := parseMLflow(route, op, ContentTypeJSON, rest)
	if e != nil && e.Status == http.StatusUnprocessableEntity {
		e.Status, e.Detail = http.StatusBadRequest, nil
		e.Message = "Invalid " + string(op) + " payload: " + e.Message
	}
	if req != nil {
		req.Body = body
	}
	return req, e
}

func has(members Members, key string) bool {
	_, ok := members.Find(key)
	return ok
}
