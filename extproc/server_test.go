package extproc_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/decision"
)

const chat = `{"messages":[{"role":"user","content":"hi"}]}`

const answer = `{"id":"c1","object":"chat.completion","created":1,"model":"gpt-4o-mini",` +
	`"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],` +
	`"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}`

var bearer = []string{"authorization", "Bearer " + goodToken}

// forwarded plays a call up to the moment it goes upstream.
func forwarded(t *testing.T, w *world, path, body string, more ...string) (*script, *extprocv3.CommonResponse) {
	t.Helper()
	s := w.open()
	r := s.say(requestHead(path, append(more, bearer...)...))
	require.NotNil(t, r.GetRequestHeaders(), "%v", r)
	r = s.say(requestBody(body))
	require.NotNil(t, r.GetRequestBody(), "%v", r)
	return s, r.GetRequestBody().Response
}

func TestACallIsRecordedThenForwardedThenAnswered(t *testing.T) {
	w := newWorld(t)
	s, up := forwarded(t, w, "/endpoints/chat/invocations", chat, "cookie", "a=b", "x-stainless-lang", "python")
	require.Equal(t, []string{"begin"}, w.events)
	require.True(t, up.ClearRouteCache)
	set := setHeaders(up.HeaderMutation)
	require.Equal(t, "https:api.openai.com:443", set["x-gateway-route"])
	require.Equal(t, "/v1/chat/completions", set[":path"])
	require.Equal(t, "Bearer "+secret, set["authorization"])
	require.ElementsMatch(t, []string{"cookie", "x-stainless-lang"}, remaining(up.HeaderMutation.RemoveHeaders, "x-request-id", "content-type"))
	require.JSONEq(t, `{"model":"gpt-4o-mini","n":1,"messages":[{"role":"user","content":"hi"}]}`, string(up.BodyMutation.GetBody()))
	require.Equal(t, "127.0.0.1", w.req.ClientAddr, "what the client wrote before Envoy's own element does not count")
	require.Equal(t, "gpt-4o-mini", w.req.Model)

	r := s.say(responseHead(":status", "200", "content-type", "application/json", "set-cookie", "cf=1", "openai-organization", "acme"))
	mut := r.GetResponseHeaders().Response.HeaderMutation
	require.ElementsMatch(t, []string{"set-cookie", "openai-organization"}, mut.RemoveHeaders)
	require.Equal(t, exchange, setHeaders(mut)["x-request-id"])

	r = s.say(responseBody(answer, true))
	require.Equal(t, []string{"begin", "end answered"}, w.events, "the record is whole before the reply is released")
	var got map[string]any
	require.NoError(t, json.Unmarshal(r.GetResponseBody().Response.BodyMutation.GetBody(), &got))
	require.Equal(t, "openai", got["provider"])
	require.EqualValues(t, 3, w.last.InputTokens)
	require.EqualValues(t, 1, w.last.OutputTokens)
	s.end()
	require.Len(t, w.events, 2)
}

func remaining(names []string, without ...string) []string {
	var out []string
	for _, n := range names {
		skip := false
		for _, x := range without {
			skip = skip || n == x
		}
		if !skip {
			out = append(out, n)
		}
	}
	return out
}

