package openai

import (
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
)

// What MLflow's server makes of OpenAI's replies: a fixed set of members in a
// fixed order, nulls written out. Values are copied as text. Where MLflow
// would fail because the provider left something out, a default stands in.

// toMLflow rewrites a whole reply.
func (c *call) toMLflow(body []byte, members jsontext.Members) []byte {
	b := make([]byte, 0, len(body)+256)
	switch c.req.Operation {
	case dialect.Chat:
		b = c.appendHead(b, body, members, "chat.completion")
		b = appendList(b, members.Value(body, "choices"), appendMLflowChoice)
		b = append(b, `,"usage":`...)
		b = appendMLflowUsage(b, members.Value(body, "usage"))
		return append(append(b, `,"provider":`...), kit.Quoted(c.provider.ID)+"}"...)
	case dialect.Completions:
		b = c.appendHead(b, body, members, "")
		b = appendList(b, members.Value(body, "choices"), appendMLflowText)
		b = append(b, `,"usage":`...)
		return append(appendMLflowCounts(b, members.Value(body, "usage"), "prompt_tokens", "completion_tokens", "total_tokens"), '}')
	}
	b = append(b, `{"object":"list","data":`...)
	b = appendList(b, members.Value(body, "data"), appendMLflowEmbedding)
	b = append(b, `,"model":`...)
	b = append(b, c.modelOf(body, members)...)
	b = append(b, `,"usage":`...)
	return append(appendMLflowCounts(b, members.Value(body, "usage"), "prompt_tokens", "total_tokens"), '}')
}

// appendMLflowChunk rewrites one chunk of a stream.
func (c *call) appendMLflowChunk(b, data []byte, members jsontext.Members) []byte {
	usage := members.Value(data, "usage")
	counted := len(usage) > 2 && usage[0] == '{'
	if c.req.Operation == dialect.Chat {
		b = c.appendHead(b, data, members, "chat.completion.chunk")
		b = appendList(b, members.Value(data, "choices"), appendMLflowDelta)
	} else {
		b = c.appendHead(b, data, members, "")
		b = appendList(b, members.Value(data, "choices"), appendMLflowTextDelta)
	}
	b = append(b, `,"usage":`...)
	switch {
	case !counted:
		b = append(b, "null"...)
	case c.req.Operation == dialect.Chat:
		b = appendMLflowUsage(b, usage)
	default:
		b = appendMLflowCounts(b, usage, "prompt_tokens", "completion_tokens", "total_tokens")
	}
	if c.req.Operation == dialect.Chat {
		b = append(append(b, `,"provider":`...), kit.Quoted(c.provider.ID)...)
	}
	return append(b, '}')
}

// appendHead writes what comes before the choices. object is the default of
// chat's; completions have their own.
func (c *call) appendHead(b, body []byte, members jsontext.Members, object string) []byte {
	b = append(append(b, `{"id":`...), textOr(members.Value(body, "id"), "null")...)
	b = append(b, `,"object":`...)
	switch {
	case object != "":
		b = append(b, textOr(members.Value(body, "object"), `"`+object+`"`)...)
	case c.stream != nil:
		b = append(b, `"text_completion_chunk"`...)
	default:
		b = append(b, `"text_completion"`...)
	}
	b = append(b, `,"created":`...)
	if created := members.Value(body, "created"); len(created) > 0 && isDigit(created[0]) {
		b = append(b, created...)
	} else {
		b = strconv.AppendInt(b, c.env.Now().Unix(), 10)
	}
	b = append(b, `,"model":`...)
	b = append(b, c.modelOf(body, members)...)
	return append(b, `,"choices":`...)
}

func (c *call) modelOf(body []byte, members jsontext.Members) []byte {
	if m := members.Value(body, "model"); len(m) > 0 && m[0] == '"' {
		return m
	}
	return []byte(kit.Quoted(c.model))
}

func appendMLflowChoice(b []byte, i int, raw []byte) []byte {
	choice := objectOf(raw)
	message := choice.object("message")
	b = strconv.AppendInt(append(b, `{"index":`...), int64(i), 10)
	b = append(append(b, `,"message":{"role":`...), message.text("role", `"assistant"`)...)
	b = append(append(b, `,"content":`...), contentOf(message)...)
	b = append(b, `,"tool_calls":`...)
	b = appendMLflowCalls(b, message.value("tool_calls"), false)
	b = append(b, `,"refusal":null},"finish_reason":`...)
	return append(append(b, choice.text("finish_reason", "null")...), '}')
}

func appendMLflowDelta(b []byte, i int, raw []byte) []byte {
	choice := objectOf(raw)
	delta := choice.object("delta")
	b = append(append(b, `{"index":`...), choice.index(i)...)
	b = append(append(b, `,"finish_reason":`...), choice.text("finish_reason", "null")...)
	b = append(append(b, `,"delta":{"role":`...), delta.text("role", "null")...)
	b = append(append(b, `,"content":`...), delta.text("content", "null")...)
	b = append(b, `,"tool_calls":`...)
	return append(appendMLflowCalls(b, delta.value("tool_calls"), true), "}}"...)
}

func appendMLflowText(b []byte, i int, raw []byte) []byte {
	choice := objectOf(raw)
	text := choice.object("message").text("content", `""`)
	if len(text) == len(`""`) {
		text = choice.text("text", `""`)
	}
	b = strconv.AppendInt(append(b, `{"index":`...), int64(i), 10)
	b = append(append(b, `,"text":`...), text...)
	b = append(b, `,"finish_reason":`...)
	return append(append(b, choice.text("finish_reason", "null")...), '}')
}

