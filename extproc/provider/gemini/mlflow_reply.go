package gemini

import (
	"crypto/md5"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/gemini"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// mlflowFinish is the JSON of a finish reason in MLflow's words; missing is
// what a candidate without one has.
func mlflowFinish(v gjson.Result, missing string) string {
	switch {
	case !v.Exists():
		return missing
	case v.Type != gjson.String:
		return ""
	case v.Str == "MAX_TOKENS":
		return `"length"`
	}
	return kit.Quoted(strings.ToLower(v.Str))
}

// isCall reports whether a part is a function call.
func isCall(part gjson.Result) bool {
	call := part.Get("functionCall")
	return call.IsObject() && len(jsontext.Compact(call.Raw)) > len("{}")
}

func hasCalls(parts gjson.Result) (found bool) {
	parts.ForEach(func(_, part gjson.Result) bool {
		found = isCall(part)
		return !found
	})
	return found
}

// mlflowCalls is _convert_function_call_to_openai_choice: the text of all
// parts, and the calls. offset is less than 0 in a whole answer, else how many
// calls of the stream came before.
func mlflowCalls(parts gjson.Result, offset int) (text, calls string, n int) {
	var words, list []byte
	parts.ForEach(func(_, part gjson.Result) bool {
		words = append(words, inner(part.Get("text"))...)
		if !isCall(part) {
			return true
		}
		call := part.Get("functionCall")
		args := []byte("{}")
		if v := call.Get("args"); v.Exists() {
			args = jsontext.AppendPython(nil, v)
		}
		list = append(jsontext.Comma(list), '{')
		if offset >= 0 {
			list = strconv.AppendInt(append(list, `"index":`...), int64(offset+n), 10)
			list = append(list, ',')
		}
		list = append(append(list, `"id":`...), mlflowID(call, args)...)
		list = append(append(list, `,"type":"function","function":{"name":`...), plain.StringOr(call.Get("name"), `""`)...)
		list = dialect.AppendString(append(list, `,"arguments":`...), string(args))
		list = append(list, '}')
		if s := signatureOf(part, call); s != "" {
			list = append(append(list, `,"thought_signature":`...), s...)
		}
		list = append(list, '}')
		n++
		return true
	})
	if len(words) > 0 {
		text = `"` + string(words) + `"`
	}
	return text, "[" + string(list) + "]", n
}

// inner is the text of a JSON string without its quotes.
func inner(v gjson.Result) string {
	if v.Type != gjson.String {
		return ""
	}
	return v.Raw[1 : len(v.Raw)-1]
}

func mlflowID(call gjson.Result, args []byte) string {
	if id := call.Get("id"); jsontext.Present(id) {
		return plain.StringOr(id, `""`)
	}
	sum := md5.Sum([]byte(call.Get("name").Str + "/" + string(args)))
	return `"call_` + hex.EncodeToString(sum[:]) + `"`
}

// signatureOf is the JSON of a call's thought signature, wherever it stands.
func signatureOf(part, call gjson.Result) string {
	for _, v := range []gjson.Result{
		part.Get("thoughtSignature"), part.Get("thought_signature"),
		call.Get("thoughtSignature"), call.Get("thought_signature"),
	} {
		if v.Str != "" {
			return v.Raw
		}
	}
	return ""
}

// first is the text of the first part, which is all that MLflow takes of an
// answer without calls.
func first(parts gjson.Result) gjson.Result { return parts.Get("0.text") }

// mlflowCounts is _build_chat_usage: what OpenAI's usage has no word for goes
// as it came.
func mlflowCounts(v gjson.Result) plain.Counts {
	var n plain.Counts
	var cached, others []byte
	v.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "promptTokenCount":
			n.Prompt = v.Raw
		case "candidatesTokenCount":
			n.Completion = v.Raw
		case "totalTokenCount":
			n.Total = v.Raw
		case "cachedContentTokenCount":
			cached = append([]byte(`,"prompt_tokens_details":{"cached_tokens":`), v.Raw...)
			cached = append(cached, '}')
		default:
			others = append(append(append(append(others, ','), k.Raw...), ':'), v.Raw...)
		}
		return true
	})
	n.Others = string(cached) + string(others)
	return n
}

// count takes over what a reply reports.
func count(c *plain.Context, reply gjson.Result) {
	u := conversation.Usage{
		Input: c.Usage.Input, Output: c.Usage.Output, CacheRead: c.Usage.Cached, CacheWrite: c.Usage.CacheWrite, Reasoning: c.Usage.Reasoning,
	}
	gemini.Count(&u, reply.Get("usageMetadata"))
	c.Usage = u.Counts()
}

// answers reports whether a reply is what generateContent promises: candidates,
// or why there are none.
func answers(reply gjson.Result) bool {
	return reply.Get("candidates").IsArray() || reply.Get("promptFeedback").IsObject() || reply.Get("usageMetadata").IsObject()
}

func id(c *plain.Context, kind string) string {
	return `"gemini-` + kind + "-" + strconv.FormatInt(c.Created, 10) + `"`
}