// TestRefusals walks every refusal before anything goes upstream: its status,
// its code, its record.
func TestRefusals(t *testing.T) {
	deny := decision.Decision{Reasons: []decision.Reason{{Code: "not_permitted", Message: "Ask."}}}
	for name, c := range map[string]struct {
		path, body   string
		head         []string
		decision     *decision.Decision
		status       int
		code, record string
	}{
		"no credential":    {path: "/endpoints/chat/invocations", status: 401, code: "no_credential", record: "unauthenticated"},
		"unknown token":    {path: "/v1/chat/completions", head: []string{"x-api-key", "nope"}, status: 401, code: "unknown_token", record: "unauthenticated"},
		"two credentials":  {path: "/v1/chat/completions", head: []string{"x-api-key", "nope", "authorization", "Bearer " + goodToken}, status: 401, code: "ambiguous_credential", record: "unauthenticated"},
		"from Anthropic's": {path: "/v1/messages", head: []string{"x-api-key", "nope"}, status: 401, code: "unknown_token", record: "unauthenticated"},
		"no such path":     {path: "/endpoints/chat%2fx/invocations", head: bearer, status: 404, code: "route_not_found", record: "refused"},
		"compressed":       {path: "/v1/chat/completions", head: append([]string{"content-encoding", "gzip"}, bearer...), status: 415, code: "unsupported_media_type", record: "refused"},
		"unknown endpoint": {path: "/endpoints/nope/invocations", head: bearer, body: chat, status: 404, code: "endpoint_not_found", record: "refused"},
		"upper case":       {path: "/endpoints/CHAT/invocations", head: bearer, body: chat, status: 404, code: "endpoint_not_found", record: "refused"},
		"unknown model":    {path: "/v1/chat/completions", head: bearer, body: `{"model":"nope","messages":[]}`, status: 404, code: "endpoint_not_found", record: "refused"},
		"denied":           {path: "/endpoints/chat/invocations", head: bearer, body: chat, decision: &deny, status: 403, code: "not_permitted", record: "denied"},
		"denied, bad body": {path: "/endpoints/chat/invocations", head: bearer, body: `{`, decision: &deny, status: 403, code: "not_permitted", record: "denied"},
		"bad body":         {path: "/endpoints/chat/invocations", head: bearer, body: `{`, status: 422, record: "refused"},
		"wrong type":       {path: "/v1/chat/completions", head: bearer, body: `{"model":"vectors","messages":[{"role":"user","content":"x"}]}`, status: 400, code: "wrong_endpoint_type", record: "refused"},
		"switched off":     {path: "/endpoints/off/invocations", head: bearer, body: chat, status: 403, code: "endpoint_disabled", record: "refused"},
		"off, for OpenAI":  {path: "/v1/chat/completions", head: bearer, body: `{"model":"off","messages":[{"role":"user","content":"x"}]}`, status: 403, code: `"code":"endpoint_disabled"`, record: "refused"},
		"off, native":      {path: "/native/off/v1/models", head: bearer, body: "", status: 403, code: "endpoint_disabled", record: "refused"},
		"off and denied":   {path: "/endpoints/off/invocations", head: bearer, body: chat, decision: &deny, status: 403, code: "not_permitted", record: "denied"},
		"broken endpoint":  {path: "/endpoints/broken/invocations", head: bearer, body: chat, status: 503, code: "not_ready", record: "gateway_error"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.decision != nil {
				w.decision = *c.decision
			}
			s := w.open()
			r := s.say(requestHead(c.path, c.head...))
			if r.GetImmediateResponse() == nil {
				r = s.say(requestBody(c.body))
			}
			im := r.GetImmediateResponse()
			require.NotNil(t, im, "%v", r)
			require.EqualValues(t, c.status, im.Status.Code)
			require.Contains(t, string(im.Body), c.code)
			require.NotContains(t, string(im.Body), secret)
			require.Equal(t, []string{"refuse " + c.record}, w.events)
			require.Equal(t, exchange, setHeaders(im.Headers)["x-request-id"])
			if strings.HasPrefix(c.path, "/v1/messages") {
				require.Equal(t, exchange, setHeaders(im.Headers)["request-id"], "where Anthropic's SDKs look")
			}
			s.end()
			require.Len(t, w.events, 1, "one exchange, one record")
		})
	}
}

// TestARefusalWaitsForASmallBodyOnly: a client over HTTP/2 that has not sent the
// rest of its request may lose an answer to the beginning.
func TestARefusalWaitsForASmallBodyOnly(t *testing.T) {
	for length, waits := range map[string]bool{"": false, "65536": true, "65537": false, "x": false} {
		w := newWorld(t)
		s := w.open()
		m := requestHead("/endpoints/chat/invocations")
		list := m.GetRequestHeaders().Headers.Headers
		require.Equal(t, "content-length", list[len(list)-1].Key)
		list[len(list)-1].RawValue = []byte(length)
		r := s.say(m)
		require.Equal(t, []string{"refuse unauthenticated"}, w.events, "recorded when it is decided")
		require.Equal(t, waits, r.GetImmediateResponse() == nil, length)
		if waits {
			r = s.say(requestBody(chat))
		}
		require.EqualValues(t, 401, r.GetImmediateResponse().GetStatus().GetCode())
		s.end()
		require.Len(t, w.events, 1, "one exchange, one record")
		require.Empty(t, w.wanted, "the body of a stranger is not kept")
	}
}

func TestAPolicyThatFailsLetsNobodyThroughAndBlamesNobody(t *testing.T) {
	w := newWorld(t)
	w.policyErr = errors.New("evaluation took too long")
	s := w.open()
	s.say(requestHead("/endpoints/chat/invocations", bearer...))
	im := s.say(requestBody(chat)).GetImmediateResponse()
	require.EqualValues(t, 503, im.GetStatus().GetCode())
	require.Contains(t, string(im.Body), "policy_unavailable")
	s.end()
	require.Equal(t, []string{"refuse gateway_error"}, w.events)
}

func TestABodyAtTheHeadsEndIsEmpty(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	m := requestHead("/endpoints/chat/invocations", bearer...)
	m.GetRequestHeaders().EndOfStream = true
	r := s.say(m)
	require.EqualValues(t, http.StatusUnprocessableEntity, r.GetImmediateResponse().GetStatus().GetCode())
	s.end()
}

