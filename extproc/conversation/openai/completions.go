package openai

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
)

// Read reads a text completion call as one user turn.
func (completionsClient) Read(req *dialect.Request) (*conversation.Request, *dialect.Error) {
	r := chatReader{form: &conversation.Request{}, turns: 1}
	e := eachMember(req, func(name string, v gjson.Result) *dialect.Error {
		switch name {
		case "prompt":
			return r.prompt(v)
		case "max_tokens":
			r.limits[0] = v.Int()
			return nil
		}
		if onlyText(name) {
			if completionAsksNothing(name, v) {
				return nil
			}
			return dialect.Unsupported(name, codec.NotCarried)
		}
		return r.setting(name, v)
	})
	if e == nil {
		e = r.settle()
	}
	if e != nil {
		return nil, e
	}
	return r.form, nil
}

// onlyText reports whether a member means something in text completions that
// it does not in chat.
func onlyText(name string) bool {
	switch name {
	case "suffix", "echo", "best_of", "logprobs":
		return true
	}
	return false
}

func completionAsksNothing(name string, v gjson.Result) bool {
	switch name {
	case "suffix":
		return v.Type == gjson.String && v.Str == ""
	case "echo":
		return v.Type == gjson.False
	case "best_of":
		return v.Type == gjson.Number && v.Num == 1
	}
	return false
}

func (r *chatReader) prompt(v gjson.Result) *dialect.Error {
	if list := v.Array(); v.IsArray() && len(list) == 1 {
		v = list[0]
	}
	if v.Type != gjson.String {
		return dialect.Unsupported("prompt", "must be one string here: neither token ids nor several prompts can be carried to this endpoint's provider.")
	}
	r.form.Messages = []conversation.Message{{
		Role: conversation.User, Blocks: []conversation.Block{{Kind: conversation.Text, Text: v.Str}},
	}}
	return nil
}
