package pydantic

import (
	"strings"

	"sluice/extproc/dialect/jsontext"
)

// List accepts arrays whose items all fit Item. NonEmpty asks for one at least.
type List struct {
	Item     Schema
	NonEmpty bool
	// OrString also accepts a bare string as a list of one. MLflow does not.
	OrString bool
}

func (l List) label() string { return "list[" + l.Item.label() + "]" }

func (l List) run(c *check, v *jsontext.Value) bool {
	if l.OrString && v.Kind == jsontext.String {
		c.out = append(append(append(c.out, '['), v.Raw...), ']')
		return true
	}
	if v.Kind != jsontext.Array {
		return c.fail("list_type", "Input should be a valid list", v, "")
	}
	if l.NonEmpty && len(v.Items()) == 0 {
		return c.fail("too_short", "List should have at least 1 item after validation, not 0", v,
			`{"field_type":"List","min_length":1,"actual_length":0}`)
	}
	ok := true
	c.out = append(c.out, '[')
	for i := range v.Items() {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		ok = c.inside(place{index: i}, l.Item, &v.Items()[i]) && ok
	}
	c.out = append(c.out, ']')
	return ok
}

// Dict accepts objects whose values all fit Value.
type Dict struct{ Value Schema }

func (d Dict) label() string { return "dict[str," + d.Value.label() + "]" }

func (d Dict) run(c *check, v *jsontext.Value) bool {
	if v.Kind != jsontext.Object {
		return c.fail("dict_type", "Input should be a valid dictionary", v, "")
	}
	ok, first := true, true
	c.out = append(c.out, '{')
	for i := range v.Items() {
		_, anything := d.Value.(Any)
		if anything && v.Items()[i].Kind == jsontext.Null {
			continue
		}
		c.key(v.Keys()[i], first)
		first = false
		ok = c.inside(member(v.Keys()[i]), d.Value, &v.Items()[i]) && ok
	}
	c.out = append(c.out, '}')
	return ok
}

// Union accepts what one of its members accepts; the first that does, dumps.
// (pydantic's smart mode picks the best match. In MLflow's unions no value has
// two matches that dump differently.)
type Union []Schema

func (u Union) label() string {
	names := make([]string, len(u))
	for i, s := range u {
		names[i] = s.label()
	}
	return "union[" + strings.Join(names, ",") + "]"
}

func (u Union) run(c *check, v *jsontext.Value) bool {
	out, errs := len(c.out), len(c.errs)
	for _, s := range u {
		if c.inside(place{union: s}, s, v) {
			c.errs = c.errs[:errs]
			return true
		}
		c.out = c.out[:out]
	}
	return false
}

// Tagged accepts an object that fits the model which its member On names.
type Tagged struct {
	On   string
	Tags []string
	By   map[string]*Model
}

func (t *Tagged) label() string {
	names := make([]string, len(t.Tags))
	for i, tag := range t.Tags {
		names[i] = t.By[tag].Name
	}
	return "tagged-union[" + strings.Join(names, ",") + "]"
}

func (t *Tagged) run(c *check, v *jsontext.Value) bool {
	if v.Kind != jsontext.Object {
		return c.fail("model_attributes_type", notObject, v, "")
	}
	on := `"discriminator":"'` + t.On + `'"`
	tag, ok := v.Get(t.On)
	if !ok {
		return c.fail("union_tag_not_found", "Unable to extract tag using discriminator '"+t.On+"'", v, "{"+on+"}")
	}
	name := pythonStr(tag)
	if m, ok := t.By[name]; ok && tag.Kind == jsontext.String {
		return c.inside(member(name), m, v)
	}
	expected := "'" + strings.Join(t.Tags, "', '") + "'"
	return c.fail("union_tag_invalid",
		"Input tag '"+name+"' found using '"+t.On+"' does not match any of the expected tags: "+expected, v,
		"{"+on+`,"tag":`+quote(name)+`,"expected_tags":`+quote(expected)+"}")
}

const notObject = "Input should be a valid dictionary or object to extract fields from"
