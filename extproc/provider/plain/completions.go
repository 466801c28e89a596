package plain

import (
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
)

// OpenAI's text completions (POST /v1/completions) for providers of plain text.

// neutral are members of OpenAI's completions call and the value that asks for
// nothing: they can be left out with it.
var neutral = map[string]string{
	"n": "1", "best_of": "1", "echo": "false", "suffix": `""`, "presence_penalty": "0", "frequency_penalty": "0",
	"logit_bias": "{}",
}

// harmless are members that say nothing to the model.
var harmless = map[string]bool{
	"model": true, "prompt": true, "input": true, "stream": true, "stream_options": true, "user": true, "metadata": true,
	"encoding_format": true,
}

// Parameters gives each parameter of an OpenAI call to add under the provider's
// name, which names holds; the names of parameters that the provider has under
// the same name map to themselves. What is not there is refused by its name,
// unless it asks for nothing. Model, prompt, input and stream are the caller's
// to deal with.
func Parameters(c *Context, names map[string]string, add func(name string, v gjson.Result)) (e *dialect.Error) {
	Payload(c.Request, func(name string, v gjson.Result) {
		if e != nil || harmless[name] || !jsontext.Present(v) {
			return
		}
		if theirs, ok := names[name]; ok {
			add(theirs, v)
			return
		}
		if idle, ok := neutral[name]; !ok || !same(v, idle) {
			e = NotSupported(c, name)
		}
	})
	return e
}

// same compares a value with a short JSON text; numbers by what they mean.
func same(v gjson.Result, text string) bool {
	other := gjson.Parse(text)
	if v.Type == gjson.Number {
		return other.Type == gjson.Number && v.Num == other.Num
	}
	return v.Raw == text
}

// NotSupported refuses a parameter that a provider does not have.
func NotSupported(c *Context, name string) *dialect.Error {
	return dialect.Unsupported(name, "is not supported by "+c.Provider.Title+". Leave it out.")
}

// Texts are the strings of a member that may be one string or a list of them
// (prompt, input), as JSON. Tokens are refused: each provider has its own.
func Texts(c *Context, name string) ([]string, *dialect.Error) {
	v := Get(c.Request, name)
	if v.Type == gjson.String {
		return []string{v.Raw}, nil
	}
	var texts []string
	var e *dialect.Error
	v.ForEach(func(_, item gjson.Result) bool {
		if item.Type != gjson.String {
			e = dialect.Unsupported(name, "must be a string or a list of strings: "+c.Provider.Title+" takes no tokens.")
			return false
		}
		texts = append(texts, item.Raw)
		return true
	})
	if e == nil && len(texts) == 0 {
		e = dialect.InvalidField(name, "must not be empty.")
	}
	return texts, e
}

// OneText is the only string of such a member, as JSON.
func OneText(c *Context, name string) (string, *dialect.Error) {
	texts, e := Texts(c, name)
	if e == nil && len(texts) > 1 {
		e = dialect.Unsupported(name, "must be one string: "+c.Provider.Title+" answers one at a time.")
	}
	if e != nil {
		return "", e
	}
	return texts[0], nil
}

// List is a parameter that is a list or, alone, one value of it, as a list.
func List(v gjson.Result) string {
	if v.IsArray() {
		return v.Raw
	}
	return "[" + v.Raw + "]"
}

// OpenAIText adds a whole answer to an OpenAI completions call. An empty Finish
// is "stop".
func (c *Context) OpenAIText(b []byte, choices []Choice) []byte {
	b = c.openAIHead(b)
	for i, ch := range choices {
		b = c.openAIChoice(b, ch, i, `"stop"`)
	}
	return append(c.openAIUsage(append(b, ']'), c.Usage), '}')
}

// OpenAITextChunk adds an event with pieces of answers. An empty Finish is
// null.
func (c *Context) OpenAITextChunk(b []byte, choices []Choice) []byte {
	b = c.openAIHead(append(b, "data: "...))
	for i, ch := range choices {
		b = c.openAIChoice(b, ch, i, "null")
	}
	b = append(b, ']')
	if c.Request.IncludeUsage {
		b = append(b, `,"usage":null`...)
	}
	return append(b, "}\n\n"...)
}

// OpenAITextEnd adds the last events of a stream: usage, if the client asked
// for it and the provider told it, and [DONE].
func (c *Context) OpenAITextEnd(b []byte) []byte {
	if c.Request.IncludeUsage && c.Usage.Input >= 0 && c.Usage.Output >= 0 {
		b = c.openAIHead(append(b, "data: "...))
		b = c.openAIUsage(append(b, ']'), c.Usage)
		b = append(b, "}\n\n"...)
	}
	return append(b, "data: [DONE]\n\n"...)
}

func (c *Context) openAIHead(b []byte) []byte {
	b = append(b, `{"id":`...)
	b = dialect.AppendString(b, "cmpl-"+c.ExchangeID)
	b = append(b, `,"object":"text_completion","created":`...)
	b = strconv.AppendInt(b, c.Created, 10)
	b = append(append(b, `,"model":`...), kit.Quoted(c.Model)...)
	return append(b, `,"choices":[`...)
}

func (c *Context) openAIChoice(b []byte, ch Choice, place int, finish string) []byte {
	b = index(b, ch, place)
	b = append(append(b, `"text":`...), or(ch.Text, `""`)...)
	return append(append(append(b, `,"logprobs":null,"finish_reason":`...), or(ch.Finish, finish)...), '}')
}

// openAIUsage adds the usage member where the provider reported both counts.
func (c *Context) openAIUsage(b []byte, u dialect.Usage) []byte {
	if u.Input < 0 || u.Output < 0 {
		return b
	}
	b = strconv.AppendInt(append(b, `,"usage":{"prompt_tokens":`...), u.Input, 10)
	b = strconv.AppendInt(append(b, `,"completion_tokens":`...), u.Output, 10)
	return append(strconv.AppendInt(append(b, `,"total_tokens":`...), u.Input+u.Output, 10), '}')
}

// Failed is an error that a provider tells inside a 2xx reply or stream.
func Failed(status int, message string) error {
	return &conversation.Failure{Status: status, Message: message}
}
