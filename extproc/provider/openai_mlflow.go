package provider

import (
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// What MLflow's server makes of OpenAI's replies: a fixed set of members in a
// fixed order, nulls written out. Values are copied as text. Where MLflow
// would fail because the provider left something out, a default stands in.

// toMLflow rewrites a whole reply.
func (c *openAICall) toMLflow(body []byte, members jsontext.Members) []byte {
	b := make([]byte, 0, len(body)+256)
	switch c.req.Operation {
	case dialect.Chat:
		b = c.appendHead(b, body, members, "chat.completion")
		b = appendList(b, members.Value(body, "choices"), appendMLflowChoice)
		b = append(b, `,"usage":`...)
		b = appendMLflowUsage(b, members.Value(body, "usage"))
		return append(append(b, `,"provider":`...), quoted(c.provider.ID)+"}"...)
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
func (c *openAICall) appendMLflowChunk(b, data []byte, members jsontext.Members) []byte {
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
		b = append(append(b, `,"provider":`...), quoted(c.provider.ID)...)
	}
	return append(b, '}')
}

// appendHead writes what comes before the choices. object is the default of
// chat's; completions have their own.
func (c *openAICall) appendHead(b, body []byte, members jsontext.Members, object string) []byte {
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

func (c *openAICall) modelOf(body []byte, members jsontext.Members) string {
	if m := members.Value(body, "model"); len(m) > 0 && m[0] == '"' {
		return string(m)
	}
	return quoted(c.model)
}

func appendMLflowChoice(b []byte, i int, choice gjson.Result) []byte {
	message := choice.Get("message")
	b = append(append(b, `{"index":`...), strconv.Itoa(i)...)
	b = append(append(b, `,"message":{"role":`...), textOr([]byte(message.Get("role").Raw), `"assistant"`)...)
	b = append(append(b, `,"content":`...), contentOf(message)...)
	b = append(b, `,"tool_calls":`...)
	b = appendMLflowCalls(b, message.Get("tool_calls"), false)
	b = append(b, `,"refusal":null},"finish_reason":`...)
	return append(append(b, textOr([]byte(choice.Get("finish_reason").Raw), "null")...), '}')
}

func appendMLflowDelta(b []byte, i int, choice gjson.Result) []byte {
	delta := choice.Get("delta")
	b = append(append(b, `{"index":`...), indexOf(choice, i)...)
	b = append(append(b, `,"finish_reason":`...), textOr([]byte(choice.Get("finish_reason").Raw), "null")...)
	b = append(append(b, `,"delta":{"role":`...), textOr([]byte(delta.Get("role").Raw), "null")...)
	b = append(append(b, `,"content":`...), textOr([]byte(delta.Get("content").Raw), "null")...)
	b = append(b, `,"tool_calls":`...)
	return append(appendMLflowCalls(b, delta.Get("tool_calls"), true), "}}"...)
}

func appendMLflowText(b []byte, i int, choice gjson.Result) []byte {
	text := choice.Get("message.content").Raw
	if len(text) <= len(`""`) || text[0] != '"' {
		text = textOr([]byte(choice.Get("text").Raw), `""`)
	}
	b = append(append(b, `{"index":`...), strconv.Itoa(i)...)
	b = append(append(b, `,"text":`...), text...)
	b = append(b, `,"finish_reason":`...)
	return append(append(b, textOr([]byte(choice.Get("finish_reason").Raw), "null")...), '}')
}

// appendMLflowTextDelta reads both forms of a completion's chunk: the real
// one, with "text", and the chat form that MLflow's server looks for.
func appendMLflowTextDelta(b []byte, i int, choice gjson.Result) []byte {
	text := choice.Get("text").Raw
	if text == "" {
		text = choice.Get("delta.content").Raw
	}
	b = append(append(b, `{"index":`...), indexOf(choice, i)...)
	b = append(append(b, `,"finish_reason":`...), textOr([]byte(choice.Get("finish_reason").Raw), "null")...)
	return append(append(append(b, `,"text":`...), textOr([]byte(text), "null")...), '}')
}

func appendMLflowEmbedding(b []byte, i int, item gjson.Result) []byte {
	embedding := item.Get("embedding").Raw
	if embedding == "" {
		embedding = "[]"
	}
	b = append(append(b, `{"object":"embedding","embedding":`...), embedding...)
	return append(append(append(b, `,"index":`...), strconv.Itoa(i)...), '}')
}

// appendMLflowCalls writes tool calls, or the null that stands for none. In a
// stream each has an index, and its parts may be missing.
func appendMLflowCalls(b []byte, calls gjson.Result, stream bool) []byte {
	if !calls.IsArray() {
		return append(b, "null"...)
	}
	return appendList(b, []byte(calls.Raw), func(b []byte, i int, call gjson.Result) []byte {
		kind := `"function"`
		b = append(b, '{')
		if stream {
			kind = "null"
			b = append(append(append(b, `"index":`...), indexOf(call, i)...), ',')
		}
		b = append(append(b, `"id":`...), textOr([]byte(call.Get("id").Raw), "null")...)
		b = append(append(b, `,"type":`...), textOr([]byte(call.Get("type").Raw), kind)...)
		b = append(append(b, `,"function":{"name":`...), textOr([]byte(call.Get("function.name").Raw), "null")...)
		b = append(append(b, `,"arguments":`...), textOr([]byte(call.Get("function.arguments").Raw), "null")...)
		b = append(b, '}')
		if signature := call.Get("thought_signature"); signature.Type == gjson.String {
			b = append(append(b, `,"thought_signature":`...), signature.Raw...)
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
func appendList(b, raw []byte, item func(b []byte, i int, v gjson.Result) []byte) []byte {
	b = append(b, '[')
	i := 0
	list := gjson.ParseBytes(raw)
	if list.IsArray() {
		list.ForEach(func(_, v gjson.Result) bool {
			if i > 0 {
				b = append(b, ',')
			}
			b = item(b, i, v)
			i++
			return true
		})
	}
	return append(b, ']')
}

// contentOf is a message's content: text, a list of parts, or null.
func contentOf(message gjson.Result) string {
	content := message.Get("content")
	if content.Type == gjson.String || content.IsArray() {
		return content.Raw
	}
	return "null"
}

// textOr is the JSON string in raw, or other where there is none.
func textOr(raw []byte, other string) string {
	if len(raw) > 0 && raw[0] == '"' {
		return string(raw)
	}
	return other
}

func numberOr(v gjson.Result) string {
	if v.Type == gjson.Number {
		return v.Raw
	}
	return "null"
}

// indexOf is the index that an item tells, or its place.
func indexOf(item gjson.Result, place int) string {
	if v := item.Get("index"); v.Type == gjson.Number {
		return v.Raw
	}
	return strconv.Itoa(place)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
