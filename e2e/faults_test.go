package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
	"sluice/internal/simulate"
)

// fault is one way in which a provider fails, and what each client is told.
// docs/errors.md is this table for people.
type fault struct {
	act            simulate.Act
	stream         bool
	openai, mlflow int    // status; 0: broken off, or a 502 or 503 where nothing was sent yet
	code           string // in the reply or the stream, and in the record
	result         string
	retryAfter     string
	theirs         bool // an OpenAI client gets OpenAI's own words, code included
}

var faults = map[string]fault{
	"reset before the head":   {act: simulate.Act{Fault: simulate.ResetHead}, openai: 502, mlflow: 502, code: "provider_reset", result: "provider_error"},
	"slow head":               {act: simulate.Act{Fault: simulate.StallHead}, openai: 504, mlflow: 504, code: "provider_timeout", result: "provider_error"},
	"reset after the head":    {act: simulate.Act{Fault: simulate.Reset}, openai: 502, mlflow: 502, code: "provider_reset", result: "provider_error"},
	"truncated body":          {act: simulate.Act{Fault: simulate.Truncate}, openai: 502, mlflow: 502, code: "provider_reset", result: "provider_error"},
	"reset in the stream":     {act: simulate.Act{Fault: simulate.Reset}, stream: true, code: "provider_reset", result: "provider_error"},
	"stalled stream":          {act: simulate.Act{Fault: simulate.Stall}, stream: true, code: "provider_timeout", result: "provider_error"},
	"truncated stream":        {act: simulate.Act{Fault: simulate.Truncate}, stream: true, openai: 200, mlflow: 200, code: "stream_truncated", result: "provider_error"},
	"error event":             {act: simulate.Act{Fault: simulate.ErrorEvent}, stream: true, openai: 200, mlflow: 200, result: "provider_error"},
	"HTML instead of JSON":    {act: simulate.Act{Fault: simulate.HTML}, openai: 502, mlflow: 502, code: "provider_content_type", result: "provider_error"},
	"HTML instead of a 503":   {act: simulate.Act{Fault: simulate.HTML, Status: 503}, openai: 502, mlflow: 502, code: "provider_content_type", result: "provider_error"},
	"half a JSON document":    {act: simulate.Act{Fault: simulate.Garbage}, openai: 502, mlflow: 502, code: "provider_invalid_reply", result: "provider_error"},
	"compressed all the same": {act: simulate.Act{Fault: simulate.Gzip}, openai: 200, mlflow: 200, result: "answered"},
	"a compressed stream":     {act: simulate.Act{Fault: simulate.Gzip}, stream: true, openai: 200, mlflow: 200, result: "answered"},
	"400":                     {act: simulate.Act{Fault: simulate.Fail, Status: 400}, openai: 400, mlflow: 400, code: "provider_rejected_request", result: "provider_error", theirs: true},
	"401":                     {act: simulate.Act{Fault: simulate.Fail, Status: 401}, openai: 502, mlflow: 401, code: "provider_credential_rejected", result: "provider_error"},
	"403":                     {act: simulate.Act{Fault: simulate.Fail, Status: 403}, openai: 502, mlflow: 403, code: "provider_credential_rejected", result: "provider_error"},
	"429 with Retry-After":    {act: simulate.Act{Fault: simulate.Fail, Status: 429, RetryAfter: "7"}, openai: 429, mlflow: 429, code: "provider_rate_limited", result: "provider_error", retryAfter: "7", theirs: true},
	"500":                     {act: simulate.Act{Fault: simulate.Fail, Status: 500}, openai: 500, mlflow: 500, code: "provider_error", result: "provider_error", theirs: true},
	"529":                     {act: simulate.Act{Fault: simulate.Fail, Status: 529, RetryAfter: "3"}, openai: 503, mlflow: 529, code: "provider_overloaded", result: "provider_error", retryAfter: "3"},
}

// TestEachFaultHasOneReplyAndOneRecord plays every fault of every provider to
// every dialect, but those that wait for the idle timeout.
func TestEachFaultHasOneReplyAndOneRecord(t *testing.T) {
	playFaults(t, rig.Start(t, rig.Options{Limits: "{ idle_timeout: 60s }"}), false)
}

// TestEachSilenceHasOneReplyAndOneRecord plays those: their idle timeout is one
// that calls meet by chance on a busy machine.
func TestEachSilenceHasOneReplyAndOneRecord(t *testing.T) {
	t.Parallel() // it waits, mostly
	playFaults(t, rig.Start(t, rig.Options{Limits: "{ idle_timeout: 3s }"}), true)
}

