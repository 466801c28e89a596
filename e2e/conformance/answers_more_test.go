package conformance_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
)

type responsesAnswer struct {
	Object string `json:"object"`
	Status string `json:"status"`
	Model  string `json:"model"`
	Output []struct {
		ID        string `json:"id"`
		Type      string `json:"type"`
		CallID    string `json:"call_id"`
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
		Content   []struct {
			Type    string `json:"type"`
			Text    string `json:"text"`
			Refusal string `json:"refusal"`
		} `json:"content"`
	} `json:"output"`
	Incomplete *struct {
		Reason string `json:"reason"`
	} `json:"incomplete_details"`
	Usage *struct {
		Input   *int64 `json:"input_tokens"`
		Output  *int64 `json:"output_tokens"`
		Details struct {
			Cached *int64 `json:"cached_tokens"`
		} `json:"input_tokens_details"`
		OutputDetails struct {
			Reasoning *int64 `json:"reasoning_tokens"`
		} `json:"output_tokens_details"`
	} `json:"usage"`
}

func (r responsesAnswer) answer() (a answer) {
	demand(r.Object == "response", "it is a %q, not a response", r.Object)
	a.model = r.Model
	for _, item := range r.Output {
		demand(item.ID != "", "an item has no id")
		switch item.Type {
		case "message":
			for _, c := range item.Content {
				a.Text += c.Text
				a.Refusal += c.Refusal
			}
		case "function_call":
			a.Calls = append(a.Calls, toolUse{item.CallID, item.Name, json.RawMessage(item.Arguments)})
		case "reasoning":
		default:
			panic("an item has the type " + item.Type)
		}
	}
	switch {
	case r.Status == "incomplete" && r.Incomplete.Reason == "max_output_tokens":
		a.Finish = "length"
	case r.Status == "incomplete" && r.Incomplete.Reason == "content_filter":
		a.Finish = "refusal"
	case r.Status != "completed":
		panic("the status is " + r.Status)
	case a.Refusal != "":
		a.Finish = "refusal"
	case len(a.Calls) > 0:
		a.Finish = "tools"
	default:
		a.Finish = "end"
	}
	if u := r.Usage; u != nil {
		a.Usage.Input, a.Usage.Output, a.Usage.Cached, a.Usage.Reasoning = u.Input, u.Output, u.Details.Cached, u.OutputDetails.Reasoning
	}
	return a
}

func toldResponses(body []byte) answer {
	var r responsesAnswer
	parse(body, &r)
	return r.answer()
}

// streamedResponses holds the deltas against the whole that the last event
// tells.
func streamedResponses(events []event) answer {
	var deltas answer
	var last responsesAnswer
	arguments := map[int]string{}
	over := false
	for i, ev := range events {
		var e struct {
			Type     string          `json:"type"`
			Sequence *int            `json:"sequence_number"`
			Delta    string          `json:"delta"`
			Index    int             `json:"output_index"`
			Response responsesAnswer `json:"response"`
		}
		parse(ev.data, &e)
		demand(ev.name == e.Type, "the event %q has the type %q", ev.name, e.Type)
		demand(e.Sequence != nil && *e.Sequence == i, "the event %d is not numbered so: %s", i, ev.data)
		demand(!over && (i > 0 || e.Type == "response.created"), "%s is not in its place", e.Type)
		switch e.Type {
		case "response.output_text.delta":
			deltas.Text += e.Delta
		case "response.refusal.delta":
			deltas.Refusal += e.Delta
		case "response.function_call_arguments.delta":
			arguments[e.Index] += e.Delta
		case "response.completed", "response.incomplete":
			over, last = true, e.Response
		case "error", "response.failed":
			panic("the stream tells an error: " + string(ev.data))
		}
	}
	demand(over, "there is no last event")
	a := last.answer()
	demand(a.Text == deltas.Text && a.Refusal == deltas.Refusal, "the deltas make %q and %q, the whole is %q and %q",
		deltas.Text, deltas.Refusal, a.Text, a.Refusal)
	for i, item := range last.Output {
		demand(item.Type != "function_call" || arguments[i] == item.Arguments, "the deltas make the arguments %q, the whole is %q",
			arguments[i], item.Arguments)
	}
	return a
}

