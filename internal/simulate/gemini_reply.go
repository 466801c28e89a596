package simulate

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

type geminiReply struct {
	Candidates   []geminiCandidate `json:"candidates"`
	Usage        *geminiUsage      `json:"usageMetadata,omitempty"`
	ModelVersion string            `json:"modelVersion"`
	CreateTime   string            `json:"createTime,omitempty"` // Vertex AI only
	ResponseID   string            `json:"responseId"`
}

type geminiCandidate struct {
	Content      *geminiSaid `json:"content,omitempty"`
	FinishReason string      `json:"finishReason,omitempty"`
	Index        int         `json:"index"`
}

type geminiSaid struct {
	Parts []geminiPiece `json:"parts"`
	Role  string        `json:"role"`
}

// geminiPiece is a part of a reply.
type geminiPiece struct {
	Text         *string     `json:"text,omitempty"`
	Thought      bool        `json:"thought,omitempty"`
	FunctionCall *geminiCall `json:"functionCall,omitempty"`
	Signature    string      `json:"thoughtSignature,omitempty"`
}

type geminiUsage struct {
	Prompt     int             `json:"promptTokenCount"`
	Candidates int             `json:"candidatesTokenCount"`
	Total      int             `json:"totalTokenCount"`
	Details    []geminiDetails `json:"promptTokensDetails"`
	Thoughts   int             `json:"thoughtsTokenCount,omitempty"`
}

type geminiDetails struct {
	Modality   string `json:"modality"`
	TokenCount int    `json:"tokenCount"`
}

func geminiFinish(f finish) string {
	switch f {
	case finishLength:
		return "MAX_TOKENS"
	case finishRefusal:
		return "SAFETY"
	}
	return "STOP"
}

func (g google) generate(c *call) (reply, *problem) {
	pieces, out, p := g.said(c)
	if p != nil {
		return reply{}, p
	}
	for i := range out.Candidates {
		if len(pieces) > 0 {
			out.Candidates[i].Content = &geminiSaid{Parts: joinTexts(pieces), Role: "model"}
		}
	}
	return jsonReply(out), nil
}

// stream sends a chunk for each piece; the last one tells how it ended.
func (g google) stream(c *call) (reply, *problem) {
	pieces, whole, p := g.said(c)
	if p != nil {
		return reply{}, p
	}
	var chunks []geminiReply
	for i := range whole.Candidates {
		if len(pieces) == 0 {
			chunks = append(chunks, whole)
		}
		for j, piece := range pieces {
			chunk := whole
			chunk.Candidates = []geminiCandidate{{Index: i, Content: &geminiSaid{Parts: []geminiPiece{piece}, Role: "model"}}}
			usage := *whole.Usage
			if j < len(pieces)-1 {
				usage.Candidates, usage.Total = 0, usage.Prompt
			} else {
				chunk.Candidates[0].FinishReason = whole.Candidates[i].FinishReason
			}
			chunk.Usage = &usage
			chunks = append(chunks, chunk)
		}
	}
	return reply{status: http.StatusOK, header: geminiStreamHeader(c), events: geminiEvents(c, chunks)}, nil
}

func geminiStreamHeader(c *call) http.Header {
	if c.wantsSSE() {
		return http.Header{"Content-Type": {"text/event-stream"}}
	}
	return jsonHeader()
}

// geminiEvents frames chunks: as events whose lines end as Google's do, or as
// the elements of one array.
func geminiEvents(c *call, chunks []geminiReply) []event {
	events := make([]event, len(chunks))
	for i, chunk := range chunks {
		var data []byte
		switch {
		case c.wantsSSE():
			data = append(append([]byte("data: "), marshal(chunk)...), "\r\n\r\n"...)
		default:
			lead := ",\r\n"
			if i == 0 {
				lead = "["
			}
			data = append([]byte(lead), marshal(chunk)...)
			if i == len(chunks)-1 {
				data = append(data, "\n]"...)
			}
		}
		events[i] = event{data: data, content: true}
	}
	return events
}

