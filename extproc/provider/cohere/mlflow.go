package cohere

import (
	"net/http"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/plain"
)

// What MLflow's CohereAdapter does (mlflow/gateway/providers/cohere.py).

// anyType is the accept header of MLflow's calls. With another one Cohere
// streams server-sent events.
const anyType = "*/*"

func mlflowWay(op dialect.Operation) plain.Way {
	switch op {
	case dialect.Chat:
		return plain.Way{Path: "/v1/chat", Body: chatBody, Reply: chatReply, Stream: newChatStream, Lines: true, Accept: anyType}
	case dialect.Completions:
		return plain.Way{Path: "/v1/generate", Body: generateBody, Reply: generateReply, Stream: newTextStream, Lines: true, Accept: anyType}
	}
	return plain.Way{Path: "/v1/embed", Body: embedBody, Reply: mlflowEmbedReply}
}

func scaled(v gjson.Result) string {
	if v.Num == 0 {
		return v.Raw
	}
	return plain.Scaled(v, 2.5) // Cohere's goes to 5, MLflow's to 2
}

func chatBody(c *plain.Context) ([]byte, *dialect.Error) {
	if e := plain.NoModel(c.Request); e != nil {
		return nil, e
	}
	if n := plain.Get(c.Request, "n"); n.Num != 1 {
		return nil, plain.Refuse(http.StatusUnprocessableEntity, "Parameter n must be 1 for Cohere chat, got "+n.Raw+".")
	}
	if plain.Get(c.Request, "stop").Exists() {
		return nil, plain.Refuse(http.StatusUnprocessableEntity, "Parameter stop is not supported for Cohere chat.")
	}
	messages := plain.Get(c.Request, "messages").Array()
	last := messages[len(messages)-1]
	if role := last.Get("role"); role.Str != "user" {
		return nil, plain.Refuse(http.StatusUnprocessableEntity, "Last message must be from user, got "+role.Str+".")
	}
	if !last.Get("content").Exists() {
		return nil, plain.Refuse(http.StatusUnprocessableEntity, "The last message has no content.")
	}
	past, e := read(messages[:len(messages)-1])
	if e != nil {
		return nil, e
	}
	o := plain.NewObject(len(c.Request.Payload) + 64)
	o.String("model", c.Model)
	plain.Payload(c.Request, func(name string, v gjson.Result) {
		switch {
		case name == "n", name == "messages", name == "message":
		case name == "preamble_override" && past.instructed, name == "chat_history" && past.turns != nil:
		case name == "temperature":
			o.Raw(name, scaled(v))
		default:
			o.Raw(name, v.Raw)
		}
	})
	o.Raw("message", last.Get("content").Raw)
	if past.instructed {
		o.String("preamble_override", string(past.preamble))
	}
	if past.turns != nil {
		o.Raw("chat_history", "["+string(past.turns)+"]")
	}
	return o.Bytes(), nil
}

// history is what comes before the last message.
type history struct {
	preamble   []byte
	instructed bool // there is a preamble
	turns      []byte
}

func read(messages []gjson.Result) (history, *dialect.Error) {
	var h history
	for _, m := range messages {
		content := m.Get("content")
		switch m.Get("role").Str {
		case "system":
			if content.Type != gjson.String {
				return h, plain.Refuse(http.StatusUnprocessableEntity, "The content of a system message must be text for Cohere chat.")
			}
			if h.instructed {
				h.preamble = append(h.preamble, '\n')
			}
			h.preamble, h.instructed = append(h.preamble, content.Str...), true
		case "user":
			h.turns = turn(h.turns, "USER", content)
		case "assistant":
			h.turns = turn(h.turns, "CHATBOT", content)
		}
	}
	return h, nil
}

func turn(b []byte, role string, content gjson.Result) []byte {
	if b != nil {
		b = append(b, ',')
	}
	text := `""`
	if content.Exists() {
		text = content.Raw
	}
	return append(append(append(append(append(b, `{"role":"`...), role...), `","message":`...), text...), '}')
}

func chatReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	if reply.Get("text").Type != gjson.String {
		return nil, plain.ErrReply
	}
	choice := plain.Choice{Text: reply.Get("text").Raw}
	head := plain.Head{ID: plain.StringOr(reply.Get("response_id"), "")}
	return c.ChatReply(nil, head, []plain.Choice{choice}, tokens(c, reply)), nil
}

// tokens are the counts of a reply, or of the response that ends a stream.
func tokens(c *plain.Context, reply gjson.Result) plain.Counts {
	n := reply.Get("token_count")
	c.Usage.Input, c.Usage.Output = plain.Count(n.Get("prompt_tokens")), plain.Count(n.Get("response_tokens"))
	return plain.Counts{
		Prompt:     plain.NumberOr(n.Get("prompt_tokens"), ""),
		Completion: plain.NumberOr(n.Get("response_tokens"), ""),
		Total:      plain.NumberOr(n.Get("total_tokens"), ""),
	}
}

