package ui_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
	"sluice/internal/identity"
	"sluice/internal/ui"
)

// roundTrip stands for the gateway's listener.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// through sends requests to a handler over a real connection, as the gateway's
// own socket does.
func through(t *testing.T, h http.HandlerFunc) func(*ui.Deps) {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return func(d *ui.Deps) {
		d.Gateway = roundTrip(func(r *http.Request) (*http.Response, error) {
			r.URL.Host = strings.TrimPrefix(s.URL, "http://")
			return http.DefaultTransport.RoundTrip(r)
		})
	}
}

func (w *world) tryRequest(user, endpoint, body string) *http.Request {
	r := w.request(user, "POST", "/ui/endpoints/"+endpoint+"/try", nil)
	r.Body = io.NopCloser(strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-CSRF-Token", w.csrf[user])
	return r
}

func TestTryIsAnOrdinaryCallOfThePerson(t *testing.T) {
	var w *world
	var asked []map[string]any
	w = newWorld(t, through(t, func(rw http.ResponseWriter, r *http.Request) {
		caller, err := w.identity.Authenticate(identity.Presented{Credential: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), Address: "192.0.2.7"})
		require.NoError(t, err)
		require.Equal(t, "bob", caller.UserName)
		require.Equal(t, "192.0.2.7", r.Header.Get("X-Forwarded-For"))
		require.Empty(t, r.Header.Get("Cookie"))
		var body map[string]any
		require.NoError(t, json.NewDecoder(r.Body).Decode(&body))
		asked = append(asked, body)
		rw.Header().Set("X-Request-Id", "exchange-of-the-gateway")
		switch r.URL.Path {
		case "/v1/embeddings":
			rw.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(rw, `{"data": [{"embedding": [1, 2]}]}`)
		case "/v1/completions":
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(rw, `{"error": {"message": "Too many calls. Wait a minute.", "code": "rate_limited"}}`)
		default:
			rw.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			_, _ = io.WriteString(rw, "data: {\"choices\": []}\n\ndata: [DONE]\n\n")
		}
	}))
	w.endpoint("talk", nil)
	w.endpoint("embed", func(e *catalog.Endpoint) { e.Type = catalog.TypeEmbeddings })
	w.endpoint("complete", func(e *catalog.Endpoint) { e.Type = catalog.TypeCompletions })

	p := w.send(w.tryRequest("bob", "talk", `{"messages": [{"role": "user", "content": "hi"}], "temperature": 0, "maxTokens": 9}`)).must(200)
	require.Equal(t, "event: start\ndata: {\"exchange\":\"exchange-of-the-gateway\"}\n\ndata: {\"choices\": []}\n\ndata: [DONE]\n\n", p.body)
	require.Equal(t, "text/event-stream; charset=utf-8", p.header.Get("Content-Type"))
	require.Equal(t, map[string]any{
		"model": "talk", "messages": []any{map[string]any{"role": "user", "content": "hi"}}, "temperature": 0.0, "max_tokens": 9.0,
		"stream": true, "stream_options": map[string]any{"include_usage": true},
	}, asked[0])

	p = w.send(w.tryRequest("bob", "embed", `{"text": "hi"}`)).must(200)
	require.Contains(t, p.body, "event: answer\ndata: {\"data\":[{\"embedding\":[1,2]}]}\n\n")
	require.Equal(t, map[string]any{"model": "embed", "input": "hi"}, asked[1])

	p = w.send(w.tryRequest("bob", "complete", `{"text": "once"}`)).must(200)
	require.Contains(t, p.body, "event: error\n")
	require.Contains(t, p.body, `"message":"Too many calls. Wait a minute."`)
	require.Contains(t, p.body, `"status":429`)
}

func TestTryIsRefused(t *testing.T) {
	called := false
	w := newWorld(t, through(t, func(http.ResponseWriter, *http.Request) { called = true }))
	w.endpoint("science", func(e *catalog.Endpoint) { e.Permissions = catalog.Permissions{Organizations: []string{w.science}} })
	body := `{"messages": [{"role": "user", "content": "hi"}]}`
	w.send(w.tryRequest("alice", "science", body)).must(403)
	w.send(w.tryRequest("bob", "nothing", body)).must(404)
	w.send(w.tryRequest("bob", "science", "not JSON")).must(400)
	r := w.tryRequest("bob", "science", body)
	r.Header.Del("X-CSRF-Token")
	w.send(r).must(403)
	r = w.tryRequest("bob", "science", body)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w.send(r).must(403)
	r = w.tryRequest("bob", "science", body)
	r.Header.Del("Cookie")
	w.send(r).must(401)
	require.False(t, called)
}

// The parts of an answer arrive as they are made, and a browser that leaves
// ends the call.
func TestTryStreamsAndStops(t *testing.T) {
	more, ended := make(chan string), make(chan struct{})
	w := newWorld(t, through(t, func(rw http.ResponseWriter, r *http.Request) {
		defer close(ended)
		_, _ = io.Copy(io.Discard, r.Body)
		rw.Header().Set("Content-Type", "text/event-stream")
		for {
			select {
			case part := <-more:
				_, _ = io.WriteString(rw, part)
				_ = http.NewResponseController(rw).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}))
	w.endpoint("talk", nil)
	s := httptest.NewServer(w.handler)
	t.Cleanup(s.Close)
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	asked := w.tryRequest("bob", "talk", `{"messages": []}`)
	r, err := http.NewRequestWithContext(ctx, "POST", s.URL+asked.URL.Path, asked.Body)
	require.NoError(t, err)
	r.Header = asked.Header
	r.Header.Set("Accept-Encoding", "gzip")
	reply, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer func() { _ = reply.Body.Close() }()
	require.Empty(t, reply.Header.Get("Content-Encoding"), "compressing would hold parts back")
	for _, part := range []string{"data: one\n\n", "data: t", "wo\n\n"} {
		more <- part
		buf := make([]byte, 4096)
		var got []byte
		for !bytes.HasSuffix(got, []byte(part)) {
			n, err := reply.Body.Read(buf)
			require.NoError(t, err)
			got = append(got, buf[:n]...)
		}
	}
	leave()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the call of the gateway goes on")
	}
}

func TestTryTellsThatTheGatewayBrokeOff(t *testing.T) {
	w := newWorld(t, through(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(rw, "data: {\"half\"")
		_ = http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	}))
	w.endpoint("talk", nil)
	p := w.send(w.tryRequest("bob", "talk", `{"messages": []}`)).must(200)
	require.True(t, strings.HasSuffix(p.body, "data: {\"half\"\n\nevent: error\ndata: {\"message\":\"The answer was broken off. Try again.\"}\n\n"), p.body)
}
