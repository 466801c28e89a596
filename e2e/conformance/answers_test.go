package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What clients are told, read out of the replies that they get: one reader for
// each dialect, whole and streamed, made without the gateway's codecs. Streams
// are held to the order of events that their dialect's documentation promises.

// toldAnswer reads a reply of status 200.
func toldAnswer(t *testing.T, dialect string, r told, stream bool) (a answer, err error) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	if !stream && bytes.Contains(r.body, []byte(`"embedding"`)) {
		return toldEmbeddings(r.body), nil
	}
	if !stream {
		switch dialect {
		case "responses":
			return toldResponses(r.body), nil
		case "anthropic":
			return toldAnthropic(r.body), nil
		case "gemini":
			return toldGemini([]json.RawMessage{r.body}), nil
		}
		return toldOpenAI(r.body), nil
	}
	if dialect == "gemini-array" {
		return toldArray(r), nil
	}
	demand(strings.HasPrefix(r.contentType, "text/event-stream"), "the stream has the content type %q", r.contentType)
	events := eventsOf(t, r.body)
	demand(len(events) > 0, "the stream has no events")
	if failure := failureIn(dialect, events[len(events)-1]); failure != "" {
		// What came before it must be what is there of an answer.
		a := unfinished(events[:len(events)-1])
		a.Failure = failure
		return a, nil
	}
	switch dialect {
	case "responses":
		return streamedResponses(events), nil
	case "anthropic":
		return streamedAnthropic(events), nil
	case "gemini":
		return toldGemini(dataOf(t, r.body)), nil
	case "openai":
		demand(string(events[len(events)-1].data) == "[DONE]", "the stream does not end with [DONE]")
	}
	a = streamedOpenAI(dataOf(t, r.body))
	for i, place := range a.places {
		demand(i == place || dialect != "openai", "the tool call %d has the index %d", i, place)
		if dialect == "mlflow" && a.Calls[i].Arguments == nil {
			a.Calls[i].Arguments = json.RawMessage("{}") // MLflow's server says nothing where there is nothing
		}
	}
	return a, nil
}

// openAIAnswer is a chat completion or a chunk of one.
type openAIAnswer struct {
	Model   string          `json:"model"`
	Object  string          `json:"object"`
	Error   json.RawMessage `json:"error"`
	Choices []struct {
		Index        int        `json:"index"`
		Message      openAISaid `json:"message"`
		Delta        openAISaid `json:"delta"`
		Text         string     `json:"text"`
		FinishReason *string    `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		Input   *int64 `json:"prompt_tokens"`
		Output  *int64 `json:"completion_tokens"`
		Details struct {
			Cached *int64 `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
		OutputDetails struct {
			Reasoning *int64 `json:"reasoning_tokens"`
		} `json:"completion_tokens_details"`
	} `json:"usage"`
}

