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
	return call.IsObject() && !isEmpty(call)
}

func isEmpty(object gjson.Result) bool {
	empty := true
	object.ForEach(func(_, _ gjson.Result) bool {
		empty = false
		return false
	})
	return empty
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

// first is the JSON of the first part's text, which is all that MLflow takes of
// an answer without calls.
func first(parts gjson.Result) string { return plain.StringOr(parts.Get("0.text"), `""`) }

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

// read takes in a reply or an event, and what it reports of tokens.
func read(c *plain.Context, v gjson.Result) (gemini.Response, error) {
	r, ok := gemini.ReadResponse(v)
	switch {
	case r.Failure != nil:
		return r, r.Failure
	case !ok:
		return r, plain.ErrReply
	}
	u := conversation.Usage{
		Input: c.Usage.Input, Output: c.Usage.Output, CacheRead: c.Usage.Cached, CacheWrite: c.Usage.CacheWrite, Reasoning: c.Usage.Reasoning,
	}
	gemini.Count(&u, r.Usage)
	c.Usage = u.Counts()
	return r, nil
}

// readWhole is the same for a reply, which must be an answer.
func readWhole(c *plain.Context, v gjson.Result) (gemini.Response, error) {
	r, err := read(c, v)
	if err == nil && !r.Whole() {
		err = plain.ErrReply
	}
	return r, err
}

func id(c *plain.Context, kind string) string {
	return `"gemini-` + kind + "-" + strconv.FormatInt(c.Created, 10) + `"`
}

// mlflowChatReply is GeminiAdapter.model_to_chat: a candidate without text and
// calls is left out.
func mlflowChatReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	r, err := readWhole(c, reply)
	if err != nil {
		return nil, err
	}
	var choices []plain.Choice
	i := 0
	r.Candidates.ForEach(func(_, v gjson.Result) bool {
		candidate := gemini.ReadCandidate(v)
		choice := plain.Choice{Index: strconv.Itoa(i), Finish: mlflowFinish(candidate.Finish, `"stop"`)}
		i++
		if hasCalls(candidate.Parts) {
			choice.Text, choice.Calls, _ = mlflowCalls(candidate.Parts, -1)
			if choice.Finish == `"stop"` {
				choice.Finish = `"tool_calls"`
			}
		} else if choice.Text = first(candidate.Parts); choice.Text == `""` {
			return true
		}
		choices = append(choices, choice)
		return true
	})
	b := make([]byte, 0, len(reply.Raw)+256)
	return c.ChatReply(b, plain.Head{ID: id(c, "chat")}, choices, mlflowCounts(r.Usage)), nil
}

// mlflowTextReply is GeminiAdapter.model_to_completions.
func mlflowTextReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	r, err := readWhole(c, reply)
	if err != nil {
		return nil, err
	}
	var choices []plain.Choice
	i := 0
	r.Candidates.ForEach(func(_, v gjson.Result) bool {
		candidate := gemini.ReadCandidate(v)
		if text := first(candidate.Parts); text != `""` {
			choices = append(choices, plain.Choice{
				Index: strconv.Itoa(i), Text: text, Finish: mlflowFinish(candidate.Finish, `"stop"`),
			})
		}
		i++
		return true
	})
	n := mlflowCounts(r.Usage)
	n.Others = ""
	return c.TextReply(make([]byte, 0, len(reply.Raw)+256), plain.Head{}, choices, n), nil
}

// mlflowChunks writes a stream as MLflow's chunks, one for each event. The last
// is held back until the stream is known to be whole: MLflow's streams have no
// other end.
type mlflowChunks struct {
	context *plain.Context
	write   func(s *mlflowChunks, b []byte, r *gemini.Response) []byte

	calls    map[int64]int // how many came, for each candidate
	held     []byte
	finished bool
}

func (s *mlflowChunks) Event(b []byte, event gjson.Result) ([]byte, bool, error) {
	r, err := read(s.context, event)
	if err != nil {
		return b, false, err
	}
	b = append(b, s.held...)
	s.held = s.held[:0]
	if !ends(&r) {
		return s.write(s, b, &r), false, nil
	}
	s.finished = true
	s.held = s.write(s, s.held, &r)
	return b, false, nil
}

// ends reports whether an event may be the last one.
func ends(r *gemini.Response) (last bool) {
	r.Candidates.ForEach(func(_, candidate gjson.Result) bool {
		last = candidate.Get("finishReason").Str != ""
		return !last
	})
	return last || r.Blocked() != ""
}

func (s *mlflowChunks) Close(b []byte) ([]byte, bool) { return append(b, s.held...), s.finished }

// mlflowChatChunk is GeminiAdapter.model_to_chat_streaming.
func mlflowChatChunk(s *mlflowChunks, b []byte, r *gemini.Response) []byte {
	var choices []plain.Choice
	place := int64(0)
	r.Candidates.ForEach(func(_, v gjson.Result) bool {
		choice, n := s.chatChoice(gemini.ReadCandidate(v), place)
		place++
		choices = append(choices, choice)
		s.calls[n.index] += n.calls
		return true
	})
	var n *plain.Counts
	if r.Usage.IsObject() && !isEmpty(r.Usage) {
		counts := mlflowCounts(r.Usage)
		n = &counts
	}
	return s.context.ChatChunk(b, plain.Head{ID: id(s.context, "chat-stream")}, choices, n)
}

type candidateCalls struct {
	index int64
	calls int
}

func (s *mlflowChunks) chatChoice(candidate gemini.Candidate, place int64) (plain.Choice, candidateCalls) {
	n := candidateCalls{index: place}
	if candidate.Index.Type == gjson.Number {
		n.index = candidate.Index.Int()
	}
	choice := plain.Choice{
		Index: strconv.FormatInt(n.index, 10), Role: `"assistant"`, Finish: mlflowFinish(candidate.Finish, ""),
	}
	called := s.calls[n.index]
	if hasCalls(candidate.Parts) {
		choice.Text, choice.Calls, n.calls = mlflowCalls(candidate.Parts, called)
		called += n.calls
	} else {
		choice.Text = first(candidate.Parts)
	}
	if called > 0 && choice.Finish == `"stop"` {
		choice.Finish = `"tool_calls"`
	}
	return choice, n
}

// mlflowTextChunk is GeminiAdapter.model_to_completions_streaming.
func mlflowTextChunk(s *mlflowChunks, b []byte, r *gemini.Response) []byte {
	var choices []plain.Choice
	r.Candidates.ForEach(func(_, v gjson.Result) bool {
		candidate := gemini.ReadCandidate(v)
		choices = append(choices, plain.Choice{Text: first(candidate.Parts), Finish: mlflowFinish(candidate.Finish, "")})
		return true
	})
	return s.context.TextChunk(b, plain.Head{ID: id(s.context, "completions-stream"), Object: `"text_completion.chunk"`}, choices, nil)
}
