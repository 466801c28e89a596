package simulate

import "encoding/json"

// openAISeal names the key of encrypted reasoning.
const openAISeal = "OpenAI"

// responsesOut is a Response object. Members that the stand-in never sets are
// sent as null, as the API does.
type responsesOut struct {
	ID                string           `json:"id"`
	Object            string           `json:"object"`
	CreatedAt         int64            `json:"created_at"`
	Status            string           `json:"status"`
	Background        bool             `json:"background"`
	Error             json.RawMessage  `json:"error"`
	IncompleteDetails any              `json:"incomplete_details"`
	Instructions      *string          `json:"instructions"`
	MaxOutputTokens   *int             `json:"max_output_tokens"`
	Model             string           `json:"model"`
	Output            []map[string]any `json:"output"`
	ParallelToolCalls bool             `json:"parallel_tool_calls"`
	PreviousID        *string          `json:"previous_response_id"`
	Reasoning         any              `json:"reasoning"`
	ServiceTier       string           `json:"service_tier"`
	Store             bool             `json:"store"`
	Temperature       float64          `json:"temperature"`
	Text              any              `json:"text"`
	ToolChoice        json.RawMessage  `json:"tool_choice"`
	Tools             json.RawMessage  `json:"tools"`
	TopP              float64          `json:"top_p"`
	Truncation        string           `json:"truncation"`
	Usage             *responsesUsage  `json:"usage"`
	Metadata          json.RawMessage  `json:"metadata"`
}

type responsesUsage struct {
	InputTokens        int            `json:"input_tokens"`
	InputTokensDetails map[string]int `json:"input_tokens_details"`
	OutputTokens       int            `json:"output_tokens"`
	OutputDetails      map[string]int `json:"output_tokens_details"`
	TotalTokens        int            `json:"total_tokens"`
}

// reasoningWords is what a reasoning item counts as.
const reasoningWords = 6

func usageOfResponse(input, output, reasoning int) *responsesUsage {
	return &responsesUsage{InputTokens: input, InputTokensDetails: map[string]int{"cached_tokens": 0},
		OutputTokens: output + reasoning, OutputDetails: map[string]int{"reasoning_tokens": reasoning},
		TotalTokens: input + output + reasoning}
}

func (o openAI) responses(r *Received, route openAIRoute, act Act, e env) (reply, *problem) {
	var request responsesRequest
	unknown, p := decode(r.Body, &request, responsesNames)
	if p := first(p, o.checkNames(unknown, request.Model, route, e)); p != nil {
		return reply{}, p
	}
	q, p := request.question(r.Body)
	if p != nil {
		return reply{}, p
	}
	a := answerTo(q, o.voice, act)
	out := request.opening(q, e, r.Body)
	full := out
	full.finish(&request, q, a)
	if q.stream {
		return streamReply(responsesEvents(out, full)), nil
	}
	return jsonReply(full), nil
}

// opening is the Response before anything is said.
func (r *responsesRequest) opening(q *question, e env, body []byte) responsesOut {
	out := responsesOut{ID: "resp_" + idOf(q.seed), Object: "response", CreatedAt: e.now.Unix(), Status: "in_progress",
		Error: jsonNull, Instructions: r.Instructions, MaxOutputTokens: r.MaxOutputTokens, Model: q.model,
		Output: []map[string]any{}, ParallelToolCalls: !q.single, ServiceTier: "default", Store: r.Store == nil || *r.Store,
		Temperature: 1, ToolChoice: r.ToolChoice, TopP: 1, Truncation: "disabled", Metadata: r.Metadata,
		Text: map[string]any{"format": map[string]string{"type": "text"}, "verbosity": "medium"}}
	var echoed struct {
		Tools, Text json.RawMessage
	}
	_ = json.Unmarshal(body, &echoed) // it was read before
	if out.Tools = echoed.Tools; isNull(out.Tools) {
		out.Tools = json.RawMessage("[]")
	}
	if r.Text != nil && r.Text.Format != nil {
		out.Text = echoed.Text
	}
	if isNull(out.ToolChoice) {
		out.ToolChoice = json.RawMessage(`"auto"`)
	}
	if isNull(out.Metadata) {
		out.Metadata = json.RawMessage("{}")
	}
	if r.Temperature != nil {
		out.Temperature = *r.Temperature
	}
	if r.TopP != nil {
		out.TopP = *r.TopP
	}
	effort := map[string]any{"effort": nil, "summary": nil}
	if r.Reasoning != nil {
		effort = map[string]any{"effort": r.Reasoning.Effort, "summary": r.Reasoning.Summary}
	}
	out.Reasoning = effort
	return out
}

