package mosaicml

import (
	"strings"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/plain"
)

// prompt is a conversation as Llama 2 wants it
// (huggingface.co/blog/llama2#how-to-prompt-llama-2), as MLflow builds it.
type prompt struct {
	b    []byte
	open bool // an [INST] was closed last: what follows joins it
}

const (
	closing = "[/INST]"
	again   = "</s><s>"
)

func newPrompt() *prompt { return &prompt{b: []byte("<s>")} }

// ask adds what a system or a user says.
func (p *prompt) ask(text string, system bool) {
	if system {
		text = "<<SYS>> " + text + " <</SYS>>"
	}
	if p.open {
		p.b = p.b[:len(p.b)-len(closing)]
	} else {
		p.b = append(p.b, "[INST] "...)
	}
	p.b = append(append(append(p.b, text...), ' '), closing...)
	p.open = true
}

// answer adds what the model said.
func (p *prompt) answer(text string) {
	p.b = append(append(append(append(p.b, ' '), text...), ' '), again...)
	p.open = false
}

func (p *prompt) String() string { return strings.TrimSuffix(string(p.b), again) }

// codec is the chat of other clients than MLflow's.
var codec = plain.TextChat{Title: "MosaicML", Body: body, Texts: texts}

var parameters = map[string]string{
	"max_tokens": "max_new_tokens", "temperature": "temperature", "top_p": "top_p", "top_k": "top_k",
}

func body(_ string, r *conversation.Request, params []plain.Param) ([]byte, *dialect.Error) {
	p := newPrompt()
	if len(r.System) > 0 {
		p.ask(plain.TextOf(r.System), true)
	}
	for i := range r.Messages {
		switch m := &r.Messages[i]; m.Role {
		case conversation.Assistant:
			p.answer(plain.TextOf(m.Blocks))
		default:
			p.ask(plain.TextOf(m.Blocks), m.Role == conversation.System)
		}
	}
	b := append(dialect.AppendString([]byte(`{"inputs":[`), p.String()), `],"parameters":{`...)
	for _, param := range params {
		name, ok := parameters[param.Name]
		if !ok {
			return nil, dialect.Unsupported(param.Name, "is not supported by MosaicML. Leave it out.")
		}
		b = append(dialect.AppendString(jsontext.Comma(b), name), ':')
		b = append(b, param.Raw...)
	}
	return append(b, "}}"...), nil
}
