package openai

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// Read reads a chat completion call.
func (chatClient) Read(req *dialect.Request) (*conversation.Request, *dialect.Error) {
	r := chatReader{form: &conversation.Request{}}
	if e := eachMember(req, r.member); e != nil {
		return nil, e
	}
	if e := r.settle(); e != nil {
		return nil, e
	}
	return r.form, nil
}

// eachMember calls fn for the members of a call that are not null.
func eachMember(req *dialect.Request, fn func(name string, v gjson.Result) *dialect.Error) *dialect.Error {
	for _, m := range req.Members() {
		v := jsontext.View(req.Payload[m.Start:m.End])
		if v.Type == gjson.Null {
			continue
		}
		if e := fn(m.Key, v); e != nil {
			return e
		}
	}
	return nil
}

// chatReader reads one call.
type chatReader struct {
	form    *conversation.Request
	results bool // the last message holds tool results, more may follow
	effort  bool // reasoning_effort was given as none
	given   bool // thinking was given
	turns   int  // messages besides system messages
	user    string
	limits  [2]int64 // max_tokens, max_completion_tokens
}

func (r *chatReader) member(name string, v gjson.Result) *dialect.Error {
	switch name {
	case "messages":
		return r.messages(v)
	case "tools":
		return r.tools(v)
	case "tool_choice":
		return r.toolChoice(v)
	case "parallel_tool_calls":
		r.form.SingleTool = v.Type == gjson.False
	case "response_format":
		return codec.In(r.format(v), name)
	case "reasoning_effort":
		return r.reasoningEffort(v)
	case "thinking":
		return r.thinking(v)
	case "max_tokens":
		r.limits[0] = v.Int()
	case "max_completion_tokens":
		r.limits[1] = v.Int()
	default:
		return r.setting(name, v)
	}
	return nil
}

// setting reads the members that chat and text completions share.
func (r *chatReader) setting(name string, v gjson.Result) (e *dialect.Error) {
	f := r.form
	switch name {
	case "model", "stream", "stream_options", "store", "metadata",
		"prompt_cache_key", "prompt_cache_retention", "prompt_cache_options":
	case "temperature":
		f.Temperature, e = codec.Number(name, v)
	case "top_p":
		f.TopP, e = codec.Number(name, v)
	case "top_k":
		f.TopK, e = codec.Number(name, v)
	case "seed":
		f.Seed, e = codec.Number(name, v)
	case "frequency_penalty":
		f.FrequencyPen, e = penalty(name, v)
	case "presence_penalty":
		f.PresencePen, e = penalty(name, v)
	case "stop":
		return r.stop(v)
	case "n":
		return r.candidates(v)
	case "service_tier":
		f.ServiceTier, e = text(name, v)
	case "safety_identifier": // OpenAI's successor of user
		f.User, e = text(name, v)
	case "user":
		r.user, e = text(name, v)
	default:
		if !asksNothing(name, v) {
			f.Extra = append(f.Extra, conversation.Member{Name: name, Value: conversation.Raw(v.Raw)})
		}
	}
	return e
}

// asksNothing reports whether a member has the value that is its default.
func asksNothing(name string, v gjson.Result) bool {
	switch name {
	case "logprobs":
		return v.Type == gjson.False
	case "top_logprobs":
		return v.Type == gjson.Number && v.Num == 0
	case "logit_bias":
		empty := v.IsObject()
		v.ForEach(func(_, _ gjson.Result) bool { empty = false; return false })
		return empty
	case "modalities":
		list := v.Array()
		return v.IsArray() && len(list) == 1 && list[0].Str == "text"
	case "verbosity":
		return v.Str == "medium"
	}
	return false
}

func text(name string, v gjson.Result) (string, *dialect.Error) {
	if v.Type != gjson.String {
		return "", dialect.InvalidField(name, "must be a string.")
	}
	return v.Str, nil
}

