package cohere

import (
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// Write makes the body of a call.
func (codec) Write(r *conversation.Request, model string) ([]byte, *dialect.Error) {
	if e := refuse(r); e != nil {
		return nil, e
	}
	w := writer{b: make([]byte, 0, 1024)}
	w.b = dialect.AppendString(append(w.b, `{"model":`...), model)
	w.b = append(w.b, `,"stream":`...)
	w.b = strconv.AppendBool(w.b, r.Stream)
	if e := w.messages(r); e != nil {
		return nil, e
	}
	w.tools(r)
	w.format(r.Format)
	w.parameters(r)
	w.thinking(r.Reasoning)
	for _, m := range r.Extra {
		w.raw(m.Name, string(m.Value))
	}
	return append(w.b, '}'), nil
}

// refuse names what Cohere has no way to say.
func refuse(r *conversation.Request) *dialect.Error {
	const reason = "is not supported by Cohere. Leave it out."
	for _, m := range r.Extra {
		if m.Name != "safety_mode" && m.Name != "priority" {
			return dialect.Unsupported(m.Name, reason)
		}
	}
	switch {
	case r.Candidates > 1:
		return dialect.Unsupported("n", "must be 1: Cohere gives one answer.")
	case r.SingleTool && len(r.Tools) > 0:
		return dialect.Unsupported("parallel_tool_calls", "can't be false: Cohere may call several tools at once.")
	}
	return nil
}

type writer struct{ b []byte }

func (w *writer) raw(name, raw string) {
	if raw != "" {
		w.b = append(append(append(append(w.b, `,"`...), name...), `":`...), raw...)
	}
}

func (w *writer) messages(r *conversation.Request) *dialect.Error {
	w.b = append(w.b, `,"messages":[`...)
	if len(r.System) > 0 {
		w.text("system", r.System)
	}
	for i := range r.Messages {
		var e *dialect.Error
		switch m := &r.Messages[i]; m.Role {
		case conversation.System:
			w.text("system", m.Blocks)
		case conversation.Assistant:
			e = w.assistant(m)
		default:
			e = w.user(m)
		}
		if e != nil {
			return dialect.Within(e, "messages", i)
		}
	}
	w.b = append(w.b, ']')
	return nil
}

// text adds a message of texts: a string, or the list that was given.
func (w *writer) text(role string, blocks []conversation.Block) {
	w.b = append(append(append(jsontext.Comma(w.b), `{"role":"`...), role...), `","content":`...)
	if len(blocks) == 1 {
		w.b = append(dialect.AppendString(w.b, blocks[0].Text), '}')
		return
	}
	w.b = append(w.b, '[')
	for i := range blocks {
		w.part("text", blocks[i].Text)
	}
	w.b = append(w.b, "]}"...)
}

func (w *writer) part(kind, text string) {
	w.b = append(append(append(jsontext.Comma(w.b), `{"type":"`...), kind...), `","`...)
	w.b = append(append(w.b, kind...), `":`...)
	w.b = append(dialect.AppendString(w.b, text), '}')
}

// user adds a turn of the user's: each tool result is a message of its own.
func (w *writer) user(m *conversation.Message) *dialect.Error {
	var rest []conversation.Block
	images := false
	for i := range m.Blocks {
		switch block := &m.Blocks[i]; block.Kind {
		case conversation.ToolResult:
			if e := w.toolResult(block); e != nil {
				return e
			}
		case conversation.Text, conversation.Refusal:
			rest = append(rest, *block)
		case conversation.Image:
			rest, images = append(rest, *block), true
		default:
			return dialect.Unsupported("content", "must be text and images: Cohere takes nothing else.")
		}
	}
	switch {
	case len(rest) == 0 && len(m.Blocks) > 0:
	case images:
		return w.parts(rest)
	case len(rest) == 0:
		w.b = append(jsontext.Comma(w.b), `{"role":"user","content":""}`...)
	default:
		w.text("user", rest)
	}
	return nil
}

func (w *writer) parts(blocks []conversation.Block) *dialect.Error {
	w.b = append(jsontext.Comma(w.b), `{"role":"user","content":[`...)
	for i := range blocks {
		block := &blocks[i]
		if block.Kind != conversation.Image {
			w.part("text", block.Text)
			continue
		}
		url := block.URL
		if block.Data != "" {
			url = "data:" + block.MediaType + ";base64," + block.Data
		}
		w.b = dialect.AppendString(append(jsontext.Comma(w.b), `{"type":"image_url","image_url":{"url":`...), url)
		if block.Detail != "" {
			w.b = dialect.AppendString(append(w.b, `,"detail":`...), block.Detail)
		}
		w.b = append(w.b, "}}"...)
	}
	w.b = append(w.b, "]}"...)
	return nil
}

func (w *writer) toolResult(block *conversation.Block) *dialect.Error {
	w.b = append(jsontext.Comma(w.b), `{"role":"tool","tool_call_id":`...)
	w.b = append(dialect.AppendString(w.b, block.ID), `,"content":`...)
	for i := range block.Blocks {
		if k := block.Blocks[i].Kind; k != conversation.Text {
			return dialect.Unsupported("content", "of a tool's result must be text: Cohere takes nothing else.")
		}
	}
	switch len(block.Blocks) {
	case 0:
		w.b = append(w.b, `""}`...)
	case 1:
		w.b = append(dialect.AppendString(w.b, block.Blocks[0].Text), '}')
	default:
		w.b = append(w.b, '[')
		for i := range block.Blocks {
			w.part("text", block.Blocks[i].Text)
		}
		w.b = append(w.b, "]}"...)
	}
	return nil
}

// assistant adds a turn of the model's. Text with tool calls is its plan.
func (w *writer) assistant(m *conversation.Message) *dialect.Error {
	w.b = append(jsontext.Comma(w.b), `{"role":"assistant"`...)
	calls := false
	for i := range m.Blocks {
		calls = calls || m.Blocks[i].Kind == conversation.ToolUse
	}
	if e := w.said(m, calls); e != nil {
		return e
	}
	if !calls {
		w.b = append(w.b, '}')
		return nil
	}
	w.b = append(w.b, `,"tool_calls":[`...)
	for i := range m.Blocks {
		if block := &m.Blocks[i]; block.Kind == conversation.ToolUse {
			w.b = dialect.AppendString(append(jsontext.Comma(w.b), `{"id":`...), block.ID)
			w.b = dialect.AppendString(append(w.b, `,"type":"function","function":{"name":`...), block.Name)
			w.b = dialect.AppendString(append(w.b, `,"arguments":`...), or(string(block.Input), "{}"))
			w.b = append(w.b, "}}"...)
		}
	}
	w.b = append(w.b, "]}"...)
	return nil
}

// said adds the reasoning and the text of a turn.
func (w *writer) said(m *conversation.Message, calls bool) *dialect.Error {
	var plan []byte
	from := len(w.b)
	w.b = append(w.b, `,"content":[`...)
	empty := len(w.b)
	for i := range m.Blocks {
		switch block := &m.Blocks[i]; block.Kind {
		case conversation.ToolUse, conversation.Redacted:
		case conversation.Thinking:
			if block.Signature == "" && block.Text != "" {
				w.part("thinking", block.Text)
			}
		case conversation.Text, conversation.Refusal:
			if calls {
				plan = append(plan, block.Text...)
			} else {
				w.part("text", block.Text)
			}
		default:
			return dialect.Unsupported("content", "of the assistant must be text: Cohere takes nothing else.")
		}
	}
	w.b = append(w.b, ']')
	if len(w.b) == empty+1 {
		w.b = w.b[:from]
		if !calls {
			w.b = append(w.b, `,"content":""`...)
		}
	}
	if len(plan) > 0 {
		w.b = dialect.AppendString(append(w.b, `,"tool_plan":`...), string(plan))
	}
	return nil
}

// tools adds the tools. Cohere can't be told which one to call, so a choice of
// one leaves it no other.
func (w *writer) tools(r *conversation.Request) {
	if len(r.Tools) == 0 {
		return
	}
	strict := false
	w.b = append(w.b, `,"tools":[`...)
	for i := range r.Tools {
		t := &r.Tools[i]
		if r.ToolChoice == conversation.ChooseTool && t.Name != r.ToolName {
			continue
		}
		strict = strict || t.Strict == "true"
		w.b = dialect.AppendString(append(jsontext.Comma(w.b), `{"type":"function","function":{"name":`...), t.Name)
		if t.Description != "" {
			w.b = dialect.AppendString(append(w.b, `,"description":`...), t.Description)
		}
		w.b = append(append(w.b, `,"parameters":`...), or(string(t.Schema), `{"type":"object","properties":{}}`)...)
		w.b = append(w.b, "}}"...)
	}
	w.b = append(w.b, ']')
	if strict {
		w.raw("strict_tools", "true")
	}
	switch r.ToolChoice {
	case conversation.ChooseNone:
		w.raw("tool_choice", `"NONE"`)
	case conversation.ChooseAny, conversation.ChooseTool:
		w.raw("tool_choice", `"REQUIRED"`)
	}
}

func (w *writer) format(f conversation.Format) {
	switch f.Kind {
	case conversation.FormatJSON:
		w.raw("response_format", `{"type":"json_object"}`)
	case conversation.FormatSchema:
		w.raw("response_format", `{"type":"json_object","json_schema":`+or(string(f.Schema), "{}")+`}`)
	}
}

func (w *writer) parameters(r *conversation.Request) {
	if r.MaxTokens > 0 {
		w.raw("max_tokens", strconv.FormatInt(r.MaxTokens, 10))
	}
	w.raw("temperature", string(r.Temperature))
	w.raw("p", within(string(r.TopP)))
	w.raw("k", string(r.TopK))
	w.raw("seed", string(r.Seed))
	w.raw("frequency_penalty", string(r.FrequencyPen))
	w.raw("presence_penalty", string(r.PresencePen))
	if len(r.Stop) > 0 {
		w.b = append(w.b, `,"stop_sequences":[`...)
		for _, s := range r.Stop {
			w.b = dialect.AppendString(jsontext.Comma(w.b), s)
		}
		w.b = append(w.b, ']')
	}
}

// within keeps top_p in what Cohere takes, 0.01 to 0.99: elsewhere it goes from
// 0 to 1.
func within(topP string) string {
	if topP == "" {
		return ""
	}
	switch p := gjson.Parse(topP).Num; {
	case p > 0.99 && p <= 1:
		return "0.99"
	case p >= 0 && p < 0.01:
		return "0.01"
	}
	return topP
}

func (w *writer) thinking(r conversation.Reasoning) {
	switch {
	case r.Off, r.Effort == "none":
		w.raw("thinking", `{"type":"disabled"}`)
	case r.Budget > 0:
		w.raw("thinking", `{"type":"enabled","token_budget":`+strconv.FormatInt(r.Budget, 10)+`}`)
	case r.Effort != "":
		w.raw("thinking", `{"type":"enabled"}`)
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
