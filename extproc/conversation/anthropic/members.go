package anthropic

import (
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// object reads the members of an object that are not null. It refuses those
// that come twice, so that the policy and the model can't see different ones.
// fn returns the refusal of a member; one that the form does not have is
// refused with unknown.
func object(v gjson.Result, fn func(name string, v gjson.Result) *dialect.Error) (e *dialect.Error) {
	if !v.IsObject() {
		return itself(dialect.InvalidField("x", "must be an object."))
	}
	var room [8]string
	seen := room[:0]
	v.ForEach(func(k, v gjson.Result) bool {
		for _, name := range seen {
			if name == k.Str {
				e = dialect.InvalidField(name, "is given twice.")
				return false
			}
		}
		seen = append(seen, k.Str)
		if v.Type != gjson.Null {
			e = fn(k.Str, v)
		}
		return e == nil
	})
	return e
}

// unknown is the refusal of a member that has no place in the form.
func unknown(name string) *dialect.Error {
	return dialect.Unsupported(name, "can't be carried to the models of this endpoint. Leave it out, or use another endpoint.")
}

// itself makes a refusal of a member, which is named with one letter, one of
// the value that it is in: the place is put before it by who knows it.
func itself(e *dialect.Error) *dialect.Error {
	e.Param, e.Message = "", "'"+e.Message[2:]
	return e
}

// inside tells that a refusal is about something in a member.
func inside(e *dialect.Error, name string) *dialect.Error {
	if e == nil {
		return nil
	}
	inner := e.Param
	e.Param = strings.TrimSuffix(name+"."+inner, ".")
	e.Message = "'" + e.Param + e.Message[1+len(inner):]
	return e
}

// each calls fn for the items of a list.
func each(v gjson.Result, name string, fn func(i int, v gjson.Result) *dialect.Error) (e *dialect.Error) {
	if !v.IsArray() {
		return dialect.InvalidField(name, "must be a list.")
	}
	i := 0
	v.ForEach(func(_, v gjson.Result) bool {
		if e = fn(i, v); e != nil {
			e = dialect.Within(e, name, i)
		}
		i++
		return e == nil
	})
	return e
}

// str reads a string.
func str(to *string, name string, v gjson.Result) *dialect.Error {
	if v.Type != gjson.String {
		return dialect.InvalidField(name, "must be a string.")
	}
	*to = v.Str
	return nil
}

// number reads a number as the client wrote it.
func number(to *conversation.Raw, name string, v gjson.Result) *dialect.Error {
	if v.Type != gjson.Number {
		return dialect.InvalidField(name, "must be a number.")
	}
	*to = conversation.Raw(v.Raw)
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

// nothing reports whether a value of a member asks for nothing: an empty
// list or object, or false.
func nothing(v gjson.Result) bool {
	return v.Type == gjson.False || (v.IsArray() || v.IsObject()) && len(jsontext.Compact(v.Raw)) == 2
}