func TestTheLimitHoldsForAUserAndSaysWhen(t *testing.T) {
	w := newWorld(t)
	s, _ := forwarded(t, w, "/endpoints/limited/invocations", chat)
	s.end()
	s = w.open()
	s.say(requestHead("/endpoints/limited/invocations", bearer...))
	im := s.say(requestBody(chat)).GetImmediateResponse()
	require.EqualValues(t, 429, im.GetStatus().GetCode())
	require.Contains(t, string(im.Body), "Rate limit exceeded: 1 per 1 minute")
	require.Equal(t, "60", setHeaders(im.Headers)["retry-after"])
	s.end()
	w.now = w.now.Add(time.Minute)
	s, _ = forwarded(t, w, "/endpoints/limited/invocations", chat)
	s.end()
}

func TestNoRecordNoAnswer(t *testing.T) {
	t.Run("request half", func(t *testing.T) {
		w := newWorld(t)
		w.trailErr["begin"] = errDisk
		s := w.open()
		s.say(requestHead("/endpoints/chat/invocations", bearer...))
		im := s.say(requestBody(chat)).GetImmediateResponse()
		require.EqualValues(t, 503, im.GetStatus().GetCode())
		require.Contains(t, string(im.Body), "audit_unavailable")
		s.end()
		require.Empty(t, w.events)
	})
	t.Run("response half", func(t *testing.T) {
		w := newWorld(t)
		s, _ := forwarded(t, w, "/endpoints/chat/invocations", chat)
		w.trailErr["end"] = errDisk
		s.say(responseHead(":status", "200", "content-type", "application/json"))
		im := s.say(responseBody(answer, true)).GetImmediateResponse()
		require.EqualValues(t, 503, im.GetStatus().GetCode())
		require.NotContains(t, string(im.Body), "hello")
		require.Equal(t, []string{"begin", "end gateway_error"}, w.events, "the outcome fits, the answer does not go out")
		require.Equal(t, "audit_unavailable", w.last.Code)
		s.end()
	})
	t.Run("stream", func(t *testing.T) {
		w := newWorld(t)
		s, _ := forwarded(t, w, "/endpoints/chat/invocations", strings.Replace(chat, "{", `{"stream":true,`, 1))
		w.trailErr["end"] = errDisk
		s.say(responseHead(":status", "200", "content-type", "text/event-stream"))
		s.in <- responseBody("data: [DONE]\n\n", true)
		require.Error(t, <-s.done, "the stream is reset before its last byte")
	})
}

func TestAStreamPassesChunkByChunkAndIsRecordedBeforeItsEnd(t *testing.T) {
	w := newWorld(t)
	s, up := forwarded(t, w, "/v1/chat/completions", `{"model":"chat","stream":true,"messages":[{"role":"user","content":"hi"}]}`)
	require.Contains(t, string(up.BodyMutation.GetBody()), `"include_usage":true`)
	r := s.say(responseHead(":status", "200", "content-type", "text/event-stream; charset=utf-8"))
	require.Equal(t, filterv3.ProcessingMode_STREAMED, r.ModeOverride.GetResponseBodyMode())

	chunk := `data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"he"}}],"usage":null}` + "\n\n"
	r = s.say(responseBody(chunk, false))
	require.Contains(t, string(r.GetResponseBody().Response.BodyMutation.GetBody()), `"content":"he"`)
	require.Equal(t, []string{"begin"}, w.events)

	r = s.say(responseBody(`data: {"id":"c","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}`+"\n\n", false))
	require.Empty(t, r.GetResponseBody().Response.BodyMutation.GetBody(), "usage was not asked for")

	r = s.say(responseBody("data: [DONE]\n\n", false))
	require.Contains(t, string(r.GetResponseBody().Response.BodyMutation.GetBody()), "[DONE]")
	require.Equal(t, []string{"begin", "end answered"}, w.events)
	require.EqualValues(t, 5, w.last.InputTokens)
	require.EqualValues(t, 2, w.last.OutputTokens)
	require.JSONEq(t, `{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"content":"he","role":"assistant"}}]}`, string(w.body),
		"the record has the message that the stream makes")
	require.Equal(t, audit.FormMessage, w.last.BodyForm)
	require.False(t, w.last.Partial)

	r = s.say(responseBody("", true))
	require.Empty(t, r.GetResponseBody().GetResponse().GetBodyMutation().GetBody())
	s.end()
	require.Len(t, w.events, 2)
}

func TestAStreamThatIsCutOffSaysSo(t *testing.T) {
	w := newWorld(t)
	s, _ := forwarded(t, w, "/v1/chat/completions", `{"model":"chat","stream":true,"messages":[{"role":"user","content":"hi"}]}`)
	s.say(responseHead(":status", "200", "content-type", "text/event-stream"))
	r := s.say(responseBody(`data: {"choices":[{"delta":{"content":"he"}}]}`+"\n\n", true))
	require.Contains(t, string(r.GetResponseBody().Response.BodyMutation.GetBody()), "stream_truncated")
	require.Equal(t, []string{"begin", "end provider_error"}, w.events)
	s.end()
}

