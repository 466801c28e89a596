package simulate

import (
	"encoding/json"
	"slices"
	"strings"
)

var cohereTwoShape = shapeOf(`model stream documents citation_options response_format{type json_schema schema} safety_mode max_tokens
	stop_sequences temperature seed frequency_penalty presence_penalty k p logprobs tool_choice thinking{type token_budget} priority
	strict_tools return_prompt raw_prompting
	messages{role content{type text image_url thinking document} tool_calls{id type function{name arguments}} tool_plan tool_call_id citations}
	tools{type function{name description parameters}}`)

type cohereMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
	Calls   []struct {
		ID       string `json:"id"`
		Function struct {
			Name      string  `json:"name"`
			Arguments *string `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
	CallID string `json:"tool_call_id"`
}

type cohereTwo struct {
	cohereSampling
	Messages []cohereMessage `json:"messages"`
	Tools    []openAITool    `json:"tools"`
	Choice   string          `json:"tool_choice"`
	Format   *struct {
		Type       string          `json:"type"`
		JSONSchema json.RawMessage `json:"json_schema"`
		Schema     json.RawMessage `json:"schema"`
	} `json:"response_format"`
	Thinking *struct {
		Type string `json:"type"`
	} `json:"thinking"`
}

func (r *cohereTwo) question(c *call) (*question, *problem) {
	q, p := r.cohereSampling.question(c)
	if r.Model == "" {
		p = badRequest("", "model is required")
	}
	for i, t := range r.Tools {
		if t.Type != "function" || t.Function.Name == "" || !isObject(t.Function.Parameters) {
			return q, badRequest("", "invalid request: tools[%d] must be a function with name and parameters.", i)
		}
		q.tools = append(q.tools, tool{name: t.Function.Name, schema: t.Function.Parameters})
	}
	switch r.Choice {
	case "":
	case "REQUIRED":
		q.choice.force = true
	case "NONE":
		q.choice.none = true
	default:
		p = first(p, badRequest("", "invalid tool_choice: must be one of REQUIRED, NONE."))
	}
	if f := r.Format; f != nil && f.Type == "json_object" {
		for _, schema := range []json.RawMessage{f.JSONSchema, f.Schema, json.RawMessage("{}")} {
			if len(q.schema) == 0 && len(schema) > 0 {
				q.schema = schema
			}
		}
	} else if f != nil && f.Type != "text" {
		p = first(p, badRequest("", "invalid response_format: type must be one of text, json_object."))
	}
	return q, first(p, r.readMessages(q))
}

func (r *cohereTwo) readMessages(q *question) *problem {
	if len(r.Messages) == 0 {
		return badRequest("", "invalid request: messages must be a non-empty list.")
	}
	var open []string
	for i, m := range r.Messages {
		if !slices.Contains([]string{"user", "assistant", "system", "developer", "tool"}, m.Role) {
			return badRequest("", "invalid role '%s' provided for messages[%d].", m.Role, i)
		}
		if (m.Role == "tool") != slices.Contains(open, m.CallID) {
			return badRequest("", "invalid request: messages[%d] has a tool_call_id that no tool call before it has.", i)
		}
		open = slices.DeleteFunc(open, func(id string) bool { return id == m.CallID })
		if len(open) > 0 && m.Role != "tool" {
			return badRequest("", "invalid request: the tool calls %s have no results.", strings.Join(open, ", "))
		}
		for _, c := range m.Calls {
			if c.ID == "" || c.Function.Name == "" || c.Function.Arguments == nil ||
				!isObject(json.RawMessage(*c.Function.Arguments)) {
				return badRequest("", "invalid request: messages[%d].tool_calls need id, function.name and function.arguments.", i)
			}
			open = append(open, c.ID)
		}
		text, images, ok := cohereContent(m.Content)
		if !ok || text == "" && images == 0 && len(m.Calls) == 0 {
			return badRequest("", "invalid request: messages[%d] must have non-empty content or tool calls.", i)
		}
		q.words += countWords(text)
		if m.Role == "tool" && q.toolResult {
			text = q.text + " " + text
		}
		q.text, q.images, q.toolResult = text, images, m.Role == "tool"
	}
	return nil
}

// cohereContent reads content: a string, or parts.
func cohereContent(raw json.RawMessage) (text string, images int, ok bool) {
	if isNull(raw) || json.Unmarshal(raw, &text) == nil {
		return text, 0, true
	}
	var parts []struct {
		Type, Text string
		Document   struct {
			Data json.RawMessage `json:"data"`
		}
	}
	if json.Unmarshal(raw, &parts) != nil {
		return "", 0, false
	}
	var texts []string
	for _, p := range parts {
		switch p.Type {
		case "text":
			texts = append(texts, p.Text)
		case "document":
			texts = append(texts, documentText(p.Document.Data))
		case "image_url":
			images++
		case "thinking":
		default:
			return "", 0, false
		}
	}
	return strings.Join(texts, " "), images, true
}

// documentText reads a document's data: a string, or a JSON object.
func documentText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return responseText(raw)
}

func (w cohere) chatTwo(c *call) (reply, *problem) {
	var request cohereTwo
	if p := c.readCohere(&request, cohereTwoShape); p != nil {
		return reply{}, p
	}
	q, p := request.question(c)
	if p != nil {
		return reply{}, p
	}
	a := answerTo(q, w.voice, c.act)
	thinks := request.Thinking != nil && request.Thinking.Type != "disabled"
	message := map[string]any{"role": "assistant"}
	if len(a.calls) > 0 {
		var calls []any
		for i := range a.calls {
			calls = append(calls, cohereCall(&a.calls[i], a.calls[i].arguments))
		}
		message["tool_plan"], message["tool_calls"] = thought, calls
	} else {
		content := []any{map[string]string{"type": "text", "text": a.text}}
		if thinks {
			content = append([]any{map[string]string{"type": "thinking", "thinking": thought}}, content...)
		}
		message["content"] = content
	}
	usage := cohereMeta("2", q.words, a.words)
	delete(usage, "api_version")
	if q.stream {
		return streamReply(cohereEvents(idOf(c.Body), a, thinks, usage)), nil
	}
	return jsonReply(map[string]any{"id": idOf(c.Body), "finish_reason": cohereFinish(a.finish), "message": message,
		"usage": usage}), nil
}

func cohereCall(c *toolCall, arguments string) map[string]any {
	return map[string]any{"id": c.name + "_" + c.id[:12], "type": "function",
		"function": map[string]string{"name": c.name, "arguments": arguments}}
}

// cohereEvents streams an answer: message-start, then the plan and the calls, or
// the content, then message-end.
func cohereEvents(id string, a answer, thinks bool, usage map[string]any) []event {
	s := &cohereStream{}
	s.events = append(s.events, event{data: namedEvent("message-start", map[string]any{"type": "message-start", "id": id,
		"delta": map[string]any{"message": map[string]any{"role": "assistant", "content": []any{}, "tool_plan": "",
			"tool_calls": []any{}, "citations": []any{}}}})})
	for i := range a.calls {
		if i == 0 {
			for _, piece := range chunksOf(thought) {
				s.add("tool-plan-delta", true, -1, map[string]any{"tool_plan": piece})
			}
		}
		s.add("tool-call-start", true, i, map[string]any{"tool_calls": cohereCall(&a.calls[i], "")})
		for _, piece := range halves(a.calls[i].arguments) {
			s.add("tool-call-delta", true, i, map[string]any{"tool_calls": map[string]any{"function": map[string]string{"arguments": piece}}})
		}
		s.add("tool-call-end", false, i, nil)
	}
	if len(a.calls) == 0 {
		index := 0
		if thinks {
			s.content(index, "thinking", thought)
			index++
		}
		s.content(index, "text", a.text)
	}
	return append(s.events, event{data: namedEvent("message-end", map[string]any{"type": "message-end", "id": id,
		"delta": map[string]any{"finish_reason": cohereFinish(a.finish), "usage": usage}})})
}

type cohereStream struct{ events []event }

// add is an event about the message; index is -1 where it has none.
func (s *cohereStream) add(name string, content bool, index int, message map[string]any) {
	value := map[string]any{"type": name}
	if index >= 0 {
		value["index"] = index
	}
	if message != nil {
		value["delta"] = map[string]any{"message": message}
	}
	s.events = append(s.events, event{data: namedEvent(name, value), content: content})
}

func (s *cohereStream) content(index int, kind, text string) {
	s.add("content-start", false, index, map[string]any{"content": map[string]string{"type": kind, kind: ""}})
	for _, piece := range chunksOf(text) {
		s.add("content-delta", true, index, map[string]any{"content": map[string]string{kind: piece}})
	}
	s.add("content-end", false, index, nil)
}
