package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"math/big"
	"net/netip"
	"strings"
)

// A token is "slu_", 32 random bytes as 43 base62 digits, and the CRC-32 (IEEE)
// of all that as 6 more. The prefix lets secret scanners find a leaked token,
// the checksum tells a mistyped one from an unknown one without a look-up.
const (
	TokenPrefix    = "slu_"
	randomDigits   = 43
	checksumDigits = 6
	tokenLength    = len(TokenPrefix) + randomDigits + checksumDigits
	base62         = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" // big.Int's order
)

// newToken makes a token of 256 random bits.
func newToken() string {
	var random [32]byte
	rand.Read(random[:]) //nolint:errcheck // never fails: it ends the program instead
	digits := new(big.Int).SetBytes(random[:]).Text(62)
	body := TokenPrefix + strings.Repeat("0", randomDigits-len(digits)) + digits
	sum := checksum(body)
	return body + string(sum[:])
}

// ParseToken checks the form and the checksum of a token and returns the
// SHA-256 under which it is kept. A token that can't have been issued is
// ErrMalformedToken. It allocates nothing.
func ParseToken(token string) (hash [32]byte, err error) {
	if len(token) != tokenLength || token[:len(TokenPrefix)] != TokenPrefix {
		return hash, ErrMalformedToken
	}
	body := token[:tokenLength-checksumDigits]
	if sum := checksum(body); string(sum[:]) != token[len(body):] {
		return hash, ErrMalformedToken
	}
	for i := len(TokenPrefix); i < len(body); i++ {
		if !isBase62(body[i]) {
			return hash, ErrMalformedToken
		}
	}
	var b [tokenLength]byte
	copy(b[:], token)
	return sha256.Sum256(b[:]), nil
}

func checksum(body string) (digits [checksumDigits]byte) {
	var b [tokenLength]byte
	n := copy(b[:], body)
	sum := crc32.ChecksumIEEE(b[:n])
	for i := checksumDigits - 1; i >= 0; i-- {
		digits[i] = base62[sum%62]
		sum /= 62
	}
	return digits
}

// bound reports whether the token may do less than its user.
func (t *Token) bound() bool {
	return t.Project != "" || t.Execution != "" || len(t.EndpointIDs) > 0 || len(t.Networks) > 0
}

// takenFrom reports whether the token may be presented from an address. One
// that can't be read, or is not known, is in no network.
func (t *Token) takenFrom(address string) bool {
	if len(t.Networks) == 0 {
		return true
	}
	a, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	a = a.Unmap().WithZone("")
	for _, network := range t.Networks {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

func isBase62(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// minTelling is how many digits of a token behind its prefix are more than a
// name, also of one that was cut off or mistyped.
const minTelling = 8

// Removed stands where a credential was.
const Removed = "[credential]"

// WithoutTokens is a text with Removed in place of everything that has the form
// of a token of the gateway, whole or cut off.
func WithoutTokens(s string) string {
	at := strings.Index(s, TokenPrefix)
	if at < 0 {
		return s
	}
	var b strings.Builder
	for at >= 0 {
		end := at + len(TokenPrefix)
		for end < len(s) && isBase62(s[end]) {
			end++
		}
		b.WriteString(s[:at])
		if end-at >= len(TokenPrefix)+minTelling {
			b.WriteString(Removed)
		} else {
			b.WriteString(s[at:end])
		}
		s = s[end:]
		at = strings.Index(s, TokenPrefix)
	}
	b.WriteString(s)
	return b.String()
}
