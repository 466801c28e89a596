package openai

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
)

// parts are the types of parts that a message's content may hold, for people.
type parts string

const (
	textParts      parts = "text"
	assistantParts parts = "text or refusal"
	resultParts    parts = "text, image_url or file"
	userParts      parts = "text, image_url, file or input_audio"
)

func (p parts) allow(kind string) bool {
	switch kind {
	case "text":
		return true
	case "refusal":
		return p == assistantParts || p == userParts
	case "image_url", "file":
		return p == resultParts || p == userParts
	case "input_audio":
		return p == userParts
	}
	return false
}

// contentOf reads a message's content. Empty texts in lists say nothing, and
// most providers refuse them.
func contentOf(v gjson.Result, allowed parts) (blocks []conversation.Block, e *dialect.Error) {
	if v.Type == gjson.String {
		return []conversation.Block{{Kind: conversation.Text, Text: v.Str}}, nil
	}
	if !v.IsArray() {
		return nil, dialect.InvalidField("content", "must be a string or a list of parts.")
	}
	e = codec.Each(v, func(i int, v gjson.Result) *dialect.Error {
		b, e := readPart(v, allowed)
		if e == nil && (b.Kind != conversation.Text || b.Text != "") {
			blocks = append(blocks, b)
		}
		return dialect.Within(e, "content", i)
	})
	return blocks, e
}

// part is one part of a message's content, by its members.
type part struct {
	kind                                     string
	text, refusal, image, file, audio, cache gjson.Result
}

func readPart(v gjson.Result, allowed parts) (b conversation.Block, e *dialect.Error) {
	var p part
	e = codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
		switch name {
		case "type":
			p.kind = v.Str
		case "text":
			p.text = v
		case "refusal":
			p.refusal = v
		case "image_url":
			p.image = v
		case "file":
			p.file = v
		case "input_audio":
			p.audio = v
		case "cache_control":
			p.cache = v
		default:
			return dialect.Unsupported(name, codec.NotCarried)
		}
		return nil
	})
	if e != nil {
		return b, e
	}
	if !allowed.allow(p.kind) {
		return b, dialect.Unsupported("type", "must be "+string(allowed)+".")
	}
	b, e = p.block()
	b.Cache = conversation.Raw(p.cache.Raw)
	return b, e
}

func (p part) block() (b conversation.Block, e *dialect.Error) {
	switch p.kind {
	case "text":
		b.Kind = conversation.Text
		b.Text, e = text("text", p.text)
	case "refusal":
		b.Kind = conversation.Refusal
		b.Text, e = text("refusal", p.refusal)
	case "image_url":
		return imageBlock(p.image)
	case "file":
		return fileBlock(p.file)
	case "input_audio":
		return audioBlock(p.audio)
	}
	return b, e
}

func imageBlock(v gjson.Result) (b conversation.Block, e *dialect.Error) {
	b = conversation.Block{Kind: conversation.Image, Detail: v.Get("detail").Str}
	url := v.Get("url").Str
	if codec.IsURL(url) {
		b.URL = url
		return b, nil
	}
	var ok bool
	if b.MediaType, b.Data, ok = codec.DataURL(url); !ok {
		return b, dialect.Unsupported("image_url.url", "must be an http or https URL, or a base64 data URL.")
	}
	return b, nil
}

func fileBlock(v gjson.Result) (b conversation.Block, e *dialect.Error) {
	if v.Get("file_id").Type == gjson.String {
		return b, dialect.Unsupported("file.file_id", "names a file at OpenAI. Send its content as file_data.")
	}
	b = conversation.Block{Kind: conversation.Document, Name: v.Get("filename").Str}
	var ok bool
	if b.MediaType, b.Data, ok = codec.DataURL(v.Get("file_data").Str); !ok {
		return b, dialect.Unsupported("file.file_data", "must be a base64 data URL.")
	}
	return b, nil
}

func audioBlock(v gjson.Result) (b conversation.Block, e *dialect.Error) {
	b = conversation.Block{Kind: conversation.Audio, Data: v.Get("data").Str}
	switch v.Get("format").Str {
	case "wav":
		b.MediaType = "audio/wav"
	case "mp3":
		b.MediaType = "audio/mpeg"
	default:
		return b, dialect.Unsupported("input_audio.format", "must be wav or mp3.")
	}
	return b, nil
}
