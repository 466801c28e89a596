package plain

import (
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
)

// The shapes of MLflow's replies (mlflow/gateway/schemas of MLflow 3.17.2): a
// fixed set of members in a fixed order, nulls written out. Values are JSON
// texts; an empty one stands for what MLflow puts where a provider gives none.

// Head is what comes before the choices.
type Head struct {
	ID      string // empty: null
	Object  string // empty: the usual
	Created string // empty: now
	Model   string // empty: the target's
}

// Choice is one answer, or a piece of one.
type Choice struct {
	Index  string // empty: its place
	Role   string // empty: "assistant" in a whole chat answer, null in a piece
	Text   string // content of a message or of its piece, text of a completion; empty: null
	Calls  string // tool_calls, a list; empty: null
	Finish string // empty: null
}

// Counts are the tokens of an answer.
type Counts struct {
	Prompt, Completion, Total string // empty: null
	Others                    string // further members as they came, each with a comma before it
}

// ReadCounts are the counts in a usage object of OpenAI's kind; nothing else of
// it.
func ReadCounts(usage gjson.Result) Counts {
	return Counts{
		Prompt:     NumberOr(usage.Get("prompt_tokens"), ""),
		Completion: NumberOr(usage.Get("completion_tokens"), ""),
		Total:      NumberOr(usage.Get("total_tokens"), ""),
	}
}

// ReadUsage are the tokens in a usage object of OpenAI's kind.
func ReadUsage(usage gjson.Result) dialect.Usage {
	return dialect.Usage{
		Input:      Count(usage.Get("prompt_tokens")),
		Output:     Count(usage.Get("completion_tokens")),
		Cached:     Count(usage.Get("prompt_tokens_details.cached_tokens")),
		Reasoning:  Count(usage.Get("completion_tokens_details.reasoning_tokens")),
		CacheWrite: -1,
	}
}

// ChatReply adds a whole chat answer.
func (c *Context) ChatReply(b []byte, h Head, choices []Choice, n Counts) []byte {
	b = c.head(b, h, "chat.completion")
	for i, ch := range choices {
		b = index(b, ch, i)
		b = append(append(b, `"message":{"role":`...), or(ch.Role, `"assistant"`)...)
		b = append(append(b, `,"content":`...), or(ch.Text, "null")...)
		b = append(append(b, `,"tool_calls":`...), or(ch.Calls, "null")...)
		b = append(append(b, `,"refusal":null},"finish_reason":`...), or(ch.Finish, "null")...)
		b = append(b, '}')
	}
	b = counts(append(b, `],"usage":`...), n)
	return append(append(append(b, `,"provider":`...), kit.Quoted(c.Provider.ID)...), '}')
}

// ChatChunk adds an event with a piece of a chat answer. n is nil where it has
// no usage.
func (c *Context) ChatChunk(b []byte, h Head, choices []Choice, n *Counts) []byte {
	b = c.head(append(b, "data: "...), h, "chat.completion.chunk")
	for i, ch := range choices {
		b = index(b, ch, i)
		b = append(append(b, `"finish_reason":`...), or(ch.Finish, "null")...)
		b = append(append(b, `,"delta":{"role":`...), or(ch.Role, "null")...)
		b = append(append(b, `,"content":`...), or(ch.Text, "null")...)
		b = append(append(b, `,"tool_calls":`...), or(ch.Calls, "null")...)
		b = append(b, "}}"...)
	}
	b = optionalCounts(append(b, `],"usage":`...), n)
	return append(append(append(b, `,"provider":`...), kit.Quoted(c.Provider.ID)...), "}\n\n"...)
}

// TextReply adds a whole answer to a completions call.
func (c *Context) TextReply(b []byte, h Head, choices []Choice, n Counts) []byte {
	b = c.head(b, h, "text_completion")
	for i, ch := range choices {
		b = index(b, ch, i)
		b = append(append(b, `"text":`...), or(ch.Text, `""`)...)
		b = append(append(b, `,"finish_reason":`...), or(ch.Finish, "null")...)
		b = append(b, '}')
	}
	return append(counts(append(b, `],"usage":`...), n), '}')
}

