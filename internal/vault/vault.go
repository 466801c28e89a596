// Package vault seals credentials. A sealed value can be stored anywhere; only
// the vault that sealed it, given the same context, opens it.
package vault

// Vault seals and opens credentials. Implementations are safe for concurrent
// use. Errors never contain a plaintext.
type Vault interface {
	// Seal encrypts plaintext and binds it to context (for example
	// "endpoint/<id>/<key>"): a sealed value moved elsewhere does not open.
	Seal(plaintext []byte, context string) ([]byte, error)
	// Open decrypts what Seal returned for the same context.
	Open(sealed []byte, context string) ([]byte, error)
}
