package anthropic

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// unknown is the refusal of a member that has no place in the form.
func unknown(name string) *dialect.Error { return dialect.Unsupported(name, codec.NotCarried) }

// itself makes the refusal of a member of a value one of the value: its place
// is put before it by who knows it.
func itself(e *dialect.Error) *dialect.Error {
	e.Message = "'" + e.Message[1+len(e.Param):]
	e.Param = ""
	return e
}

// each calls fn for the items of the list that a member is.
func each(v gjson.Result, name string, fn func(v gjson.Result) *dialect.Error) *dialect.Error {
	if !v.IsArray() {
		return dialect.InvalidField(name, "must be a list.")
	}
	return codec.Each(v, func(i int, v gjson.Result) *dialect.Error { return dialect.Within(fn(v), name, i) })
}

// str reads a string.
func str(to *string, name string, v gjson.Result) *dialect.Error {
	if v.Type != gjson.String {
		return dialect.InvalidField(name, "must be a string.")
	}
	*to = v.Str
	return nil
}

// boolean reads true or false.
func boolean(to *bool, name string, v gjson.Result) *dialect.Error {
	if !v.IsBool() {
		return dialect.InvalidField(name, "must be true or false.")
	}
	*to = v.Bool()
	return nil
}

// raw keeps an object as it came.
func raw(to *conversation.Raw, name string, v gjson.Result) *dialect.Error {
	if !v.IsObject() {
		return dialect.InvalidField(name, "must be an object.")
	}
	*to = conversation.Raw(v.Raw)
	return nil
}

// nothing reports whether a value asks for nothing: an empty list or object,
// or false.
func nothing(v gjson.Result) bool {
	return v.Type == gjson.False || (v.IsArray() || v.IsObject()) && len(jsontext.Compact(v.Raw)) == 2
}
