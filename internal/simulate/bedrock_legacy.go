package simulate

// generated is a text that an older family generates n times.
type generated struct {
	q      *question
	answer answer
}

// generate answers a prompt of an older family.
func (b bedrock) generate(c *call, prompt string, stop []string, most, n *int) (*generated, *problem) {
	if prompt == "" || n != nil && *n < 1 || most != nil && *most < 1 {
		return nil, invalid("Malformed input request: prompt is required, and numbers start at 1, please reformat your " +
			"input and try again.")
	}
	q := c.question(c.args["model"])
	q.text, q.words, q.stop = prompt, countWords(prompt), stop
	if most != nil {
		q.maxWords = *most
	}
	if n != nil {
		q.choices = *n
	}
	return &generated{q: q, answer: answerTo(q, b.voice, c.act)}, nil
}

func (b bedrock) cohereText(c *call) (*invoked, *problem) {
	var request struct {
		Prompt string   `json:"prompt"`
		Max    *int     `json:"max_tokens"`
		Stop   []string `json:"stop_sequences"`
		N      *int     `json:"num_generations"`
		Stream bool     `json:"stream"`
	}
	if p := c.readBody(&request, bedrockCohere); p != nil {
		return nil, p
	}
	g, p := b.generate(c, request.Prompt, request.Stop, request.Max, request.N)
	if p != nil {
		return nil, p
	}
	reason := "COMPLETE"
	if g.answer.finish == finishLength {
		reason = "MAX_TOKENS"
	}
	id, all := idOf(c.Body), []any{}
	for range g.q.choices {
		all = append(all, map[string]any{"id": id, "text": g.answer.text, "finish_reason": reason})
	}
	said := &invoked{body: map[string]any{"id": id, "generations": all, "prompt": request.Prompt}, input: g.q.words,
		output: g.answer.words}
	for _, text := range chunksOf(g.answer.text) {
		said.pieces = append(said.pieces, map[string]any{"text": text, "is_finished": false})
	}
	said.pieces = append(said.pieces, map[string]any{"is_finished": true, "finish_reason": reason})
	return said, nil
}

func (b bedrock) jurassic(c *call) (*invoked, *problem) {
	var request struct {
		Prompt string   `json:"prompt"`
		Max    *int     `json:"maxTokens"`
		Stop   []string `json:"stopSequences"`
		N      *int     `json:"numResults"`
	}
	if p := c.readBody(&request, bedrockJurassic); p != nil {
		return nil, p
	}
	g, p := b.generate(c, request.Prompt, request.Stop, request.Max, request.N)
	if p != nil {
		return nil, p
	}
	return &invoked{body: jurassicBody(g.q, g.answer), input: g.q.words, output: g.answer.words}, nil
}

// jurassicBody is how AI21's Jurassic models answer, on Bedrock and at AI21.
func jurassicBody(q *question, a answer) map[string]any {
	reason := map[finish]string{finishLength: "length", finishSequence: "stop"}[a.finish]
	if reason == "" {
		reason = "endoftext"
	}
	completions := []any{}
	for range q.choices {
		completions = append(completions, map[string]any{"data": map[string]any{"text": a.text, "tokens": []any{}},
			"finishReason": map[string]string{"reason": reason}})
	}
	return map[string]any{"id": 1234, "prompt": map[string]any{"text": q.text, "tokens": []any{}}, "completions": completions}
}
