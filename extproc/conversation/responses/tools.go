package responses

import (
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// toolKind is what a tool is to the client. All are functions to providers.
type toolKind uint8

const (
	function toolKind = iota
	custom
	toolSearch
)

// carried is a tool, and what its calls are called to the client.
type carried struct {
	tool            conversation.Tool
	kind            toolKind
	namespace, name string
}

// searchName is the function that stands for tool_search.
const searchName = "tool_search"

// customSchema is of the function that stands for a custom tool.
const customSchema = `{"type":"object","properties":{"input":{"type":"string","description":"The whole input of the tool, as it is."}},"required":["input"],"additionalProperties":false}`

// maxName is how long a function's name may be at most providers.
const maxName = 64

// nameOf is the name under which a tool is carried. Of a long name within a
// namespace the end becomes a hash.
func nameOf(namespace, name string) string {
	if namespace == "" {
		return name
	}
	whole := namespace + "__" + name
	if len(whole) <= maxName {
		return whole
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(whole)) // a hash takes anything
	end := "_" + strconv.FormatUint(uint64(h.Sum32()), 16)
	return strings.ToValidUTF8(whole[:maxName-len(end)], "") + end
}

// readTools reads a list of tools into those that can be carried.
func readTools(list gjson.Result) (all []carried, e *dialect.Error) {
	if !list.IsArray() {
		return nil, dialect.InvalidField("tools", "must be a list.")
	}
	e = codec.Each(list, func(i int, v gjson.Result) *dialect.Error {
		var e *dialect.Error
		all, e = appendTool(all, v, "")
		return dialect.Within(e, "tools", i)
	})
	return all, e
}

func appendTool(all []carried, v gjson.Result, namespace string) ([]carried, *dialect.Error) {
	switch kind := v.Get("type").Str; {
	case kind == "function":
		c, e := readFunction(v, namespace)
		return append(all, c), e
	case kind == "custom":
		c, e := readCustom(v, namespace)
		return append(all, c), e
	case kind == "namespace" && namespace == "":
		return appendNamespace(all, v)
	case kind == searchName && v.Get("execution").Str == "client":
		return append(all, carried{kind: toolSearch, name: searchName, tool: conversation.Tool{
			Name: searchName, Description: v.Get("description").Str, Schema: conversation.Raw(v.Get("parameters").Raw),
		}}), nil
	case kind == "web_search" && v.Get("external_web_access").Exists():
		return all, nil // Codex's: see the package's comment
	}
	return all, dialect.Unsupported("type", "must be function, custom or namespace here: this endpoint's provider has none of OpenAI's built-in tools.")
}

func appendNamespace(all []carried, v gjson.Result) ([]carried, *dialect.Error) {
	name := v.Get("name").Str
	if name == "" {
		return all, dialect.InvalidField("name", "must be a string.")
	}
	first := len(all)
	e := codec.Each(v.Get("tools"), func(i int, t gjson.Result) *dialect.Error {
		var e *dialect.Error
		all, e = appendTool(all, t, name)
		return dialect.Within(e, "tools", i)
	})
	if about := v.Get("description").Str; about != "" && len(all) > first {
		t := &all[first].tool
		t.Description = strings.TrimSpace(t.Description + "\n\nOf all tools named " + nameOf(name, "…") + ": " + about)
	}
	return all, e
}

func readFunction(v gjson.Result, namespace string) (c carried, e *dialect.Error) {
	c.namespace = namespace
	e = codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
		switch name {
		case "type", "output_schema", "defer_loading": // a deferred tool is simply there
		case "name":
			c.name = v.Str
		case "description":
			c.tool.Description = v.Str
		case "strict":
			c.tool.Strict = codec.TrueFalse(v)
		case "parameters":
			if !v.IsObject() {
				return dialect.InvalidField(name, "must be a JSON schema.")
			}
			c.tool.Schema = conversation.Raw(v.Raw)
		case "async":
			if v.Type == gjson.True {
				return dialect.Unsupported(name, codec.NotCarried)
			}
		default:
			return dialect.Unsupported(name, codec.NotCarried)
		}
		return nil
	})
	return named(c, e)
}

func named(c carried, e *dialect.Error) (carried, *dialect.Error) {
	if e == nil && c.name == "" {
		e = dialect.InvalidField("name", "must be a string.")
	}
	c.tool.Name = nameOf(c.namespace, c.name)
	return c, e
}

// readCustom makes a custom tool a function of one string. Its grammar can't
// be enforced: the model is told it.
func readCustom(v gjson.Result, namespace string) (c carried, e *dialect.Error) {
	c.kind, c.namespace = custom, namespace
	var grammar string
	e = codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
		switch name {
		case "type", "defer_loading":
		case "name":
			c.name = v.Str
		case "description":
			c.tool.Description = v.Str
		case "format":
			switch v.Get("type").Str {
			case "text":
			case "grammar":
				grammar = "\n\nThe input must follow this grammar (" + v.Get("syntax").Str + "):\n" + v.Get("definition").Str
			default:
				return dialect.Unsupported(name, codec.NotCarried)
			}
		case "async":
			if v.Type == gjson.True {
				return dialect.Unsupported(name, codec.NotCarried)
			}
		default:
			return dialect.Unsupported(name, codec.NotCarried)
		}
		return nil
	})
	c.tool.Description = strings.TrimSpace(c.tool.Description + "\n\nCall it with a JSON object whose only member \"input\" is the input, as a string." + grammar)
	c.tool.Schema = customSchema
	return named(c, e)
}

// toolsOf are the tools that a call can lead to: those that it offers, and
// those that tool searches have found. Parts that can't be carried are left
// out: Read has refused them.
func toolsOf(req *dialect.Request) []carried {
	members := req.Members()
	all, _ := readTools(jsontext.View(members.Value(req.Payload, "tools")))
	jsontext.View(members.Value(req.Payload, "input")).ForEach(func(_, item gjson.Result) bool {
		if item.Get("type").Str == "tool_search_output" {
			found, _ := readTools(item.Get("tools"))
			all = append(all, found...)
		}
		return true
	})
	return all
}

// customInput is the input of a custom tool in the arguments of the function
// that stands for it. A model that wrote something else meant that.
func customInput(arguments string) string {
	if v := gjson.Parse(arguments); gjson.Valid(arguments) && v.IsObject() {
		if input := v.Get("input"); input.Type == gjson.String {
			return input.Str
		}
	}
	return arguments
}
