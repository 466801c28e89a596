package format_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// schema is the part of OCSF's compiled schema that tools/ocsf-schema keeps.
type schema struct {
	Version string
	Types   map[string]struct {
		Type, Regex string
		Range       []int64
		MaxLen      int `json:"max_len"`
	}
	Objects, Classes map[string]*shape

	byUID   map[int64]*shape
	regexes map[string]*regexp.Regexp
}

type shape struct {
	UID          int64
	CategoryUID  int64 `json:"category_uid"`
	Caption      string
	CategoryName string `json:"category_name"`
	Profiles     []string
	Constraints  map[string][]string
	Attributes   map[string]*attribute
}

type attribute struct {
	Type, Requirement, Object, Profile, Sibling string
	List, Deprecated                            bool
	Enum                                        map[string]string
}

func loadSchema(t testing.TB) *schema {
	t.Helper()
	text, err := os.ReadFile("testdata/ocsf-1.6.0.json")
	require.NoError(t, err)
	s := &schema{byUID: map[int64]*shape{}, regexes: map[string]*regexp.Regexp{}}
	require.NoError(t, json.Unmarshal(text, s))
	for _, c := range s.Classes {
		s.byUID[c.UID] = c
	}
	for name, typ := range s.Types {
		if typ.Regex != "" {
			s.regexes[name] = regexp.MustCompile(typ.Regex)
		}
	}
	return s
}

// check holds an event to the schema and returns what is wrong with it.
func (s *schema) check(line []byte) []string {
	if bytes.ContainsAny(line, "\n\r") {
		return []string{"is more than one line"}
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	var event map[string]any
	if err := dec.Decode(&event); err != nil {
		return []string{err.Error()}
	}
	if dec.More() {
		return []string{"goes on behind its end"}
	}
	c := &checker{schema: s, profiles: map[string]bool{}}
	uid := number(event["class_uid"])
	class := s.byUID[uid]
	if class == nil {
		return []string{fmt.Sprintf("class_uid %d is not known", uid)}
	}
	metadata, _ := event["metadata"].(map[string]any)
	profiles, _ := metadata["profiles"].([]any)
	for _, p := range profiles {
		name, _ := p.(string)
		c.profiles[name] = true
		if !slices.Contains(class.Profiles, name) {
			c.say("metadata.profiles", "%s is no profile of %s", name, class.Caption)
		}
	}
	c.object("", class, event)
	c.equal("type_uid", number(event["type_uid"]), uid*100+number(event["activity_id"]))
	c.equal("category_uid", number(event["category_uid"]), class.CategoryUID)
	c.equal("class_name", event["class_name"], class.Caption)
	c.equal("metadata.version", metadata["version"], s.Version)
	if class.CategoryName != "" {
		c.equal("category_name", event["category_name"], class.CategoryName)
	}
	c.observables(event)
	slices.Sort(c.wrong)
	return c.wrong
}

type checker struct {
	*schema
	profiles map[string]bool
	wrong    []string
}

func (c *checker) say(at, format string, args ...any) {
	c.wrong = append(c.wrong, at+": "+fmt.Sprintf(format, args...))
}

func (c *checker) equal(at string, got, want any) {
	if got != want {
		c.say(at, "is %v, want %v", got, want)
	}
}

// number is an integer, or one that no schema knows.
func number(v any) int64 {
	n, _ := v.(json.Number)
	i, err := n.Int64()
	if err != nil {
		return math.MinInt32
	}
	return i
}

func (c *checker) object(at string, shape *shape, o map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		a := shape.Attributes[name]
		path := strings.TrimPrefix(at+"."+name, ".")
		switch {
		case a == nil:
			c.say(path, "is no attribute of %s", shape.Caption)
			continue
		case a.Deprecated:
			c.say(path, "is deprecated")
		case a.Profile != "" && !c.profiles[a.Profile]:
			c.say(path, "belongs to the profile %s, which the event does not name", a.Profile)
		}
		c.attribute(path, a, o[name])
		c.sibling(path, a, o)
	}
	for name, a := range shape.Attributes {
		if _, has := o[name]; !has && a.Requirement == "required" && (a.Profile == "" || c.profiles[a.Profile]) {
			c.say(strings.TrimPrefix(at+"."+name, "."), "is required")
		}
	}
	c.constraints(at, shape, o)
}

