package api

import "time"

// TrailKeys are the public keys of the audit trail.
type TrailKeys struct {
	// Keys are all that ever signed, the one that signs now last.
	Keys []TrailKey `json:"keys"`
	// Signing is false while the vault can't open the private key: checkpoints
	// are then not signed.
	Signing bool `json:"signing"`
	// Error says why not.
	Error string `json:"error,omitempty"`
}

// TrailKey is a public key for Ed25519.
type TrailKey struct {
	ID      string     `json:"id"`  // the first 16 hexadecimal digits of the key's SHA-256
	Key     string     `json:"key"` // 32 bytes, base64
	Created time.Time  `json:"created"`
	Retired *time.Time `json:"retired,omitempty"` // absent: it signs
}
