package simulate

import "strconv"

// palm is the wire format of PaLM's API (v1beta3), which Google has ended and
// MLflow still knows. Its stand-in is Gemini's, at the same host.
type palm struct{ voice voice }

var (
	palmMessageShape = shapeOf(`model prompt{context examples messages{author content}} temperature candidateCount topP topK`)
	palmTextShape    = shapeOf(`model prompt{text} safetySettings stopSequences temperature candidateCount maxOutputTokens topP topK`)
	palmEmbedShape   = shapeOf(`model texts`)
)

func (p palm) routes() []apiRoute {
	const model = "/v1beta3/models/{model}"
	return []apiRoute{
		{method: "POST", pattern: model + ":generateMessage", serve: p.message},
		{method: "POST", pattern: model + ":generateText", serve: p.text},
		{method: "POST", pattern: model + ":batchEmbedText", serve: p.embed},
	}
}

func (p palm) message(c *call) (reply, *problem) {
	var request struct {
		Prompt struct {
			Messages []struct{ Author, Content string } `json:"messages"`
		} `json:"prompt"`
		Temperature    *float64 `json:"temperature"`
		CandidateCount *int     `json:"candidateCount"`
	}
	if wrong := c.readGoogle(c.Body, &request, palmMessageShape); wrong != nil {
		return reply{}, wrong
	}
	messages := request.Prompt.Messages
	if len(messages) == 0 {
		return reply{}, badRequest("", "* GenerateMessageRequest.prompt.messages: messages is not specified")
	}
	q := c.question(c.args["model"])
	q.text = messages[len(messages)-1].Content
	wrong := first(googleRange("temperature", request.Temperature, 0, 1), palmCount(q, request.CandidateCount))
	if wrong != nil {
		return reply{}, wrong
	}
	a := answerTo(q, p.voice, c.act)
	candidates := []any{}
	for range q.choices {
		candidates = append(candidates, map[string]string{"author": strconv.Itoa(len(messages) % 2), "content": a.text})
	}
	return jsonReply(map[string]any{"candidates": candidates, "messages": palmEcho(messages)}), nil
}

func palmEcho(messages []struct{ Author, Content string }) []any {
	out := []any{}
	for i, m := range messages {
		out = append(out, map[string]string{"author": strconv.Itoa(i % 2), "content": m.Content})
	}
	return out
}

func palmCount(q *question, n *int) *problem {
	if n == nil {
		return nil
	}
	q.choices = *n
	if *n < 1 || *n > 8 {
		return badRequest("", "candidate_count must be in the range [1, 8].")
	}
	return nil
}

func (p palm) text(c *call) (reply, *problem) {
	var request struct {
		Prompt          struct{ Text string } `json:"prompt"`
		Temperature     *float64              `json:"temperature"`
		CandidateCount  *int                  `json:"candidateCount"`
		MaxOutputTokens int                   `json:"maxOutputTokens"`
		StopSequences   []string              `json:"stopSequences"`
	}
	if wrong := c.readGoogle(c.Body, &request, palmTextShape); wrong != nil {
		return reply{}, wrong
	}
	q := c.question(c.args["model"])
	q.text, q.stop, q.maxWords = request.Prompt.Text, request.StopSequences, request.MaxOutputTokens
	wrong := first(googleRange("temperature", request.Temperature, 0, 1), palmCount(q, request.CandidateCount))
	if q.text == "" {
		wrong = badRequest("", "* GenerateTextRequest.prompt.text: text is not specified")
	}
	if wrong != nil {
		return reply{}, wrong
	}
	a := answerTo(q, p.voice, c.act)
	candidates := []any{}
	for range q.choices {
		candidates = append(candidates, map[string]any{"output": a.text,
			"safetyRatings": []any{map[string]string{"category": "HARM_CATEGORY_TOXICITY", "probability": "NEGLIGIBLE"}}})
	}
	return jsonReply(map[string]any{"candidates": candidates}), nil
}

func (p palm) embed(c *call) (reply, *problem) {
	var request struct {
		Texts []string `json:"texts"`
	}
	if wrong := c.readGoogle(c.Body, &request, palmEmbedShape); wrong != nil {
		return reply{}, wrong
	}
	if len(request.Texts) == 0 {
		return reply{}, badRequest("", "* BatchEmbedTextRequest.texts: texts is not specified")
	}
	embeddings := []any{}
	for _, text := range request.Texts {
		embeddings = append(embeddings, map[string]any{"value": embed([]byte(text), 768)})
	}
	return jsonReply(map[string]any{"embeddings": embeddings}), nil
}
