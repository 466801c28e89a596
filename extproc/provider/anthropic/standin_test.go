package anthropic_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
	"sluice/internal/simulate"
)

// TestStandIn sends every OpenAI call that is accepted to the strict
// stand-in for Anthropic, and reads its answers, whole and streamed, as
// OpenAI's SDKs do.
func TestStandIn(t *testing.T) {
	server := httptest.NewServer(simulate.NewAnthropic(simulate.Options{Keys: []string{canary}}))
	defer server.Close()
	target := targetOf(map[string]string{"anthropic_api_base": server.URL + "/v1"})
	b, err := os.ReadFile("testdata/openai_requests.json")
	require.NoError(t, err)
	var cases []openAICase
	require.NoError(t, json.Unmarshal(b, &cases))
	for _, c := range cases {
		if c.Param != "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			req := openAIRequest(t, c.operation(), c.In)
			call, e := open(target, req, frozen)
			require.Nil(t, e)
			res := send(t, server.URL, call.Upstream())
			defer res.Body.Close()
			if !req.Stream {
				body, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				r := call.Complete(res.StatusCode, func(n string) string { return res.Header.Get(n) }, body)
				require.Nil(t, r.Error, "%s", body)
				require.Contains(t, string(r.Body), `"choices":[{"index":0,`)
			} else {
				require.Equal(t, http.StatusOK, res.StatusCode)
				out := streamed(t, call, res.Body)
				require.True(t, bytes.HasSuffix(out, []byte("data: [DONE]\n\n")), "%s", out)
			}
			require.Positive(t, call.Usage().Input)
			require.Positive(t, call.Usage().Output)
		})
	}
}

// TestStandInFaults: what the stand-in's faults do to a client.
func TestStandInFaults(t *testing.T) {
	stand := simulate.NewAnthropic(simulate.Options{Keys: []string{canary}})
	server := httptest.NewServer(stand)
	defer server.Close()
	body := []byte(`{"model":"e","messages":[{"role":"user","content":"hi"}],"stream":true}`)
	for model, code := range map[string]string{
		"fault-529": dialect.CodeProviderOverloaded, "fault-429": dialect.CodeProviderRateLimited, "fault-500": dialect.CodeProviderError,
		"fault-truncate": dialect.CodeStreamTruncated, "fault-error-event": dialect.CodeProviderOverloaded, "fault-html": dialect.CodeProviderContentType,
	} {
		t.Run(model, func(t *testing.T) {
			target := targetOf(map[string]string{"anthropic_api_base": server.URL + "/v1"})
			target.Model = model
			call, e := open(target, openAIRequest(t, dialect.Chat, body), frozen)
			require.Nil(t, e)
			res := send(t, server.URL, call.Upstream())
			defer res.Body.Close()
			if strings.HasPrefix(res.Header.Get("content-type"), "text/event-stream") {
				streamed(t, call, res.Body)
				require.NotNil(t, call.Err())
				require.Equal(t, code, call.Err().Code)
				return
			}
			whole, _ := io.ReadAll(res.Body)
			r := call.Complete(res.StatusCode, func(n string) string { return res.Header.Get(n) }, whole)
			require.NotNil(t, r.Error)
			require.Equal(t, code, r.Error.Code)
		})
	}
}

func send(t *testing.T, base string, up kit.Upstream) *http.Response {
	t.Helper()
	req, err := http.NewRequest(up.Method, base+up.Path, bytes.NewReader(up.Body))
	require.NoError(t, err)
	for _, h := range up.Headers {
		req.Header.Set(h[0], h[1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	return res
}

// streamed passes a body on in small pieces, as it comes.
func streamed(t *testing.T, call kit.Call, body io.Reader) (out []byte) {
	t.Helper()
	buf := make([]byte, 57)
	for {
		n, err := body.Read(buf)
		part, done := call.Chunk(buf[:n], err != nil)
		out = append(out, part...)
		if done || err != nil {
			return out
		}
	}
}