// toldGemini reads a reply, or the replies of which a stream is made.
func toldGemini(bodies []json.RawMessage) (a answer) {
	for _, body := range bodies {
		var r struct {
			Candidates []struct {
				Content struct {
					Role  string `json:"role"`
					Parts []struct {
						Text    string `json:"text"`
						Thought bool   `json:"thought"`
						Call    *struct {
							ID   string          `json:"id"`
							Name string          `json:"name"`
							Args json.RawMessage `json:"args"`
						} `json:"functionCall"`
					} `json:"parts"`
				} `json:"content"`
				FinishReason string `json:"finishReason"`
			} `json:"candidates"`
			Feedback struct {
				BlockReason string `json:"blockReason"`
			} `json:"promptFeedback"`
			Usage *struct {
				Input    *int64 `json:"promptTokenCount"`
				Output   *int64 `json:"candidatesTokenCount"`
				Thoughts *int64 `json:"thoughtsTokenCount"`
				Cached   *int64 `json:"cachedContentTokenCount"`
			} `json:"usageMetadata"`
			Model string          `json:"modelVersion"`
			Error json.RawMessage `json:"error"`
		}
		parse(body, &r)
		demand(r.Error == nil, "the reply tells an error: %s", r.Error)
		a.model = r.Model
		if r.Feedback.BlockReason != "" {
			a.Finish = "refusal"
		}
		for _, c := range r.Candidates {
			for _, p := range c.Content.Parts {
				if p.Thought {
					a.thinking += p.Text
				} else {
					a.Text += p.Text
				}
				if p.Call != nil {
					a.Calls = append(a.Calls, toolUse{p.Call.ID, p.Call.Name, p.Call.Args})
				}
			}
			if c.FinishReason != "" {
				words := map[string]string{"STOP": "end", "MAX_TOKENS": "length", "SAFETY": "refusal", "PROHIBITED_CONTENT": "refusal"}
				a.Finish = word(words, c.FinishReason)
			}
		}
		if u := r.Usage; u != nil {
			a.Usage.Input, a.Usage.Cached, a.Usage.Reasoning = u.Input, u.Cached, u.Thoughts
			if u.Output != nil {
				all := *u.Output // Gemini's leaves out thoughts
				if u.Thoughts != nil {
					all += *u.Thoughts
				}
				a.Usage.Output = &all
			}
		}
	}
	if a.Finish == "end" && len(a.Calls) > 0 {
		a.Finish = "tools"
	}
	return a
}

// failureIn is the message of an event that tells an error, in a dialect's
// shape; "" for any other.
func failureIn(dialect string, ev event) string {
	var e struct {
		Type    string `json:"type"`
		Message string `json:"message"`
		Error   struct {
			Type    string          `json:"type"`
			Message string          `json:"message"`
			Status  string          `json:"status"`
			Code    json.RawMessage `json:"code"`
		} `json:"error"`
		Response struct {
			Status string `json:"status"`
			Error  struct {
				Message string `json:"message"`
			} `json:"error"`
		} `json:"response"`
	}
	if json.Unmarshal(ev.data, &e) != nil {
		return ""
	}
	switch {
	case dialect == "responses" && e.Type == "error" && ev.name == "error":
		return e.Message
	case dialect == "responses" && e.Type == "response.failed" && e.Response.Status == "failed":
		return e.Response.Error.Message
	case dialect == "anthropic" && (ev.name != "error" || e.Type != "error" || e.Error.Type == ""):
		return ""
	case dialect == "gemini" && (e.Error.Status == "" || len(e.Error.Code) == 0):
		return ""
	}
	return e.Error.Message
}

