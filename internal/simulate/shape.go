package simulate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// shape names the members that a JSON object may have, and the shapes of
// theirs; a nil shape lets anything through. Arrays have the shape of their
// elements.
type shape map[string]shape

// shapeOf reads a shape: names parted by spaces, each with the members of its
// value in braces where these are checked too: "model messages{role content}".
func shapeOf(text string) shape {
	words := strings.Fields(strings.NewReplacer("{", " { ", "}", " } ").Replace(text))
	s, rest := readShape(words)
	if len(rest) > 0 {
		panic("simulate: a shape has a brace too many: " + text)
	}
	return s
}

func readShape(words []string) (s shape, rest []string) {
	s = shape{}
	last := ""
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		switch word {
		case "{":
			s[last], words = readShape(words)
		case "}":
			return s, words
		default:
			s[word], last = nil, word
		}
	}
	return s, nil
}

// extra is a member that a shape does not have.
type extra struct {
	at   string // where its object is, as "tools[0].function"; empty for the top
	name string
}

// path is the member's place from the top.
func (x extra) path() string {
	if x.at == "" {
		return x.name
	}
	return x.at + "." + x.name
}

// extraIn returns the first member that the shape does not have, in the order
// of names. Names are compared after rename, which may be nil.
func (s shape) extraIn(body []byte, rename func(string) string) (extra, bool) {
	var v any
	_ = json.Unmarshal(body, &v) // a broken body is refused elsewhere
	if rename == nil {
		rename = func(name string) string { return name }
	}
	return s.look(v, "", rename)
}

func (s shape) look(v any, at string, rename func(string) string) (extra, bool) {
	switch v := v.(type) {
	case []any:
		for i, element := range v {
			if x, found := s.look(element, fmt.Sprintf("%s[%d]", at, i), rename); found {
				return x, true
			}
		}
	case map[string]any:
		return s.lookIn(v, at, rename)
	}
	return extra{}, false
}

func (s shape) lookIn(object map[string]any, at string, rename func(string) string) (extra, bool) {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		inner, known := s[rename(name)]
		if !known {
			return extra{at: at, name: name}, true
		}
		if inner == nil {
			continue
		}
		if x, found := inner.look(object[name], extra{at: at, name: name}.path(), rename); found {
			return x, true
		}
	}
	return extra{}, false
}

// camel turns a_name into aName, as protobuf's JSON does.
func camel(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

// read decodes a request's body into v and refuses members that the shape does
// not have, as the provider says it.
func (c *call) read(v any, s shape, refuse func(extra) *problem) *problem {
	if _, p := decode(c.Body, v, nil); p != nil {
		return p
	}
	if x, found := s.extraIn(c.Body, nil); found && !c.env.allowUnknown {
		return refuse(x)
	}
	return nil
}
