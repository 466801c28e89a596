package simulate

import "encoding/json"

var (
	cohereChatShape = shapeOf(`message model stream preamble preamble_override chat_history{role message tool_calls tool_results user_name}
		conversation_id prompt_truncation connectors search_queries_only documents citation_quality temperature max_tokens
		max_input_tokens k p seed stop_sequences frequency_penalty presence_penalty raw_prompting tools tool_results
		force_single_step response_format safety_mode return_prompt`)
	cohereGenerateShape = shapeOf(`prompt model num_generations stream max_tokens truncate temperature seed preset end_sequences
		stop_sequences k p frequency_penalty presence_penalty return_likelihoods raw_prompting`)
)

// chatOne answers v1 chat. A stream is a JSON object a line.
func (w cohere) chatOne(c *call) (reply, *problem) {
	var request struct {
		cohereSampling
		Message  *string `json:"message"`
		Preamble string  `json:"preamble"`
		History  []struct {
			Role, Message string
		} `json:"chat_history"`
	}
	if p := c.readCohere(&request, cohereChatShape); p != nil {
		return reply{}, p
	}
	q, p := request.question(c)
	if p != nil {
		return reply{}, p
	}
	if request.Message == nil || *request.Message == "" {
		return reply{}, badRequest("", "invalid request: message must be at least 1 token long or tool results must be specified.")
	}
	q.text, q.words = *request.Message, countWords(*request.Message)+countWords(request.Preamble)
	for _, h := range request.History {
		if h.Role != "USER" && h.Role != "CHATBOT" && h.Role != "SYSTEM" && h.Role != "TOOL" {
			return reply{}, badRequest("", "invalid request: all elements in chat_history must have the role User, "+
				"Chatbot, System or Tool.")
		}
		q.words += countWords(h.Message)
	}
	a := answerTo(q, w.voice, c.act)
	id := idOf(c.Body)
	whole := map[string]any{"response_id": id, "generation_id": "g-" + id, "text": a.text,
		"finish_reason": cohereFinish(a.finish),
		"chat_history": []any{map[string]string{"role": "USER", "message": q.text}, map[string]string{"role": "CHATBOT",
			"message": a.text}},
		"meta": cohereMeta("1", q.words, a.words),
		"token_count": map[string]int{"prompt_tokens": q.words, "response_tokens": a.words, "total_tokens": q.words + a.words,
			"billed_tokens": q.words + a.words}}
	if !q.stream {
		return jsonReply(whole), nil
	}
	events := []event{{data: jsonLine(map[string]any{"is_finished": false, "event_type": "stream-start",
		"generation_id": "g-" + id})}}
	for _, piece := range chunksOf(a.text) {
		events = append(events, event{content: true,
			data: jsonLine(map[string]any{"is_finished": false, "event_type": "text-generation", "text": piece})})
	}
	return jsonLines(append(events, event{data: jsonLine(map[string]any{"is_finished": true, "event_type": "stream-end",
		"finish_reason": cohereFinish(a.finish), "response": whole})})), nil
}

// generate answers v1 generate, the legacy completion.
func (w cohere) generate(c *call) (reply, *problem) {
	var request struct {
		cohereSampling
		Prompt string          `json:"prompt"`
		N      *int            `json:"num_generations"`
		End    json.RawMessage `json:"end_sequences"`
	}
	if p := c.readCohere(&request, cohereGenerateShape); p != nil {
		return reply{}, p
	}
	q, p := request.question(c)
	if p := first(p, integerInRange("num_generations", request.N, 1, 5)); p != nil {
		return reply{}, p
	}
	if request.Prompt == "" {
		return reply{}, badRequest("", "invalid request: prompt must be at least 1 token long")
	}
	q.text, q.words = request.Prompt, countWords(request.Prompt)
	if request.N != nil {
		q.choices = *request.N
	}
	a := answerTo(q, w.voice, c.act)
	id, all := idOf(c.Body), []any{}
	for i := range q.choices {
		all = append(all, map[string]any{"id": id, "index": i, "text": a.text, "finish_reason": cohereFinish(a.finish)})
	}
	whole := map[string]any{"id": id, "generations": all, "prompt": request.Prompt}
	if !q.stream {
		whole["meta"] = cohereMeta("1", q.words, a.words*q.choices)
		return jsonReply(whole), nil
	}
	var events []event
	for i := range q.choices {
		for _, piece := range chunksOf(a.text) {
			events = append(events, event{content: true,
				data: jsonLine(map[string]any{"is_finished": false, "event_type": "text-generation", "index": i, "text": piece})})
		}
	}
	return jsonLines(append(events, event{data: jsonLine(map[string]any{"is_finished": true, "event_type": "stream-end",
		"finish_reason": cohereFinish(a.finish), "response": whole})})), nil
}
