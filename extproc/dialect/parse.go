package dialect

import (
	"bytes"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// ModelName reads the endpoint's name from the "model" member of an OpenAI
// body. It looks no further than it must: Parse checks the whole, and that
// there is no second "model".
func ModelName(body []byte) (string, *Error) {
	if v := gjson.GetBytes(body, "model"); v.Type == gjson.String && v.Str != "" {
		return v.Str, nil
	}
	members, err := scanObject(body)
	if err != nil {
		return "", err
	}
	return modelOf(body, members)
}

// Parse reads and checks a call. op is the operation that the endpoint's type
// answers. An Error is to be told in the route's dialect.
func Parse(route Route, op Operation, contentType string, body []byte) (*Request, *Error) {
	switch route.Dialect {
	case MLflow:
		if route.Unified {
			return parseUnified(route, op, contentType, body)
		}
		return parseMLflow(route, op, contentType, body)
	case Native:
		return &Request{Route: route, Body: body, Payload: body}, nil
	}
	return parseJSON(route, op, contentType, body)
}

// isJSON reports whether a content type is JSON's, as FastAPI decides it.
func isJSON(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	sub, ok := strings.CutPrefix(kind, "application/")
	return ok && !strings.Contains(sub, "/") && (sub == "json" || strings.HasSuffix(sub, "+json"))
}

// guarded are the members that policies and the gateway look at. Some
// providers read keys without regard to case, so a variant of one of these
// could tell the provider something else than was decided on.
var guarded = []string{"model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "tools", "functions",
	"max_output_tokens", "generationConfig", "generation_config"}

// ambiguous refuses an object in which two readers could see different
// things: equal keys, and case variants of guarded ones.
func ambiguous(members Members) *Error {
	if key, twice := repeated(members); twice {
		return refuseKey(key, "The body has the key '"+clip(key)+"' twice. Send it once.")
	}
	for i := range members {
		key := members[i].Key
		for _, g := range guarded {
			if key != g && len(key) < 2*len(g) && strings.EqualFold(key, g) {
				return refuseKey(key, "The body has the key '"+clip(key)+"', which could be mistaken for '"+g+"'.")
			}
		}
	}
	return nil
}

// repeated finds a key that is there twice.
func repeated(members Members) (key string, twice bool) {
	const few = 24 // up to here, comparing each with each is faster than a map
	if len(members) <= few {
		for i := range members {
			for j := range i {
				if members[i].Key == members[j].Key {
					return members[i].Key, true
				}
			}
		}
		return "", false
	}
	seen := make(map[string]struct{}, len(members))
	for i := range members {
		if _, twice := seen[members[i].Key]; twice {
			return members[i].Key, true
		}
		seen[members[i].Key] = struct{}{}
	}
	return "", false
}

func refuseKey(key, message string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: CodeInvalidJSON, Param: clip(key), Message: message}
}

// clip bounds what of a client's text is repeated in a message.
func clip(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// tooMany refuses a text that would take much memory to look into.
func tooMany(what string) *Error {
	return &Error{
		Status: http.StatusRequestEntityTooLarge, Code: CodeBodyTooLarge, Param: what,
		Message: "The field '" + what + "' holds more than a million values. Send fewer.",
	}
}

// maxTokens is the limit on output tokens that a request sets, 0 if none. Both
// spellings may be there: the larger counts.
func maxTokens(body []byte, members Members) int64 {
	var most int64
	for _, key := range []string{"max_tokens", "max_completion_tokens", "max_output_tokens"} {
		text := string(members.Value(body, key))
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil && n == math.MaxInt64 {
			err = nil // a number too large for 64 bits
		}
		if err == nil && n > most {
			most = n
		}
	}
	return most
}

var byteOrderMark = []byte("\xEF\xBB\xBF")

func trimMark(b []byte) []byte { return bytes.TrimPrefix(b, byteOrderMark) }
