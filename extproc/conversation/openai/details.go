package openai

import (
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
)

// OpenRouter tells reasoning as reasoning_details, each with the format of
// the provider behind it (openrouter.ai/docs/use-cases/reasoning-tokens). The
// format goes before the signature or data in the form: "format:signature".

// appendDetail adds a block as a reasoning detail.
func appendDetail(b []byte, block *conversation.Block) []byte {
	if block.Kind == conversation.Redacted {
		format, data := cutFormat(block.Data)
		b = codec.AppendText(append(b, `{"type":"reasoning.encrypted"`...), "data", data)
		return append(appendFormat(b, format), '}')
	}
	format, signature := cutFormat(block.Signature)
	b = codec.AppendText(append(b, `{"type":"reasoning.text"`...), "text", block.Text)
	if signature != "" {
		b = codec.AppendText(b, "signature", signature)
	}
	return append(appendFormat(b, format), '}')
}

func appendFormat(b []byte, format string) []byte {
	if format == "" {
		return b
	}
	return codec.AppendText(b, "format", format)
}

// cutFormat takes the format off a proof. Proofs are base64, without colons.
func cutFormat(proof string) (format, rest string) {
	if format, rest, ok := strings.Cut(proof, ":"); ok {
		return format, rest
	}
	return "", proof
}

func withFormat(format, proof string) string {
	if format == "" || proof == "" {
		return proof
	}
	return format + ":" + proof
}

// detail is one reasoning detail of a reply.
type detail struct {
	text, signature, data string
}

func readDetail(v gjson.Result) (d detail) {
	format := v.Get("format").Str
	switch v.Get("type").Str {
	case "reasoning.text":
		d.text, d.signature = v.Get("text").Str, withFormat(format, v.Get("signature").Str)
	case "reasoning.summary":
		d.text = v.Get("summary").Str
	case "reasoning.encrypted":
		d.data = withFormat(format, v.Get("data").Str)
	case "thinking": // thinking_blocks, Anthropic's shape
		d.text, d.signature = v.Get("thinking").Str, v.Get("signature").Str
	case "redacted_thinking":
		d.data = v.Get("data").Str
	}
	return d
}
