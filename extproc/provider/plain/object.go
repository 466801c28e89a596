package plain

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// Object is a JSON object under construction.
type Object struct {
	b []byte
}

// NewObject begins an object for which size bytes will about do.
func NewObject(size int) *Object { return &Object{b: append(make([]byte, 0, size+2), '{')} }

// Raw adds a member whose value is JSON already.
func (o *Object) Raw(name, raw string) {
	o.b = append(dialect.AppendString(jsontext.Comma(o.b), name), ':')
	o.b = append(o.b, raw...)
}

// String adds a member whose value is a string.
func (o *Object) String(name, value string) {
	o.b = append(dialect.AppendString(jsontext.Comma(o.b), name), ':')
	o.b = dialect.AppendString(o.b, value)
}

// Bytes ends the object and returns it.
func (o *Object) Bytes() []byte { return append(o.b, '}') }

// Payload calls fn for each member of a request's payload, in order. A value
// that is valid as long as the request.
func Payload(req *dialect.Request, fn func(name string, v gjson.Result)) {
	for _, m := range req.Members() {
		fn(m.Key, jsontext.View(req.Payload[m.Start:m.End]))
	}
}

// Get is a member of a request's payload.
func Get(req *dialect.Request, name string) gjson.Result {
	return jsontext.View(req.Members().Value(req.Payload, name))
}

// StringOr is the JSON of a string as it came, and other for all else.
func StringOr(v gjson.Result, other string) string {
	if v.Type == gjson.String {
		return v.Raw
	}
	return other
}

// NumberOr is the JSON of a number as it came, and other for all else.
func NumberOr(v gjson.Result, other string) string {
	if v.Type == gjson.Number {
		return v.Raw
	}
	return other
}

// Count is a number of tokens that a provider reports; -1 where it does not.
func Count(v gjson.Result) int64 {
	if v.Type == gjson.Number && v.Num >= 0 {
		return v.Int()
	}
	return -1
}
