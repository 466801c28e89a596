package anthropic

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// tools carries tools, tool_choice and parallel_tool_calls.
func (r *openAIRequest) tools() *dialect.Error {
	list := r.members.get("tools")
	if jsontext.Present(list) && !list.IsArray() {
		return dialect.InvalidField("tools", "must be a list.")
	}
	tools := []byte{'['}
	i := 0
	var e *dialect.Error
	list.ForEach(func(_, t gjson.Result) bool {
		tools, e = appendOpenAITool(tools, t)
		e = dialect.Within(e, "tools", i)
		i++
		return e == nil
	})
	if e != nil {
		return e
	}
	if i > 0 {
		r.raw("tools", string(append(tools, ']')))
	}
	choice, e := toolChoice(r.members.get("tool_choice"), i > 0)
	if e != nil {
		return e
	}
	// Anthropic says "one call at a time" inside tool_choice. Where no tool
	// can be called there is nothing to say.
	if i > 0 && r.members.get("parallel_tool_calls").Type == gjson.False {
		switch choice {
		case "":
			choice = `{"type":"auto","disable_parallel_tool_use":true}`
		case toolChoiceNone:
		default:
			choice = choice[:len(choice)-1] + `,"disable_parallel_tool_use":true}`
		}
	}
	if choice != "" {
		r.raw("tool_choice", choice)
	}
	return nil
}

// appendOpenAITool adds a function's definition. Its schema goes as it is.
func appendOpenAITool(b []byte, t gjson.Result) ([]byte, *dialect.Error) {
	var f, cache gjson.Result
	e := eachOnce(t, "", func(name string, v gjson.Result) bool {
		switch name {
		case "type":
			return v.Str == "function"
		case "function":
			f = v
		case "cache_control":
			cache = v
		default:
			return false
		}
		return true
	})
	if e != nil {
		return b, e
	}
	var schema gjson.Result
	b = append(jsontext.Comma(b), '{')
	e = eachOnce(f, "function", func(name string, v gjson.Result) bool {
		switch name {
		case "name", "description", "strict":
			b = append(append(append(jsontext.Comma(b), '"'), name...), `":`...)
			b = append(b, v.Raw...)
		case "parameters":
			schema = v
		default:
			return false
		}
		return true
	})
	switch {
	case e != nil:
		return b, e
	case f.Get("name").Type != gjson.String:
		return b, dialect.InvalidField("function.name", "must be a string.")
	}
	b = append(b, `,"input_schema":`...)
	if jsontext.Present(schema) {
		b = append(b, schema.Raw...)
	} else {
		b = append(b, emptySchema...)
	}
	return append(appendCache(b, cache.Raw), '}'), nil
}

// eachOnce calls fn for the members of an object that are not null. It
// refuses those that come twice, so that the policy and the model can't see
// different ones, and those for which fn returns false.
func eachOnce(object gjson.Result, at string, fn func(name string, v gjson.Result) bool) (e *dialect.Error) {
	if !object.IsObject() {
		return dialect.InvalidField(at, "must be an object.")
	}
	var seen []string
	object.ForEach(func(k, v gjson.Result) bool {
		switch {
		case slices.Contains(seen, k.Str):
			e = dialect.InvalidField(strings.TrimPrefix(at+"."+k.Str, "."), "is given twice.")
		case v.Type != gjson.Null && !fn(k.Str, v):
			e = dialect.Unsupported(strings.TrimPrefix(at+"."+k.Str, "."), "can't be passed to Anthropic models with this value.")
		}
		seen = append(seen, k.Str)
		return e == nil
	})
	return e
}

// emptySchema is the schema of a function without parameters.
const emptySchema = `{"type":"object","properties":{}}`

const toolChoiceNone = `{"type":"none"}`

// toolChoice translates tool_choice; "" means the default. hasTools tells
// whether the call offers tools: without any, only choices that ask for
// nothing pass, and Anthropic must not be sent them.
func toolChoice(v gjson.Result, hasTools bool) (string, *dialect.Error) {
	choice := ""
	switch {
	case !jsontext.Present(v):
		return "", nil
	case v.Str == "auto" || v.Str == "none":
		if !hasTools {
			return "", nil
		}
		choice = `{"type":"` + v.Str + `"}`
	case v.Str == "required":
		choice = `{"type":"any"}`
	case v.Get("type").Str == "function" && v.Get("function.name").Type == gjson.String:
		choice = `{"type":"tool","name":` + v.Get("function.name").Raw + "}"
	default:
		return "", dialect.Unsupported("tool_choice", "must be none, auto, required or a function for Anthropic models.")
	}
	if !hasTools {
		return "", dialect.InvalidField("tool_choice", "needs tools to choose from.")
	}
	return choice, nil
}
