package anthropic

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	format "sluice/extproc/conversation/anthropic"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
)

// mlflowTokenCap is MLflow's own bound on max_tokens for Anthropic.
const mlflowTokenCap = 1_000_000

// mlflowModelField is MLflow's refusal of a model in an invocation.
const mlflowModelField = "The parameter 'model' is not permitted to be passed. The route being " +
	"queried already defines a model instance."

// mlflowToMessages turns MLflow's validated chat payload into a request to
// the Messages API as MLflow's AnthropicAdapter.chat_to_model does. What that
// crashes on (500) is refused here: arguments that are no JSON, a tool result
// without its call; a tool without description or parameters goes through.
func mlflowToMessages(model string, req *dialect.Request) ([]byte, *dialect.Error) {
	p := payloadMembers(req.Payload)
	if e := checkMLflowChat(p); e != nil {
		return nil, e
	}
	r := mlflowRequest{out: make([]byte, 0, len(req.Payload)+256)}
	r.out = append(r.out, '{')
	for _, m := range p {
		v := m.value
		switch m.name {
		case "model", "n", "max_tokens", "max_completion_tokens", "messages", "tools", "tool_choice", "response_format":
		case "system": // MLflow's extra; system messages replace it
			switch {
			case hasSystem(p):
			case v.Type == gjson.String:
				r.addSystemText(v)
			default:
				r.raw("system", v.Raw)
			}
		case "stop":
			r.raw("stop_sequences", v.Raw)
		case "temperature":
			r.raw("temperature", half(v))
		default:
			r.raw(m.name, v.Raw)
		}
	}
	r.raw("model", string(dialect.AppendString(nil, model)))
	r.raw("max_tokens", mlflowMaxTokens(p))
	for _, step := range []func(members) *dialect.Error{r.messages, r.tools, r.toolChoice, r.responseFormat} {
		if e := step(p); e != nil {
			return nil, e
		}
	}
	if r.system != nil {
		r.raw("system", `"`+string(r.system)+`"`)
	}
	return append(r.out, '}'), nil
}

func checkMLflowChat(p members) *dialect.Error {
	switch {
	case p.get("model").Exists():
		e := mlflowRefusal(mlflowModelField)
		e.Code = dialect.CodeModelNotPermitted
		return e
	case p.get("top_p").Exists() && p.get("temperature").Exists():
		return mlflowRefusal("Cannot set both 'temperature' and 'top_p' parameters.")
	}
	if n, err := strconv.ParseFloat(mlflowMaxTokens(p), 64); err == nil && n > mlflowTokenCap {
		return mlflowRefusal("Invalid value for max_tokens: cannot exceed 1000000.")
	}
	if n := p.get("n"); n.Exists() && n.Num != 1 {
		// MLflow forgot to fill the braces; clients see them.
		return mlflowRefusal("'n' must be '1' for the Anthropic provider. Received value: '{n}'.")
	}
	return nil
}

// mlflowToComplete turns MLflow's validated completions payload into a
// request to Anthropic's text completions API, as
// AnthropicAdapter.completions_to_model does.
func mlflowToComplete(model string, req *dialect.Request) ([]byte, *dialect.Error) {
	p := payloadMembers(req.Payload)
	limit := p.get("max_tokens")
	switch {
	case p.get("model").Exists():
		e := mlflowRefusal(mlflowModelField)
		e.Code = dialect.CodeModelNotPermitted
		return nil, e
	case p.get("top_p").Exists():
		return nil, mlflowRefusal("Cannot set both 'temperature' and 'top_p' parameters. " +
			"Please use only the temperature parameter for your query.")
	case limit.Num > mlflowTokenCap:
		return nil, mlflowRefusal("Invalid value for max_tokens: cannot exceed 1000000.")
	}
	if n := p.get("n"); n.Exists() && n.Num != 1 {
		return nil, mlflowRefusal("'n' must be '1' for the Anthropic provider. Received value: '" + n.Raw + "'.")
	}
	r := mlflowRequest{out: make([]byte, 0, len(req.Payload)+128)}
	r.out = append(r.out, '{')
	for _, m := range p {
		v := m.value
		switch m.name {
		case "model", "n":
		case "max_tokens":
			r.raw("max_tokens_to_sample", v.Raw)
		case "stop":
			r.raw("stop_sequences", v.Raw)
		case "temperature":
			r.raw("temperature", half(v))
		case "prompt":
			r.raw("prompt", string(dialect.AppendString(nil, humanPrompt(v.Str))))
		default:
			r.raw(m.name, v.Raw)
		}
	}
	r.raw("model", string(dialect.AppendString(nil, model)))
	if !limit.Exists() {
		r.raw("max_tokens_to_sample", strconv.Itoa(format.DefaultMaxTokens))
	}
	return append(r.out, '}'), nil
}

