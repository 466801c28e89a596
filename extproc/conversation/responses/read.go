package responses

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// Read reads a call of the Responses API.
func (client) Read(req *dialect.Request) (*conversation.Request, *dialect.Error) {
	r := reader{form: &conversation.Request{}}
	var input, choice gjson.Result
	for _, m := range req.Members() {
		v := jsontext.View(req.Payload[m.Start:m.End])
		var e *dialect.Error
		switch {
		case v.Type == gjson.Null:
		case m.Key == "input":
			input = v
		case m.Key == "tool_choice":
			choice = v
		default:
			e = r.member(m.Key, v)
		}
		if e != nil {
			return nil, e
		}
	}
	if e := r.input(input); e != nil {
		return nil, e
	}
	if e := r.toolChoice(choice); e != nil {
		return nil, e
	}
	return r.form, r.settle()
}

// reader reads one call.
type reader struct {
	form  *conversation.Request
	tools []carried
	user  string
	named map[string]int // tool names, each there once
}

func (r *reader) member(name string, v gjson.Result) (e *dialect.Error) {
	f := r.form
	switch name {
	case "model", "stream", "stream_options", "metadata", "client_metadata", "store",
		"prompt_cache_key", "prompt_cache_retention", "prompt_cache_options":
	case "max_output_tokens":
		f.MaxTokens = v.Int()
	case "include":
		return include(v)
	case "instructions":
		if v.Type != gjson.String {
			return dialect.InvalidField(name, "must be a string.")
		}
		// Codex leaves it empty and puts its instructions into the input.
		if v.Str != "" {
			f.System = []conversation.Block{{Kind: conversation.Text, Text: v.Str}}
		}
	case "tools":
		if r.tools, e = readTools(v); e != nil {
			return e
		}
		return r.offer(r.tools)
	case "parallel_tool_calls":
		f.SingleTool = v.Type == gjson.False
	case "temperature":
		f.Temperature, e = codec.Number(name, v)
	case "top_p":
		f.TopP, e = codec.Number(name, v)
	case "text":
		return codec.In(r.text(v), name)
	case "reasoning":
		return codec.In(r.reasoning(v), name)
	case "safety_identifier":
		f.User = v.Str
	case "user":
		r.user = v.Str
	case "service_tier":
		f.ServiceTier = v.Str
	case "previous_response_id", "conversation":
		return dialect.Unsupported(name, "goes on from what is stored, and this gateway stores nothing. Send the whole conversation as input.")
	default:
		if !asksNothing(name, v) {
			return dialect.Unsupported(name, codec.NotCarried)
		}
	}
	return e
}

// include refuses what answers can't include. Most values are about built-in
// tools, of which there are none.
func include(v gjson.Result) *dialect.Error {
	return codec.Each(v, func(i int, v gjson.Result) *dialect.Error {
		if v.Str == "message.output_text.logprobs" {
			return dialect.Within(codec.Self(codec.NotCarried), "include", i)
		}
		return nil
	})
}

// asksNothing reports whether a member that has no place in the form has the
// value that is its default.
func asksNothing(name string, v gjson.Result) bool {
	switch name {
	case "background":
		return v.Type == gjson.False
	case "truncation":
		return v.Str == "disabled"
	case "top_logprobs":
		return v.Type == gjson.Number && v.Num == 0
	}
	return false
}

// offer adds tools that were not offered before.
func (r *reader) offer(tools []carried) *dialect.Error {
	if r.named == nil {
		r.named = make(map[string]int, len(tools))
	}
	for i := range tools {
		t := &tools[i].tool
		if _, twice := r.named[t.Name]; twice {
			return dialect.InvalidField("tools", "must not hold two tools named '"+t.Name+"'.")
		}
		r.named[t.Name] = i
		r.form.Tools = append(r.form.Tools, *t)
	}
	return nil
}

func (r *reader) text(v gjson.Result) *dialect.Error {
	return codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
		switch name {
		case "format":
			return codec.In(r.format(v), name)
		case "verbosity":
			return nil // a wish as to style
		}
		return dialect.Unsupported(name, codec.NotCarried)
	})
}

func (r *reader) format(v gjson.Result) *dialect.Error {
	f := &r.form.Format
	switch v.Get("type").Str {
	case "text":
		f.Kind = conversation.FormatText
		return nil
	case "json_object":
		f.Kind = conversation.FormatJSON
		return nil
	case "json_schema":
	default:
		return dialect.Unsupported("type", "must be text, json_object or json_schema.")
	}
	f.Kind = conversation.FormatSchema
	f.Name, f.Description = v.Get("name").Str, v.Get("description").Str
	f.Strict = codec.TrueFalse(v.Get("strict"))
	schema := v.Get("schema")
	if !schema.IsObject() {
		return dialect.InvalidField("schema", "must be a JSON schema.")
	}
	f.Schema = conversation.Raw(schema.Raw)
	return nil
}

func (r *reader) reasoning(v gjson.Result) *dialect.Error {
	t := &r.form.Reasoning
	return codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
		switch name {
		case "effort":
			switch v.Str {
			case "none":
				t.Off, t.Effort = true, v.Str
			case "minimal", "low", "medium", "high", "xhigh", "max":
				t.Effort = v.Str
			default:
				return dialect.Unsupported(name, "must be none, minimal, low, medium, high, xhigh or max.")
			}
		case "summary", "generate_summary":
			t.Show = shows(v)
		default:
			return dialect.Unsupported(name, codec.NotCarried)
		}
		return nil
	})
}

// shows reports whether a kind of summary is one: auto, concise or detailed.
func shows(v gjson.Result) bool { return v.Str != "" && v.Str != "none" }

func (r *reader) toolChoice(v gjson.Result) *dialect.Error {
	f := r.form
	name := nameOf(v.Get("namespace").Str, v.Get("name").Str)
	switch kind := v.Get("type").Str; {
	case !v.Exists():
	case v.Str == "auto":
		f.ToolChoice = conversation.ChooseAuto
	case v.Str == "none":
		f.ToolChoice = conversation.ChooseNone
	case v.Str == "required":
		f.ToolChoice = conversation.ChooseAny
	case (kind == "function" || kind == "custom") && name != "":
		f.ToolChoice, f.ToolName = conversation.ChooseTool, name
	default:
		return dialect.Unsupported("tool_choice", "must be none, auto, required, or a function or custom tool.")
	}
	return nil
}

// settle checks what concerns several members.
func (r *reader) settle() *dialect.Error {
	f := r.form
	if f.User == "" {
		f.User = r.user
	}
	if len(f.Tools) == 0 {
		if f.ToolChoice == conversation.ChooseAny || f.ToolChoice == conversation.ChooseTool {
			return dialect.InvalidField("tool_choice", "needs tools to choose from.")
		}
		f.ToolChoice = conversation.ChooseDefault
	}
	for i := range f.Messages {
		if f.Messages[i].Role != conversation.System {
			return nil
		}
	}
	return dialect.InvalidField("input", "must hold a message besides system and developer messages.")
}
