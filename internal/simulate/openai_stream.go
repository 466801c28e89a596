package simulate

import "encoding/json"

type openAIChunk struct {
	ID                string              `json:"id"`
	Object            string              `json:"object"`
	Created           int64               `json:"created"`
	Model             string              `json:"model"`
	ServiceTier       string              `json:"service_tier,omitempty"`
	SystemFingerprint string              `json:"system_fingerprint"`
	Choices           []openAIChunkChoice `json:"choices"`
	Usage             json.RawMessage     `json:"usage,omitempty"` // null until the last, where usage was asked for
}

// jsonNull is a field that is sent as null rather than left out.
var jsonNull = json.RawMessage("null")

type openAIChunkChoice struct {
	Index        int             `json:"index"`
	Delta        *openAIDelta    `json:"delta,omitempty"`
	Text         *string         `json:"text,omitempty"`
	Logprobs     json.RawMessage `json:"logprobs"` // always null
	FinishReason *string         `json:"finish_reason"`
}

type openAIDelta struct {
	Role      string          `json:"role,omitempty"`
	Content   any             `json:"content,omitempty"` // string, or null
	Refusal   json.RawMessage `json:"refusal,omitempty"`
	ToolCalls []openAICallOut `json:"tool_calls,omitempty"`
}

// openAIStream collects the events of one stream.
type openAIStream struct {
	head    openAIChunk // what all chunks share
	events  []event
	usage   bool // told in the last chunk, unasked
	textToo bool
}

func (o openAI) newStream(c openAICompletion, includeUsage bool) *openAIStream {
	s := &openAIStream{head: openAIChunk{ID: c.ID, Object: c.Object, Created: c.Created, Model: c.Model,
		ServiceTier: c.ServiceTier, SystemFingerprint: c.SystemFingerprint}}
	if includeUsage {
		s.head.Usage = jsonNull
	}
	if o.own != nil {
		s.usage, s.textToo = o.own.alwaysUsage, o.own.textToo
	}
	return s
}

func (s *openAIStream) add(content bool, choice openAIChunkChoice) {
	chunk := s.head
	if s.textToo && choice.Delta != nil {
		text, _ := choice.Delta.Content.(string)
		choice.Text = &text
	}
	chunk.Choices = []openAIChunkChoice{choice}
	s.events = append(s.events, event{data: dataEvent(chunk), content: content})
}

// endChoice closes a choice. Servers that tell usage unasked do so here.
func (s *openAIStream) endChoice(choice openAIChunkChoice, usage *openAIUsage) {
	chunk := s.head
	if s.usage {
		chunk.Usage = marshal(usage)
	}
	if s.textToo && choice.Delta != nil {
		choice.Text = new("")
	}
	chunk.Choices = []openAIChunkChoice{choice}
	s.events = append(s.events, event{data: dataEvent(chunk)})
}

// end closes the stream: usage in a chunk without choices, then [DONE].
func (s *openAIStream) end(usage *openAIUsage) []event {
	if s.head.Usage != nil {
		chunk := s.head
		chunk.Choices, chunk.Usage = []openAIChunkChoice{}, marshal(usage)
		s.events = append(s.events, event{data: dataEvent(chunk)})
	}
	return append(s.events, event{data: []byte("data: [DONE]\n\n")})
}

func (o openAI) chatEvents(c openAICompletion, q *question, a answer, includeUsage bool) []event {
	c.Object = "chat.completion.chunk"
	s := o.newStream(c, includeUsage)
	usage := usageOf(q.words, a.words*q.choices)
	for i := range q.choices {
		switch {
		case len(a.calls) > 0:
			s.addCalls(i, a.calls)
		case a.finish == finishRefusal:
			s.addRefusal(i, a.text)
		default:
			s.addText(i, a.text)
		}
		reason := openAIFinish(a.finish)
		s.endChoice(openAIChunkChoice{Index: i, Delta: &openAIDelta{}, FinishReason: &reason}, usage)
	}
	return s.end(usage)
}

func (s *openAIStream) addText(choice int, text string) {
	s.add(false, openAIChunkChoice{Index: choice,
		Delta: &openAIDelta{Role: "assistant", Content: "", Refusal: jsonNull}})
	for _, piece := range chunksOf(text) {
		s.add(true, openAIChunkChoice{Index: choice, Delta: &openAIDelta{Content: piece}})
	}
}

func (s *openAIStream) addRefusal(choice int, text string) {
	s.add(false, openAIChunkChoice{Index: choice,
		Delta: &openAIDelta{Role: "assistant", Content: jsonNull, Refusal: marshal("")}})
	for _, piece := range chunksOf(text) {
		s.add(true, openAIChunkChoice{Index: choice, Delta: &openAIDelta{Refusal: marshal(piece)}})
	}
}

// addCalls streams tool calls, one after the other: the name of each first, then
// its arguments in halves. The first chunk says who speaks.
func (s *openAIStream) addCalls(choice int, calls []toolCall) {
	for index, c := range calls {
		opening := &openAIDelta{ToolCalls: []openAICallOut{{Index: &index, ID: c.id, Type: "function",
			Function: openAICallNamed{Name: c.name}}}}
		if index == 0 {
			opening.Role, opening.Content, opening.Refusal = "assistant", jsonNull, jsonNull
		}
		s.add(true, openAIChunkChoice{Index: choice, Delta: opening})
		for _, piece := range halves(c.arguments) {
			s.add(true, openAIChunkChoice{Index: choice, Delta: &openAIDelta{ToolCalls: []openAICallOut{{
				Index: &index, Function: openAICallNamed{Arguments: piece}}}}})
		}
	}
}

// halves cuts a text in two.
func halves(text string) []string {
	half := len(text) / 2
	return []string{text[:half], text[half:]}
}

func (o openAI) completionEvents(c openAICompletion, q *question, a answer, includeUsage bool) []event {
	s := o.newStream(c, includeUsage)
	usage := usageOf(q.words, a.words*q.choices)
	for i := range q.choices {
		for _, piece := range chunksOf(a.text) {
			s.add(true, openAIChunkChoice{Index: i, Text: &piece})
		}
		empty, reason := "", openAIFinish(a.finish)
		s.endChoice(openAIChunkChoice{Index: i, Text: &empty, FinishReason: &reason}, usage)
	}
	return s.end(usage)
}
