package databricks

import (
	"bytes"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// request gives reasoning back to a model in the form in which Databricks gave
// it: as the first part of the message's content. Only signed reasoning can be
// given back.
func request(body []byte) ([]byte, *dialect.Error) {
	if !bytes.Contains(body, []byte(`"thinking_blocks"`)) && !bytes.Contains(body, []byte(`"reasoning_content"`)) {
		return body, nil
	}
	members, _ := jsontext.Scan(body)
	m, ok := members.Find("messages")
	if !ok {
		return body, nil
	}
	b := append(make([]byte, 0, m.End-m.Start+64), '[')
	jsontext.View(body[m.Start:m.End]).ForEach(func(_, msg gjson.Result) bool {
		b = jsontext.Comma(b)
		if msg.Get("thinking_blocks").Exists() || msg.Get("reasoning_content").Exists() {
			b = message(b, msg)
		} else {
			b = append(b, msg.Raw...)
		}
		return true
	})
	return jsontext.Apply(body, jsontext.Edit{Start: m.Start, End: m.End, Text: string(append(b, ']'))}), nil
}

func message(b []byte, msg gjson.Result) []byte {
	thought := reasoning(msg.Get("thinking_blocks"))
	b = append(b, '{')
	msg.ForEach(func(name, v gjson.Result) bool {
		switch name.Str {
		case "thinking_blocks", "reasoning_content":
			return true
		case "content":
			if thought != "" {
				return true
			}
		}
		b = append(append(append(jsontext.Comma(b), name.Raw...), ':'), v.Raw...)
		return true
	})
	if thought != "" {
		b = append(append(jsontext.Comma(b), `"content":[`...), thought...)
		b = append(content(b, msg.Get("content")), ']')
	}
	return append(b, '}')
}

// content adds what a message says besides its reasoning.
func content(b []byte, v gjson.Result) []byte {
	switch {
	case v.Type == gjson.String && v.Str != "":
		b = append(append(append(b, `,{"type":"text","text":`...), v.Raw...), '}')
	case v.IsArray():
		v.ForEach(func(_, part gjson.Result) bool {
			b = append(append(b, ','), part.Raw...)
			return true
		})
	}
	return b
}

// reasoning is the part that holds signed reasoning; "" where there is none.
func reasoning(blocks gjson.Result) string {
	var b []byte
	blocks.ForEach(func(_, block gjson.Result) bool {
		text, signature := block.Get("thinking"), block.Get("signature")
		if text.Type != gjson.String || signature.Type != gjson.String {
			return true
		}
		if b == nil {
			b = append(b, `{"type":"reasoning","summary":[`...)
		}
		b = append(append(jsontext.Comma(b), `{"type":"summary_text","text":`...), text.Raw...)
		b = append(append(append(b, `,"signature":`...), signature.Raw...), '}')
		return true
	})
	if b == nil {
		return ""
	}
	return string(append(b, "]}"...))
}
