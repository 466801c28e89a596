package plain

import (
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// TextChat is the codec of a provider that answers a conversation but knows
// nothing but text: no tools, images, formats or streams.
type TextChat struct {
	Title string // of the provider, for refusals
	// Body makes the request of a conversation that holds text only. params are
	// its parameters.
	Body func(model string, r *conversation.Request, params []Param) ([]byte, *dialect.Error)
	// Texts are the answers in a reply; false: it is not what was promised. The
	// first one is taken.
	Texts func(reply gjson.Result) ([]gjson.Result, bool)
}

// Param is a parameter of a call under OpenAI's name.
type Param struct{ Name, Raw string }

// Write makes the provider's request body.
func (t TextChat) Write(r *conversation.Request, model string) ([]byte, *dialect.Error) {
	if e := t.check(r); e != nil {
		return nil, e
	}
	for i := range r.Messages {
		for j := range r.Messages[i].Blocks {
			if k := r.Messages[i].Blocks[j].Kind; k != conversation.Text && k != conversation.Refusal && !isThought(k) {
				return nil, dialect.Unsupported("messages["+strconv.Itoa(i)+"].content", "must be text: "+t.Title+" takes nothing else.")
			}
		}
	}
	return t.Body(model, r, params(r))
}

// isThought reports whether a block is a model's reasoning, of which a model
// without reasoning has no use.
func isThought(k conversation.Kind) bool {
	return k == conversation.Thinking || k == conversation.Redacted
}

// check refuses what the provider can't do.
func (t TextChat) check(r *conversation.Request) *dialect.Error {
	for _, m := range r.Extra {
		return t.unsupported(m.Name)
	}
	switch {
	case len(r.Tools) > 0:
		return t.unsupported("tools")
	case r.Candidates > 1:
		return t.unsupported("n")
	case r.Format.Kind == conversation.FormatJSON || r.Format.Kind == conversation.FormatSchema:
		return t.unsupported("response_format")
	case r.Reasoning.Effort != "" && r.Reasoning.Effort != "none", r.Reasoning.Budget > 0:
		return t.unsupported("reasoning")
	case r.Stream:
		return t.unsupported("stream")
	}
	return nil
}

func (t TextChat) unsupported(name string) *dialect.Error {
	return dialect.Unsupported(name, "is not supported by "+t.Title+". Leave it out.")
}

func params(r *conversation.Request) []Param {
	var list []Param
	add := func(name, raw string) {
		if raw != "" {
			list = append(list, Param{name, raw})
		}
	}
	if r.MaxTokens > 0 {
		add("max_tokens", strconv.FormatInt(r.MaxTokens, 10))
	}
	add("temperature", string(r.Temperature))
	add("top_p", string(r.TopP))
	add("top_k", string(r.TopK))
	add("seed", string(r.Seed))
	add("frequency_penalty", string(r.FrequencyPen))
	add("presence_penalty", string(r.PresencePen))
	if len(r.Stop) > 0 {
		b := []byte{'['}
		for _, s := range r.Stop {
			b = dialect.AppendString(jsontext.Comma(b), s)
		}
		add("stop", string(append(b, ']')))
	}
	return list
}

// TextOf is the text of a message, or of what a system says.
func TextOf(blocks []conversation.Block) string {
	var text []byte
	for i := range blocks {
		if blocks[i].Kind != conversation.Text && blocks[i].Kind != conversation.Refusal {
			continue
		}
		if text != nil {
			text = append(text, '\n')
		}
		text = append(text, blocks[i].Text...)
	}
	return string(text)
}

// Read reads a whole reply. Such providers tell neither why an answer ended nor
// what it cost.
func (t TextChat) Read(body []byte) (*conversation.Reply, error) {
	texts, ok := t.Texts(jsontext.View(body))
	if !ok || len(texts) == 0 || texts[0].Type != gjson.String {
		return nil, ErrReply
	}
	return &conversation.Reply{
		Blocks: []conversation.Block{{Kind: conversation.Text, Text: texts[0].Str}},
		Stop:   conversation.StopEnd, Usage: conversation.NoUsage,
	}, nil
}

// NewReader begins a streamed reply, of which there are none: Write refuses
// the call.
func (t TextChat) NewReader() conversation.Reader { return noStream{} }

type noStream struct{}

func (noStream) Feed([]byte, func(*conversation.Event)) error { return ErrReply }
func (noStream) Close(func(*conversation.Event)) error        { return conversation.ErrTruncated }

var _ conversation.Provider = TextChat{}
