package mosaicml

import (
	"net/http"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/plain"
)

// What MLflow's MosaicMLProvider does (mlflow/gateway/providers/mosaicml.py).
// Where that fails, or writes Python's form of a value into the prompt, because
// a message's content is no string: its texts are joined.

var (
	renames       = plain.Renames{"max_tokens": "max_new_tokens"}
	inputsRenamed = plain.Renames{"input": "inputs"}
)

func check422(c *plain.Context, renames plain.Renames) *dialect.Error {
	if e := plain.NoModel(c.Request); e != nil {
		return e
	}
	return renames.Check(c.Request, http.StatusUnprocessableEntity)
}

func mlflowChat(c *plain.Context) ([]byte, *dialect.Error) {
	if e := check422(c, renames); e != nil {
		return nil, e
	}
	p, e := promptOf(plain.Get(c.Request, "messages"))
	if e != nil {
		return nil, e
	}
	return withParameters(c, "messages", string(dialect.AppendString(nil, p))), nil
}

func promptOf(messages gjson.Result) (string, *dialect.Error) {
	p := newPrompt()
	var e *dialect.Error
	messages.ForEach(func(_, m gjson.Result) bool {
		var text string
		if text, e = textOf(m.Get("content")); e != nil {
			return false
		}
		switch role := m.Get("role").Str; role {
		case "system", "user":
			p.ask(text, role == "system")
		case "assistant":
			p.answer(text)
		default:
			e = plain.Refuse(http.StatusUnprocessableEntity, "An invalid request structure was submitted. Invalid role "+role+
				" inputted. Must be one of 'system', 'user', or 'assistant'.")
		}
		return e == nil
	})
	return p.String(), e
}

func textOf(content gjson.Result) (string, *dialect.Error) {
	text, first, ok := content.Str, true, !content.Exists() || content.Type == gjson.String || content.IsArray()
	if content.IsArray() {
		content.ForEach(func(_, part gjson.Result) bool {
			if ok = part.Get("type").Str == "text"; !first {
				text += "\n"
			}
			text, first = text+part.Get("text").Str, false
			return ok
		})
	}
	if !ok {
		return "", plain.Refuse(http.StatusUnprocessableEntity,
			"An invalid request structure was submitted. The content of a message must be text.")
	}
	return text, nil
}

// withParameters is the request for a prompt, with all else of the payload as
// its parameters.
func withParameters(c *plain.Context, without, prompt string) []byte {
	parameters := plain.NewObject(len(c.Request.Payload))
	plain.Payload(c.Request, func(name string, v gjson.Result) {
		if name != without {
			parameters.Raw(renames.Of(name), v.Raw)
		}
	})
	o := plain.NewObject(len(c.Request.Payload) + len(prompt))
	o.Raw("inputs", "["+prompt+"]")
	o.Raw("parameters", string(parameters.Bytes()))
	return o.Bytes()
}

func mlflowChatReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	list, err := choices(reply)
	if err != nil {
		return nil, err
	}
	return c.ChatReply(nil, plain.Head{}, list, plain.Counts{}), nil
}

func mlflowText(c *plain.Context) ([]byte, *dialect.Error) {
	if e := check422(c, renames); e != nil {
		return nil, e
	}
	return withParameters(c, "prompt", plain.Get(c.Request, "prompt").Raw), nil
}

func mlflowTextReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	list, err := choices(reply)
	if err != nil {
		return nil, err
	}
	return c.TextReply(nil, plain.Head{}, list, plain.Counts{}), nil
}

func mlflowEmbeddings(c *plain.Context) ([]byte, *dialect.Error) {
	if e := check422(c, inputsRenamed); e != nil {
		return nil, e
	}
	o := plain.NewObject(len(c.Request.Payload))
	plain.Payload(c.Request, func(name string, v gjson.Result) {
		raw := v.Raw
		if name == "input" && v.Type == gjson.String {
			raw = "[" + raw + "]"
		}
		o.Raw(inputsRenamed.Of(name), raw)
	})
	return o.Bytes(), nil
}

func mlflowEmbeddingsReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	vectors, ok := plain.Vectors(reply.Get("outputs"))
	if !ok {
		return nil, plain.ErrReply
	}
	return c.EmbeddingsReply(nil, "", vectors, plain.Counts{}), nil
}