// finish adds what the model said.
func (out *responsesOut) finish(r *responsesRequest, q *question, a answer) {
	out.Status = "completed"
	if a.finish == finishLength {
		out.Status = "incomplete"
		out.IncompleteDetails = map[string]string{"reason": "max_output_tokens"}
	}
	reasoning := 0
	if r.reasons() {
		reasoning = reasoningWords
		out.Output = append(out.Output, reasoningItem(r, q))
	}
	out.Output = append(out.Output, outputItems(q, a, out.Status)...)
	out.Usage = usageOfResponse(q.words, a.words, reasoning)
}

func reasoningItem(r *responsesRequest, q *question) map[string]any {
	item := map[string]any{"id": "rs_" + idOf(q.seed), "type": "reasoning", "summary": []any{}}
	if r.Reasoning.Summary != nil {
		item["summary"] = []any{map[string]string{"type": "summary_text", "text": thought}}
	}
	if r.wantsEncrypted() {
		item["encrypted_content"] = enclose(openAISeal, thought)
	}
	return item
}

func outputItems(q *question, a answer, status string) []map[string]any {
	var items []map[string]any
	for _, c := range a.calls {
		item := map[string]any{"id": "fc_" + c.id, "type": "function_call", "status": "completed", "call_id": "call_" + c.id,
			"name": c.name, "arguments": c.arguments}
		for _, t := range q.tools {
			if t.name == c.name && t.free {
				item = map[string]any{"id": "ctc_" + c.id, "type": "custom_tool_call", "status": "completed",
					"call_id": "call_" + c.id, "name": c.name, "input": c.arguments}
			}
		}
		items = append(items, item)
	}
	if len(items) > 0 {
		return items
	}
	part := map[string]any{"type": "output_text", "text": a.text, "annotations": []any{}, "logprobs": []any{}}
	if a.finish == finishRefusal {
		part = map[string]any{"type": "refusal", "refusal": a.text}
	}
	return []map[string]any{{"id": "msg_" + idOf(q.seed), "type": "message", "status": status, "role": "assistant",
		"content": []any{part}}}
}

// compact answers the compaction of a conversation: one item that holds it.
func (o openAI) compact(r *Received, route openAIRoute, e env) (reply, *problem) {
	q, p := o.readInputOnly(r, route, e, responsesCompactNames)
	if p != nil {
		return reply{}, p
	}
	return jsonReply(map[string]any{"id": "resp_" + idOf(q.seed), "object": "response.compaction", "created_at": e.now.Unix(),
		"output": []any{map[string]string{"id": "cmp_" + idOf(q.seed), "type": "compaction",
			"encrypted_content": enclose(openAISeal, q.text)}},
		"usage": usageOfResponse(q.words, 1, 0)}), nil
}

// countInput answers how long the input of a Response is.
func (o openAI) countInput(r *Received, route openAIRoute, e env) (reply, *problem) {
	q, p := o.readInputOnly(r, route, e, responsesCountNames)
	if p != nil {
		return reply{}, p
	}
	return jsonReply(map[string]any{"object": "response.input_tokens", "input_tokens": q.words}), nil
}

func (o openAI) readInputOnly(r *Received, route openAIRoute, e env, names []string) (*question, *problem) {
	var request responsesRequest
	unknown, p := decode(r.Body, &request, names)
	if p := first(p, o.checkNames(unknown, request.Model, route, e)); p != nil {
		return nil, p
	}
	return request.question(r.Body)
}
