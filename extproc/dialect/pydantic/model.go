package pydantic

import (
	"sluice/extproc/dialect/jsontext"
)

// Extra says what happens to members of an object that a Model does not name.
type Extra int

// The ways with unknown members.
const (
	Drop    Extra = iota // left out of the dump
	Keep                 // dumped as Any
	KeepRaw              // dumped as they came
)

// Field is a named member of a Model.
type Field struct {
	Name     string
	Schema   Schema
	Required bool
	Nullable bool   // null is accepted and left out of the dump
	Default  string // JSON text that is dumped when the member is missing; "" leaves it out
}

// Model accepts objects. Errors and dump are in the order of Fields.
type Model struct {
	Name   string
	Fields []Field
	Extra  Extra
}

func (m *Model) label() string { return m.Name }

func (m *Model) run(c *check, v *jsontext.Value) bool {
	if v.Kind != jsontext.Object {
		return c.fail("model_attributes_type", notObject, v, "")
	}
	ok, first := true, true
	c.out = append(c.out, '{')
	for i := range m.Fields {
		f := &m.Fields[i]
		value, given := v.Get(f.Name)
		switch {
		case !given && f.Required:
			ok = c.inside(member(f.Name), missing{}, v)
		case !given && f.Default != "":
			first = m.member(c, f.Name, first, func() { c.out = append(c.out, f.Default...) })
		case !given, value.Kind == jsontext.Null && f.Nullable:
		default:
			first = m.member(c, f.Name, first, func() {
				ok = c.inside(member(f.Name), f.Schema, value) && ok
			})
		}
	}
	if m.Extra != Drop {
		m.extras(c, v, first)
	}
	c.out = append(c.out, '}')
	return ok
}

func (m *Model) extras(c *check, v *jsontext.Value, first bool) {
	for i := range v.Items() {
		value := &v.Items()[i]
		if m.knows(v.Keys()[i]) {
			continue
		}
		switch {
		case m.Extra == KeepRaw:
			first = m.member(c, v.Keys()[i], first, func() { c.out = append(c.out, value.Raw...) })
		case value.Kind != jsontext.Null:
			first = m.member(c, v.Keys()[i], first, func() { c.any(value) })
		}
	}
}

// member dumps one member and, for the root, notes where. It returns false:
// the next one is not the first.
func (m *Model) member(c *check, name string, first bool, dump func()) bool {
	start := len(c.out)
	c.key(name, first)
	if !first {
		start++
	}
	from := len(c.out)
	dump()
	if m == c.root {
		c.members = append(c.members, jsontext.Member{Key: name, KeyStart: start, Start: from, End: len(c.out)})
	}
	return false
}

// missing refuses: it stands for a required member that is not there.
type missing struct{}

func (missing) label() string { return "" }

func (missing) run(c *check, v *jsontext.Value) bool {
	return c.fail("missing", "Field required", v, "")
}

func (m *Model) knows(name string) bool {
	for i := range m.Fields {
		if m.Fields[i].Name == name {
			return true
		}
	}
	return false
}
