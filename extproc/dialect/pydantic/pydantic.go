// Package pydantic checks JSON as pydantic v2 does in MLflow's server: the same
// coercions, the same errors with the same texts, and the same dump of what
// was accepted. Schemas are values built from the types of this package; they
// are immutable and shared.
package pydantic

import (
	"strconv"

	"sluice/extproc/dialect/jsontext"
)

// Bounds of an error report, which echoes parts of the input.
const (
	maxErrors = 100
	maxEcho   = 16 << 10 // bytes of one echoed input; a longer one is null
)

// Schema is a rule for one value. Its implementations are the types of this
// package.
type Schema interface {
	// run checks v, adds its dump to c.out if it is right, and errors to
	// c.errs if it is not.
	run(c *check, v *jsontext.Value) bool
	// label names the schema in the place of an error inside a union.
	label() string
}

// Dump checks v against a schema and returns what pydantic's
// model_dump(exclude_none=True) gives of it, as JSON, and where in it the
// members are. When v is not valid, the errors are returned instead, as a
// JSON list in the form of a FastAPI 422.
func Dump(s *Model, v *jsontext.Value) (out []byte, members jsontext.Members, errs []byte) {
	c := &check{out: make([]byte, 0, len(v.Raw)+len(v.Raw)/8+32), root: s}
	c.at = append(make([]place, 0, 16), body)
	if !s.run(c, v) {
		return nil, nil, c.report()
	}
	return c.out, c.members, nil
}

// MissingBody is the error list for a request without a body.
func MissingBody() []byte {
	c := &check{at: []place{body}}
	c.fail("missing", "Field required", &jsontext.Value{Raw: []byte("null")}, "")
	return c.report()
}

// JSONError is the error list for a body that is not JSON.
func JSONError(message string, position int) []byte {
	c := &check{at: []place{body, {index: position}}}
	ctx := append([]byte(`{"error":`), jsontext.AppendString(nil, message)...)
	c.fail("json_invalid", "JSON decode error", &jsontext.Value{Raw: []byte("{}")}, string(append(ctx, '}')))
	return c.report()
}

// check is the state of one validation.
type check struct {
	out     []byte
	at      []place // of the current value, from the outside in
	errs    []failure
	root    *Model
	members jsontext.Members // of the root's dump
}

type failure struct {
	kind, message, ctx string
	at                 []place
	input              []byte
}

// place is one step into a value: a member's name, an item's index, or a
// union's member. It becomes text only in a report.
type place struct {
	name  string
	index int
	union Schema
}

var body = place{name: "body"}

func (p place) append(b []byte) []byte {
	switch {
	case p.union != nil:
		return jsontext.AppendString(b, p.union.label())
	case p.name != "" || p.index < 0:
		return jsontext.AppendString(b, p.name)
	}
	return strconv.AppendInt(b, int64(p.index), 10)
}

// fail notes an error at the current place. ctx is JSON, or "". It returns
// false for the caller to return.
func (c *check) fail(kind, message string, input *jsontext.Value, ctx string) bool {
	if len(c.errs) < maxErrors {
		at := append([]place(nil), c.at...)
		c.errs = append(c.errs, failure{kind: kind, message: message, ctx: ctx, at: at, input: input.Raw})
	}
	return false
}

// inside checks something at a place within the current one.
func (c *check) inside(at place, s Schema, v *jsontext.Value) bool {
	c.at = append(c.at, at)
	ok := s.run(c, v)
	c.at = c.at[:len(c.at)-1]
	return ok
}

// member is the place of an object's member. Its name may be empty.
func member(name string) place { return place{name: name, index: -1} }

// report renders the errors.
func (c *check) report() []byte {
	b := append(make([]byte, 0, 256*len(c.errs)), '[')
	for i, e := range c.errs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, `{"type":"`...), e.kind...), `","loc":[`...)
		for j, at := range e.at {
			if j > 0 {
				b = append(b, ',')
			}
			b = at.append(b)
		}
		b = append(b, `],"msg":`...)
		b = jsontext.AppendString(b, e.message)
		b = append(b, `,"input":`...)
		if len(e.input) > maxEcho {
			b = append(b, "null"...)
		} else {
			b = append(b, e.input...)
		}
		if e.ctx != "" {
			b = append(append(b, `,"ctx":`...), e.ctx...)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

func quote(s string) string { return string(jsontext.AppendString(nil, s)) }
