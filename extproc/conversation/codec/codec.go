// Package codec is what the codecs of the formats below conversation share.
package codec

import (
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// NotCarried ends the refusal of a field that has no place in the form.
const NotCarried = "can't be carried to this endpoint's provider. Leave it out, or use another endpoint."

// Self refuses a value in a list or object as a whole: Within or In give it
// its name.
func Self(reason string) *dialect.Error {
	e := dialect.InvalidField("", reason)
	e.Param, e.Message = "", "'' "+reason
	return e
}

// Members calls fn for the members of an object that are not null, which in
// the formats of clients means absent. It refuses what is no object, and
// members that come twice: two readers could see different ones.
func Members(v gjson.Result, fn func(name string, v gjson.Result) *dialect.Error) (e *dialect.Error) {
	if !v.IsObject() {
		return Self("must be an object.")
	}
	var few [12]string
	seen := few[:0]
	v.ForEach(func(k, v gjson.Result) bool {
		for _, s := range seen {
			if s == k.Str {
				e = dialect.InvalidField(k.Str, "is given twice.")
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

// Each calls fn for the items of a list.
func Each(v gjson.Result, fn func(i int, v gjson.Result) *dialect.Error) (e *dialect.Error) {
	i := 0
	v.ForEach(func(_, v gjson.Result) bool {
		e = fn(i, v)
		i++
		return e == nil
	})
	return e
}

// In tells that a refusal is about a member of an object: its field is read
// from there. A nil error stays nil.
func In(e *dialect.Error, object string) *dialect.Error {
	if e == nil {
		return nil
	}
	inner := e.Param
	e.Param = object
	if inner != "" {
		e.Param += "." + inner
	}
	e.Message = "'" + e.Param + e.Message[1+len(inner):]
	return e
}

// Number reads a number as the client wrote it.
func Number(name string, v gjson.Result) (conversation.Raw, *dialect.Error) {
	if v.Type != gjson.Number {
		return "", dialect.InvalidField(name, "must be a number.")
	}
	return conversation.Raw(v.Raw), nil
}

// Object is the JSON object that text holds. Models write nothing for a
// function without parameters: that is {}.
func Object(text string) (conversation.Raw, bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "{}", true
	}
	if text[0] != '{' || !jsontext.Valid([]byte(text)) {
		return "", false
	}
	return conversation.Raw(text), true
}

// DataURL splits a base64 data URL (RFC 2397). The media type is in lower
// case, with the common mistake image/jpg put right.
func DataURL(url string) (media, data string, ok bool) {
	rest, ok := strings.CutPrefix(url, "data:")
	if !ok {
		return "", "", false
	}
	// The media type is short; the data, which may be megabytes, has no comma.
	head, data, ok := strings.Cut(rest, ",")
	if !ok || !strings.HasSuffix(head, ";base64") {
		return "", "", false
	}
	media, _, _ = strings.Cut(head, ";")
	if media = strings.ToLower(media); media == "image/jpg" {
		media = "image/jpeg"
	}
	return media, data, true
}

// IsURL reports whether a URL is one that providers may fetch.
func IsURL(url string) bool {
	for _, scheme := range []string{"https://", "http://", "gs://"} {
		if len(url) > len(scheme) && strings.EqualFold(url[:len(scheme)], scheme) {
			return true
		}
	}
	return false
}

// TrueFalse is the text of a JSON boolean; "" of anything else.
func TrueFalse(v gjson.Result) conversation.Raw {
	if v.Type == gjson.True || v.Type == gjson.False {
		return conversation.Raw(v.Raw)
	}
	return ""
}

// AppendMember adds a comma where one is due, and a member's name.
func AppendMember(b []byte, name string) []byte {
	b = append(jsontext.Comma(b), '"')
	return append(append(b, name...), `":`...)
}

// AppendText adds a member that is a string.
func AppendText(b []byte, name, value string) []byte {
	return dialect.AppendString(AppendMember(b, name), value)
}

// AppendRaw adds a member that is JSON already, unless there is none.
func AppendRaw(b []byte, name string, value conversation.Raw) []byte {
	if value == "" {
		return b
	}
	return append(AppendMember(b, name), value...)
}

// AppendInside adds text to a JSON string that is open.
func AppendInside(b []byte, text string) []byte {
	n := len(b)
	b = dialect.AppendString(b, text)
	copy(b[n:], b[n+1:len(b)-1])
	return b[:len(b)-2]
}