// appendMLflowTextDelta reads both forms of a completion's chunk: the real
// one, with "text", and the chat form that MLflow's server looks for.
func appendMLflowTextDelta(b []byte, i int, raw []byte) []byte {
	choice := objectOf(raw)
	text := choice.text("text", "")
	if len(text) == 0 {
		text = choice.object("delta").text("content", "null")
	}
	b = append(append(b, `{"index":`...), choice.index(i)...)
	b = append(append(b, `,"finish_reason":`...), choice.text("finish_reason", "null")...)
	return append(append(append(b, `,"text":`...), text...), '}')
}

func appendMLflowEmbedding(b []byte, i int, raw []byte) []byte {
	embedding := objectOf(raw).value("embedding")
	if len(embedding) == 0 {
		embedding = []byte("[]")
	}
	b = append(append(b, `{"object":"embedding","embedding":`...), embedding...)
	return append(strconv.AppendInt(append(b, `,"index":`...), int64(i), 10), '}')
}

// appendMLflowCalls writes tool calls, or the null that stands for none. In a
// stream each has an index, and its parts may be missing.
func appendMLflowCalls(b, calls []byte, stream bool) []byte {
	if len(calls) == 0 || calls[0] != '[' {
		return append(b, "null"...)
	}
	return appendList(b, calls, func(b []byte, i int, raw []byte) []byte {
		call := objectOf(raw)
		function := call.object("function")
		kind := `"function"`
		b = append(b, '{')
		if stream {
			kind = "null"
			b = append(append(append(b, `"index":`...), call.index(i)...), ',')
		}
		b = append(append(b, `"id":`...), call.text("id", "null")...)
		b = append(append(b, `,"type":`...), call.text("type", kind)...)
		b = append(append(b, `,"function":{"name":`...), function.text("name", "null")...)
		b = append(append(b, `,"arguments":`...), function.text("arguments", "null")...)
		b = append(b, '}')
		if signature := call.text("thought_signature", ""); len(signature) > 0 {
			b = append(append(b, `,"thought_signature":`...), signature...)
		}
		return append(b, '}')
	})
}

// appendMLflowUsage writes chat's usage: the three counts, the details if they
// say something, and all else that the provider tells.
func appendMLflowUsage(b, raw []byte) []byte {
	b = appendMLflowCounts(b, raw, "prompt_tokens", "completion_tokens", "total_tokens")
	b = b[:len(b)-1]
	u := gjson.ParseBytes(raw)
	if details := u.Get("prompt_tokens_details"); details.IsObject() && len(details.Map()) > 0 {
		b = append(b, `,"prompt_tokens_details":{"cached_tokens":`...)
		b = append(b, numberOr(details.Get("cached_tokens"))...)
		b = append(appendOthers(b, details, "cached_tokens"), '}')
	}
	b = appendOthers(b, u, "prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details")
	return append(b, '}')
}

// appendOthers adds the members of an object besides those named.
func appendOthers(b []byte, object gjson.Result, known ...string) []byte {
	if !object.IsObject() {
		return b
	}
	object.ForEach(func(key, value gjson.Result) bool {
		for _, name := range known {
			if key.Str == name {
				return true
			}
		}
		b = append(append(append(b, ','), key.Raw...), ':')
		b = jsontext.AppendCompact(b, []byte(value.Raw)) // a line end would end the event
		return true
	})
	return b
}

// appendMLflowCounts writes an object of counts, each a number or null.
func appendMLflowCounts(b, raw []byte, names ...string) []byte {
	u := gjson.ParseBytes(raw)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), name...), `":`...)
		b = append(b, numberOr(u.Get(name))...)
	}
	return append(b, '}')
}

// appendList writes a list, each item by a function.
func appendList(b, raw []byte, item func(b []byte, i int, raw []byte) []byte) []byte {
	b = append(b, '[')
	jsontext.Each(raw, func(i int, v []byte) {
		if i > 0 {
			b = append(b, ',')
		}
		b = item(b, i, v)
	})
	return append(b, ']')
}

// object is a JSON object by the text of its members. One that is not there
// is empty.
type object struct {
	raw     []byte
	members jsontext.Members
}

func objectOf(raw []byte) object {
	members, _ := jsontext.Scan(raw)
	return object{raw, members}
}

func (o object) value(key string) []byte { return o.members.Value(o.raw, key) }

func (o object) object(key string) object { return objectOf(o.value(key)) }

// text is the JSON string of a member, or other where it is none.
func (o object) text(key, other string) []byte { return textOr(o.value(key), other) }

// index is the index that an item tells, or its place.
func (o object) index(place int) []byte {
	if v := o.value("index"); len(v) > 0 && isDigit(v[0]) {
		return v
	}
	return strconv.AppendInt(nil, int64(place), 10)
}

// contentOf is a message's content: text, a list of parts, or null.
func contentOf(message object) []byte {
	if content := message.value("content"); len(content) > 0 && content[0] == '[' {
		return content
	}
	return message.text("content", "null")
}

// textOr is the JSON string in raw, or other where there is none.
func textOr(raw []byte, other string) []byte {
	if len(raw) > 0 && raw[0] == '"' {
		return raw
	}
	return []byte(other)
}

func numberOr(v gjson.Result) string {
	if v.Type == gjson.Number {
		return v.Raw
	}
	return "null"
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
