package simulate

import (
	"encoding/json"
	"slices"
	"strings"
)

type anthropicUsage struct {
	InputTokens              int    `json:"input_tokens"`
	CacheCreationInputTokens int    `json:"cache_creation_input_tokens"`
	CacheReadInputTokens     int    `json:"cache_read_input_tokens"`
	OutputTokens             int    `json:"output_tokens"`
	ServiceTier              string `json:"service_tier"`
}

type anthropicReply struct {
	ID           string           `json:"id"`
	Type         string           `json:"type"`
	Role         string           `json:"role"`
	Model        string           `json:"model"`
	Content      []anthropicPiece `json:"content"`
	StopReason   *string          `json:"stop_reason"`
	StopSequence *string          `json:"stop_sequence"`
	Usage        anthropicUsage   `json:"usage"`
}

// anthropicPiece is a content block of a reply.
type anthropicPiece struct {
	Type      string          `json:"type"`
	Text      *string         `json:"text,omitempty"`
	Thinking  *string         `json:"thinking,omitempty"`
	Signature *string         `json:"signature,omitempty"`
	Data      string          `json:"data,omitempty"` // of redacted thinking
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
}

func anthropicStop(f finish) string {
	switch f {
	case finishSequence:
		return "stop_sequence"
	case finishLength:
		return "max_tokens"
	case finishTool:
		return "tool_use"
	case finishRefusal:
		return "refusal"
	}
	return "end_turn"
}

// thought is what a stand-in thinks, where thinking is on.
const thought = "The answer follows from the question."

// anthropicSeal names the key of the signatures.
const anthropicSeal = "Anthropic"

// redactionWanted is Anthropic's published test text: reasoning about it comes
// back encrypted.
const redactionWanted = "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_" +
	"46C9A13E193C177646C7398A98432ECCCE4C1253D5E2D82641AC0E52CC2876CB"

// anthropicPlace is where Messages is served: at Anthropic's own place the body
// names the model; a cloud names it in the path, and the version in the body.
type anthropicPlace struct {
	model   string // of the path, empty at Anthropic's own place
	version string // anthropic_version of the body
	names   []string
}

// anthropicAt is a cloud whose path names the model, and whose body has the
// version but not the members that are said elsewhere.
func anthropicAt(model, version string, without ...string) anthropicPlace {
	names := []string{"anthropic_version", "anthropic_beta"}
	for _, name := range anthropicMessageNames {
		if !slices.Contains(without, name) {
			names = append(names, name)
		}
	}
	return anthropicPlace{model: model, version: version, names: names}
}

// read reads and checks a Messages request.
func (at anthropicPlace) read(body []byte, e env) (*anthropicRequest, *question, *problem) {
	var request anthropicRequest
	unknown, p := decode(body, &request, at.names)
	if p := first(p, unknownInput(unknown, e)); p != nil {
		return nil, nil, p
	}
	if at.model != "" {
		if request.Version != at.version {
			return nil, nil, badRequest("", "anthropic_version: Input should be '%s'", at.version)
		}
		request.Model = &at.model
	}
	q, p := request.question(body)
	return &request, q, p
}

func (w anthropic) messages(r *Received, act Act, e env) reply {
	request, q, p := anthropicPlace{names: anthropicMessageNames}.read(r.Body, e)
	if p != nil {
		return p.anthropic()
	}
	out := w.reply(request, q, act)
	if q.stream {
		return streamReply(messageEvents(out))
	}
	return jsonReply(out)
}

// reply answers a question that was read.
func (w anthropic) reply(request *anthropicRequest, q *question, act Act) anthropicReply {
	a := answerTo(q, w.voice, act)
	out := anthropicReply{ID: "msg_" + idOf(q.seed), Type: "message", Role: "assistant", Model: q.model,
		Content: []anthropicPiece{},
		Usage:   anthropicUsage{InputTokens: q.words, OutputTokens: a.words, ServiceTier: "standard"}}
	if request.thinks() {
		out.Content = append(out.Content, thoughtAbout(q))
	}
	out.Content = append(out.Content, contentOf(a)...)
	reason := anthropicStop(a.finish)
	out.StopReason, out.StopSequence = &reason, optional(a.stopped)
	return out
}

func thoughtAbout(q *question) anthropicPiece {
	if strings.Contains(q.text, redactionWanted) {
		return anthropicPiece{Type: "redacted_thinking", Data: enclose(anthropicSeal, thought)}
	}
	text, signature := thought, seal(anthropicSeal, thought)
	return anthropicPiece{Type: "thinking", Thinking: &text, Signature: &signature}
}

