package simulate

import "maps"

// responsesStream collects the numbered events of one Response.
type responsesStream struct{ events []event }

func (s *responsesStream) add(name string, content bool, members map[string]any) {
	members["type"], members["sequence_number"] = name, len(s.events)
	s.events = append(s.events, event{data: namedEvent(name, members), content: content})
}

// responsesEvents streams a Response: created, in_progress, for each item its
// start, deltas and end, then completed or incomplete with the whole.
func responsesEvents(opening, full responsesOut) []event {
	s := &responsesStream{}
	s.add("response.created", false, map[string]any{"response": opening})
	s.add("response.in_progress", false, map[string]any{"response": opening})
	for i, item := range full.Output {
		s.item(i, item)
	}
	s.add("response."+full.Status, false, map[string]any{"response": full})
	return s.events
}

// item streams one output item.
func (s *responsesStream) item(index int, item map[string]any) {
	started := maps.Clone(item)
	if _, ok := started["status"]; ok {
		started["status"] = "in_progress"
	}
	within := func(members map[string]any) map[string]any {
		members["item_id"], members["output_index"] = item["id"], index
		return members
	}
	body := func() {}
	switch item["type"] {
	case "message":
		started["content"] = []any{}
		part := item["content"].([]any)[0].(map[string]any)
		body = func() { s.part(part, within) }
	case "reasoning":
		started["summary"] = []any{}
		body = func() { s.summary(item["summary"].([]any), within) }
	case "function_call":
		started["arguments"] = ""
		body = func() { s.pieces("response.function_call_arguments", "arguments", item["arguments"].(string), within) }
	case "custom_tool_call":
		started["input"] = ""
		body = func() { s.pieces("response.custom_tool_call_input", "input", item["input"].(string), within) }
	}
	s.add("response.output_item.added", false, map[string]any{"output_index": index, "item": started})
	body()
	s.add("response.output_item.done", false, map[string]any{"output_index": index, "item": item})
}

type placed func(members map[string]any) map[string]any

// part streams the content part of a message.
func (s *responsesStream) part(part map[string]any, within placed) {
	kind, member := "response.output_text", "text"
	if part["type"] == "refusal" {
		kind, member = "response.refusal", "refusal"
	}
	empty := maps.Clone(part)
	empty[member] = ""
	at := func(members map[string]any) map[string]any {
		members["content_index"] = 0
		return within(members)
	}
	s.add("response.content_part.added", false, at(map[string]any{"part": empty}))
	text := part[member].(string)
	for _, piece := range chunksOf(text) {
		members := at(map[string]any{"delta": piece})
		if member == "text" {
			members["logprobs"] = []any{}
		}
		s.add(kind+".delta", true, members)
	}
	done := at(map[string]any{member: text})
	if member == "text" {
		done["logprobs"] = []any{}
	}
	s.add(kind+".done", false, done)
	s.add("response.content_part.done", false, at(map[string]any{"part": part}))
}

// summary streams the summary of a reasoning item.
func (s *responsesStream) summary(parts []any, within placed) {
	for i, p := range parts {
		part := p.(map[string]string)
		at := func(members map[string]any) map[string]any {
			members["summary_index"] = i
			return within(members)
		}
		s.add("response.reasoning_summary_part.added", false,
			at(map[string]any{"part": map[string]string{"type": "summary_text", "text": ""}}))
		for _, piece := range chunksOf(part["text"]) {
			s.add("response.reasoning_summary_text.delta", true, at(map[string]any{"delta": piece}))
		}
		s.add("response.reasoning_summary_text.done", false, at(map[string]any{"text": part["text"]}))
		s.add("response.reasoning_summary_part.done", false, at(map[string]any{"part": part}))
	}
}

// pieces streams the arguments or the input of a call in halves.
func (s *responsesStream) pieces(kind, member, text string, within placed) {
	for _, piece := range halves(text) {
		s.add(kind+".delta", true, within(map[string]any{"delta": piece}))
	}
	s.add(kind+".done", false, within(map[string]any{member: text}))
}
