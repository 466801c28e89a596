package responses

import (
	"encoding/base64"
	"strings"

	"sluice/extproc/conversation"
)

// encrypted_content that this package writes: a prefix, a letter that says
// what follows, and that. It is not secret, only opaque: the signature inside
// is its provider's and proves the reasoning to it.
//
//	t.<signature>               of the reasoning whose text is the item's summary
//	x.<base64 text>.<signature> of reasoning whose text was not shown
//	r.<data>                    reasoning that only its provider can read
//	c.<base64 call id>.<signature>  of the tool call with this id
const proofPrefix = "sluice.1."

var proofBase = base64.RawURLEncoding

// proofOf is the encrypted_content for a block of reasoning; "" if there is
// none. Reasoning that its provider does not sign has an empty signature: some
// want it back all the same. shown: the item's summary has the text.
func proofOf(b *conversation.Block, shown bool) string {
	switch {
	case b.Kind == conversation.Redacted:
		return proofPrefix + "r." + b.Data
	case b.Signature == "" && b.Text == "":
		return ""
	case shown:
		return proofPrefix + "t." + b.Signature
	}
	return proofPrefix + "x." + proofBase.EncodeToString([]byte(b.Text)) + "." + b.Signature
}

// callProof is the encrypted_content that carries a tool call's signature.
func callProof(id, signature string) string {
	return proofPrefix + "c." + proofBase.EncodeToString([]byte(id)) + "." + signature
}

// readProof reads encrypted_content into a block: of thinking, redacted
// thinking, or a tool call of which only ID and Signature are set. ok is false
// for what another wrote.
func readProof(proof, summary string) (b conversation.Block, ok bool) {
	rest, ok := strings.CutPrefix(proof, proofPrefix)
	if !ok || len(rest) < 2 || rest[1] != '.' {
		return b, false
	}
	kind, rest := rest[0], rest[2:]
	switch kind {
	case 't':
		return conversation.Block{Kind: conversation.Thinking, Text: summary, Signature: rest}, true
	case 'r':
		return conversation.Block{Kind: conversation.Redacted, Data: rest}, true
	case 'x', 'c':
	default:
		return b, false
	}
	head, signature, _ := strings.Cut(rest, ".")
	text, err := proofBase.DecodeString(head)
	if err != nil {
		return b, false
	}
	if kind == 'c' {
		return conversation.Block{Kind: conversation.ToolUse, ID: string(text), Signature: signature}, true
	}
	return conversation.Block{Kind: conversation.Thinking, Text: string(text), Signature: signature}, true
}
