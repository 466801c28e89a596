package anthropic

import (
	"bytes"
	"strings"

	format "sluice/extproc/conversation/anthropic"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// own takes out of a call what another provider's answers left in its
// messages, where an endpoint has targets of several: reasoning without a
// signature, and signatures of another's tool calls. Servers of the API refuse
// both. Calls without such blocks, which are almost all, stay as they are.
func own(req *dialect.Request) (body []byte, members dialect.Members) {
	body, members = req.Payload, req.Members()
	if !bytes.Contains(body, []byte(format.SignatureMark)) && !bytes.Contains(body, []byte(`"signature":""`)) &&
		!bytes.Contains(body, []byte(`"signature": ""`)) {
		return body, members
	}
	at, ok := members.Find("messages")
	if !ok {
		return body, members
	}
	messages := ownList(body[at.Start:at.End], func(b, message []byte) []byte { return append(b, ownMessage(message)...) })
	return jsontext.Apply(body, jsontext.Edit{Start: at.Start, End: at.End, Text: string(messages)}), nil
}

// ownList copies a list with what add makes of each item.
func ownList(list []byte, add func(b, item []byte) []byte) []byte {
	b := append(make([]byte, 0, len(list)), '[')
	jsontext.Each(list, func(_ int, item []byte) { b = add(jsontext.Comma(b), item) })
	return append(bytes.TrimSuffix(b, []byte(",")), ']')
}

// ownMessage is an assistant's message without another provider's blocks; any
// other as it is.
func ownMessage(message []byte) []byte {
	members, _ := jsontext.Scan(message)
	content, ok := members.Find("content")
	if !ok || message[content.Start] != '[' || string(members.Value(message, "role")) != `"assistant"` {
		return message
	}
	blocks := ownList(message[content.Start:content.End], func(b, block []byte) []byte {
		if foreign(block) {
			return bytes.TrimSuffix(b, []byte(","))
		}
		return append(b, block...)
	})
	return jsontext.Apply(message, jsontext.Edit{Start: content.Start, End: content.End, Text: string(blocks)})
}

// foreign reports whether a block is one that no server of the API has made.
func foreign(block []byte) bool {
	v := jsontext.View(block)
	switch v.Get("type").Str {
	case "thinking":
		return v.Get("signature").Str == ""
	case "redacted_thinking":
		return strings.HasPrefix(v.Get("data").Str, format.SignatureMark)
	}
	return false
}
