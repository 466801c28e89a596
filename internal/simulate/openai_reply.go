package simulate

import (
	"encoding/json"
	"net/http"
)

// fingerprint is OpenAI's system_fingerprint in all replies.
const fingerprint = "fp_standin0001"

type openAIUsage struct {
	PromptTokens            int                      `json:"prompt_tokens"`
	CompletionTokens        *int                     `json:"completion_tokens,omitempty"`
	TotalTokens             int                      `json:"total_tokens"`
	PromptTokensDetails     *promptTokensDetails     `json:"prompt_tokens_details,omitempty"`
	CompletionTokensDetails *completionTokensDetails `json:"completion_tokens_details,omitempty"`
}

type promptTokensDetails struct {
	CachedTokens int `json:"cached_tokens"`
	AudioTokens  int `json:"audio_tokens"`
}

type completionTokensDetails struct {
	ReasoningTokens          int `json:"reasoning_tokens"`
	AudioTokens              int `json:"audio_tokens"`
	AcceptedPredictionTokens int `json:"accepted_prediction_tokens"`
	RejectedPredictionTokens int `json:"rejected_prediction_tokens"`
}

func usageOf(prompt, completion int) *openAIUsage {
	return &openAIUsage{PromptTokens: prompt, CompletionTokens: &completion, TotalTokens: prompt + completion,
		PromptTokensDetails: &promptTokensDetails{}, CompletionTokensDetails: &completionTokensDetails{}}
}

type openAICompletion struct {
	ID                string         `json:"id"`
	Object            string         `json:"object"`
	Created           int64          `json:"created"`
	Model             string         `json:"model"`
	Choices           []openAIChoice `json:"choices"`
	Usage             *openAIUsage   `json:"usage,omitempty"`
	ServiceTier       string         `json:"service_tier,omitempty"`
	SystemFingerprint string         `json:"system_fingerprint"`
}

type openAIChoice struct {
	Index        int             `json:"index"`
	Message      *openAIReplyMsg `json:"message,omitempty"`
	Text         *string         `json:"text,omitempty"`
	Logprobs     json.RawMessage `json:"logprobs"` // always null
	FinishReason string          `json:"finish_reason"`
}

type openAIReplyMsg struct {
	Role        string          `json:"role"`
	Content     *string         `json:"content"`
	ToolCalls   []openAICallOut `json:"tool_calls,omitempty"`
	Refusal     *string         `json:"refusal"`
	Annotations []struct{}      `json:"annotations"`
}

type openAICallOut struct {
	Index    *int            `json:"index,omitempty"` // in streams only
	ID       string          `json:"id,omitempty"`
	Type     string          `json:"type,omitempty"`
	Function openAICallNamed `json:"function"`
}

type openAICallNamed struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

func openAIFinish(f finish) string {
	switch f {
	case finishLength:
		return "length"
	case finishTool:
		return "tool_calls"
	}
	return "stop"
}

func jsonReply(v any) reply {
	return reply{status: http.StatusOK, header: jsonHeader(), body: marshal(v)}
}

func (o openAI) chat(r *Received, route openAIRoute, act Act, e env) (reply, *problem) {
	var request openAIChat
	unknown, p := decode(r.Body, &request, o.own.without(openAIChatNames))
	if p := first(p, o.checkNames(unknown, request.Model, route, e)); p != nil {
		return reply{}, p
	}
	q, p := request.question(r.Body)
	if p != nil {
		return reply{}, p
	}
	if p := o.checkCallIDs(request.Messages); p != nil {
		return reply{}, p
	}
	if route.model != "" {
		q.model = route.model
	}
	a := answerTo(q, o.voice, act)
	o.nameCalls(a.calls)
	out := openAICompletion{ID: "chatcmpl-" + idOf(q.seed), Object: "chat.completion", Created: e.now.Unix(),
		Model: q.model, ServiceTier: "default", SystemFingerprint: fingerprint}
	if q.stream {
		return streamReply(o.chatEvents(out, q, a, request.includeUsage())), nil
	}
	for i := range q.choices {
		out.Choices = append(out.Choices, openAIChoice{Index: i, Message: chatMessage(a), FinishReason: openAIFinish(a.finish)})
	}
	out.Usage = usageOf(q.words, a.words*q.choices)
	return jsonReply(out), nil
}

func chatMessage(a answer) *openAIReplyMsg {
	m := &openAIReplyMsg{Role: "assistant", Annotations: []struct{}{}}
	switch {
	case a.finish == finishRefusal:
		m.Refusal = &a.text
	case len(a.calls) == 0:
		m.Content = &a.text
	}
	for _, c := range a.calls {
		m.ToolCalls = append(m.ToolCalls, openAICallOut{ID: c.id, Type: "function",
			Function: openAICallNamed{Name: c.name, Arguments: c.arguments}})
	}
	return m
}

func (o openAI) complete(r *Received, route openAIRoute, act Act, e env) (reply, *problem) {
	var request struct {
		openAISampling
		Prompt json.RawMessage `json:"prompt"`
	}
	unknown, p := decode(r.Body, &request, o.own.without(openAICompletionNames))
	if p := first(p, o.checkNames(unknown, request.Model, route, e), request.check()); p != nil {
		return reply{}, p
	}
	q, p := request.question(r.Body)
	prompt, wrong := oneText("prompt", request.Prompt)
	if p := first(p, wrong); p != nil {
		return reply{}, p
	}
	q.text, q.words = prompt, countWords(prompt)
	if route.model != "" {
		q.model = route.model
	}
	if q.maxWords == 0 {
		q.maxWords = defaultCompletionWords(act)
	}
	a := answerTo(q, o.voice, act)
	out := openAICompletion{ID: "cmpl-" + idOf(q.seed), Object: "text_completion", Created: e.now.Unix(),
		Model: q.model, SystemFingerprint: fingerprint}
	if q.stream {
		return streamReply(o.completionEvents(out, q, a, request.includeUsage())), nil
	}
	for i := range q.choices {
		out.Choices = append(out.Choices, openAIChoice{Index: i, Text: &a.text, FinishReason: openAIFinish(a.finish)})
	}
	out.Usage = usageOf(q.words, a.words*q.choices)
	return jsonReply(out), nil
}

// defaultCompletionWords is the published default of max_tokens in
// completions, 16, unless the act sets the length.
func defaultCompletionWords(act Act) int {
	if act.Words > 0 || act.Bytes > 0 {
		return 0
	}
	return 16
}

// oneText reads a prompt: a string, or an array of them, joined by a space.
func oneText(name string, raw json.RawMessage) (string, *problem) {
	var one string
	if json.Unmarshal(raw, &one) == nil && !isNull(raw) {
		return one, nil
	}
	inputs, p := listInputs(name, raw)
	if p != nil {
		return "", p
	}
	text := ""
	for i, input := range inputs {
		if i > 0 {
			text += " "
		}
		text += input.text
	}
	return text, nil
}
