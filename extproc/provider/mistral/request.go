package mistral

import (
	"crypto/sha256"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// renamed are OpenAI's parameters that Mistral has under another name; dropped
// are those that say nothing to the model and that Mistral, which refuses what
// it does not know, has none of. stream_options: Mistral tells usage always.
var (
	renamed = map[string]string{"seed": "random_seed", "max_completion_tokens": "max_tokens", "dimensions": "output_dimension"}
	dropped = map[string]bool{
		"stream_options": true, "user": true, "store": true, "safety_identifier": true, "prompt_cache_key": true,
	}
)

// chat makes a chat request of OpenAI's one of Mistral's. Members that Mistral
// does not know, and that mean something, stay: Mistral refuses them by name.
func chat(body []byte) ([]byte, *dialect.Error) {
	return rewrite(body, func(name string, value []byte) string {
		if name == "messages" {
			return messages(value)
		}
		return ""
	}), nil
}

// embeddings does the same for an embeddings request.
func embeddings(body []byte) ([]byte, *dialect.Error) {
	return rewrite(body, func(string, []byte) string { return "" }), nil
}

// rewrite renames and drops members, and gives others the value that change
// returns, "" for no change. A body with nothing to rewrite stays as it is.
func rewrite(body []byte, change func(name string, value []byte) string) []byte {
	members, _ := jsontext.Scan(body)
	var edits []jsontext.Edit
	kept := false // a member stands before, so that a comma does too
	for i, m := range members {
		theirs, rename := renamed[m.Key]
		if rename {
			_, both := members.Find(theirs)
			rename = !both || theirs == "max_tokens"
		}
		_, newer := members.Find("max_completion_tokens")
		switch {
		case dropped[m.Key], m.Key == "max_tokens" && newer:
			edits = append(edits, without(members, i, kept))
			continue
		case rename:
			edits = append(edits, jsontext.Edit{Start: m.KeyStart, End: m.Start, Text: `"` + theirs + `":`})
		default:
			if text := change(m.Key, body[m.Start:m.End]); text != "" {
				edits = append(edits, jsontext.Edit{Start: m.Start, End: m.End, Text: text})
			}
		}
		kept = true
	}
	if len(edits) == 0 {
		return body
	}
	return jsontext.Apply(body, edits...)
}

// without removes the i-th member with the comma before it, or after it where
// no member that stays stands before.
func without(members jsontext.Members, i int, kept bool) jsontext.Edit {
	switch {
	case kept:
		return jsontext.Edit{Start: members[i-1].End, End: members[i].End}
	case i+1 < len(members):
		return jsontext.Edit{Start: members[i].KeyStart, End: members[i+1].KeyStart}
	}
	return jsontext.Edit{Start: members[i].KeyStart, End: members[i].End}
}

// messages rewrites a list of messages; "" where all can stay.
func messages(list []byte) string {
	b, changed := append(make([]byte, 0, len(list)+64), '['), false
	jsontext.View(list).ForEach(func(_, m gjson.Result) bool {
		b = jsontext.Comma(b)
		if plainMessage(m) {
			b = append(b, m.Raw...)
		} else {
			b, changed = message(b, m), true
		}
		return true
	})
	if !changed {
		return ""
	}
	return string(append(b, ']'))
}

// plainMessage reports whether a message can stay as it is.
func plainMessage(m gjson.Result) bool {
	same := true
	m.ForEach(func(name, v gjson.Result) bool {
		switch name.Str {
		case "role":
			same = v.Str != "developer"
		case "content":
			same = v.Type == gjson.String
		case "prefix", "name":
		default:
			same = false
		}
		return same
	})
	return same
}

// message writes one message. Members of an assistant's message that replies
// have and requests of Mistral's do not (refusal, annotations …) are left out.
func message(b []byte, m gjson.Result) []byte {
	b = append(b, '{')
	add := func(name string) {
		b = append(dialect.AppendString(jsontext.Comma(b), name), ':')
	}
	m.ForEach(func(name, v gjson.Result) bool {
		switch name.Str {
		case "role":
			add("role")
			if v.Str == "developer" {
				b = append(b, `"system"`...)
			} else {
				b = append(b, v.Raw...)
			}
		case "content":
			add("content")
			b = content(b, m, v)
		case "tool_call_id":
			add("tool_call_id")
			b = callID(b, v)
		case "tool_calls":
			if v.IsArray() {
				add("tool_calls")
				b = calls(b, v)
			}
		case "reasoning_content", "reasoning", "thinking_blocks", "refusal", "annotations", "audio", "function_call":
			if !left(name.Str, v) {
				add(name.Str)
				b = append(b, v.Raw...)
			}
		default:
			add(name.Str)
			b = append(b, v.Raw...)
		}
		return true
	})
	if thought := thinking(m); thought != "" && !m.Get("content").Exists() {
		add("content")
		b = append(append(append(b, '['), thought...), ']')
	}
	return append(b, '}')
}

// left reports whether a member can be left out: it is null or empty, or its
// text goes into the content.
func left(name string, v gjson.Result) bool {
	switch {
	case strings.HasPrefix(name, "reasoning"), name == "thinking_blocks", !jsontext.Present(v):
		return true
	}
	return v.IsArray() && len(v.Array()) == 0
}

// content writes a message's content, with the reasoning before it that the
// model gave with it. A refusal of the model's is its answer.
func content(b []byte, m, v gjson.Result) []byte {
	thought := thinking(m)
	if thought == "" && !v.IsArray() {
		return append(b, v.Raw...)
	}
	b = append(append(b, '['), thought...)
	if v.Type == gjson.String && v.Str != "" {
		b = append(append(append(jsontext.Comma(b), `{"type":"text","text":`...), v.Raw...), '}')
	}
	if v.IsArray() {
		v.ForEach(func(_, p gjson.Result) bool {
			b = part(jsontext.Comma(b), p)
			return true
		})
	}
	return append(b, ']')
}

// part writes one part of a content: audio and files have another form.
func part(b []byte, p gjson.Result) []byte {
	switch p.Get("type").Str {
	case "input_audio":
		if data := p.Get("input_audio.data"); data.Type == gjson.String {
			return append(append(append(b, `{"type":"input_audio","input_audio":`...), data.Raw...), '}')
		}
	case "file":
		if data := p.Get("file.file_data"); data.Type == gjson.String {
			b = append(append(b, `{"type":"document_url","document_url":`...), data.Raw...)
			if name := p.Get("file.filename"); name.Type == gjson.String {
				b = append(append(b, `,"document_name":`...), name.Raw...)
			}
			return append(b, '}')
		}
	}
	return append(b, p.Raw...)
}

// thinking is the part that gives an assistant's reasoning back: with its
// signature where there is one.
func thinking(m gjson.Result) string {
	if m.Get("role").Str != "assistant" {
		return ""
	}
	var b []byte
	m.Get("thinking_blocks").ForEach(func(_, block gjson.Result) bool {
		if text := block.Get("thinking"); text.Type == gjson.String {
			if b != nil {
				b = append(b, ',')
			}
			b = append(append(b, `{"type":"thinking","thinking":[{"type":"text","text":`...), text.Raw...)
			b = append(b, "}]"...)
			if s := block.Get("signature"); s.Type == gjson.String {
				b = append(append(b, `,"signature":`...), s.Raw...)
			}
			b = append(b, '}')
		}
		return true
	})
	if b == nil {
		if text := m.Get("reasoning_content"); text.Type == gjson.String && text.Str != "" {
			b = append(append(b, `{"type":"thinking","thinking":[{"type":"text","text":`...), text.Raw...)
			b = append(b, "}]}"...)
		}
	}
	return string(b)
}

// calls writes the tool calls of a message.
func calls(b []byte, list gjson.Result) []byte {
	b = append(b, '[')
	list.ForEach(func(_, call gjson.Result) bool {
		b = append(jsontext.Comma(b), '{')
		call.ForEach(func(name, v gjson.Result) bool {
			b = append(append(jsontext.Comma(b), name.Raw...), ':')
			if name.Str == "id" {
				b = callID(b, v)
			} else {
				b = append(b, v.Raw...)
			}
			return true
		})
		b = append(b, '}')
		return true
	})
	return append(b, ']')
}

const (
	idLength = 9
	idSigns  = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// callID writes the id of a tool call. Mistral takes nine letters and digits
// only; an id that another provider gave becomes such a one, the same each
// time.
func callID(b []byte, v gjson.Result) []byte {
	if v.Type != gjson.String || len(v.Str) == idLength && strings.Trim(v.Str, idSigns) == "" {
		return append(b, v.Raw...)
	}
	sum := sha256.Sum256([]byte(v.Str))
	b = append(b, '"')
	for _, c := range sum[:idLength] {
		b = append(b, idSigns[int(c)%len(idSigns)])
	}
	return append(b, '"')
}
