package redact_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/redact"
)

// TestDisguises hides data as it comes from spreadsheets, PDFs, programs and people
// who do not want it to be seen.
func TestDisguises(t *testing.T) {
	r := newRedactor(t, redact.Options{Key: key, Fields: []string{"*.customer"}})
	for _, c := range []struct{ body, gone string }{
		{`{"a":"1,4111111111111111,2"}`, "4111111"},
		{`{"a":"Jane,4111 1111 1111 1111,12/27"}`, "1111"},
		{`{"a":"7,86095742719,Jane"}`, "86095742719"},
		{`{"a":"7,123-45-6789,Jane"}`, "6789"},
		{`{"a":"4111111111111111 12/27"}`, "4111111"},
		{`{"a":"4111111111111111:12:27:123"}`, "4111111"},
		{`{"a":"4111111111111111/12/27 123"}`, "4111111"},
		{`{"a":"4111.1111.1111.1111"}`, "1111"},
		{`{"a":"4111111111111111.0,"}`, "4111111"},
		{`{"a":[-4111111111111111,4111111111111111.0,4111111111111111.00]}`, "4111111"},
		{"{\"a\":\"4111\u00a01111\u00a01111\u00a01111\"}", "1111"},
		{`{"a":"4111\u00a01111\u00a01111\u00a01111"}`, "1111"},
		{"{\"a\":\"4111\u20111111\u20111111\u20111111\"}", "1111"},
		{"{\"a\":\"DE89\u202f3704\u202f0044\u202f0532\u202f0130\u202f00\"}", "3704"},
		{"{\"a\":\"411111\u200b1111\u200d111111\"}", "1111"},
		{"{\"a\":\"\uff14\uff11\uff11\uff11 \uff11\uff11\uff11\uff11 \uff11\uff11\uff11\uff11 \uff11\uff11\uff11\uff11\"}", "\uff11"},
		{"{\"a\":\"\u0664\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\"}", "\u0661"},
		{"{\"a\":\"jane.roe\u200b@exam\u00adple.com\"}", "jane"},
		{"{\"a\":\"jane.roe\uff20example.com\"}", "jane"},
		{`{"a":"My settings are {\"db\":{\"password\": \"hunter2x\"}}, and it fails"}`, "hunter2x"},
		{`{"a":"db = connect(password='hunter2x')"}`, "hunter2x"},
		{`{"a":"https://db.example/?user=jane&password=hunter2x&tls=1"}`, "hunter2x"},
		{`{"arguments":"{\"password\":\"hunter2x\",\"b\":"}`, "hunter2x"},
		{`{"arguments":"{\"password\":\"hunter2x"}`, "hunter2x"},
		{`user=jane&client_secret=hunter2x`, "hunter2x"},
		{`{"customer":"Jane Roe","text":"something that was cu`, "Jane"},
		{"data: {\"customer\":\"Jane Roe\n\n", "Jane"},
	} {
		got := string(r.Body([]byte(c.body)))
		require.NotContains(t, got, c.gone, c.body)
		require.Equal(t, json.Valid([]byte(c.body)), json.Valid([]byte(got)), got)
		require.Equal(t, got, string(r.Body([]byte(got))), "what was redacted stays as it is")
	}
	plain := string(r.Body([]byte(`{"a":"4111 1111 1111 1111"}`)))
	require.Equal(t, plain, string(r.Body([]byte("{\"a\":\"4111\u00a01111\u00a01111\u20091111\"}"))), "the mark is the same")
	for _, body := range []string{
		`{"a":"0,333 1,234,567 12,345.678 3,14159 v1.2.3.4"}`, `{"a":"the password: see below. secret = none of this"}`,
		"{\"a\":\"na\u00efve \u2013 4\u00a0711\u200b\"}", "data: [DONE]\n\n",
	} {
		require.Equal(t, body, string(r.Body([]byte(body))))
	}
}
