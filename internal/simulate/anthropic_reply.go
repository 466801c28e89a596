package simulate

import (
	"encoding/json"
	"net/http"
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
	}
	return "end_turn"
}

// What a stand-in thinks, where thinking is on, and how it signs that.
const (
	thought   = "The answer follows from the question."
	signature = "c3RhbmQtaW4tc2lnbmF0dXJl"
)

func (w anthropic) messages(r *Received, act Act, e env) reply {
	var request anthropicRequest
	unknown, p := decode(r.Body, &request, anthropicMessageNames)
	if p := first(p, unknownInput(unknown, e)); p != nil {
		return p.anthropic()
	}
	q, p := request.question(r.Body)
	if p != nil {
		return p.anthropic()
	}
	a := answerTo(q, w.voice, act)
	out := anthropicReply{ID: "msg_" + idOf(q.seed), Type: "message", Role: "assistant", Model: q.model,
		Content: contentOf(a, request.thinks()),
		Usage:   anthropicUsage{InputTokens: q.words, OutputTokens: a.words, ServiceTier: "standard"}}
	reason := anthropicStop(a.finish)
	out.StopReason, out.StopSequence = &reason, optional(a.stopped)
	if q.stream {
		return reply{status: http.StatusOK, header: streamHeader(), events: messageEvents(out)}
	}
	return jsonReply(out)
}

func contentOf(a answer, thinks bool) []anthropicPiece {
	pieces := []anthropicPiece{}
	if thinks {
		t, s := thought, signature
		pieces = append(pieces, anthropicPiece{Type: "thinking", Thinking: &t, Signature: &s})
	}
	if a.call != nil {
		return append(pieces, anthropicPiece{Type: "tool_use", ID: "toolu_" + a.call.id, Name: a.call.name,
			Input: json.RawMessage(a.call.arguments)})
	}
	return append(pieces, anthropicPiece{Type: "text", Text: &a.text})
}

// messageEvents streams a reply as the API does: message_start, for each block
// its start, deltas and stop, then message_delta and message_stop.
func messageEvents(full anthropicReply) []event {
	opening := full
	opening.Content, opening.StopReason, opening.StopSequence = []anthropicPiece{}, nil, nil
	opening.Usage.OutputTokens = 1
	events := []event{{data: namedEvent("message_start", map[string]any{"type": "message_start", "message": opening})}}
	for i, piece := range full.Content {
		events = append(events, blockEvents(i, piece)...)
	}
	return append(events,
		event{data: namedEvent("message_delta", map[string]any{"type": "message_delta",
			"delta": map[string]any{"stop_reason": full.StopReason, "stop_sequence": full.StopSequence},
			"usage": map[string]any{"output_tokens": full.Usage.OutputTokens}})},
		event{data: namedEvent("message_stop", map[string]any{"type": "message_stop"})})
}

func blockEvents(index int, piece anthropicPiece) []event {
	opening, deltas := deltasOf(piece)
	events := []event{{data: namedEvent("content_block_start",
		map[string]any{"type": "content_block_start", "index": index, "content_block": opening})}}
	if index == 0 {
		events = append(events, event{data: namedEvent("ping", map[string]any{"type": "ping"})})
	}
	for _, delta := range deltas {
		events = append(events, event{content: true, data: namedEvent("content_block_delta",
			map[string]any{"type": "content_block_delta", "index": index, "delta": delta})})
	}
	return append(events, event{data: namedEvent("content_block_stop",
		map[string]any{"type": "content_block_stop", "index": index})})
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
	case "tool_use":
		opening.Input = json.RawMessage("{}")
		arguments := string(piece.Input)
		half := len(arguments) / 2
		for _, part := range []string{"", arguments[:half], arguments[half:]} {
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