type openAISaid struct {
	Content   *string `json:"content"`
	Reasoning string  `json:"reasoning_content"`
	Refusal   *string `json:"refusal"`
	ToolCalls []struct {
		Index    int     `json:"index"`
		ID       *string `json:"id"`
		Type     *string `json:"type"`
		Function struct {
			Name      *string `json:"name"`
			Arguments *string `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

func (s openAISaid) addTo(a *answer, chunk bool) {
	if s.Content != nil {
		a.Text += *s.Content
	}
	a.thinking += s.Reasoning
	if s.Refusal != nil {
		a.Refusal += *s.Refusal
	}
	for i, c := range s.ToolCalls {
		at := i
		if chunk {
			if at = slices.Index(a.places, c.Index); at < 0 {
				a.places = append(a.places, c.Index)
				at = len(a.places) - 1
			}
		}
		if at == len(a.Calls) {
			demand(c.Function.Name != nil && *c.Function.Name != "", "a tool call begins without a name")
			a.Calls = append(a.Calls, toolUse{})
		}
		call := &a.Calls[at]
		if c.ID != nil {
			call.ID += *c.ID
		}
		if c.Function.Name != nil {
			call.Name += *c.Function.Name
		}
		if c.Function.Arguments != nil {
			call.Arguments = append(call.Arguments, *c.Function.Arguments...)
		}
	}
}

// finishOpenAI is a finish reason in the words of facts.
func (a *answer) finishOpenAI(reason *string) {
	if reason == nil {
		return
	}
	demand(a.Finish == "", "the answer ends twice")
	words := map[string]string{"stop": "end", "length": "length", "tool_calls": "tools", "content_filter": "refusal"}
	a.Finish = word(words, *reason)
	if a.Finish == "end" && a.Refusal != "" {
		a.Finish = "refusal"
	}
}

func (o openAIAnswer) countTo(a *answer) {
	if o.Usage != nil {
		a.Usage.Input, a.Usage.Output = o.Usage.Input, o.Usage.Output
		a.Usage.Cached, a.Usage.Reasoning = o.Usage.Details.Cached, o.Usage.OutputDetails.Reasoning
	}
}

func toldOpenAI(body []byte) (a answer) {
	var o openAIAnswer
	parse(body, &o)
	demand(len(o.Choices) == 1, "there are %d choices", len(o.Choices))
	c := o.Choices[0]
	a.model = o.Model
	c.Message.addTo(&a, false)
	a.Text += c.Text
	a.finishOpenAI(c.FinishReason)
	o.countTo(&a)
	return a
}

func streamedOpenAI(chunks []json.RawMessage) (a answer) {
	for _, chunk := range chunks {
		var o openAIAnswer
		parse(chunk, &o)
		demand(o.Error == nil, "the stream tells an error: %s", o.Error)
		for _, c := range o.Choices {
			demand(c.Index == 0, "there is a choice %d", c.Index)
			c.Delta.addTo(&a, true)
			a.Text += c.Text
			a.finishOpenAI(c.FinishReason)
		}
		a.model = o.Model
		o.countTo(&a)
	}
	return a
}

type anthropicAnswer struct {
	Type       string           `json:"type"`
	Role       string           `json:"role"`
	Model      string           `json:"model"`
	Content    []anthropicBlock `json:"content"`
	StopReason *string          `json:"stop_reason"`
	Usage      *anthropicUsage  `json:"usage"`
}

type anthropicUsage struct {
	Input  *int64 `json:"input_tokens"`
	Read   *int64 `json:"cache_read_input_tokens"`
	Write  *int64 `json:"cache_creation_input_tokens"`
	Output *int64 `json:"output_tokens"`
}

// countTo takes the counts: the API's input leaves out what was cached.
func (u *anthropicUsage) countTo(a *answer) {
	if u == nil {
		return
	}
	if u.Output != nil {
		a.Usage.Output = u.Output
	}
	if u.Input != nil {
		all := *u.Input
		for _, more := range []*int64{u.Read, u.Write} {
			if more != nil {
				all += *more
			}
		}
		a.Usage.Input = &all
	}
	if u.Read != nil {
		a.Usage.Cached = u.Read
	}
}

func (a *answer) finishAnthropic(reason *string) {
	demand(reason != nil, "there is no stop_reason")
	words := map[string]string{"end_turn": "end", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tools", "refusal": "refusal"}
	a.Finish = word(words, *reason)
}

// word is the facts' word for a dialect's; one that the dialect does not have
// is told as it is.
func word(words map[string]string, theirs string) string {
	if w := words[theirs]; w != "" {
		return w
	}
	return theirs + ", which the dialect does not have"
}

func toldAnthropic(body []byte) (a answer) {
	var o anthropicAnswer
	parse(body, &o)
	demand(o.Type == "message" && o.Role == "assistant" && o.Usage != nil, "it is not a message: %s", body)
	a.model = o.Model
	for _, b := range o.Content {
		switch b.Type {
		case "text":
			a.Text += b.Text
		case "tool_use":
			a.Calls = append(a.Calls, toolUse{b.ID, b.Name, b.Input})
		case "thinking":
			a.thinking += b.Thinking
		default:
			panic("a block has the type " + b.Type)
		}
	}
	a.finishAnthropic(o.StopReason)
	o.Usage.countTo(&a)
	return a
}

func streamedAnthropic(events []event) (a answer) {
	open, next, begun, over := -1, 0, false, false
	for _, ev := range events {
		var e struct {
			Type    string          `json:"type"`
			Index   int             `json:"index"`
			Message anthropicAnswer `json:"message"`
			Block   anthropicBlock  `json:"content_block"`
			Delta   struct {
				Type       string  `json:"type"`
				Text       string  `json:"text"`
				Partial    string  `json:"partial_json"`
				Thinking   string  `json:"thinking"`
				StopReason *string `json:"stop_reason"`
			} `json:"delta"`
			Usage *anthropicUsage `json:"usage"`
		}
		parse(ev.data, &e)
		demand(ev.name == e.Type, "the event %q has the type %q", ev.name, e.Type)
		demand(!over && (begun || e.Type == "message_start"), "%s is not in its place", e.Type)
		switch e.Type {
		case "message_start":
			demand(!begun && e.Message.Usage != nil && e.Message.Content != nil, "message_start is not whole: %s", ev.data)
			begun, a.model = true, e.Message.Model
			e.Message.Usage.countTo(&a)
		case "content_block_start":
			demand(open < 0 && e.Index == next, "the block %d begins while %d is open", e.Index, open)
			open, next = e.Index, next+1
			demand(slices.Contains([]string{"text", "tool_use", "thinking"}, e.Block.Type), "a block has the type %s", e.Block.Type)
			if e.Block.Type == "tool_use" {
				demand(sameJSON(e.Block.Input, json.RawMessage("{}")), "tool_use begins with the input %s", e.Block.Input)
				a.Calls = append(a.Calls, toolUse{ID: e.Block.ID, Name: e.Block.Name})
			}
		case "content_block_delta":
			demand(open == e.Index, "a delta of the block %d comes in the block %d", e.Index, open)
			a.Text += e.Delta.Text
			a.thinking += e.Delta.Thinking
			if e.Delta.Type == "input_json_delta" {
				last := &a.Calls[len(a.Calls)-1]
				last.Arguments = append(last.Arguments, e.Delta.Partial...)
			}
		case "content_block_stop":
			demand(open == e.Index, "the block %d ends in the block %d", e.Index, open)
			open = -1
		case "message_delta":
			demand(open < 0 && a.Finish == "", "message_delta is not in its place")
			a.finishAnthropic(e.Delta.StopReason)
			demand(e.Usage != nil, "message_delta has no usage")
			e.Usage.countTo(&a)
		case "message_stop":
			over = true
		case "ping":
		default:
			panic("there is an event " + string(ev.data))
		}
	}
	demand(over, "there is no message_stop")
	for i := range a.Calls {
		if len(a.Calls[i].Arguments) == 0 {
			a.Calls[i].Arguments = json.RawMessage("{}") // as SDKs read it
		}
	}
	return a
}
