package dialect

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect/jsontext"
)

// toolNames are the names of the tools, and of the functions, their older
// form, that a request offers. A tool without a name has its type's. One that
// could be read under two names has both.
func toolNames(body []byte, members Members) []string {
	var names []string
	for _, key := range []string{"tools", "functions"} {
		text := members.Value(body, key)
		if len(text) == 0 || text[0] != '[' {
			continue
		}
		list := jsontext.Parse(text)
		for i := range list.Items() {
			names = append(names, namesOf(&list.Items()[i])...)
		}
	}
	return names
}

func namesOf(tool *jsontext.Value) []string {
	var names []string
	add := func(v *jsontext.Value) {
		if name, ok := v.Get("name"); ok && name.Kind == jsontext.String && !slices.Contains(names, name.Text()) {
			names = append(names, name.Text())
		}
	}
	add(tool)
	kind := "function"
	if given, ok := tool.Get("type"); ok && given.Kind == jsontext.String {
		kind = given.Text()
	}
	for _, key := range []string{kind, "function", "custom"} {
		if inner, ok := tool.Get(key); ok {
			add(inner)
		}
	}
	if len(names) == 0 {
		return []string{kind}
	}
	return names
}

// toolKeys are the members of a tool that policies hear of, or that hold such.
var toolKeys = []string{"name", "type", "function", "custom", "functionDeclarations", "function_declarations"}

// unclear refuses a list of tools in which two readers could see different
// ones: a key that is twice in a tool, or in another case. Readers of JSON take
// the first of them, or the last.
func unclear(list []byte) *Error {
	var e *Error
	jsontext.View(list).ForEach(func(_, tool gjson.Result) bool {
		e = unclearTool(tool, true)
		return e == nil
	})
	return e
}

func unclearTool(tool gjson.Result, outer bool) *Error {
	text := []byte(tool.Raw)
	members, fault := jsontext.Scan(text)
	if fault != nil { // a list of what is no object
		return nil
	}
	if key, twice := repeated(members); twice {
		return refuseKey(key, "A tool has the key '"+clip(key)+"' twice. Send it once.")
	}
	for i := range members {
		key := members[i].Key
		for _, known := range toolKeys {
			if key != known && len(key) < 2*len(known) && strings.EqualFold(key, known) {
				return refuseKey(key, "A tool has the key '"+clip(key)+"', which could be mistaken for '"+known+"'.")
			}
		}
		if !outer || !slices.Contains(toolKeys[2:], key) {
			continue
		}
		inner := jsontext.View(text[members[i].Start:members[i].End])
		if inner.IsObject() {
			if e := unclearTool(inner, false); e != nil {
				return e
			}
		} else if inner.IsArray() {
			var e *Error
			inner.ForEach(func(_, f gjson.Result) bool {
				e = unclearTool(f, false)
				return e == nil
			})
			if e != nil {
				return e
			}
		}
	}
	return nil
}
