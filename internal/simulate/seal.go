package simulate

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// seal signs a text as a provider signs its reasoning: opaque to the client, and
// refused when it comes back changed or beside another text. The key is the
// provider's name: it proves nothing beyond this package.
func seal(provider, text string) string {
	mac := hmac.New(sha256.New, []byte("stand-in "+provider))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(append([]byte("sealed by the stand-in "), mac.Sum(nil)...))
}

// sealed reports whether a signature is the one of a text.
func sealed(provider, text, signature string) bool {
	return hmac.Equal([]byte(seal(provider, text)), []byte(signature))
}

// enclose makes a text that carries another and its seal, as encrypted
// reasoning does.
func enclose(provider, text string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(text)) + "." + seal(provider, text)
}

// disclose returns what enclose carried, if nobody changed it.
func disclose(provider, enclosed string) (text string, ok bool) {
	raw, signature, _ := strings.Cut(enclosed, ".")
	plain, err := base64.RawURLEncoding.DecodeString(raw)
	return string(plain), err == nil && sealed(provider, string(plain), signature)
}