func playFaults(t *testing.T, g *rig.Gateway, silent bool) {
	for name, f := range faults {
		if silent != (f.act.Fault == simulate.StallHead || f.act.Fault == simulate.Stall) {
			continue
		}
		for _, backend := range []string{"openai", "anthropic"} {
			for _, dialect := range []string{"openai", "mlflow"} {
				t.Run(name+"/"+backend+"/"+dialect, func(t *testing.T) { playFault(t, g, f, backend, dialect) })
			}
		}
	}
}

func playFault(t *testing.T, g *rig.Gateway, f fault, backend, dialect string) {
	provider, key := g.OpenAI, rig.OpenAIKey
	if backend == "anthropic" {
		provider, key = g.Anthropic, rig.AnthropicKey
	}
	provider.Forget()
	provider.Next(f.act)
	want, path, body := f.openai, "/v1/chat/completions", `{"model":"chat-`+backend+`","max_tokens":64,`
	if dialect == "mlflow" {
		want, path, body = f.mlflow, "/endpoints/chat-"+backend+"/invocations", `{"max_tokens":64,`
	}
	if f.stream {
		body += `"stream":true,`
	}
	since := time.Now().UTC().Add(-time.Second).Format(time.RFC3339Nano)
	r, err := g.Do("POST", path, g.UserToken, body+hello[1:])
	switch {
	case want == 0 && err != nil:
	case want == 0:
		require.Contains(t, []int{502, 503, 504}, r.Status, "the reply must not look complete: %s", r.Body)
	default:
		require.NoError(t, err)
		require.Equal(t, want, r.Status, "%s", r.Body)
		if !f.theirs || backend != "openai" || dialect != "openai" {
			require.Contains(t, string(r.Body), f.code)
		}
		require.Equal(t, f.retryAfter, r.Header.Get("Retry-After"))
		if r.Status != http.StatusOK {
			require.Equal(t, "application/json", r.Header.Get("Content-Type"))
		}
		for _, leak := range []string{key, "127.0.0.1", "<html", g.UserToken} {
			require.NotContains(t, strings.ToLower(string(r.Body)), strings.ToLower(leak))
		}
	}
	require.LessOrEqual(t, len(provider.Requests()), 1, "a call of a model is made once")
	o := outcome(t, lastRecord(t, g, since))
	require.Equal(t, f.result, o["result"])
	if f.code != "" {
		require.Equal(t, f.code, o["code"])
	}
}

// lastRecord is the newest record of an exchange since then.
func lastRecord(t *testing.T, g *rig.Gateway, since string) map[string]any {
	t.Helper()
	var found map[string]any
	eventually(t, "the exchange's record is whole", func() bool {
		r := g.Admin("GET", "/api/sluice/v1/audit?limit=1&kinds=AccessEndpoint&startTime="+since, "").JSON(t)
		list, _ := r["records"].([]any)
		if len(list) != 1 {
			return false
		}
		found = list[0].(map[string]any)
		return found["outcome"] != nil
	})
	return found
}

// TestAnUnreachableProvider covers what no provider can play: nobody listens,
// and the certificate is another's.
func TestAnUnreachableProvider(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	for host, want := range map[string]struct {
		status int
		code   string
	}{
		"refused.example":    {503, "provider_unreachable"},
		"wrong-name.example": {502, "provider_tls_failed"},
	} {
		name := strings.ReplaceAll(host, ".", "-")
		g.Admin("POST", "/api/aigateway/v1/endpoints", rig.Endpoint(name, "chat", "openai", "gpt-4o-mini",
			map[string]string{"openai_api_key": rig.OpenAIKey, "openai_api_base": "https://" + host + "/v1"}))
		for _, path := range []string{"/v1/chat/completions", "/endpoints/" + name + "/invocations"} {
			body := hello
			if strings.HasPrefix(path, "/v1") {
				body = `{"model":"` + name + `",` + hello[1:]
			}
			r := g.Call("POST", path, g.UserToken, body)
			require.Equal(t, want.status, r.Status, "%s", r.Body)
			require.Contains(t, string(r.Body), want.code)
			require.NotContains(t, string(r.Body), "127.0.0.1")
			require.Equal(t, want.code, outcome(t, record(t, g, r.Header.Get("X-Request-Id")))["code"])
		}
	}
	require.Empty(t, g.OpenAI.Requests(), "nothing is sent to a host whose certificate is another's")
}