// unfinished reads what there is of a streamed answer that broke off.
func unfinished(events []event) (a answer) {
	for _, ev := range events {
		var e struct {
			Type    string          `json:"type"`
			Delta   json.RawMessage `json:"delta"`
			Choices []struct {
				Delta struct {
					Content string `json:"content"`
				} `json:"delta"`
				FinishReason string `json:"finish_reason"`
			} `json:"choices"`
			Candidates []struct {
				Content struct {
					Parts []struct {
						Text string `json:"text"`
					} `json:"parts"`
				} `json:"content"`
				FinishReason string `json:"finishReason"`
			} `json:"candidates"`
		}
		if json.Unmarshal(ev.data, &e) != nil {
			continue
		}
		var delta struct {
			Text       string `json:"text"`
			StopReason string `json:"stop_reason"`
		}
		switch e.Type {
		case "content_block_delta", "message_delta":
			parse(e.Delta, &delta)
		case "response.output_text.delta":
			parse(e.Delta, &delta.Text)
		case "response.completed":
			delta.StopReason = e.Type
		}
		a.Text, a.Finish = a.Text+delta.Text, a.Finish+delta.StopReason
		for _, c := range e.Choices {
			a.Text, a.Finish = a.Text+c.Delta.Content, a.Finish+c.FinishReason
		}
		for _, c := range e.Candidates {
			a.Finish += c.FinishReason
			for _, p := range c.Content.Parts {
				a.Text += p.Text
			}
		}
	}
	return a
}

// toldArray reads a stream of Gemini's that is one JSON array.
func toldArray(r told) answer {
	demand(strings.HasPrefix(r.contentType, "application/json"), "the array has the content type %q", r.contentType)
	var list []json.RawMessage
	parse(r.body, &list)
	demand(len(list) > 0, "the array is empty")
	failure := failureIn("gemini", event{data: list[len(list)-1]})
	if failure == "" {
		return toldGemini(list)
	}
	var events []event
	for _, v := range list[:len(list)-1] {
		events = append(events, event{data: v})
	}
	a := unfinished(events)
	a.Failure = failure
	return a
}

// toldError reads the message of an error in a dialect's shape.
func toldError(dialect string, body []byte) string {
	var e struct {
		Type   string          `json:"type"`
		Detail json.RawMessage `json:"detail"`
		Error  struct {
			Message string          `json:"message"`
			Type    string          `json:"type"`
			Status  string          `json:"status"`
			Param   *string         `json:"param"`
			Code    json.RawMessage `json:"code"`
		} `json:"error"`
	}
	parse(body, &e)
	switch dialect {
	case "mlflow":
		demand(len(e.Detail) > 0, "the error has no detail: %s", body)
		return string(e.Detail)
	case "anthropic":
		demand(e.Type == "error" && e.Error.Type != "", "it is not an error of the Messages API: %s", body)
	case "gemini":
		demand(e.Error.Status != "" && len(e.Error.Code) > 0, "it is not an error of Google's: %s", body)
	default:
		demand(e.Error.Type != "" && len(e.Error.Code) > 0, "it is not an error of OpenAI's: %s", body)
	}
	return e.Error.Message
}

// toldEmbeddings reads vectors, which are lists or base64 of 32-bit floats.
func toldEmbeddings(body []byte) (a answer) {
	var r struct {
		Object string `json:"object"`
		Data   []struct {
			Index     int             `json:"index"`
			Embedding json.RawMessage `json:"embedding"`
		} `json:"data"`
	}
	parse(body, &r)
	demand(r.Object == "list", "it is a %q, not a list", r.Object)
	for i, d := range r.Data {
		demand(d.Index == i, "the vector %d has the index %d", i, d.Index)
		var vector []float64
		if d.Embedding[0] == '"' {
			var packed []byte
			parse(d.Embedding, &packed)
			for len(packed) >= 4 {
				vector = append(vector, float64(math.Float32frombits(binary.LittleEndian.Uint32(packed))))
				packed = packed[4:]
			}
		} else {
			parse(d.Embedding, &vector)
		}
		a.Vectors = append(a.Vectors, vector)
	}
	return a
}
