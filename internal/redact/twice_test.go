package redact_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/redact"
)

// TestMarksStay: what was redacted is redacted again on its way to a sink, and
// must come out as it is, also where a mark looks like a number.
func TestMarksStay(t *testing.T) {
	r, err := redact.New(redact.Options{Key: []byte("key")})
	require.NoError(t, err)
	for _, kind := range []string{"email", "phone", "card", "iban", "us_ssn", "nl_bsn", "api_key", "named_secret", "field"} {
		for _, hex := range []string{"415555267134", "004155552671", "411111111111", "9f86d081884c", "123456789123"} {
			mark := fmt.Sprintf("[%s:%s]", kind, hex)
			for _, text := range []string{mark, "phone: " + mark + ", " + mark, `{"phone":"` + mark + `"}`, "card " + mark} {
				require.Equal(t, text, r.Text(text))
				require.Equal(t, text, string(r.Body([]byte(text))))
			}
		}
	}
}