var textRenames = plain.Renames{"stop": "stop_sequences", "n": "num_generations"}

func generateBody(c *plain.Context) ([]byte, *dialect.Error) {
	if e := plain.NoModel(c.Request); e != nil {
		return nil, e
	}
	if e := textRenames.Check(c.Request, http.StatusBadRequest); e != nil {
		return nil, e
	}
	o := plain.NewObject(len(c.Request.Payload) + 64)
	o.String("model", c.Model)
	plain.Payload(c.Request, func(name string, v gjson.Result) {
		raw := v.Raw
		if name == "temperature" {
			raw = scaled(v)
		}
		o.Raw(textRenames.Of(name), raw)
	})
	return o.Bytes(), nil
}

func generateReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	list := reply.Get("generations")
	if !list.IsArray() {
		return nil, plain.ErrReply
	}
	var choices []plain.Choice
	ok := true
	list.ForEach(func(_, v gjson.Result) bool {
		ok = v.Get("text").Type == gjson.String
		choices = append(choices, plain.Choice{Text: v.Get("text").Raw})
		return ok
	})
	if !ok {
		return nil, plain.ErrReply
	}
	billed(c, reply)
	return c.TextReply(nil, plain.Head{}, choices, plain.Counts{}), nil
}

// billed takes in tokens that MLflow's clients are not told.
func billed(c *plain.Context, reply gjson.Result) {
	n := reply.Get("meta.billed_units")
	c.Usage.Input, c.Usage.Output = plain.Count(n.Get("input_tokens")), plain.Count(n.Get("output_tokens"))
}

var embedRenames = plain.Renames{"input": "texts"}

// embedBody passes input on as it came: one string is not put into a list, as
// MLflow does not.
func embedBody(c *plain.Context) ([]byte, *dialect.Error) {
	if e := plain.NoModel(c.Request); e != nil {
		return nil, e
	}
	if e := embedRenames.Check(c.Request, http.StatusUnprocessableEntity); e != nil {
		return nil, e
	}
	o := plain.NewObject(len(c.Request.Payload) + 64)
	o.String("model", c.Model)
	plain.Payload(c.Request, func(name string, v gjson.Result) { o.Raw(embedRenames.Of(name), v.Raw) })
	return o.Bytes(), nil
}

func mlflowEmbedReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	vectors, ok := plain.Vectors(reply.Get("embeddings"))
	if !ok {
		return nil, plain.ErrReply
	}
	billed(c, reply)
	c.Usage.Output = 0
	return c.EmbeddingsReply(nil, "", vectors, plain.Counts{}), nil
}

// stream reads version 1's streams: an object a line, the last of which has
// "is_finished".
type stream struct {
	c    *plain.Context
	chat bool
}

func newChatStream(c *plain.Context) plain.Stream { return stream{c, true} }
func newTextStream(c *plain.Context) plain.Stream { return stream{c, false} }

func (s stream) Event(b []byte, event gjson.Result) ([]byte, bool, error) {
	kind := event.Get("event_type")
	done := event.Get("is_finished").Bool()
	switch {
	case kind.Str == "stream-error":
		return b, false, plain.Failed(0, event.Get("err").Str)
	case kind.Type != gjson.String && s.chat:
		return b, false, told(event)
	case kind.Str == "stream-start" && s.chat:
		return b, false, nil
	case kind.Type != gjson.String && !event.Get("is_finished").Exists():
		return b, false, told(event)
	}
	response := event.Get("response")
	choice := plain.Choice{Text: plain.StringOr(event.Get("text"), ""), Finish: plain.StringOr(event.Get("finish_reason"), "")}
	var n plain.Counts
	if !s.chat {
		choice.Index = plain.NumberOr(event.Get("index"), "0")
		if done {
			billed(s.c, response)
		}
		return s.c.TextChunk(b, plain.Head{ID: plain.StringOr(response.Get("id"), "")}, []plain.Choice{choice}, &n), done, nil
	}
	if jsontext.Present(response) {
		n = tokens(s.c, response)
	}
	return s.c.ChatChunk(b, plain.Head{ID: plain.StringOr(response.Get("response_id"), "")}, []plain.Choice{choice}, &n), done, nil
}

// told is what is wrong with a line that is no event: an error in Cohere's
// shape, or what nobody knows.
func told(event gjson.Result) error {
	if message := event.Get("message"); message.Type == gjson.String {
		return plain.Failed(0, message.Str)
	}
	return plain.ErrReply
}

func (s stream) Close(b []byte) ([]byte, bool) { return b, false }