// humanPrompt wraps a prompt as the text completions API wants it.
func humanPrompt(s string) string {
	if strings.HasPrefix(s, "Human: ") {
		s = "\n\n" + s
	}
	if !strings.HasPrefix(s, "\n\nHuman: ") {
		s = "\n\nHuman: " + s
	}
	if !strings.HasSuffix(s, "\n\nAssistant:") {
		s += "\n\nAssistant:"
	}
	return s
}

// mlflowRequest is a request to Anthropic on its way from MLflow's payload.
type mlflowRequest struct {
	out    []byte
	system []byte // the system prompt as a JSON string without quotes; nil: none
}

func (r *mlflowRequest) raw(name, raw string) {
	r.out = append(dialect.AppendString(jsontext.Comma(r.out), name), ':')
	r.out = append(r.out, raw...)
}

// mlflowMaxTokens is max_tokens, else max_completion_tokens, else the default.
func mlflowMaxTokens(p members) string {
	for _, name := range []string{"max_tokens", "max_completion_tokens"} {
		if v := p.get(name); v.Type == gjson.Number && v.Num != 0 {
			return v.Raw
		}
	}
	return strconv.Itoa(format.DefaultMaxTokens)
}

// half is a temperature on Anthropic's scale: MLflow's goes to 2.
func half(v gjson.Result) string { return strconv.FormatFloat(0.5*v.Num, 'g', -1, 64) }

func hasSystem(p members) bool {
	found := false
	p.get("messages").ForEach(func(_, m gjson.Result) bool {
		found = m.Get("role").Str == "system"
		return !found
	})
	return found
}

func (r *mlflowRequest) messages(p members) (e *dialect.Error) {
	r.out = append(jsontext.Comma(r.out), `"messages":[`...)
	i := 0
	p.get("messages").ForEach(func(_, m gjson.Result) bool {
		e = dialect.Within(r.message(m), "messages", i)
		i++
		return e == nil
	})
	r.out = append(r.out, ']')
	return e
}

// message adds one message. Roles that MLflow does not know are left out, as
// it does.
func (r *mlflowRequest) message(m gjson.Result) *dialect.Error {
	content := m.Get("content")
	switch m.Get("role").Str {
	case "system":
		return r.addSystem(content)
	case "user":
		r.out = jsontext.Comma(r.out)
		if content.IsArray() {
			r.object(m, "content", func() { r.parts(content) })
		} else {
			r.out = append(r.out, m.Raw...)
		}
	case "assistant":
		r.out = jsontext.Comma(r.out)
		calls := m.Get("tool_calls")
		if !calls.Exists() {
			r.out = append(r.out, m.Raw...)
			return nil
		}
		var e *dialect.Error
		r.object(m, "tool_calls", func() { e = r.toolUses(calls) })
		return e
	case "tool":
		id := m.Get("tool_call_id")
		if id.Type != gjson.String {
			return kit.MLflowField("tool_call_id", "must name the tool call that the message answers.")
		}
		r.out = append(jsontext.Comma(r.out), `{"role":"user","content":[{"type":"tool_result","tool_use_id":`...)
		r.out = append(r.out, id.Raw...)
		if content.Exists() {
			r.out = append(append(r.out, `,"content":`...), content.Raw...)
		}
		r.out = append(r.out, "}]}"...)
	}
	return nil
}

