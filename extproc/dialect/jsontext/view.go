package jsontext

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
	"unsafe"

	"github.com/tidwall/gjson"
)

// shortJSON is how long a text may be for gjson's checker, which is the
// fastest, but goes as deep into the stack as the text is nested.
const shortJSON = 64 << 10

// Valid reports whether b is JSON in UTF-8, of bounded depth where it is long.
func Valid(b []byte) bool {
	if len(b) <= shortJSON {
		return gjson.ValidBytes(b) && utf8.Valid(b)
	}
	_, err := Scan(b)
	return err == nil
}

// View parses JSON without copying it. b must not change as long as the
// result, or anything read from it, is used. It must be valid: see Valid, Scan.
func View(b []byte) gjson.Result {
	if len(b) == 0 {
		return gjson.Result{}
	}
	return gjson.Parse(unsafe.String(&b[0], len(b)))
}

// Present reports whether a member is there and not null, which means absent
// in the APIs that this gateway speaks.
func Present(v gjson.Result) bool { return v.Exists() && v.Type != gjson.Null }

// RawString is the JSON of a string as it came; of anything else "".
func RawString(v gjson.Result) string {
	if v.Type != gjson.String {
		return `""`
	}
	return v.Raw
}

// Compact removes the space between a JSON value's tokens. What is not there,
// or nested beyond all sense, becomes {}.
func Compact(raw string) string {
	var out bytes.Buffer
	if err := json.Compact(&out, []byte(raw)); err != nil {
		return "{}"
	}
	return out.String()
}

// Comma adds a comma unless a list or object was just opened.
func Comma(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] != '[' && b[n-1] != '{' {
		return append(b, ',')
	}
	return b
}