// said reads the request and answers it: the pieces that each candidate holds,
// and the reply around them.
func (g google) said(c *call) ([]geminiPiece, geminiReply, *problem) {
	var request geminiRequest
	if p := c.readGoogle(c.Body, &request, geminiShape); p != nil {
		return nil, geminiReply{}, p
	}
	q, p := request.question(c)
	if p != nil {
		return nil, geminiReply{}, p
	}
	a := answerTo(q, g.gemini, c.act)
	out := geminiReply{ModelVersion: q.model, ResponseID: idOf(q.seed)[:22],
		Usage: &geminiUsage{Prompt: q.words, Candidates: a.words, Total: q.words + a.words,
			Details: []geminiDetails{{Modality: "TEXT", TokenCount: q.words}}}}
	if c.onVertex() {
		out.CreateTime = c.env.now.UTC().Format(time.RFC3339Nano)
	}
	for i := range q.choices {
		out.Candidates = append(out.Candidates, geminiCandidate{Index: i, FinishReason: geminiFinish(a.finish)})
	}
	thinks := request.Generation.Thinking != nil && request.Generation.Thinking.IncludeThoughts
	if thinks {
		out.Usage.Thoughts = reasoningWords
		out.Usage.Total += reasoningWords
	}
	return geminiPieces(c, a, thinks), out, nil
}

func geminiPieces(c *call, a answer, thinks bool) []geminiPiece {
	var pieces []geminiPiece
	if thinks {
		text := thought
		pieces = append(pieces, geminiPiece{Text: &text, Thought: true})
	}
	for i, call := range a.calls {
		piece := geminiPiece{FunctionCall: &geminiCall{Name: call.name, Args: json.RawMessage(call.arguments)}}
		if i == 0 { // of calls in parallel only the first is signed
			piece.Signature = seal(geminiSeal, call.name)
		}
		if strings.HasPrefix(c.args["model"], "gemini-3") && !c.onVertex() {
			piece.FunctionCall.ID = call.id[:8] // earlier models give none
		}
		pieces = append(pieces, piece)
	}
	if len(a.calls) > 0 || a.finish == finishRefusal {
		return pieces
	}
	for _, text := range chunksOf(a.text) {
		pieces = append(pieces, geminiPiece{Text: &text})
	}
	return pieces
}

// joinTexts makes one part of the pieces of a text.
func joinTexts(pieces []geminiPiece) []geminiPiece {
	var out []geminiPiece
	for _, p := range pieces {
		if n := len(out); n > 0 && p.Text != nil && out[n-1].Text != nil && p.Thought == out[n-1].Thought {
			text := *out[n-1].Text + *p.Text
			out[n-1].Text = &text
			continue
		}
		out = append(out, p)
	}
	return out
}

// count answers countTokens, whose request is either contents or a whole
// generateContent request.
func (g google) count(c *call) (reply, *problem) {
	inner := *c
	var wrapped struct {
		Request json.RawMessage `json:"generateContentRequest"`
	}
	if json.Unmarshal(c.Body, &wrapped) == nil && len(wrapped.Request) > 0 {
		received := *c.Received
		received.Body = wrapped.Request
		inner.Received = &received
	}
	var request geminiRequest
	if p := inner.readGoogle(inner.Body, &request, geminiShape); p != nil {
		return reply{}, p
	}
	q, p := request.question(&inner)
	if p != nil {
		return reply{}, p
	}
	return jsonReply(map[string]any{"totalTokens": q.words,
		"promptTokensDetails": []geminiDetails{{Modality: "TEXT", TokenCount: q.words}}}), nil
}

func geminiModel(name string) map[string]any {
	methods := []string{"generateContent", "countTokens"}
	if strings.Contains(name, "embedding") {
		methods = []string{"embedContent"}
	}
	return map[string]any{"name": "models/" + name, "version": "001", "displayName": name, "description": "A stand-in.",
		"inputTokenLimit": 1048576, "outputTokenLimit": 65536, "supportedGenerationMethods": methods}
}

func (g google) list(*call) (reply, *problem) {
	return jsonReply(map[string]any{"models": []any{geminiModel("gemini-2.5-flash"), geminiModel("gemini-3-pro"),
		geminiModel("gemini-embedding-001")}}), nil
}

func (g google) one(c *call) (reply, *problem) { return jsonReply(geminiModel(c.args["model"])), nil }