// object copies a message, but with what content writes as its content and
// without the member named.
func (r *mlflowRequest) object(m gjson.Result, without string, content func()) {
	r.out = append(r.out, '{')
	m.ForEach(func(k, v gjson.Result) bool {
		if k.Str != "content" && k.Str != without {
			r.out = append(append(append(jsontext.Comma(r.out), k.Raw...), ':'), v.Raw...)
		}
		return true
	})
	r.out = append(jsontext.Comma(r.out), `"content":[`...)
	content()
	r.out = append(r.out, "]}"...)
}

func (r *mlflowRequest) addSystem(content gjson.Result) (e *dialect.Error) {
	if content.Type == gjson.String {
		r.addSystemText(content)
		return nil
	}
	content.ForEach(func(_, part gjson.Result) bool {
		if part.Get("type").Str != "text" {
			e = kit.MLflowField("content", "must be text in system messages for the Anthropic provider.")
			return false
		}
		r.addSystemText(part.Get("text"))
		return true
	})
	return e
}

// addSystemText adds a line to the system prompt.
func (r *mlflowRequest) addSystemText(text gjson.Result) {
	if r.system == nil {
		r.system = []byte{}
	} else {
		r.system = append(r.system, `\n`...)
	}
	r.system = appendInner(r.system, text)
}

// parts translates images given as base64 data URLs. For another image the
// model gets a note in its place, as MLflow does.
func (r *mlflowRequest) parts(list gjson.Result) {
	list.ForEach(func(_, part gjson.Result) bool {
		r.out = jsontext.Comma(r.out)
		if part.Get("type").Str != "image_url" {
			r.out = append(r.out, part.Raw...)
			return true
		}
		url := part.Get("image_url.url").Str
		media, data, ok := mlflowDataURL(url)
		if !ok {
			r.out = append(r.out, `{"type":"text","text":`...)
			r.out = append(dialect.AppendString(r.out, "[unsupported image reference: "+url+"]"), '}')
			return true
		}
		r.out = append(r.out, `{"type":"image","source":{"type":"base64","media_type":`...)
		r.out = append(dialect.AppendString(r.out, media), `,"data":`...)
		r.out = append(dialect.AppendString(r.out, data), "}}"...)
		return true
	})
}

// mlflowDataURL is MLflow's pattern ^data:(?P<mime>[^;]+);base64,(?P<data>.*)$.
func mlflowDataURL(url string) (media, data string, ok bool) {
	rest, ok := strings.CutPrefix(url, "data:")
	if !ok {
		return "", "", false
	}
	media, data, _ = strings.Cut(rest, ";")
	data, ok = strings.CutPrefix(data, "base64,")
	return media, data, ok && media != ""
}

// toolUses writes an assistant's tool calls. MLflow drops the text beside them.
func (r *mlflowRequest) toolUses(calls gjson.Result) (e *dialect.Error) {
	i := 0
	calls.ForEach(func(_, c gjson.Result) bool {
		args := c.Get("function.arguments").Str
		if !jsontext.Valid([]byte(args)) {
			e = dialect.Within(kit.MLflowField("function.arguments", "must be JSON in a string."), "tool_calls", i)
			return false
		}
		i++
		r.out = append(append(jsontext.Comma(r.out), `{"type":"tool_use","id":`...), jsontext.RawString(c.Get("id"))...)
		r.out = append(append(r.out, `,"name":`...), jsontext.RawString(c.Get("function.name"))...)
		r.out = append(append(append(r.out, `,"input":`...), args...), '}')
		return true
	})
	return e
}

// mlflowRefusal is a 422 with MLflow's text.
func mlflowRefusal(text string) *dialect.Error {
	return &dialect.Error{Status: http.StatusUnprocessableEntity, Code: dialect.CodeInvalidRequest, Message: text}
}
