package mistral

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
	"sluice/extproc/provider/variant"
)

// What MLflow's MistralAdapter does (mlflow/gateway/providers/mistral.py).
// Where that fails because the reply lacks usage, nulls stand in.

func mlflowWay(t kit.Target, op dialect.Operation) plain.Way {
	way := plain.Way{Path: "/v1/chat/completions", Headers: headers(t)}
	switch op {
	case dialect.Chat:
		way.Body, way.Reply, way.Stream = mlflowBody, mlflowChat, newMLflowStream
	case dialect.Completions:
		way.Body, way.Reply = mlflowPrompt, mlflowText
	default:
		way.Path = "/v1/embeddings"
		way.Body, way.Reply = mlflowBody, mlflowEmbeddings
	}
	return way
}

// mlflowBody is the payload with the target's model before it.
func mlflowBody(c *plain.Context) ([]byte, *dialect.Error) {
	if e := plain.NoModel(c.Request); e != nil {
		return nil, e
	}
	o := plain.NewObject(len(c.Request.Payload) + 64)
	o.String("model", c.Model)
	plain.Payload(c.Request, func(name string, v gjson.Result) { o.Raw(name, v.Raw) })
	return o.Bytes(), nil
}

// mlflowPrompt makes a prompt the only message of a chat. Stop and n are left
// out, as MLflow does.
func mlflowPrompt(c *plain.Context) ([]byte, *dialect.Error) {
	if e := plain.NoModel(c.Request); e != nil {
		return nil, e
	}
	o := plain.NewObject(len(c.Request.Payload) + 64)
	plain.Payload(c.Request, func(name string, v gjson.Result) {
		switch name {
		case "stop", "n", "prompt":
		case "temperature":
			o.Raw(name, plain.Scaled(v, 0.5))
		default:
			o.Raw(name, v.Raw)
		}
	})
	o.String("model", c.Model)
	o.Raw("messages", `[{"role":"user","content":`+plain.Get(c.Request, "prompt").Raw+`}]`)
	return o.Bytes(), nil
}

func mlflowChat(c *plain.Context, reply gjson.Result) ([]byte, error) {
	reply = flat(reply)
	choices, ok := plain.ReadChoices(reply, func(choice gjson.Result) plain.Choice {
		message := choice.Get("message")
		return plain.Choice{
			Role: plain.StringOr(message.Get("role"), ""), Text: plain.StringOr(message.Get("content"), ""),
			Calls: plain.Calls(message.Get("tool_calls"), false), Finish: plain.StringOr(choice.Get("finish_reason"), ""),
		}
	})
	if !ok {
		return nil, plain.ErrReply
	}
	usage := reply.Get("usage")
	c.Usage = plain.ReadUsage(usage)
	return c.ChatReply(nil, plain.ReadHead(reply), choices, plain.ReadCounts(usage)), nil
}

// flat gives reasoning models' replies a string where MLflow's clients, and
// its server, expect one.
func flat(reply gjson.Result) gjson.Result {
	return jsontext.View(variant.Flatten("")([]byte(reply.Raw)))
}

func mlflowText(c *plain.Context, reply gjson.Result) ([]byte, error) {
	reply = flat(reply)
	choices, ok := plain.ReadChoices(reply, func(choice gjson.Result) plain.Choice {
		return plain.Choice{
			Text: plain.StringOr(choice.Get("message.content"), ""), Finish: plain.StringOr(choice.Get("finish_reason"), ""),
		}
	})
	if !ok {
		return nil, plain.ErrReply
	}
	usage := reply.Get("usage")
	c.Usage = plain.ReadUsage(usage)
	return c.TextReply(nil, plain.Head{}, choices, plain.ReadCounts(usage)), nil
}

func mlflowEmbeddings(c *plain.Context, reply gjson.Result) ([]byte, error) {
	vectors, ok := plain.ReadVectors(reply)
	if !ok {
		return nil, plain.ErrReply
	}
	usage := reply.Get("usage")
	c.Usage = plain.ReadUsage(usage)
	c.Usage.Output = 0
	return c.EmbeddingsReply(nil, "", vectors, plain.ReadCounts(usage)), nil
}

// mlflowStream rewrites chunks. MLflow tells no usage in them.
type mlflowStream struct {
	c        *plain.Context
	flatten  func(data []byte) []byte
	finished bool
}

func newMLflowStream(c *plain.Context) plain.Stream {
	return &mlflowStream{c: c, flatten: variant.FlattenEvents()}
}

func (s *mlflowStream) Event(b []byte, event gjson.Result) ([]byte, bool, error) {
	event = jsontext.View(s.flatten([]byte(event.Raw)))
	choices, ok := plain.ReadChoices(event, func(choice gjson.Result) plain.Choice {
		delta := choice.Get("delta")
		s.finished = s.finished || choice.Get("finish_reason").Type == gjson.String
		return plain.Choice{
			Index: plain.NumberOr(choice.Get("index"), ""), Role: plain.StringOr(delta.Get("role"), ""),
			Text: plain.StringOr(delta.Get("content"), ""), Calls: plain.Calls(delta.Get("tool_calls"), true),
			Finish: plain.StringOr(choice.Get("finish_reason"), ""),
		}
	})
	if !ok {
		return b, false, plain.ErrReply
	}
	if usage := event.Get("usage"); usage.IsObject() {
		s.c.Usage = plain.ReadUsage(usage)
	}
	return s.c.ChatChunk(b, plain.ReadHead(event), choices, nil), false, nil
}

func (s *mlflowStream) Close(b []byte) ([]byte, bool) { return b, s.finished }
