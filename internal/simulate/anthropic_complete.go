package simulate

import (
	"net/http"
	"strings"
)

// The turns of a Text Completions prompt.
const (
	humanTurn     = "\n\nHuman:"
	assistantTurn = "\n\nAssistant:"
)

// complete answers the legacy Text Completions API. It has no usage, the
// completion starts with a space, and it ends by a stop sequence, the human's
// turn if no other.
func (w anthropic) complete(r *Received, act Act, e env) reply {
	var request struct {
		anthropicSampling
		Prompt            string `json:"prompt"`
		MaxTokensToSample *int   `json:"max_tokens_to_sample"`
	}
	unknown, p := decode(r.Body, &request, anthropicCompleteNames)
	if p := first(p, unknownInput(unknown, e), request.check(),
		checkMaxTokens("max_tokens_to_sample", request.MaxTokensToSample), checkPrompt(request.Prompt)); p != nil {
		return p.anthropic()
	}
	q := request.question(*request.MaxTokensToSample, r.Body)
	q.text = lastHuman(request.Prompt)
	a := answerTo(q, w.voice, act)
	id := "compl_" + idOf(q.seed)
	stop := a.stopped
	if a.finish == finishEnd {
		stop = humanTurn
	}
	reason := "stop_sequence"
	if a.finish == finishLength {
		reason = "max_tokens"
	}
	if q.stream {
		return reply{status: http.StatusOK, header: streamHeader(), events: completeEvents(id, q.model, a.text, reason, stop)}
	}
	return jsonReply(completion(id, q.model, " "+a.text, &reason, stop))
}

func checkPrompt(prompt string) *problem {
	human := strings.Index(prompt, humanTurn)
	switch {
	case human < 0:
		return badRequest("", "prompt: prompt must start with \"\\n\\nHuman:\" turn after an optional system prompt")
	case !strings.HasSuffix(strings.TrimRight(prompt, " "), assistantTurn) &&
		strings.LastIndex(prompt, assistantTurn) < human:
		return badRequest("", "prompt: prompt must end with \"\\n\\nAssistant:\" turn")
	}
	return nil
}

// lastHuman is what the human said last.
func lastHuman(prompt string) string {
	_, said, _ := strings.Cut(prompt[strings.LastIndex(prompt, humanTurn):], humanTurn)
	said, _, _ = strings.Cut(said, assistantTurn)
	return strings.TrimSpace(said)
}

func completion(id, model, text string, reason *string, stop string) map[string]any {
	return map[string]any{"type": "completion", "id": id, "completion": text, "stop_reason": reason, "model": model,
		"stop": optional(stop), "log_id": id}
}

func completeEvents(id, model, text, reason, stop string) []event {
	events := []event{}
	for i, piece := range chunksOf(text) {
		if i == 0 {
			piece = " " + piece
		}
		events = append(events, event{content: true, data: namedEvent("completion", completion(id, model, piece, nil, ""))})
	}
	return append(events, event{data: namedEvent("completion", completion(id, model, "", &reason, stop))})
}