func TestAClientThatLeavesIsRecordedWithWhatItSaw(t *testing.T) {
	w := newWorld(t)
	s, _ := forwarded(t, w, "/v1/chat/completions", `{"model":"chat","stream":true,"messages":[{"role":"user","content":"hi"}]}`)
	s.say(responseHead(":status", "200", "content-type", "text/event-stream"))
	s.say(responseBody(`data: {"choices":[{"delta":{"content":"he"}}]}`+"\n\n", false))
	s.end()
	require.Equal(t, []string{"begin", "end client_gone"}, w.events)
	require.Contains(t, string(w.body), "he")
}

func TestAClientThatLeavesBeforeItsBodyIsRecorded(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	s.say(requestHead("/endpoints/chat/invocations", bearer...))
	s.end()
	require.Equal(t, []string{"refuse client_gone"}, w.events)
}

// TestEnvoysOwnRepliesAreToldInTheDialect holds one reply for each thing that
// Envoy answers itself.
func TestEnvoysOwnRepliesAreToldInTheDialect(t *testing.T) {
	for details, c := range map[string]struct {
		envoy, status int
		code          string
	}{
		"upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}":           {503, 503, "provider_unreachable"},
		"upstream_reset_before_response_started{connection_termination}":                                                        {503, 502, "provider_reset"},
		"upstream_reset_before_response_started{remote_connection_failure|TLS_error:|268435581:SSL_routines:CERTIFICATE_VERIFY": {503, 502, "provider_tls_failed"},
		"no_healthy_upstream":                {503, 503, "provider_unreachable"},
		"upstream_per_try_idle_timeout":      {504, 504, "provider_timeout"},
		"response_payload_too_large":         {500, 502, "provider_reply_too_large"},
		"something_new_from_10.0.0.7:443 up": {500, 500, "gateway_500"},
	} {
		t.Run(details, func(t *testing.T) {
			w := newWorld(t)
			s, _ := forwarded(t, w, "/v1/chat/completions", `{"model":"chat","messages":[{"role":"user","content":"hi"}]}`)
			r := s.say(responseHead(":status", itoa(c.envoy), "content-type", "application/json", "x-gateway-local", details))
			status, body := localReply(t, s, r)
			require.Equal(t, c.status, status)
			require.Contains(t, body, `"code":"`+c.code+`"`)
			require.NotContains(t, body, "10.0.0.7")
			require.NotContains(t, body, "refused")
			s.end()
			require.Len(t, w.events, 2)
			require.Equal(t, c.code, w.last.Code)
		})
	}
}

func TestABodyOverTheLimitIsRefusedInTheDialect(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	s.say(requestHead("/v1/chat/completions", bearer...))
	r := s.say(responseHead(":status", "413", "x-gateway-local", "request_payload_too_large"))
	status, body := localReply(t, s, r)
	require.Equal(t, 413, status)
	require.Contains(t, body, "body_too_large")
	s.end()
	require.Equal(t, []string{"refuse refused"}, w.events)
}

// Strangers can't fill the trail: of one address only so many of their calls are
// recorded. Who is known is served beside them, and recorded.
func TestStrangersDoNotFillTheTrail(t *testing.T) {
	w := newWorld(t)
	call := func(path string, head ...string) (int, *extprocv3.ImmediateResponse) {
		s := w.open()
		im := s.say(largeHead(path, head...)).GetImmediateResponse()
		s.end()
		if im == nil {
			return 0, nil
		}
		return int(im.Status.Code), im
	}
	const path, other = "/v1/chat/completions", "198.51.100.9"
	for i := range 1001 {
		status, _ := call([]string{path, "/nowhere"}[i%2])
		require.Contains(t, []int{401, 404}, status)
	}
	require.Len(t, w.events, 1001)
	for _, where := range []string{path, "/nowhere", "/native/chat/v1/models"} {
		status, im := call(where)
		require.Equal(t, 429, status)
		require.Equal(t, "1", setHeaders(im.Headers)["retry-after"])
		require.Contains(t, string(im.Body), "too_many_failures")
	}
	require.Len(t, w.events, 1001, "no record")

	status, _ := call(path, bearer...)
	require.Zero(t, status, "a known caller goes on to his body")
	status, _ = call(path, "x-forwarded-for", "6.6.6.6, "+other)
	require.Equal(t, 401, status, "another address is told as ever")
	w.now = w.now.Add(time.Second)
	status, _ = call(path)
	require.Equal(t, 401, status)
	status, im := call(path)
	require.Equal(t, 429, status)
	require.Equal(t, "2", setHeaders(im.Headers)["retry-after"], "waits grow")
}
