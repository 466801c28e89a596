package bedrock

import (
	"encoding/base64"
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/clients"
	"sluice/extproc/conversation/converse"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// openCount begins a call that counts the tokens of a chat, over Bedrock's
// CountTokens. A call of the Messages API to a model of Anthropic's is counted
// as it is; others as Converse would get them.
func openCount(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, at place) (kit.Call, *dialect.Error) {
	chat := *req // its codec is that of the chat that is counted
	chat.Operation = dialect.Chat
	client, ok := clients.For(&chat)
	if !ok || countNames[req.Dialect] == "" {
		return nil, kit.NotImplemented(p, req)
	}
	input, e := countInput(t, &chat, client)
	if e != nil {
		return nil, e
	}
	return &counting{newInvocation(p, t, req, env, at.upstream(opCountTokens, input, dialect.ContentTypeJSON))}, nil
}

// countNames are what clients call the count.
var countNames = map[dialect.Dialect]string{dialect.Anthropic: "input_tokens", dialect.Gemini: "totalTokens"}

func countInput(t kit.Target, req *dialect.Request, client conversation.Client) ([]byte, *dialect.Error) {
	if vendor, _ := converse.Vendor(t.Model); vendor == "anthropic" && req.Dialect == dialect.Anthropic {
		b := append(make([]byte, 0, len(req.Payload)*4/3+128), `{"input":{"invokeModel":{"body":"`...)
		b = base64.StdEncoding.AppendEncode(b, messagesBody(req))
		return append(b, `"}}}`...), nil
	}
	form, e := client.Read(req)
	if e != nil {
		return nil, e
	}
	body, e := converse.Provider.Write(form, t.Model)
	if e != nil {
		return nil, e
	}
	counted := plain.NewObject(len(body))
	members, _ := jsontext.Scan(body)
	for _, name := range []string{"messages", "system", "toolConfig", "additionalModelRequestFields"} {
		if v := members.Value(body, name); v != nil {
			counted.Raw(name, string(v))
		}
	}
	return append(append([]byte(`{"input":{"converse":`), counted.Bytes()...), "}}"...), nil
}

// messagesBody is a body of the Messages API as InvokeModel takes it. It wants
// max_tokens, which calls that count do not have.
func messagesBody(req *dialect.Request) []byte {
	o := plain.NewObject(len(req.Payload) + 64)
	o.String("anthropic_version", anthropicVersion)
	limited := false
	plain.Payload(req, func(name string, v gjson.Result) {
		switch name {
		case "model", "stream", "anthropic_version":
		default:
			limited = limited || name == "max_tokens"
			o.Raw(name, v.Raw)
		}
	})
	if !limited {
		o.Raw("max_tokens", "1")
	}
	return o.Bytes()
}

// counting is a call that counts tokens.
type counting struct{ invocation }

func (c *counting) Complete(status int, header func(string) string, body []byte) kit.Reply {
	return c.complete(status, header, body, func(reply gjson.Result) []byte {
		n := plain.Count(reply.Get("inputTokens"))
		if n < 0 {
			return nil
		}
		b := append([]byte(`{"`), countNames[c.context.Request.Dialect]...)
		return append(strconv.AppendInt(append(b, `":`...), n, 10), '}')
	})
}

var _ kit.Call = (*counting)(nil)