// countTokens answers how long a request is. It takes no max_tokens.
func (w anthropic) countTokens(r *Received, _ Act, e env) reply {
	return w.count(r, e, anthropicCountNames)
}

// countAtCloud is countTokens where the body may say the version, as Anthropic's
// SDK for Vertex AI does.
func (w anthropic) countAtCloud(r *Received, e env) reply {
	return w.count(r, e, append([]string{"anthropic_version", "anthropic_beta"}, anthropicCountNames...))
}

func (w anthropic) count(r *Received, e env, names []string) reply {
	var request anthropicRequest
	unknown, p := decode(r.Body, &request, names)
	if p := first(p, unknownInput(unknown, e)); p != nil {
		return p.anthropic()
	}
	request.MaxTokens = new(1 << 30)
	q, p := request.question(r.Body)
	if p != nil {
		return p.anthropic()
	}
	return jsonReply(map[string]int{"input_tokens": q.words})
}

func contentOf(a answer) []anthropicPiece {
	if a.finish == finishRefusal {
		return nil
	}
	var pieces []anthropicPiece
	for _, c := range a.calls {
		pieces = append(pieces, anthropicPiece{Type: "tool_use", ID: "toolu_" + c.id, Name: c.name,
			Input: json.RawMessage(c.arguments)})
	}
	if len(a.calls) > 0 {
		return pieces
	}
	return append(pieces, anthropicPiece{Type: "text", Text: &a.text})
}

// anthropicStep is one event of a stream, before it is framed. Its value has a
// member "type" that repeats the name.
type anthropicStep struct {
	name    string
	value   map[string]any
	content bool
}

func step(name string, content bool, members map[string]any) anthropicStep {
	members["type"] = name
	return anthropicStep{name: name, value: members, content: content}
}

// messageSteps streams a reply as the API does: message_start, for each block
// its start, deltas and stop, then message_delta and message_stop.
func messageSteps(full anthropicReply) []anthropicStep {
	opening := full
	opening.Content, opening.StopReason, opening.StopSequence = []anthropicPiece{}, nil, nil
	opening.Usage.OutputTokens = 1
	steps := []anthropicStep{step("message_start", false, map[string]any{"message": opening})}
	for i, piece := range full.Content {
		steps = append(steps, blockSteps(i, piece)...)
	}
	return append(steps,
		step("message_delta", len(full.Content) == 0, map[string]any{
			"delta": map[string]any{"stop_reason": full.StopReason, "stop_sequence": full.StopSequence},
			"usage": map[string]any{"output_tokens": full.Usage.OutputTokens}}),
		step("message_stop", false, map[string]any{}))
}

// messageEvents are the steps of a stream as server-sent events.
func messageEvents(full anthropicReply) []event {
	var events []event
	for _, s := range messageSteps(full) {
		events = append(events, event{data: namedEvent(s.name, s.value), content: s.content})
	}
	return events
}

func blockSteps(index int, piece anthropicPiece) []anthropicStep {
	opening, deltas := deltasOf(piece)
	steps := []anthropicStep{step("content_block_start", len(deltas) == 0,
		map[string]any{"index": index, "content_block": opening})}
	if index == 0 {
		steps = append(steps, step("ping", false, map[string]any{}))
	}
	for _, delta := range deltas {
		steps = append(steps, step("content_block_delta", true, map[string]any{"index": index, "delta": delta}))
	}
	return append(steps, step("content_block_stop", false, map[string]any{"index": index}))
}

// deltasOf splits a block into its start and what is added to it.
func deltasOf(piece anthropicPiece) (opening anthropicPiece, deltas []map[string]string) {
	empty := ""
	opening = piece
	switch piece.Type {
	case "thinking":
		opening.Thinking, opening.Signature = &empty, &empty
		return opening, []map[string]string{{"type": "thinking_delta", "thinking": *piece.Thinking},
			{"type": "signature_delta", "signature": *piece.Signature}}
	case "redacted_thinking":
		return opening, nil
	case "tool_use":
		opening.Input = json.RawMessage("{}")
		for _, part := range append([]string{""}, halves(string(piece.Input))...) {
			deltas = append(deltas, map[string]string{"type": "input_json_delta", "partial_json": part})
		}
		return opening, deltas
	}
	opening.Text = &empty
	for _, part := range chunksOf(*piece.Text) {
		deltas = append(deltas, map[string]string{"type": "text_delta", "text": part})
	}
	return opening, deltas
}
