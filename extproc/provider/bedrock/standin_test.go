package bedrock_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/bedrock"
	"sluice/extproc/provider/kit"
	"sluice/internal/credentials"
	"sluice/internal/simulate"
)

// host is where Bedrock is reached in this region.
const host = "bedrock-runtime.us-east-1.amazonaws.com"

// send sends a request, or each of a batch, as the gateway does.
func send(t *testing.T, url string, up kit.Upstream) (status int, header http.Header, body []byte) {
	t.Helper()
	if len(up.Batch) == 0 {
		return sendOne(t, url, up, up.Body)
	}
	var all [][]byte
	for _, b := range up.Batch {
		status, header, body = sendOne(t, url, up, b)
		if status != http.StatusOK {
			return status, header, body
		}
		all = append(all, body)
	}
	return status, header, append(append([]byte{'['}, bytes.Join(all, []byte{','})...), ']')
}

func sendOne(t *testing.T, url string, up kit.Upstream, body []byte) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequest(up.Method, url+up.Path, bytes.NewReader(body))
	require.NoError(t, err)
	for _, h := range up.Headers {
		req.Header.Set(h[0], h[1])
	}
	req.Host = host
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, res.Header, got
}

// TestStandIn sends calls of every dialect to the strict stand-in for Bedrock.
func TestStandIn(t *testing.T) {
	server := httptest.NewServer(simulate.NewBedrock(simulate.NewAWSAccount(), simulate.Options{Keys: []string{"bt-canary-0123456789"}}))
	defer server.Close()
	const hi = `"messages":[{"role":"user","content":"hello there"}]`
	const weather = `"messages":[{"role":"user","content":"the weather in Paris"}],"tools":[{"type":"function","function":{"name":"get_weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}]`
	for name, c := range map[string]struct {
		dialect dialect.Dialect
		op      dialect.Operation
		model   string
		body    string
		want    string
	}{
		"openai":            {dialect.OpenAI, dialect.Chat, claude, hi, "there"},
		"openai tools":      {dialect.OpenAI, dialect.Chat, claude, weather, "get_weather"},
		"openai nova":       {dialect.OpenAI, dialect.Chat, "us.amazon.nova-pro-v1:0", hi + `,"temperature":0.5,"stop":["x"]`, "there"},
		"openai text":       {dialect.OpenAI, dialect.Completions, claude, `"prompt":"hello there"`, "there"},
		"responses":         {dialect.Responses, dialect.Chat, claude, `"input":"hello there"`, "there"},
		"anthropic":         {dialect.Anthropic, dialect.Chat, claude, hi + `,"max_tokens":100`, "there"},
		"anthropic to nova": {dialect.Anthropic, dialect.Chat, "us.amazon.nova-pro-v1:0", hi + `,"max_tokens":100`, "there"},
		"embeddings":        {dialect.OpenAI, dialect.Embeddings, "amazon.titan-embed-text-v2:0", `"input":["a","b"],"dimensions":256`, `"index":1`},
		"cohere embeddings": {dialect.OpenAI, dialect.Embeddings, "cohere.embed-english-v3", `"input":["a","b"]`, `"index":1`},
	} {
		for _, stream := range []bool{false, true} {
			if stream && c.op == dialect.Embeddings {
				continue
			}
			t.Run(strings.TrimSuffix(name+" stream", map[bool]string{false: " stream", true: ""}[stream]), func(t *testing.T) {
				more := ""
				if stream {
					more = `,"stream":true`
				}
				tgt := keyed(c.model)
				tgt.Config["aws_endpoint_url"] = server.URL
				call, e := open(tgt, parsed(t, c.dialect, c.op, `{"model":"e",`+c.body+more+`}`))
				require.Nil(t, e)
				status, header, body := send(t, server.URL, call.Upstream())
				require.Equal(t, 200, status, "%s", body)
				if stream {
					require.True(t, call.IsStream(header.Get("content-type")))
					out, done := feed(call, body, 77)
					require.True(t, done)
					require.Nil(t, call.Err())
					require.Contains(t, string(out), c.want)
				} else {
					r := call.Complete(status, header.Get, body)
					require.Nil(t, r.Error, "%s", body)
					require.Contains(t, string(r.Body), c.want)
				}
				require.Positive(t, call.Usage().Input)
			})
		}
	}
}

// TestSigned signs requests as the gateway does; the stand-in verifies the
// signatures, whatever is in the model's id.
func TestSigned(t *testing.T) {
	server := httptest.NewServer(simulate.NewBedrock(simulate.NewAWSAccount(
		simulate.AWSKey{ID: "AKIDCANARY0123456789", Secret: "canary/secret/0123456789"}), simulate.Options{}))
	defer server.Close()
	manager := credentials.New(credentials.Options{HTTP: http.DefaultClient})
	defer manager.Close()
	for _, model := range []string{
		claude, "arn:aws:bedrock:us-east-1:123456789012:inference-profile/" + claude,
		"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a%b%2Fc d",
	} {
		for _, stream := range []bool{false, true} {
			tgt := target(model)
			call, e := open(tgt, mlflowRequest(dialect.Chat, []byte(`{"messages":[{"role":"user","content":"hello there"}]}`), stream))
			require.Nil(t, e)
			credential, ok := bedrock.Provider.Credential(tgt)
			require.True(t, ok)
			up := call.Upstream()
			require.NoError(t, manager.For(credential).Authorize(t.Context(), &up, host))
			status, header, body := send(t, server.URL, up)
			require.Equal(t, 200, status, "%s: %s", model, body)
			if stream {
				out, done := feed(call, body, 50)
				require.True(t, done)
				require.Nil(t, call.Err())
				require.Contains(t, string(out), "there")
			} else {
				require.Contains(t, string(call.Complete(status, header.Get, body).Body), "there")
			}
		}
	}
}

// TestStandInRefuses: a key that is not the account's.
func TestStandInRefuses(t *testing.T) {
	server := httptest.NewServer(simulate.NewBedrock(simulate.NewAWSAccount(), simulate.Options{Keys: []string{"another"}}))
	defer server.Close()
	call, e := open(keyed(claude), parsed(t, dialect.OpenAI, dialect.Chat, `{"model":"e","messages":[{"role":"user","content":"hi"}]}`))
	require.Nil(t, e)
	status, header, body := send(t, server.URL, call.Upstream())
	require.Equal(t, 403, status)
	r := call.Complete(status, header.Get, body)
	require.Equal(t, 502, r.Status)
	require.Equal(t, dialect.CodeProviderCredentialRejected, r.Error.Code)
}
