package anthropic

import (
	"encoding/base64"
	"strings"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// appendContent writes the content of a message, or of a tool's result: a
// string where it is one text without marks. Empty texts are left out among
// others: the API refuses them, and they say nothing.
func appendContent(b []byte, blocks []conversation.Block) ([]byte, *dialect.Error) {
	if text, ok := onlyText(blocks); ok {
		return dialect.AppendString(b, text), nil
	}
	b = append(b, '[')
	for i := range blocks {
		var e *dialect.Error
		if b, e = appendBlock(b, &blocks[i]); e != nil {
			return b, dialect.Within(e, "content", i)
		}
	}
	return append(b, ']'), nil
}

// onlyText finds the only text that a list of blocks would come to.
func onlyText(blocks []conversation.Block) (text string, ok bool) {
	for i := range blocks {
		b := &blocks[i]
		switch {
		case left(b):
		case b.Kind != conversation.Text && b.Kind != conversation.Refusal, b.Cache != "", text != "":
			return "", false
		default:
			text = b.Text
		}
	}
	return text, true
}

// left reports whether a block is left out.
func left(b *conversation.Block) bool {
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		return b.Text == ""
	case conversation.Thinking:
		return b.Signature == ""
	}
	return false
}

// appendBlock writes one of the API's content blocks. A field that an error
// names is "", the block itself, except in results.
func appendBlock(b []byte, block *conversation.Block) ([]byte, *dialect.Error) {
	if left(block) {
		return b, nil
	}
	var e *dialect.Error
	b = jsontext.Comma(b)
	switch block.Kind {
	case conversation.Text, conversation.Refusal:
		b = dialect.AppendString(append(b, `{"type":"text","text":`...), block.Text)
	case conversation.Image:
		b, e = appendImage(b, block)
	case conversation.Document:
		b, e = appendDocument(b, block)
	case conversation.ToolUse:
		b = dialect.AppendString(append(b, `{"type":"tool_use","id":`...), block.ID)
		b = dialect.AppendString(append(b, `,"name":`...), block.Name)
		if input := string(block.Input); input != "" && (!strings.HasPrefix(input, "{") || !jsontext.Valid([]byte(input))) {
			return b, refuseBlock("is a tool call whose arguments are not a JSON object, as Anthropic models need.")
		}
		b = append(append(b, `,"input":`...), objectOf(block.Input)...)
	case conversation.ToolResult:
		b, e = appendResult(b, block)
	case conversation.Thinking:
		b = dialect.AppendString(append(b, `{"type":"thinking","thinking":`...), block.Text)
		b = dialect.AppendString(append(b, `,"signature":`...), block.Signature)
	case conversation.Redacted:
		b = dialect.AppendString(append(b, `{"type":"redacted_thinking","data":`...), block.Data)
	default:
		return b, refuseBlock("is audio, which Anthropic models can't take.")
	}
	return append(appendCache(b, block.Cache), '}'), e
}

// refuseBlock refuses a block as a whole; reason completes a sentence that
// begins with its place.
func refuseBlock(reason string) *dialect.Error {
	return itself(dialect.Unsupported("x", reason))
}

func appendCache(b []byte, cache conversation.Raw) []byte {
	if cache == "" {
		return b
	}
	return append(append(b, `,"cache_control":`...), cache...)
}

// appendImage takes base64 and https URLs. The API always looks at the whole
// image, which is what detail "high" asks for.
func appendImage(b []byte, block *conversation.Block) ([]byte, *dialect.Error) {
	switch {
	case block.Detail == "low":
		return b, refuseBlock("is an image with detail low: it must be auto or high for Anthropic models.")
	case block.URL != "" && !strings.HasPrefix(block.URL, "https://"):
		return b, refuseBlock("is an image at a URL that Anthropic models can't reach: it must be https, or base64 data.")
	case block.URL != "":
		b = dialect.AppendString(append(b, `{"type":"image","source":{"type":"url","url":`...), block.URL)
		return append(b, '}'), nil
	}
	media := strings.ToLower(block.MediaType)
	switch media {
	case "image/jpg":
		media = "image/jpeg"
	case "image/jpeg", "image/png", "image/gif", "image/webp":
	default:
		return b, refuseBlock("must be a JPEG, PNG, GIF or WebP image for Anthropic models.")
	}
	b = append(append(b, `{"type":"image","source":{"type":"base64","media_type":"`...), media...)
	return append(dialect.AppendString(append(b, `","data":`...), block.Data), '}'), nil
}

// appendDocument takes PDF, and plain text.
func appendDocument(b []byte, block *conversation.Block) ([]byte, *dialect.Error) {
	media, _, _ := strings.Cut(strings.ToLower(block.MediaType), ";")
	switch {
	case block.URL != "" && !strings.HasPrefix(block.URL, "https://"):
		return b, refuseBlock("is a document at a URL that Anthropic models can't reach: it must be https, or base64 data.")
	case block.URL != "":
		b = dialect.AppendString(append(b, `{"type":"document","source":{"type":"url","url":`...), block.URL)
	case media == "application/pdf":
		b = append(b, `{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":`...)
		b = dialect.AppendString(b, block.Data)
	case media == "text/plain":
		text, err := base64.StdEncoding.DecodeString(block.Data)
		if err != nil {
			return b, refuseBlock("is a document whose data is not base64.")
		}
		b = append(b, `{"type":"document","source":{"type":"text","media_type":"text/plain","data":`...)
		b = dialect.AppendString(b, string(text))
	default:
		return b, refuseBlock("must be a PDF or plain text in base64 for Anthropic models.")
	}
	b = append(b, '}')
	if block.Name != "" {
		b = dialect.AppendString(append(b, `,"title":`...), block.Name)
	}
	return b, nil
}

func appendResult(b []byte, block *conversation.Block) ([]byte, *dialect.Error) {
	b = dialect.AppendString(append(b, `{"type":"tool_result","tool_use_id":`...), block.ID)
	b, e := appendContent(append(b, `,"content":`...), block.Blocks)
	if block.IsError {
		b = append(b, `,"is_error":true`...)
	}
	return b, e
}
