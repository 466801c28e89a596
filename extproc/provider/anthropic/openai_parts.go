package anthropic

import (
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// openAIPart is one part of a message's content. cache is Anthropic's
// cache_control, an extension that clients set on parts and tools.
type openAIPart struct {
	kind                              string
	text, refusal, image, file, cache gjson.Result
}

// eachPart calls fn for the parts of a message's content.
func eachPart(list gjson.Result, fn func(openAIPart) *dialect.Error) (e *dialect.Error) {
	i := 0
	list.ForEach(func(_, v gjson.Result) bool {
		var p openAIPart
		if p, e = readOpenAIPart(v); e == nil {
			e = fn(p)
		}
		e = dialect.Within(e, "content", i)
		i++
		return e == nil
	})
	return e
}

func readOpenAIPart(v gjson.Result) (p openAIPart, e *dialect.Error) {
	if !v.IsObject() {
		return p, dialect.InvalidField("", "must be an object.")
	}
	v.ForEach(func(k, v gjson.Result) bool {
		if v.Type == gjson.Null {
			return true
		}
		switch k.Str {
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
		case "cache_control":
			p.cache = v
		default:
			e = dialect.Unsupported(k.Str, "can't be told to Anthropic models.")
		}
		return e == nil
	})
	if e == nil && p.kind == "text" && p.text.Type != gjson.String {
		e = dialect.InvalidField("text", "must be a string.")
	}
	return p, e
}

// appendBlock adds the part as one of Anthropic's content blocks.
func (p openAIPart) appendBlock(b []byte) ([]byte, *dialect.Error) {
	switch p.kind {
	case "text":
		return appendTextBlock(b, p.text.Raw, p.cache.Raw), nil
	case "refusal":
		if p.refusal.Type != gjson.String {
			return b, dialect.InvalidField("refusal", "must be a string.")
		}
		return appendTextBlock(b, p.refusal.Raw, p.cache.Raw), nil
	case "image_url":
		return p.appendImage(b)
	case "file":
		return p.appendFile(b)
	}
	return b, dialect.Unsupported("type", "must be text, image_url or file for Anthropic models.")
}

// appendImage takes base64 data URLs and https URLs. Anthropic always looks
// at the whole image, which is what detail "high" asks for.
func (p openAIPart) appendImage(b []byte) ([]byte, *dialect.Error) {
	if p.image.Get("detail").Str == "low" {
		return b, dialect.Unsupported("image_url.detail", "must be auto or high for Anthropic models.")
	}
	url := p.image.Get("url").Str
	if strings.HasPrefix(url, "https://") {
		b = append(jsontext.Comma(b), `{"type":"image","source":{"type":"url","url":`...)
		b = append(dialect.AppendString(b, url), '}')
		return append(appendCache(b, p.cache.Raw), '}'), nil
	}
	media, data, ok := dataURL(url)
	if !ok {
		return b, dialect.Unsupported("image_url.url", "must be an https URL or a base64 data URL for Anthropic models.")
	}
	if media == "image/jpg" {
		media = "image/jpeg"
	}
	switch media {
	case "image/jpeg", "image/png", "image/gif", "image/webp":
	default:
		return b, dialect.Unsupported("image_url.url", "must be a JPEG, PNG, GIF or WebP image for Anthropic models.")
	}
	b = append(jsontext.Comma(b), `{"type":"image","source":{"type":"base64","media_type":"`...)
	b = append(append(b, media...), `","data":`...)
	b = append(appendData(b, data, p.image.Get("url")), '}')
	return append(appendCache(b, p.cache.Raw), '}'), nil
}

// appendFile takes PDF documents given in the call itself.
func (p openAIPart) appendFile(b []byte) ([]byte, *dialect.Error) {
	if jsontext.Present(p.file.Get("file_id")) {
		return b, dialect.Unsupported("file.file_id", "names a file at OpenAI. Send its content as file_data.")
	}
	media, data, ok := dataURL(p.file.Get("file_data").Str)
	if !ok || media != "application/pdf" {
		return b, dialect.Unsupported("file.file_data", "must be a PDF in a base64 data URL for Anthropic models.")
	}
	b = append(jsontext.Comma(b), `{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":`...)
	b = append(appendData(b, data, p.file.Get("file_data")), '}')
	if name := p.file.Get("filename"); name.Str != "" {
		b = append(append(b, `,"title":`...), name.Raw...)
	}
	return append(appendCache(b, p.cache.Raw), '}'), nil
}

// dataURL splits a base64 data URL (RFC 2397).
func dataURL(url string) (media, data string, ok bool) {
	rest, ok := strings.CutPrefix(url, "data:")
	if !ok {
		return "", "", false
	}
	// The media type is short; the data, which may be megabytes, has no comma.
	head, data, ok := strings.Cut(rest, ",")
	if !ok || !strings.HasSuffix(head, ";base64") {
		return "", "", false
	}
	media, _, _ = strings.Cut(head, ";")
	return strings.ToLower(media), data, true
}

// appendData adds a part of a JSON string as a JSON string. It is megabytes
// long, so it is only searched for escapes if the whole had some.
func appendData(b []byte, part string, whole gjson.Result) []byte {
	if len(whole.Str)+2 != len(whole.Raw) {
		return dialect.AppendString(b, part)
	}
	return append(append(append(b, '"'), part...), '"')
}
