package simulate

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// problem is a refusal, free of any wire format.
type problem struct {
	status  int
	kind    string // "type" of both wire formats
	code    string // OpenAI only
	param   string
	message string
}

func badRequest(param, message string, args ...any) *problem {
	if len(args) > 0 {
		message = fmt.Sprintf(message, args...)
	}
	return &problem{status: http.StatusBadRequest, kind: "invalid_request_error", param: param, message: message}
}

// decode reads a JSON object into v and returns its keys that are not known.
func decode(body []byte, v any, known []string) (unknown []string, err *problem) {
	var keys map[string]json.RawMessage
	if json.Unmarshal(body, &keys) != nil {
		return nil, badRequest("", "We could not parse the JSON body of your request.")
	}
	if e := json.Unmarshal(body, v); e != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(e, &wrong) {
			// The path of a field that is embedded starts with its Go type.
			_, field, embedded := strings.Cut(wrong.Field, "Sampling.")
			if !embedded {
				field = wrong.Field
			}
			return nil, badRequest(field, "Invalid type for '%s': expected %s, but got %s instead.",
				field, jsonKind(wrong.Type), wrong.Value)
		}
		return nil, badRequest("", "We could not parse the JSON body of your request: %s.", e)
	}
	for key := range keys {
		if !slices.Contains(known, key) {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	return unknown, nil
}

// jsonKind is what JSON calls the values of a Go type.
func jsonKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Slice:
		return "an array"
	case reflect.Struct, reflect.Map, reflect.Pointer:
		return "an object"
	}
	return "a number"
}

// isJSON reports whether a Content-Type names JSON.
func isJSON(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/json")
}

// inRange checks an optional number.
func inRange(name string, v *float64, low, high float64) *problem {
	if v == nil || (*v >= low && *v <= high) {
		return nil
	}
	return badRequest(name, "Invalid '%s': %v is not from %v to %v.", name, *v, low, high)
}

// first returns the first problem that is one.
func first(problems ...*problem) *problem {
	for _, p := range problems {
		if p != nil {
			return p
		}
	}
	return nil
}

// marshal renders a value of this package's own types, which can't fail.
func marshal(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("simulate: rendering %T: %v", v, err))
	}
	return out
}