// TextChunk adds an event with a piece of an answer to a completions call.
func (c *Context) TextChunk(b []byte, h Head, choices []Choice, n *Counts) []byte {
	b = c.head(append(b, "data: "...), h, "text_completion_chunk")
	for i, ch := range choices {
		b = index(b, ch, i)
		b = append(append(b, `"finish_reason":`...), or(ch.Finish, "null")...)
		b = append(append(b, `,"text":`...), or(ch.Text, "null")...)
		b = append(b, '}')
	}
	return append(optionalCounts(append(b, `],"usage":`...), n), "}\n\n"...)
}

// Vector is one embedding as it came, a list of numbers.
type Vector struct {
	Index string // empty: its place
	Raw   string
}

// EmbeddingsReply adds the answer to an embeddings call.
func (c *Context) EmbeddingsReply(b []byte, model string, vectors []Vector, n Counts) []byte {
	b = append(b, `{"object":"list","data":[`...)
	for i, v := range vectors {
		b = append(jsontext.Comma(b), `{"object":"embedding","embedding":`...)
		b = append(append(b, v.Raw...), `,"index":`...)
		b = append(append(b, or(v.Index, strconv.Itoa(i))...), '}')
	}
	b = append(append(b, `],"model":`...), or(model, kit.Quoted(c.Model))...)
	b = append(append(b, `,"usage":{"prompt_tokens":`...), or(n.Prompt, "null")...)
	return append(append(append(b, `,"total_tokens":`...), or(n.Total, "null")...), "}}"...)
}

func (c *Context) head(b []byte, h Head, object string) []byte {
	b = append(append(b, `{"id":`...), or(h.ID, "null")...)
	b = append(append(b, `,"object":`...), or(h.Object, `"`+object+`"`)...)
	b = append(b, `,"created":`...)
	if h.Created != "" {
		b = append(b, h.Created...)
	} else {
		b = strconv.AppendInt(b, c.Created, 10)
	}
	b = append(b, `,"model":`...)
	b = append(b, or(h.Model, kit.Quoted(c.Model))...)
	return append(b, `,"choices":[`...)
}

// index begins a choice.
func index(b []byte, ch Choice, place int) []byte {
	b = append(jsontext.Comma(b), `{"index":`...)
	if ch.Index != "" {
		b = append(b, ch.Index...)
	} else {
		b = strconv.AppendInt(b, int64(place), 10)
	}
	return append(b, ',')
}

func counts(b []byte, n Counts) []byte {
	b = append(append(b, `{"prompt_tokens":`...), or(n.Prompt, "null")...)
	b = append(append(b, `,"completion_tokens":`...), or(n.Completion, "null")...)
	b = append(append(b, `,"total_tokens":`...), or(n.Total, "null")...)
	return append(append(b, n.Others...), '}')
}

func optionalCounts(b []byte, n *Counts) []byte {
	if n == nil {
		return append(b, "null"...)
	}
	return counts(b, *n)
}

func or(raw, other string) string {
	if raw == "" {
		return other
	}
	return raw
}

// Refuse is one of MLflow's refusals, which clients see word for word.
func Refuse(status int, message string) *dialect.Error {
	return &dialect.Error{Status: status, Code: dialect.CodeInvalidRequest, Message: message, NoRetry: true}
}

// Renames are MLflow's names of parameters and the provider's names for them.
type Renames map[string]string

// Check refuses a payload that uses one of the provider's names, with a
// status.
func (r Renames) Check(req *dialect.Request, status int) *dialect.Error {
	for _, m := range req.Members() {
		for ours, theirs := range r {
			if m.Key == theirs {
				return Refuse(status, "Invalid parameter "+theirs+". Use "+ours+" instead.")
			}
		}
	}
	return nil
}

// Of is the provider's name of a parameter.
func (r Renames) Of(name string) string {
	if theirs, ok := r[name]; ok {
		return theirs
	}
	return name
}

// NoModel refuses a payload that names a model.
func NoModel(req *dialect.Request) *dialect.Error {
	if _, ok := req.Members().Find("model"); ok {
		return dialect.ModelNotPermitted()
	}
	return nil
}

// Scaled is a number multiplied, as JSON.
func Scaled(v gjson.Result, by float64) string {
	return strconv.FormatFloat(by*v.Num, 'g', -1, 64)
}
