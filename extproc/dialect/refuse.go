package dialect

import (
	"net/http"
	"strconv"
)

// Unsupported refuses a field of a call that the endpoint's provider can't
// express. reason completes a sentence that begins with the field.
func Unsupported(param, reason string) *Error {
	if param == "" {
		param = `""` // a field can have an empty name, an error must name it all the same
	}
	return &Error{
		Status: http.StatusBadRequest, Code: CodeUnsupportedField, Param: param, NoRetry: true,
		Message: "'" + param + "' " + reason,
	}
}

// InvalidField refuses a field that is wrong whatever the provider.
func InvalidField(param, reason string) *Error {
	e := Unsupported(param, reason)
	e.Code = CodeInvalidRequest
	return e
}

// Within tells that a refusal is about something in a list: its field is read
// from there. So places are put together only where something is wrong. A nil
// error stays nil.
func Within(e *Error, list string, i int) *Error {
	if e == nil {
		return nil
	}
	inner := e.Param
	e.Param = list + "[" + strconv.Itoa(i) + "]"
	if inner != "" {
		e.Param += "." + inner
	}
	e.Message = "'" + e.Param + e.Message[1+len(inner):]
	return e
}
