package bedrock

import (
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// mlflowToConverse turns MLflow's validated chat payload into a body of
// Converse as AmazonBedrockProvider._build_converse_kwargs does. What it
// crashes on (500) is refused here; a tool without a description goes without
// one, since Bedrock refuses an empty one.
func mlflowToConverse(req *dialect.Request) ([]byte, *dialect.Error) {
	if e := plain.NoModel(req); e != nil {
		return nil, e
	}
	root := jsontext.View(req.Payload)
	m := mlflowChat{out: make([]byte, 0, len(req.Payload)+256)}
	m.out = append(m.out, `{"messages":[`...)
	var e *dialect.Error
	root.Get("messages").ForEach(func(_, v gjson.Result) bool {
		e = m.message(v)
		return e == nil
	})
	if e != nil {
		return nil, e
	}
	m.endResults()
	m.out = append(m.out, ']')
	if len(m.system) > 0 {
		m.out = append(append(append(m.out, `,"system":[`...), m.system...), ']')
	}
	m.inference(root)
	if e := m.tools(root.Get("tools")); e != nil {
		return nil, e
	}
	return append(m.out, '}'), nil
}

// mlflowChat is a body of Converse on its way from MLflow's payload.
type mlflowChat struct {
	out     []byte
	system  []byte // the system blocks
	results bool   // a turn of tool results is under way
}

func (m *mlflowChat) message(v gjson.Result) *dialect.Error {
	role := v.Get("role").Str
	if role == "tool" {
		m.result(v)
		return nil
	}
	m.endResults()
	switch role {
	case "system":
		m.system = append(appendText(append(jsontext.Comma(m.system), `{"text":`...), v.Get("content")), '}')
	case "assistant":
		m.out = append(jsontext.Comma(m.out), `{"role":"assistant","content":[`...)
		calls := v.Get("tool_calls")
		if !calls.IsArray() || calls.Get("#").Int() == 0 {
			m.out = append(appendText(append(m.out, `{"text":`...), v.Get("content")), "}]}"...)
			return nil
		}
		e := m.calls(v.Get("content"), calls)
		m.out = append(m.out, "]}"...)
		return e
	default:
		m.out = append(jsontext.Comma(m.out), `{"role":"user","content":[{"text":`...)
		m.out = append(appendText(m.out, v.Get("content")), "}]}"...)
	}
	return nil
}

// result adds a tool's result. Those that follow each other share one turn.
func (m *mlflowChat) result(v gjson.Result) {
	if !m.results {
		m.results = true
		m.out = append(jsontext.Comma(m.out), `{"role":"user","content":[`...)
	}
	m.out = append(jsontext.Comma(m.out), `{"toolResult":{"toolUseId":`...)
	m.out = append(m.out, jsontext.RawString(v.Get("tool_call_id"))...)
	m.out = append(appendText(append(m.out, `,"content":[{"text":`...), v.Get("content")), "}]}}"...)
}

func (m *mlflowChat) endResults() {
	if m.results {
		m.results = false
		m.out = append(m.out, "]}"...)
	}
}

func (m *mlflowChat) calls(content, calls gjson.Result) (e *dialect.Error) {
	if text := appendText(nil, content); len(text) > len(`""`) {
		m.out = append(append(append(m.out, `{"text":`...), text...), '}')
	}
	calls.ForEach(func(_, c gjson.Result) bool {
		e = m.call(c)
		return e == nil
	})
	return e
}

func (m *mlflowChat) call(c gjson.Result) *dialect.Error {
	id, name := c.Get("id"), c.Get("function.name")
	if strings.TrimSpace(name.Str) == "" {
		return plain.Refuse(http.StatusUnprocessableEntity, "Invalid assistant tool call: missing function name for tool_call_id="+id.Str+".")
	}
	input := "{}"
	if args := c.Get("function.arguments"); args.Exists() {
		if input = args.Str; !jsontext.Valid([]byte(input)) || strings.TrimSpace(input) == "" {
			return plain.Refuse(http.StatusUnprocessableEntity, "Invalid assistant tool call arguments: not valid JSON for tool_call_id="+id.Str+
				", tool_name="+name.Str+".")
		}
	}
	m.out = append(append(jsontext.Comma(m.out), `{"toolUse":{"toolUseId":`...), jsontext.RawString(id)...)
	m.out = append(append(m.out, `,"name":`...), name.Raw...)
	m.out = append(append(append(m.out, `,"input":`...), input...), "}}"...)
	return nil
}

// inference adds the parameters that MLflow carries, unscaled.
func (m *mlflowChat) inference(root gjson.Result) {
	var config []byte
	add := func(name string, v gjson.Result) {
		config = append(append(append(append(jsontext.Comma(config), '"'), name...), `":`...), v.Raw...)
	}
	if v := root.Get("temperature"); v.Exists() {
		add("temperature", v)
	}
	if v := root.Get("top_p"); v.Exists() {
		add("topP", v)
	}
	for _, name := range []string{"max_tokens", "max_completion_tokens"} {
		if v := root.Get(name); v.Num != 0 {
			add("maxTokens", v)
			break
		}
	}
	if v := root.Get("stop"); v.Exists() {
		if !v.IsArray() {
			v.Raw = "[" + v.Raw + "]"
		}
		add("stopSequences", v)
	}
	if len(config) > 0 {
		m.out = append(append(append(m.out, `,"inferenceConfig":{`...), config...), '}')
	}
}

func (m *mlflowChat) tools(list gjson.Result) (e *dialect.Error) {
	var specs []byte
	i := 0
	list.ForEach(func(_, t gjson.Result) bool {
		if t.Get("type").Str == "function" {
			f := t.Get("function")
			if f.Get("name").Type != gjson.String {
				e = dialect.Within(kit.MLflowField("function", "must have a name."), "tools", i)
				return false
			}
			specs = appendToolSpec(jsontext.Comma(specs), f)
		}
		i++
		return true
	})
	if e == nil && len(specs) > 0 {
		m.out = append(append(append(m.out, `,"toolConfig":{"tools":[`...), specs...), "]}"...)
	}
	return e
}

func appendToolSpec(b []byte, f gjson.Result) []byte {
	b = append(append(b, `{"toolSpec":{"name":`...), f.Get("name").Raw...)
	if d := f.Get("description"); d.Str != "" {
		b = append(append(b, `,"description":`...), d.Raw...)
	}
	b = append(b, `,"inputSchema":{"json":`...)
	if p := f.Get("parameters"); p.IsObject() {
		b = append(b, p.Raw...)
	} else {
		b = append(b, "{}"...)
	}
	return append(b, "}}}"...)
}

// appendText adds a message's text as a JSON string: its text parts, a line
// each; other parts are dropped, as MLflow does.
func appendText(b []byte, content gjson.Result) []byte {
	switch {
	case content.Type == gjson.String:
		return append(b, content.Raw...)
	case !content.IsArray():
		return append(b, `""`...)
	}
	b = append(b, '"')
	first := true
	content.ForEach(func(_, part gjson.Result) bool {
		if part.Get("type").Str != "text" {
			return true
		}
		if !first {
			b = append(b, `\n`...)
		}
		first = false
		if text := part.Get("text"); len(text.Raw) > 2 {
			b = append(b, text.Raw[1:len(text.Raw)-1]...)
		}
		return true
	})
	return append(b, '"')
}
