package anthropic

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// call is a client's call on its way into the form.
type call struct {
	form  *conversation.Request
	names map[string]string // of tools, by the id of their calls
}

// Read reads a call of the Messages API. Left out, as they change no answer:
// the mark of a prompt cache on the whole call, diagnostics, how a tool's input
// is streamed or when it is loaded, citations of earlier answers, Claude Code's
// billing mark, and rules by which the provider would trim old thinking and tool
// results (the model gets to see all). Betas are in a header that is not looked
// at: what they add to a body is refused by name where it has no place.
//
// The effort "high" asks for nothing, as it is what the API does without any:
// Claude Code always sends it, to models that refuse to be asked too.
func (client) Read(req *dialect.Request) (*conversation.Request, *dialect.Error) {
	c := call{form: &conversation.Request{Stream: req.Stream, MaxTokens: req.MaxTokens}}
	for _, m := range req.Members() {
		v := jsontext.View(req.Payload[m.Start:m.End])
		if v.Type == gjson.Null {
			continue
		}
		if e := c.member(m.Key, v); e != nil {
			return nil, e
		}
	}
	return c.form, nil
}

func (c *call) member(name string, v gjson.Result) (e *dialect.Error) {
	f := c.form
	switch name {
	case "model":
		return nil // Parse has read it
	case "stream":
		return boolean(&f.Stream, name, v)
	case "max_tokens":
		return c.maxTokens(v)
	case "system":
		return c.system(v)
	case "messages":
		return c.messages(v)
	case "tools":
		return each(v, name, func(v gjson.Result) *dialect.Error { return c.tool(v) })
	case "tool_choice":
		return codec.In(c.toolChoice(v), name)
	case "temperature":
		f.Temperature, e = codec.Number(name, v)
	case "top_p":
		f.TopP, e = codec.Number(name, v)
	case "top_k":
		f.TopK, e = codec.Number(name, v)
	case "stop_sequences":
		return each(v, name, func(v gjson.Result) *dialect.Error {
			if v.Type != gjson.String {
				return itself(dialect.InvalidField("x", "must be a string."))
			}
			f.Stop = append(f.Stop, v.Str)
			return nil
		})
	default:
		return c.setting(name, v)
	}
	return e
}

func (c *call) setting(name string, v gjson.Result) *dialect.Error {
	switch name {
	case "thinking":
		return codec.In(c.thinking(v), name)
	case "output_config":
		return codec.In(c.outputConfig(v), name)
	case "output_format": // its name while it was a beta
		return codec.In(c.format(v), name)
	case "metadata":
		return codec.In(codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
			if name != "user_id" {
				return unknown(name)
			}
			return str(&c.form.User, name, v)
		}), name)
	case "service_tier":
		return c.serviceTier(v)
	case "context_management":
		return codec.In(contextManagement(v), name)
	case "cache_control", "diagnostics":
		return nil
	case "speed":
		if v.Str == "standard" {
			return nil
		}
	case "mcp_servers", "container", "inference_geo":
		if nothing(v) {
			return nil
		}
	}
	return unknown(name)
}

func (c *call) maxTokens(v gjson.Result) *dialect.Error {
	n, err := strconv.ParseInt(v.Raw, 10, 64)
	if v.Type != gjson.Number || err != nil || n < 1 {
		return dialect.InvalidField("max_tokens", "must be a whole number from 1.")
	}
	c.form.MaxTokens = n
	return nil
}

// billingMark begins the block in which Claude Code tells Anthropic's servers
// its version and a checksum. It is not for models, and as it changes, it would
// keep their prompt caches from finding what follows it.
const billingMark = "x-anthropic-billing-header:"

func (c *call) system(v gjson.Result) (e *dialect.Error) {
	c.form.System, e = c.content(v, "system")
	if len(c.form.System) > 1 && strings.HasPrefix(c.form.System[0].Text, billingMark) {
		c.form.System = c.form.System[1:]
	}
	for i := range c.form.System {
		if e == nil && c.form.System[i].Kind != conversation.Text {
			e = dialect.Within(dialect.InvalidField("type", "must be text in a system prompt."), "system", i)
		}
	}
	return e
}

// tool reads a tool that the client runs. Tools that Anthropic runs, or has
// defined, are no other provider's.
func (c *call) tool(v gjson.Result) *dialect.Error {
	var t conversation.Tool
	e := codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
		switch name {
		case "type":
			if v.Str != "custom" {
				return dialect.Unsupported("type", "must be custom: '"+clip(v.String())+
					"' is a tool of Anthropic's own, which the models of this endpoint do not have.")
			}
		case "name":
			return str(&t.Name, name, v)
		case "description":
			return str(&t.Description, name, v)
		case "input_schema":
			return raw(&t.Schema, name, v)
		case "strict":
			t.Strict = conversation.Raw(v.Raw)
			return boolean(new(bool), name, v)
		case "cache_control":
			return raw(&t.Cache, name, v)
		case "eager_input_streaming", "defer_loading":
		case "allowed_callers":
			for _, caller := range v.Array() {
				if caller.Str != "direct" {
					return unknown(name)
				}
			}
		case "input_examples":
			if !nothing(v) {
				return unknown(name)
			}
		default:
			return unknown(name)
		}
		return nil
	})
	switch {
	case e != nil:
		return e
	case t.Name == "":
		return dialect.InvalidField("name", "must be a string: the tool's name.")
	}
	c.form.Tools = append(c.form.Tools, t)
	return nil
}

