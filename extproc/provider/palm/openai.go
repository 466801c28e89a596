package palm

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/plain"
)

// openAI are the ways of OpenAI's completions and embeddings.
var openAI = map[string]plain.Way{
	generateText:   {Body: text, Reply: textReply},
	batchEmbedText: {Body: embed, Reply: embeddings},
}

var textParameters = map[string]string{
	"temperature": "temperature", "top_p": "topP", "max_tokens": "maxOutputTokens", "stop": "stopSequences", "n": "candidateCount",
}

func text(c *plain.Context) ([]byte, *dialect.Error) {
	prompt, e := plain.OneText(c, "prompt")
	if e != nil {
		return nil, e
	}
	o := plain.NewObject(len(prompt) + 128)
	o.Raw("prompt", `{"text":`+prompt+"}")
	var wrong *dialect.Error
	e = plain.Parameters(c, textParameters, func(name string, v gjson.Result) {
		switch {
		case name == "stopSequences":
			o.Raw(name, plain.List(v))
		case name == "temperature" && v.Num > 1:
			wrong = tooHot()
		default:
			o.Raw(name, v.Raw)
		}
	})
	if e == nil {
		e = wrong
	}
	return o.Bytes(), e
}

func tooHot() *dialect.Error {
	return dialect.Unsupported("temperature", "must be from 0 to 1 for PaLM models.")
}

func textReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	choices, err := choicesOf(reply, "output")
	if err != nil {
		return nil, err
	}
	return c.OpenAIText(nil, choices), nil
}

func embed(c *plain.Context) ([]byte, *dialect.Error) {
	texts, e := plain.Texts(c, "input")
	if e != nil {
		return nil, e
	}
	if e := plain.Parameters(c, nil, nil); e != nil {
		return nil, e
	}
	if _, e := plain.ReadEncoding(c.Request); e != nil {
		return nil, e
	}
	b := []byte(`{"texts":[`)
	for _, t := range texts {
		b = append(jsontext.Comma(b), t...)
	}
	return append(b, "]}"...), nil
}

func embeddings(c *plain.Context, reply gjson.Result) ([]byte, error) {
	vectors, err := vectorsOf(reply)
	if err != nil {
		return nil, err
	}
	return c.OpenAIEmbeddings(nil, vectors), nil
}

// messages is the codec of generateMessage: texts of two authors, and a
// context. What else a conversation holds is refused by name.
type messages struct{}

func (messages) Write(r *conversation.Request, _ string) ([]byte, *dialect.Error) {
	if e := refused(r); e != nil {
		return nil, e
	}
	context, turns := "", []byte{'['}
	for i := range r.System {
		context += lineBreak(context) + r.System[i].Text
	}
	for i := range r.Messages {
		m := &r.Messages[i]
		words := ""
		for j := range m.Blocks {
			if m.Blocks[j].Kind != conversation.Text {
				return nil, dialect.Unsupported("messages", "must hold nothing but text for PaLM models.")
			}
			words += m.Blocks[j].Text
		}
		author := "0"
		switch m.Role {
		case conversation.System:
			context += lineBreak(context) + words
			continue
		case conversation.Assistant:
			author = "1"
		}
		turns = append(append(append(jsontext.Comma(turns), `{"author":"`...), author...), `","content":`...)
		turns = append(dialect.AppendString(turns, words), '}')
	}
	prompt := plain.NewObject(len(turns) + len(context) + 32)
	if context != "" {
		prompt.String("context", context)
	}
	prompt.Raw("messages", string(append(turns, ']')))
	o := plain.NewObject(len(turns) + len(context) + 128)
	o.Raw("prompt", string(prompt.Bytes()))
	for _, p := range []struct {
		name  string
		value conversation.Raw
	}{{"temperature", r.Temperature}, {"topP", r.TopP}, {"topK", r.TopK}} {
		if p.value != "" {
			o.Raw(p.name, string(p.value))
		}
	}
	return o.Bytes(), nil
}

func lineBreak(before string) string {
	if before == "" {
		return ""
	}
	return "\n"
}

// refused names what of a call the API can't express.
func refused(r *conversation.Request) *dialect.Error {
	for _, f := range []struct {
		name  string
		asked bool
	}{
		{"tools", len(r.Tools) > 0},
		{"max_tokens", r.MaxTokens > 0},
		{"stop", len(r.Stop) > 0},
		{"n", r.Candidates > 1},
		{"seed", r.Seed != ""},
		{"frequency_penalty", r.FrequencyPen != "" && gjson.Parse(string(r.FrequencyPen)).Num != 0},
		{"presence_penalty", r.PresencePen != "" && gjson.Parse(string(r.PresencePen)).Num != 0},
		{"response_format", r.Format.Kind == conversation.FormatJSON || r.Format.Kind == conversation.FormatSchema},
		{"reasoning", r.Reasoning != (conversation.Reasoning{}) && !r.Reasoning.Off},
	} {
		if f.asked {
			return dialect.Unsupported(f.name, "can't be expressed for PaLM models.")
		}
	}
	if len(r.Extra) > 0 {
		return dialect.Unsupported(r.Extra[0].Name, "can't be expressed for PaLM models.")
	}
	if gjson.Parse(string(r.Temperature)).Num > 1 {
		return tooHot()
	}
	return nil
}

func (messages) Read(body []byte) (*conversation.Reply, error) {
	reply := jsontext.View(body)
	if failed := reply.Get("error"); failed.IsObject() {
		return nil, &conversation.Failure{Status: int(failed.Get("code").Int()), Message: failed.Get("message").Str}
	}
	r := &conversation.Reply{Stop: conversation.StopEnd, Usage: conversation.NoUsage}
	if first := reply.Get("candidates.0.content"); first.Type == gjson.String {
		r.Blocks = []conversation.Block{{Kind: conversation.Text, Text: first.Str}}
		return r, nil
	}
	filter := reply.Get("filters.0.reason").Str
	if filter == "" {
		return nil, plain.ErrReply
	}
	r.Stop = conversation.StopFilter
	r.Blocks = []conversation.Block{{Kind: conversation.Refusal, Text: "The prompt was blocked (" + filter + ")."}}
	return r, nil
}

// NewReader reads streams, which the API does not have: calls that ask for one
// are refused before.
func (messages) NewReader() conversation.Reader { return noStream{} }

type noStream struct{}

func (noStream) Feed([]byte, func(*conversation.Event)) error { return plain.ErrReply }
func (noStream) Close(func(*conversation.Event)) error        { return plain.ErrReply }

var _ conversation.Provider = messages{}