// mlflowChatReply is GeminiAdapter.model_to_chat: a candidate without text and
// calls is left out.
func mlflowChatReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	if !answers(reply) {
		return nil, plain.ErrReply
	}
	count(c, reply)
	var choices []plain.Choice
	i := 0
	reply.Get("candidates").ForEach(func(_, candidate gjson.Result) bool {
		parts := candidate.Get("content.parts")
		choice := plain.Choice{Index: strconv.Itoa(i), Finish: mlflowFinish(candidate.Get("finishReason"), `"stop"`)}
		i++
		if hasCalls(parts) {
			choice.Text, choice.Calls, _ = mlflowCalls(parts, -1)
			if choice.Finish == `"stop"` {
				choice.Finish = `"tool_calls"`
			}
		} else if choice.Text = plain.StringOr(first(parts), `""`); choice.Text == `""` {
			return true
		}
		choices = append(choices, choice)
		return true
	})
	b := make([]byte, 0, len(reply.Raw)+256)
	return c.ChatReply(b, plain.Head{ID: id(c, "chat")}, choices, mlflowCounts(reply.Get("usageMetadata"))), nil
}

// mlflowTextReply is GeminiAdapter.model_to_completions.
func mlflowTextReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	if !answers(reply) {
		return nil, plain.ErrReply
	}
	count(c, reply)
	var choices []plain.Choice
	i := 0
	reply.Get("candidates").ForEach(func(_, candidate gjson.Result) bool {
		text := plain.StringOr(first(candidate.Get("content.parts")), `""`)
		if text != `""` {
			choices = append(choices, plain.Choice{
				Index: strconv.Itoa(i), Text: text, Finish: mlflowFinish(candidate.Get("finishReason"), `"stop"`),
			})
		}
		i++
		return true
	})
	n := mlflowCounts(reply.Get("usageMetadata"))
	n.Others = ""
	return c.TextReply(make([]byte, 0, len(reply.Raw)+256), plain.Head{}, choices, n), nil
}

// mlflowChunks writes a stream as MLflow's chunks, one for each event. The last
// is held back until the stream is known to be whole: MLflow's streams have no
// other end.
type mlflowChunks struct {
	context *plain.Context
	write   func(s *mlflowChunks, b []byte, event gjson.Result) []byte

	calls    map[int64]int // how many came, for each candidate
	held     []byte
	finished bool
}

func (s *mlflowChunks) Event(b []byte, event gjson.Result) ([]byte, bool, error) {
	if failure := gemini.Told(event); failure != nil {
		return b, false, failure
	}
	if !event.IsObject() {
		return b, false, plain.ErrReply
	}
	b = append(b, s.held...)
	s.held = s.held[:0]
	count(s.context, event)
	if !ends(event) {
		return s.write(s, b, event), false, nil
	}
	s.finished = true
	s.held = s.write(s, s.held, event)
	return b, false, nil
}

// ends reports whether an event may be the last one.
func ends(event gjson.Result) (last bool) {
	event.Get("candidates").ForEach(func(_, candidate gjson.Result) bool {
		last = candidate.Get("finishReason").Str != ""
		return !last
	})
	return last || event.Get("promptFeedback.blockReason").Str != ""
}

func (s *mlflowChunks) Close(b []byte) ([]byte, bool) { return append(b, s.held...), s.finished }

// mlflowChatChunk is GeminiAdapter.model_to_chat_streaming.
func mlflowChatChunk(s *mlflowChunks, b []byte, event gjson.Result) []byte {
	var choices []plain.Choice
	place := int64(0)
	event.Get("candidates").ForEach(func(_, candidate gjson.Result) bool {
		choice, n := s.chatChoice(candidate, place)
		place++
		choices = append(choices, choice)
		s.calls[n.index] += n.calls
		return true
	})
	var n *plain.Counts
	if usage := event.Get("usageMetadata"); usage.IsObject() && len(jsontext.Compact(usage.Raw)) > len("{}") {
		counts := mlflowCounts(usage)
		n = &counts
	}
	return s.context.ChatChunk(b, plain.Head{ID: id(s.context, "chat-stream")}, choices, n)
}

type candidateCalls struct {
	index int64
	calls int
}

func (s *mlflowChunks) chatChoice(candidate gjson.Result, place int64) (plain.Choice, candidateCalls) {
	n := candidateCalls{index: place}
	if v := candidate.Get("index"); v.Type == gjson.Number {
		n.index = v.Int()
	}
	parts := candidate.Get("content.parts")
	choice := plain.Choice{
		Index: strconv.FormatInt(n.index, 10), Role: `"assistant"`, Finish: mlflowFinish(candidate.Get("finishReason"), ""),
	}
	called := s.calls[n.index]
	if hasCalls(parts) {
		choice.Text, choice.Calls, n.calls = mlflowCalls(parts, called)
		called += n.calls
	} else {
		choice.Text = plain.StringOr(first(parts), `""`)
	}
	if called > 0 && choice.Finish == `"stop"` {
		choice.Finish = `"tool_calls"`
	}
	return choice, n
}

// mlflowTextChunk is GeminiAdapter.model_to_completions_streaming.
func mlflowTextChunk(s *mlflowChunks, b []byte, event gjson.Result) []byte {
	var choices []plain.Choice
	event.Get("candidates").ForEach(func(_, candidate gjson.Result) bool {
		choices = append(choices, plain.Choice{
			Text:   plain.StringOr(first(candidate.Get("content.parts")), `""`),
			Finish: mlflowFinish(candidate.Get("finishReason"), ""),
		})
		return true
	})
	return s.context.TextChunk(b, plain.Head{ID: id(s.context, "completions-stream"), Object: `"text_completion.chunk"`}, choices, nil)
}
