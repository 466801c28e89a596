package pydantic

import (
	"math"
	"strconv"
	"strings"

	"sluice/extproc/dialect/jsontext"
)

// String accepts strings only.
type String struct{}

func (String) label() string { return "str" }

func (String) run(c *check, v *jsontext.Value) bool {
	if v.Kind != jsontext.String {
		return c.fail("string_type", "Input should be a valid string", v, "")
	}
	c.out = append(c.out, v.Raw...)
	return true
}

// Bool accepts booleans and what pydantic takes for one: 0 and 1, also as
// floats, and words like "yes" and "off".
type Bool struct{}

func (Bool) label() string { return "bool" }

func (Bool) run(c *check, v *jsontext.Value) bool {
	truth, kind := boolOf(v)
	switch kind {
	case "bool_type":
		return c.fail(kind, "Input should be a valid boolean", v, "")
	case "bool_parsing":
		return c.fail(kind, "Input should be a valid boolean, unable to interpret input", v, "")
	}
	c.out = strconv.AppendBool(c.out, truth)
	return true
}

// boolOf returns the truth of v, or the kind of error it makes.
func boolOf(v *jsontext.Value) (truth bool, kind string) {
	switch v.Kind {
	case jsontext.True, jsontext.False:
		return v.Kind == jsontext.True, ""
	case jsontext.String:
		switch strings.ToLower(v.Text()) {
		case "1", "true", "t", "yes", "y", "on":
			return true, ""
		case "0", "false", "f", "no", "n", "off":
			return false, ""
		}
		return false, "bool_parsing"
	case jsontext.Int, jsontext.Float:
		n, ok := wholeInt64(v)
		switch {
		case !ok:
			return false, "bool_type"
		case n == 0 || n == 1:
			return n == 1, ""
		}
		return false, "bool_parsing"
	}
	return false, "bool_type"
}

// Literal accepts some strings.
type Literal []string

func (l Literal) label() string { return "literal['" + strings.Join(l, "','") + "']" }

func (l Literal) run(c *check, v *jsontext.Value) bool {
	if v.Kind == jsontext.String {
		text := v.Text()
		for _, s := range l {
			if s == text {
				c.out = append(c.out, v.Raw...)
				return true
			}
		}
	}
	expected := l.expected()
	return c.fail("literal_error", "Input should be "+expected, v, `{"expected":`+quote(expected)+"}")
}

func (l Literal) expected() string {
	last := len(l) - 1
	if last == 0 {
		return "'" + l[0] + "'"
	}
	return "'" + strings.Join(l[:last], "', '") + "' or '" + l[last] + "'"
}

// Scalar accepts strings, numbers and booleans as they are: pydantic's smart
// union of str, int, float and bool.
type Scalar struct{}

func (Scalar) label() string { return scalars.label() }

func (Scalar) run(c *check, v *jsontext.Value) bool {
	switch v.Kind {
	case jsontext.Null, jsontext.Array, jsontext.Object:
		return scalars.run(c, v)
	}
	c.out = append(c.out, v.Raw...)
	return true
}

var scalars = Union{String{}, Int{}, Float{Min: math.Inf(-1), Max: math.Inf(1)}, Bool{}}

// Any accepts everything and dumps it without the null members of its objects.
type Any struct{}

func (Any) label() string { return "any" }

func (Any) run(c *check, v *jsontext.Value) bool {
	c.any(v)
	return true
}

// Raw accepts everything and dumps it as it came.
type Raw struct{}

func (Raw) label() string { return "any" }

func (Raw) run(c *check, v *jsontext.Value) bool {
	c.out = append(c.out, v.Raw...)
	return true
}

// any dumps as FastAPI's jsonable_encoder(exclude_none=True) does: null members
// of objects go, null items of arrays stay.
func (c *check) any(v *jsontext.Value) {
	switch v.Kind {
	case jsontext.Object:
		c.out = append(c.out, '{')
		first := true
		for i := range v.Items() {
			if v.Items()[i].Kind != jsontext.Null {
				c.key(v.Keys()[i], first)
				c.any(&v.Items()[i])
				first = false
			}
		}
		c.out = append(c.out, '}')
	case jsontext.Array:
		c.out = append(c.out, '[')
		for i := range v.Items() {
			if i > 0 {
				c.out = append(c.out, ',')
			}
			c.any(&v.Items()[i])
		}
		c.out = append(c.out, ']')
	default:
		c.out = append(c.out, v.Raw...)
	}
}

func (c *check) key(name string, first bool) {
	if !first {
		c.out = append(c.out, ',')
	}
	c.out = append(jsontext.AppendString(c.out, name), ':')
}