// clip bounds what of a client's text is repeated in a message.
func clip(s string) string {
	if len(s) > 64 {
		return "…"
	}
	return s
}

var toolChoices = map[string]conversation.ToolChoice{
	"auto": conversation.ChooseAuto, "any": conversation.ChooseAny, "tool": conversation.ChooseTool, "none": conversation.ChooseNone,
}

func (c *call) toolChoice(v gjson.Result) *dialect.Error {
	e := codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
		switch name {
		case "type":
			choice, ok := toolChoices[v.Str]
			if !ok {
				return dialect.InvalidField(name, "must be auto, any, tool or none.")
			}
			c.form.ToolChoice = choice
		case "name":
			return str(&c.form.ToolName, name, v)
		case "disable_parallel_tool_use":
			return boolean(&c.form.SingleTool, name, v)
		default:
			return unknown(name)
		}
		return nil
	})
	if e == nil && c.form.ToolChoice == conversation.ChooseTool && c.form.ToolName == "" {
		return dialect.InvalidField("name", "must be the name of a tool.")
	}
	return e
}

// thinking reads how to reason. The client sees the reasoning unless it says
// that it does not want to.
func (c *call) thinking(v gjson.Result) *dialect.Error {
	w := &c.form.Reasoning
	e := codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
		switch name {
		case "type":
			switch v.Str {
			case "enabled":
			case "adaptive":
				w.Adaptive = true
			case "disabled":
				w.Off = true
			default:
				return dialect.Unsupported(name, "must be enabled, adaptive or disabled for the models of this endpoint.")
			}
		case "budget_tokens":
			n, err := strconv.ParseInt(v.Raw, 10, 64)
			if v.Type != gjson.Number || err != nil || n < 1 {
				return dialect.InvalidField(name, "must be a whole number from 1.")
			}
			w.Budget = n
		case "display":
			if v.Str != "summarized" && v.Str != "omitted" {
				return unknown(name)
			}
		default:
			return unknown(name)
		}
		return nil
	})
	switch kind := v.Get("type").Str; {
	case e != nil:
		return e
	case kind == "enabled" && w.Budget == 0:
		return dialect.InvalidField("budget_tokens", "must be given.")
	case kind != "enabled" && w.Budget > 0:
		return dialect.InvalidField("budget_tokens", "goes with the type enabled only.")
	}
	w.Show = !w.Off && v.Get("display").Str != "omitted"
	return nil
}

func (c *call) outputConfig(v gjson.Result) *dialect.Error {
	return codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
		switch name {
		case "effort":
			switch v.Str {
			case "high":
				return nil // what the API does unasked: see Read
			case "low", "medium", "xhigh", "max":
				c.form.Reasoning.Effort = v.Str
				return nil
			}
			return dialect.InvalidField(name, "must be low, medium, high, xhigh or max.")
		case "format":
			return codec.In(c.format(v), name)
		}
		return unknown(name)
	})
}

// format reads the schema of the answer. OpenAI's API wants it named.
func (c *call) format(v gjson.Result) *dialect.Error {
	f := conversation.Format{Kind: conversation.FormatSchema, Name: "answer", Strict: "true"}
	e := codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
		switch name {
		case "type":
			if v.Str != "json_schema" {
				return dialect.Unsupported(name, "must be json_schema.")
			}
		case "schema":
			return raw(&f.Schema, name, v)
		default:
			return unknown(name)
		}
		return nil
	})
	if e == nil && f.Schema == "" {
		e = dialect.InvalidField("schema", "must be a JSON schema.")
	}
	c.form.Format = f
	return e
}

func (c *call) serviceTier(v gjson.Result) *dialect.Error {
	switch v.Str {
	case "auto":
		c.form.ServiceTier = "auto"
	case "standard_only":
		c.form.ServiceTier = "default"
	default:
		return dialect.InvalidField("service_tier", "must be auto or standard_only.")
	}
	return nil
}

// contextManagement accepts the rules that only trim what the model gets to
// see of old turns. What would add to the answer is refused.
func contextManagement(v gjson.Result) *dialect.Error {
	return codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
		if name != "edits" {
			return unknown(name)
		}
		return each(v, name, func(v gjson.Result) *dialect.Error {
			switch v.Get("type").Str {
			case "clear_thinking_20251015", "clear_tool_uses_20250919":
				return nil
			}
			return unknown("type")
		})
	})
}