// penalty is a number other than 0, which asks for nothing.
func penalty(name string, v gjson.Result) (conversation.Raw, *dialect.Error) {
	if v.Type == gjson.Number && v.Num == 0 {
		return "", nil
	}
	return codec.Number(name, v)
}

func (r *chatReader) stop(v gjson.Result) *dialect.Error {
	if v.Type == gjson.String {
		r.form.Stop = []string{v.Str}
		return nil
	}
	if !v.IsArray() {
		return dialect.InvalidField("stop", "must be a string or a list of strings.")
	}
	return codec.Each(v, func(_ int, s gjson.Result) *dialect.Error {
		if s.Type != gjson.String {
			return dialect.InvalidField("stop", "must be a string or a list of strings.")
		}
		r.form.Stop = append(r.form.Stop, s.Str)
		return nil
	})
}

func (r *chatReader) candidates(v gjson.Result) *dialect.Error {
	n := v.Int()
	if v.Type != gjson.Number || n < 1 || float64(n) != v.Num {
		return dialect.InvalidField("n", "must be a whole number from 1.")
	}
	if n > 1 {
		r.form.Candidates = n
	}
	return nil
}

func (r *chatReader) reasoningEffort(v gjson.Result) *dialect.Error {
	switch v.Str {
	case "none":
		r.effort = true
		r.form.Reasoning.Off, r.form.Reasoning.Effort = true, v.Str
	case "minimal", "low", "medium", "high", "xhigh", "max":
		r.form.Reasoning.Effort = v.Str
	default:
		return dialect.Unsupported("reasoning_effort", "must be none, minimal, low, medium, high, xhigh or max.")
	}
	return nil
}

// thinking reads Anthropic's member of that name.
func (r *chatReader) thinking(v gjson.Result) *dialect.Error {
	r.given = true
	t := &r.form.Reasoning
	switch v.Get("type").Str {
	case "enabled":
		t.Budget = v.Get("budget_tokens").Int()
	case "adaptive":
		t.Adaptive = true
	case "disabled":
		t.Off = true
	default:
		return dialect.InvalidField("thinking", "must have the type enabled, adaptive or disabled.")
	}
	t.Show = v.Get("display").Str == "summarized"
	return nil
}

func (r *chatReader) format(v gjson.Result) *dialect.Error {
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
	e := codec.Members(v.Get("json_schema"), func(name string, v gjson.Result) *dialect.Error {
		switch name {
		case "name":
			f.Name = v.Str
		case "description":
			f.Description = v.Str
		case "strict":
			f.Strict = codec.TrueFalse(v)
		case "schema":
			if !v.IsObject() {
				return dialect.InvalidField(name, "must be a JSON schema.")
			}
			f.Schema = conversation.Raw(v.Raw)
		default:
			return dialect.Unsupported(name, codec.NotCarried)
		}
		return nil
	})
	if e == nil && f.Schema == "" {
		e = dialect.InvalidField("schema", "must be a JSON schema.")
	}
	return codec.In(e, "json_schema")
}

// settle checks what concerns several members.
func (r *chatReader) settle() *dialect.Error {
	f := r.form
	if f.User == "" {
		f.User = r.user
	}
	switch a, b := r.limits[0], r.limits[1]; {
	case a != 0 && b != 0 && a != b:
		return dialect.InvalidField("max_tokens", "and max_completion_tokens differ. Give one of them.")
	default:
		f.MaxTokens = max(a, b)
	}
	if r.effort && r.given {
		return dialect.InvalidField("reasoning_effort", "must not be given beside thinking when it is 'none'.")
	}
	if len(f.Tools) == 0 {
		if f.ToolChoice == conversation.ChooseAny || f.ToolChoice == conversation.ChooseTool {
			return dialect.InvalidField("tool_choice", "needs tools to choose from.")
		}
		f.ToolChoice = conversation.ChooseDefault
	}
	if r.turns == 0 {
		return dialect.InvalidField("messages", "must hold a message besides system and developer messages.")
	}
	return nil
}
