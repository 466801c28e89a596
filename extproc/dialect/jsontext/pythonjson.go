package jsontext

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// AppendPython adds a JSON value as Python's json.dumps(json.loads(v))
// writes it: ", " and ": " between tokens, non-ASCII escaped, floats in
// Python's shortest form. MLflow's clients get tool arguments like this.
func AppendPython(b []byte, v gjson.Result) []byte {
	switch {
	case v.IsObject():
		first := true
		b = append(b, '{')
		v.ForEach(func(k, v gjson.Result) bool {
			b = separate(b, &first)
			b = append(appendPythonString(b, k.Str), ": "...)
			b = AppendPython(b, v)
			return true
		})
		return append(b, '}')
	case v.IsArray():
		first := true
		b = append(b, '[')
		v.ForEach(func(_, v gjson.Result) bool {
			b = AppendPython(separate(b, &first), v)
			return true
		})
		return append(b, ']')
	case v.Type == gjson.String:
		return appendPythonString(b, v.Str)
	case v.Type == gjson.Number:
		return appendPythonNumber(b, v)
	}
	return append(b, strings.TrimSpace(v.Raw)...)
}

func separate(b []byte, first *bool) []byte {
	if *first {
		*first = false
		return b
	}
	return append(b, ", "...)
}

// appendPythonNumber keeps an integer's digits, whatever its size, and writes
// a float as Python's repr.
func appendPythonNumber(b []byte, v gjson.Result) []byte {
	if !strings.ContainsAny(v.Raw, ".eE") {
		if v.Raw == "-0" {
			return append(b, '0')
		}
		return append(b, v.Raw...)
	}
	return appendPythonFloat(b, v.Num)
}

// appendPythonFloat writes a float as Python's repr: the shortest digits that
// read back the same, with an exponent below 1e-4 and from 1e16 on.
func appendPythonFloat(b []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	case f != 0 && (math.Abs(f) < 1e-4 || math.Abs(f) >= 1e16):
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	n := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, 64)
	if bytes.IndexByte(b[n:], '.') < 0 {
		b = append(b, ".0"...)
	}
	return b
}

const hexDigits = "0123456789abcdef"

func appendPythonString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r >= ' ' && r <= '~':
			b = append(b, byte(r))
		case r > 0xffff:
			r -= 0x10000
			b = appendUnicode(appendUnicode(b, 0xd800+r>>10), 0xdc00+r&0x3ff)
		default:
			if i := bytes.IndexRune([]byte("\b\f\n\r\t"), r); i >= 0 {
				b = append(b, '\\', "bfnrt"[i])
			} else {
				b = appendUnicode(b, r)
			}
		}
	}
	return append(b, '"')
}

func appendUnicode(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
