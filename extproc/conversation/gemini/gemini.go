// Package gemini reads and writes Gemini's generateContent
// (ai.google.dev/api/generate-content, and Vertex AI's form of it) for
// conversations: Client for clients that speak it, Provider and Vertex for the
// servers.
package gemini

import (
	"encoding/base64"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
)

// The codecs of generateContent.
//
// Client leaves out what changes no answer of a model that is not Gemini:
// labels, store, mediaResolution, what a function's result looks like, and
// safety settings that block nothing. Tools that Google runs itself, and
// settings that do block, are refused by name.
//
// Provider and Vertex leave out names of participants, the end user's id,
// marks of prompt caches, details of images, and "strict": Gemini has nothing
// like them. Reasoning that another provider signed is left out too: it is that
// provider's. Where a model can't do without reasoning, "no reasoning" asks for
// as little as it can.
var (
	Client   conversation.Client   = client{}
	Provider conversation.Provider = provider{}
	// Vertex differs from Provider in that Vertex AI takes no ids of function
	// calls: it matches results by name and order.
	Vertex conversation.Provider = provider{vertex: true}
)

type (
	client   struct{}
	provider struct{ vertex bool }
)

// Roles of contents.
const (
	roleUser  = "user"
	roleModel = "model"
)

// camel is a key in camel case: Google reads the keys of its JSON in either
// spelling.
func camel(key string) string {
	if strings.IndexByte(key, '_') <= 0 {
		return key
	}
	out := make([]byte, 0, len(key))
	for i := 0; i < len(key); i++ {
		if key[i] == '_' && i+1 < len(key) && 'a' <= key[i+1] && key[i+1] <= 'z' {
			i++
			out = append(out, key[i]-'a'+'A')
			continue
		}
		out = append(out, key[i])
	}
	return string(out)
}

// each calls fn for the members of an object that are not null, keys in camel
// case. A key in both spellings is refused: two readers could see two things.
func each(v gjson.Result, fn func(key string, v gjson.Result) *dialect.Error) (e *dialect.Error) {
	var spelled []string // keys that were there in snake case
	v.ForEach(func(k, v gjson.Result) bool {
		key := camel(k.Str)
		if key != k.Str {
			spelled = append(spelled, key)
		}
		if v.Type != gjson.Null {
			e = fn(key, v)
		}
		return e == nil
	})
	for _, key := range spelled {
		if e == nil && v.Get(gjson.Escape(key)).Exists() {
			return dialect.InvalidField(key, "is there in two spellings. Send one of them.")
		}
	}
	return e
}

// A signature of another provider goes to a Gemini client as the bytes that
// thoughtSignature is to be, and is known by its beginning when it comes back.
// Gemini's own, which a client may still hold, mean nothing to other providers.
const (
	signedThinking = "sluice-signature:"
	sealedThinking = "sluice-reasoning:" // data that only its provider can read
)

func appendForeign(b []byte, kind, signature string) []byte {
	b = append(b, `,"thoughtSignature":"`...)
	b = base64.StdEncoding.AppendEncode(b, []byte(kind+signature))
	return append(b, '"')
}

// foreign reads what appendForeign wrote. Clients write base64 in either
// alphabet.
func foreign(signature string) (kind, text string) {
	if strings.ContainsAny(signature, "-_") {
		signature = strings.NewReplacer("-", "+", "_", "/").Replace(signature)
	}
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(signature, "="))
	if err != nil {
		return "", ""
	}
	for _, kind := range []string{signedThinking, sealedThinking} {
		if text, ok := strings.CutPrefix(string(raw), kind); ok {
			return kind, text
		}
	}
	return "", ""
}

// ofGemini marks a thoughtSignature of thinking, so that it is told from those
// of other providers when a client sends it back.
const ofGemini = "gemini:"

// unsigned stands for the signature of a function call that has none, in a
// history that another model made (ai.google.dev/gemini-api/docs/thought-signatures):
// models from generation 3 refuse the call otherwise.
const unsigned = "skip_thought_signature_validator"