func (c *checker) constraints(at string, shape *shape, o map[string]any) {
	count := func(names []string) int {
		n := 0
		for _, name := range names {
			if _, has := o[name]; has {
				n++
			}
		}
		return n
	}
	for rule, names := range shape.Constraints {
		n := count(names)
		if rule == "at_least_one" && n == 0 || rule == "just_one" && n != 1 {
			c.say(at, "wants %s of %v", rule, names)
		}
	}
}

// sibling holds the text beside an enumerated number to the caption of the
// number. Other has a text of the source's own.
func (c *checker) sibling(path string, a *attribute, o map[string]any) {
	if a.Enum == nil || a.Sibling == "" {
		return
	}
	name := path[strings.LastIndex(path, ".")+1:]
	id, text := number(o[name]), o[a.Sibling]
	if text == nil {
		c.say(path, "stands without %s", a.Sibling)
	} else if caption := a.Enum[strconv.FormatInt(id, 10)]; id != 99 && text != caption {
		c.say(path, "is %d, which is %q and not %q", id, caption, text)
	}
}

func (c *checker) attribute(path string, a *attribute, v any) {
	if a.List {
		items, is := v.([]any)
		if !is || len(items) == 0 {
			c.say(path, "is no list, or an empty one")
		}
		for i, item := range items {
			c.value(fmt.Sprintf("%s[%d]", path, i), a, item)
		}
		return
	}
	c.value(path, a, v)
}

func (c *checker) value(path string, a *attribute, v any) {
	if a.Type == "object_t" {
		o, is := v.(map[string]any)
		if !is {
			c.say(path, "is no object")
		} else if a.Object != "object" { // that is any
			c.object(path, c.Objects[a.Object], o)
		}
		return
	}
	typ, known := c.Types[a.Type]
	if !known {
		c.say(path, "has the type %s, which is not known", a.Type)
		return
	}
	base := a.Type
	if typ.Type != "" {
		base = typ.Type
	}
	text, isText := v.(string)
	n, isNumber := v.(json.Number)
	switch base {
	case "json_t":
		return
	case "string_t":
		if !isText || text == "" {
			c.say(path, "is no text, or an empty one")
		}
	case "integer_t", "long_t", "timestamp_t":
		if _, err := n.Int64(); !isNumber || err != nil {
			c.say(path, "is no integer")
		}
	case "boolean_t":
		if _, is := v.(bool); !is {
			c.say(path, "is no boolean")
		}
	default:
		c.say(path, "has the type %s, which this test does not check", base)
	}
	if re := c.regexes[a.Type]; re != nil && !re.MatchString(text) {
		c.say(path, "%q is no %s", text, a.Type)
	}
	if typ.MaxLen > 0 && len(text) > typ.MaxLen {
		c.say(path, "is longer than %d", typ.MaxLen)
	}
	if len(typ.Range) == 2 && (number(v) < typ.Range[0] || number(v) > typ.Range[1]) {
		c.say(path, "%v is not in %v", v, typ.Range)
	}
	if a.Enum != nil {
		if _, known := a.Enum[fmt.Sprint(v)]; !known {
			c.say(path, "%v is none of its values", v)
		}
	}
}

// observables must be values that the event has where they say.
func (c *checker) observables(event map[string]any) {
	list, _ := event["observables"].([]any)
	for _, item := range list {
		o, _ := item.(map[string]any)
		name, _ := o["name"].(string)
		if !slices.Contains(valuesAt(event, strings.Split(name, ".")), o["value"]) {
			c.say("observables", "%v is not at %s", o["value"], name)
		}
	}
}

func valuesAt(v any, path []string) []any {
	if list, is := v.([]any); is {
		var out []any
		for _, item := range list {
			out = append(out, valuesAt(item, path)...)
		}
		return out
	}
	if len(path) == 0 {
		return []any{v}
	}
	o, _ := v.(map[string]any)
	return valuesAt(o[path[0]], path[1:])
}
