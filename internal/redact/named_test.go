package redact_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/redact"
)

// TestLongValues: a value without quotes is replaced to its end, however long it
// is, where it has a digit within its first 256 characters.
func TestLongValues(t *testing.T) {
	r := newRedactor(t, redact.Options{})
	for _, n := range []int{200, 254, 255, 256, 257, 300, 5000, 70_000} {
		long := "a1-" + strings.Repeat("x_y-z.", n/6+1)[:n-3]
		late := strings.Repeat("x_y-z.", 42) + "1" + long // its first digit is its 253rd character
		for _, value := range []string{long, late} {
			for in, want := range map[string]string{
				"password: " + value + " and more":           "password: [named_secret] and more",
				"client_secret = " + value:                   "client_secret = [named_secret]",
				"passphrase=" + value + "\nnext: line":       "passphrase=[named_secret]\nnext: line",
				"first\npassword: " + value + "\nnext: line": "first\npassword: [named_secret]\nnext: line",
				`password: ` + value + `\nnext: line`:        `password: [named_secret]\nnext: line`,
				`{"a":"password: ` + value + `\nnext"}`:      `{"a":"password: [named_secret]\nnext"}`,
				"Authorization: Basic " + value + "\r\nX: y": "Authorization: Basic [named_secret]\r\nX: y",
			} {
				require.Equal(t, want, string(r.Body([]byte(in))), "%d characters", len(value))
			}
		}
	}
	// Without a digit near its beginning it is a word, a path or a program.
	word := "secret: " + strings.Repeat("pneumono/", 60) + "7 there"
	require.Equal(t, word, string(r.Body([]byte(word))))
}
