package identity_test

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
)

// sample is well-formed: 32 zero bytes and the CRC-32 of what is before it.
const sample = "slu_0000000000000000000000000000000000000000000249qMB"

func TestTokenFormat(t *testing.T) {
	w := newWorld(t)
	u := w.user("ann")
	seen := map[string]bool{}
	for range 200 {
		plain, issued := w.token(identity.Token{UserID: u.ID})
		require.Len(t, plain, 53)
		require.Regexp(t, `^slu_[0-9a-zA-Z]{49}$`, plain)
		require.False(t, seen[plain])
		seen[plain] = true

		hash, err := identity.ParseToken(plain)
		require.NoError(t, err)
		require.Equal(t, sha256.Sum256([]byte(plain)), hash)
		require.Equal(t, hash, issued.Hash)
	}
}

// TestSampleToken pins the format: tokens that were issued stay good.
func TestSampleToken(t *testing.T) {
	hash, err := identity.ParseToken(sample)
	require.NoError(t, err)
	require.Equal(t, sha256.Sum256([]byte(sample)), hash)
	_, err = newWorld(t).Authenticate(bare(sample))
	require.ErrorIs(t, err, identity.ErrUnknownToken)
}

func TestParseTokenTellsMalformed(t *testing.T) {
	w := newWorld(t)
	good, _ := w.token(identity.Token{UserID: w.user("ann").ID})
	tests := map[string]string{
		"empty":            "",
		"prefix only":      "slu_",
		"short":            good[:52],
		"long":             good + "0",
		"another prefix":   "sk-" + good[3:],
		"upper prefix":     "SLU_" + good[4:],
		"space before":     " " + good[:52],
		"not base62":       "slu_" + strings.Repeat("-", 49),
		"bytes":            strings.Repeat("\xff", 53),
		"checksum changed": good[:52] + string(other(good[52])),
		"body changed":     good[:10] + string(other(good[10])) + good[11:],
		"digits swapped":   swapped(good),
	}
	for name, token := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := identity.ParseToken(token)
			require.ErrorIs(t, err, identity.ErrMalformedToken)
			_, err = w.Authenticate(bare(token))
			if token == "" {
				require.ErrorIs(t, err, identity.ErrNoCredential)
				return
			}
			require.ErrorIs(t, err, identity.ErrMalformedToken)
		})
	}
}

func other(c byte) byte {
	if c == 'a' {
		return 'b'
	}
	return 'a'
}

// swapped exchanges the first two neighbours that differ.
func swapped(token string) string {
	b := []byte(token)
	for i := 4; ; i++ {
		if b[i] != b[i+1] {
			b[i], b[i+1] = b[i+1], b[i]
			return string(b)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	w := newWorld(f)
	good, _ := w.token(identity.Token{UserID: w.user("ann").ID})
	f.Add(good)
	f.Add(good[:52])
	f.Add("slu_" + strings.Repeat("0", 49))
	f.Add(sample)
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		hash, err := identity.ParseToken(token)
		if err != nil {
			if !errors.Is(err, identity.ErrMalformedToken) || hash != [32]byte{} {
				t.Fatalf("ParseToken(%q) = %x, %v", token, hash, err)
			}
			if len(token) > 8 && strings.Contains(err.Error(), token) {
				t.Fatalf("the error shows the token: %v", err)
			}
			return
		}
		if len(token) != 53 || hash != sha256.Sum256([]byte(token)) {
			t.Fatalf("ParseToken(%q) accepted it with hash %x", token, hash)
		}
		// Changing any single digit must be noticed: a CRC-32 sees that always.
		for i := range len(token) {
			if _, err := identity.ParseToken(token[:i] + string(other(token[i])) + token[i+1:]); err == nil {
				t.Fatalf("a changed digit %d of %q went unnoticed", i, token)
			}
		}
	})
}

func TestWithoutTokens(t *testing.T) {
	for in, want := range map[string]string{
		"":                                     "",
		"/v1/models/" + sample:                 "/v1/models/[credential]",
		"a " + sample + ", b " + sample + "/c": "a [credential], b [credential]/c",
		"/v1/models/" + sample[:20]:            "/v1/models/[credential]",
		"/v1/models/slu_model":                 "/v1/models/slu_model",
		"slu_":                                 "slu_",
	} {
		require.Equal(t, want, identity.WithoutTokens(in))
	}
}
