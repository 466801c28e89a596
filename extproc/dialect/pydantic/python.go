package pydantic

import (
	"strconv"
	"strings"

	"sluice/extproc/dialect/jsontext"
)

// pythonStr is Python's str() of a value that came from JSON.
func pythonStr(v *jsontext.Value) string {
	if v.Kind == jsontext.String {
		return v.Text()
	}
	var b strings.Builder
	pythonRepr(&b, v)
	return b.String()
}

// pythonRepr writes Python's repr() of a value that came from JSON.
func pythonRepr(b *strings.Builder, v *jsontext.Value) {
	switch v.Kind {
	case jsontext.Null:
		b.WriteString("None")
	case jsontext.True:
		b.WriteString("True")
	case jsontext.False:
		b.WriteString("False")
	case jsontext.Int:
		b.Write(v.Raw)
	case jsontext.Float:
		b.WriteString(pythonFloat(string(v.Raw)))
	case jsontext.String:
		b.WriteString(pythonQuote(v.Text()))
	case jsontext.Array:
		b.WriteByte('[')
		for i := range v.Items() {
			if i > 0 {
				b.WriteString(", ")
			}
			pythonRepr(b, &v.Items()[i])
		}
		b.WriteByte(']')
	case jsontext.Object:
		b.WriteByte('{')
		for i := range v.Items() {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(pythonQuote(v.Keys()[i]) + ": ")
			pythonRepr(b, &v.Items()[i])
		}
		b.WriteByte('}')
	}
}

// pythonFloat is Python's repr() of a float: with an exponent where that is
// below -4 or above 15.
func pythonFloat(text string) string {
	f, _ := strconv.ParseFloat(text, 64)
	scientific := strconv.FormatFloat(f, 'e', -1, 64)
	_, exp, _ := strings.Cut(scientific, "e")
	if n, err := strconv.Atoi(exp); err == nil && (n < -4 || n > 15) {
		return scientific
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func pythonQuote(s string) string {
	q := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = `"`
	}
	s = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s)
	if q == "'" {
		s = strings.ReplaceAll(s, "'", `\'`)
	}
	return q + s + q
}
