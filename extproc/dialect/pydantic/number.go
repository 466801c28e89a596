package pydantic

import (
	"math"
	"strconv"
	"strings"
	"unicode"

	"sluice/extproc/dialect/jsontext"
)

// Int accepts whole numbers, in any of the forms in which pydantic takes one:
// 2, 2.0, "2", " +2.0 ", true. Min is the least accepted, if HasMin.
type Int struct {
	HasMin bool
	Min    int64
}

func (Int) label() string { return "int" }

func (s Int) run(c *check, v *jsontext.Value) bool {
	text, kind := intOf(v)
	switch kind {
	case "int_type":
		return c.fail(kind, "Input should be a valid integer", v, "")
	case "int_from_float":
		return c.fail(kind, "Input should be a valid integer, got a number with a fractional part", v, "")
	case "int_parsing":
		return c.fail(kind, "Input should be a valid integer, unable to parse string as an integer", v, "")
	case "int_parsing_size":
		return c.fail(kind, "Unable to parse input string as an integer, exceeded maximum size", v, "")
	}
	if s.HasMin && below(text, s.Min) {
		min := strconv.FormatInt(s.Min, 10)
		return c.fail("greater_than_equal", "Input should be greater than or equal to "+min, v, `{"ge":`+min+"}")
	}
	c.out = append(c.out, text...)
	return true
}

// below reports whether the integer written in text is less than min.
func below(text string, min int64) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil { // too large for 64 bits, in either direction
		return text[0] == '-'
	}
	return n < min
}

// intOf returns the decimal text of the whole number that v stands for, or the
// kind of error it makes.
func intOf(v *jsontext.Value) (text, kind string) {
	switch v.Kind {
	case jsontext.Int:
		return string(v.Raw), ""
	case jsontext.True:
		return "1", ""
	case jsontext.False:
		return "0", ""
	case jsontext.Float:
		f, _ := strconv.ParseFloat(string(v.Raw), 64)
		if math.Trunc(f) != f {
			return "", "int_from_float"
		}
		n, ok := wholeInt64(v)
		if !ok {
			return "", "int_parsing_size"
		}
		return itoa(int(n)), ""
	case jsontext.String:
		return intFromText(v.Text())
	}
	return "", "int_type"
}

// wholeInt64 is the number as an int64, if it is one.
func wholeInt64(v *jsontext.Value) (int64, bool) {
	if v.Kind == jsontext.Int {
		n, err := strconv.ParseInt(string(v.Raw), 10, 64)
		return n, err == nil
	}
	f, err := strconv.ParseFloat(string(v.Raw), 64)
	if err != nil || math.Trunc(f) != f || f <= math.MinInt64 || f >= math.MaxInt64 {
		return 0, false
	}
	return int64(f), true
}

// intFromText follows pydantic-core's str_as_int: white space around, one
// sign, leading zeros, single underscores between digits, and ".0" at the end
// are all accepted.
func intFromText(s string) (text, kind string) {
	s = strings.TrimFunc(s, unicode.IsSpace)
	sign := ""
	if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
		sign, s = s[:1], s[1:]
	}
	if s == "" || s[0] < '0' || s[0] > '9' {
		return "", "int_parsing"
	}
	if whole, zeros, found := strings.Cut(s, "."); found {
		if zeros == "" || strings.Trim(zeros, "0") != "" {
			return "", "int_parsing"
		}
		s = whole
	}
	if s[len(s)-1] == '_' {
		return "", "int_parsing"
	}
	s = strings.TrimLeft(s, "0_") // "0__1" is 1 to pydantic as well
	if strings.Contains(s, "__") {
		return "", "int_parsing"
	}
	s = strings.ReplaceAll(s, "_", "")
	switch {
	case strings.Trim(s, "0123456789") != "":
		return "", "int_parsing"
	case len(s) > jsontext.MaxNumber:
		return "", "int_parsing_size"
	case s == "":
		return "0", ""
	case sign == "-":
		return "-" + s, ""
	}
	return s, ""
}

// Float accepts numbers from Min to Max, also as strings and booleans.
type Float struct{ Min, Max float64 }

func (Float) label() string { return "float" }

func (s Float) run(c *check, v *jsontext.Value) bool {
	f, kind := floatOf(v)
	switch kind {
	case "float_type":
		return c.fail(kind, "Input should be a valid number", v, "")
	case "float_parsing":
		return c.fail(kind, "Input should be a valid number, unable to parse string as a number", v, "")
	case "finite_number":
		return c.fail(kind, "Input should be a finite number", v, "")
	}
	// Written so that NaN, which is in no order, fails the first.
	if !(f <= s.Max) {
		return c.fail("less_than_equal", "Input should be less than or equal to "+short(s.Max), v, `{"le":`+long(s.Max)+"}")
	}
	if !(f >= s.Min) {
		return c.fail("greater_than_equal", "Input should be greater than or equal to "+short(s.Min), v, `{"ge":`+long(s.Min)+"}")
	}
	switch v.Kind {
	case jsontext.Int, jsontext.Float:
		c.out = append(c.out, v.Raw...)
	default:
		c.out = append(c.out, long(f)...)
	}
	return true
}

// floatOf returns the number that v stands for, or the kind of error it makes.
func floatOf(v *jsontext.Value) (f float64, kind string) {
	switch v.Kind {
	case jsontext.Int, jsontext.Float:
		f, _ = strconv.ParseFloat(string(v.Raw), 64)
		switch {
		case !math.IsInf(f, 0):
			return f, ""
		case v.Kind == jsontext.Int:
			return 0, "float_type" // Python can't make a float of it
		}
		return 0, "finite_number"
	case jsontext.True:
		return 1, ""
	case jsontext.False:
		return 0, ""
	case jsontext.String:
		return floatFromText(v.Text())
	}
	return 0, "float_type"
}

// floatFromText follows pydantic-core's str_as_float, which reads a number as
// Rust does, or, if that is none, without its underscores.
func floatFromText(s string) (f float64, kind string) {
	s = strings.TrimFunc(s, unicode.IsSpace)
	if strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__") {
		return 0, "float_parsing"
	}
	s = strings.ReplaceAll(s, "_", "")
	if strings.ContainsAny(s, "xXpP") { // Go's hexadecimal floats
		return 0, "float_parsing"
	}
	if strings.EqualFold(s, "+nan") || strings.EqualFold(s, "-nan") {
		return math.NaN(), "" // Rust takes a sign here, Go does not
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, "float_parsing"
	}
	return f, ""
}

// short writes a bound as pydantic's messages do, long as JSON from Python does.
func short(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func long(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if strings.Trim(s, "-0123456789") == "" {
		s += ".0"
	}
	return s
}

func itoa(n int) string { return strconv.Itoa(n) }
