package simulate_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/simulate"
)

// standIn is an OpenAI stand-in over TLS, and a client for one HTTP version.
type standIn struct {
	*simulate.Provider
	url    string
	client *http.Client
}

func startStandIn(t *testing.T, http2 bool) *standIn {
	ca, err := simulate.NewCA(time.Now())
	require.NoError(t, err)
	p := simulate.NewOpenAI(simulate.Options{})
	server, err := simulate.StartTLS(p, ca)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	transport := &http.Transport{ForceAttemptHTTP2: http2, DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), ServerName: "api.openai.com"}}
	t.Cleanup(transport.CloseIdleConnections)
	return &standIn{Provider: p, url: server.URL, client: &http.Client{Transport: transport}}
}

func (s *standIn) chat(ctx context.Context, t *testing.T, model string, stream bool) (*http.Response, error) {
	body, err := json.Marshal(map[string]any{"model": model, "stream": stream,
		"messages": []map[string]string{{"role": "user", "content": "one two three"}}})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/chat/completions", bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer sk-any")
	return s.client.Do(r)
}

func readAll(t *testing.T, r *http.Response) (string, error) {
	defer func() { require.NoError(t, r.Body.Close()) }()
	body, err := io.ReadAll(r.Body)
	return string(body), err
}

// TestFaults goes through every fault, by the name of the model, whole and
// streamed, over both HTTP versions.
func TestFaults(t *testing.T) {
	last := map[bool]string{false: "}", true: "data: [DONE]\n\n"} // by stream: how a complete answer ends
	cases := []struct {
		model     string
		headError bool // no head arrives
		status    int
		bodyError map[bool]bool // by stream: the body ends in an error
		whole     map[bool]bool // by stream: the answer is complete
		contains  string
	}{
		{model: "gpt-4o", status: 200, whole: both(true), contains: "one"},
		{model: "fault-reset-head", headError: true},
		{model: "fault-reset", status: 200, bodyError: both(true)},
		{model: "fault-truncate", status: 200, bodyError: map[bool]bool{false: true}},
		{model: "fault-html", status: 200, contains: "<html>"},
		{model: "fault-html-502", status: 502, contains: "<html>"},
		{model: "fault-garbage", status: 200, contains: "half"},
		{model: "fault-error-event", status: 200, whole: map[bool]bool{false: true}},
		{model: "fault-400", status: 400, contains: "invalid_request_error"},
		{model: "fault-401", status: 401, contains: "invalid_api_key"},
		{model: "fault-500", status: 500, contains: "server_error"},
		{model: "fault-529", status: 529, contains: "server_error"},
		{model: "words-3", status: 200, whole: both(true), contains: "words-3"},
		{model: "slow-1", status: 200, whole: both(true)},
		{model: "hold-1", status: 200, whole: both(true)},
	}
	for _, http2 := range []bool{false, true} {
		s := startStandIn(t, http2)
		for _, c := range cases {
			for _, stream := range []bool{false, true} {
				name := c.model + map[bool]string{false: " whole", true: " stream"}[stream] + map[bool]string{true: " h2"}[http2]
				t.Run(name, func(t *testing.T) {
					r, err := s.chat(t.Context(), t, c.model, stream)
					if c.headError {
						require.Error(t, err)
						if !http2 {
							require.ErrorIs(t, err, syscall.ECONNRESET)
						}
						return
					}
					require.NoError(t, err)
					require.Equal(t, c.status, r.StatusCode)
					body, err := readAll(t, r)
					require.Equal(t, c.bodyError[stream], err != nil, "%v", err)
					require.Equal(t, c.whole[stream], c.status == 200 && strings.HasSuffix(body, last[stream]), body)
					require.Contains(t, body, c.contains)
				})
			}
		}
	}
}

func both(v bool) map[bool]bool { return map[bool]bool{false: v, true: v} }

func TestRetryAfter(t *testing.T) {
	s := startStandIn(t, false)
	for model, want := range map[string]string{"fault-429": "1", "fault-503": "1", "fault-529": "1", "fault-500": ""} {
		r, err := s.chat(t.Context(), t, model, false)
		require.NoError(t, err)
		require.Equal(t, want, r.Header.Get("Retry-After"), model)
		_, err = readAll(t, r)
		require.NoError(t, err)
	}
}

func TestGzip(t *testing.T) {
	s := startStandIn(t, false)
	for _, stream := range []bool{false, true} {
		r, err := s.chat(t.Context(), t, "fault-gzip", stream)
		require.NoError(t, err)
		require.Equal(t, "gzip", r.Header.Get("Content-Encoding"))
		z, err := gzip.NewReader(r.Body)
		require.NoError(t, err)
		body, err := io.ReadAll(z)
		require.NoError(t, err)
		require.Contains(t, string(body), `"finish_reason":"stop"`)
		require.NoError(t, r.Body.Close())
	}
}

func TestBig(t *testing.T) {
	s := startStandIn(t, false)
	for _, stream := range []bool{false, true} {
		r, err := s.chat(t.Context(), t, "big-3000000", stream)
		require.NoError(t, err)
		body, err := readAll(t, r)
		require.NoError(t, err)
		require.GreaterOrEqual(t, strings.Count(body, "x"), 2_990_000)
	}
}

// TestHold: the first chunk arrives while the second is held back.
func TestHold(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		s := startStandIn(t, http2)
		s.Next(simulate.Act{Hold: true})
		r, err := s.chat(t.Context(), t, "gpt-4o", true)
		require.NoError(t, err)
		lines := bufio.NewReader(r.Body)
		for {
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			if strings.Contains(line, `"content":"gpt-4o"`) {
				break
			}
		}
		<-s.Held()
		s.Release()
		rest, err := io.ReadAll(lines)
		require.NoError(t, err)
		require.Contains(t, string(rest), "[DONE]")
		require.NoError(t, r.Body.Close())
	}
}

// releaser releases what is held as soon as the first chunk is on its way.
type releaser struct {
	*httptest.ResponseRecorder
	release func()
}

func (r releaser) Flush() { r.release() }

// TestReleaseBeforeTheHold: a client that has read the first chunk may be faster
// than the stream, which is then not held for ever.
func TestReleaseBeforeTheHold(t *testing.T) {
	p := simulate.NewOpenAI(simulate.Options{Keys: []string{"a-key"}})
	for _, stream := range []string{"true", "false"} {
		p.Next(simulate.Act{Hold: true})
		w := releaser{httptest.NewRecorder(), sync.OnceFunc(p.Release)}
		body := `{"model":"gpt-4o","stream":` + stream + `,"messages":[{"role":"user","content":"hello"}]}`
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/chat/completions", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer a-key")
		p.ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code)
		require.Contains(t, w.Body.String(), "hello")
	}
}

// TestStall: nothing more comes, and the server notices when the client leaves.
func TestStall(t *testing.T) {
	for _, model := range []string{"fault-stall", "fault-stall-head"} {
		s := startStandIn(t, false)
		ctx, cancel := context.WithCancel(t.Context())
		if model == "fault-stall-head" {
			time.AfterFunc(100*time.Millisecond, cancel)
		}
		r, err := s.chat(ctx, t, model, true)
		if model == "fault-stall-head" {
			require.ErrorIs(t, err, context.Canceled)
		} else {
			require.NoError(t, err)
			lines := bufio.NewReader(r.Body)
			first, err := lines.ReadString('\n')
			require.NoError(t, err)
			time.AfterFunc(100*time.Millisecond, cancel)
			rest, err := io.ReadAll(lines)
			body := first + string(rest)
			require.ErrorIs(t, err, context.Canceled)
			require.Contains(t, body, "fault-stall")
			require.NotContains(t, body, "[DONE]")
		}
		cancel()
	}
}

// TestScript: acts come in order, then the one that always holds, and neither
// the model's name nor anything else before.
func TestScript(t *testing.T) {
	s := startStandIn(t, false)
	s.Next(simulate.Act{Fault: simulate.Fail, Status: 429, RetryAfter: "7"}, simulate.Act{})
	s.Always(&simulate.Act{Fault: simulate.Fail, Status: 503})
	for _, want := range []int{429, 200, 503, 503} {
		r, err := s.chat(t.Context(), t, "fault-401", false)
		require.NoError(t, err)
		require.Equal(t, want, r.StatusCode)
		if want == 429 {
			require.Equal(t, "7", r.Header.Get("Retry-After"))
		}
		_, err = readAll(t, r)
		require.NoError(t, err)
	}
	s.Always(nil)
	r, err := s.chat(t.Context(), t, "fault-401", false)
	require.NoError(t, err)
	require.Equal(t, 401, r.StatusCode)
	_, err = readAll(t, r)
	require.NoError(t, err)
}

func TestRecording(t *testing.T) {
	s := startStandIn(t, true)
	r, err := s.chat(t.Context(), t, "gpt-4o", false)
	require.NoError(t, err)
	_, err = readAll(t, r)
	require.NoError(t, err)
	got := s.Requests()
	require.Len(t, got, 1)
	require.Equal(t, "POST", got[0].Method)
	require.Equal(t, "/v1/chat/completions", got[0].Path)
	require.Equal(t, "api.openai.com", got[0].ServerName)
	require.Equal(t, "HTTP/2.0", got[0].Proto)
	require.Equal(t, "Bearer sk-any", got[0].Header.Get("Authorization"))
	require.Contains(t, string(got[0].Body), "one two three")
	s.Forget()
	require.Empty(t, s.Requests())
}

func TestKeepsTheLatest(t *testing.T) {
	p := simulate.NewOpenAI(simulate.Options{Keep: 2})
	for _, path := range []string{"/1", "/2", "/3"} {
		p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	got := p.Requests()
	require.Len(t, got, 2)
	require.Equal(t, []string{"/2", "/3"}, []string{got[0].Path, got[1].Path})
}

// TestPracticeDelays: the clock is told how long, before the head and between
// the chunks, and a client that leaves ends the answer.
func TestPracticeDelays(t *testing.T) {
	var mu sync.Mutex
	var slept []time.Duration
	p := simulate.NewPractice(simulate.Options{Sleep: func(_ context.Context, d time.Duration) error {
		mu.Lock()
		defer mu.Unlock()
		slept = append(slept, d)
		if len(slept) == 4 {
			return errors.New("client left")
		}
		return nil
	}})
	r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions",
		strings.NewReader(`{"model":"practice","stream":true,"messages":[{"role":"user","content":"hi"}]}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Practice-Delay-Ms", "50")
	r.Header.Set("X-Practice-Chunk-Delay-Ms", "20")
	r.Header.Set("X-Practice-Words", "10")
	w := httptest.NewRecorder()
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { p.ServeHTTP(w, r) }, "a client that left gets no clean end")
	const ms = time.Millisecond
	require.Equal(t, []time.Duration{50 * ms, 20 * ms, 20 * ms, 20 * ms}, slept)
	require.Equal(t, 3, strings.Count(w.Body.String(), `"delta":{"content":"`), w.Body.String())
}

func TestEmbeddingsAreUnitVectors(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/v1/embeddings", strings.NewReader(`{"model":"practice","input":["a","b","a"]}`))
	r.Header.Set("Content-Type", "application/json")
	simulate.NewPractice(simulate.Options{}).ServeHTTP(w, r)
	var out struct {
		Data []struct{ Embedding []float64 }
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
	require.Len(t, out.Data, 3)
	for _, d := range out.Data {
		require.Len(t, d.Embedding, 64)
		var square float64
		for _, v := range d.Embedding {
			square += v * v
		}
		require.InDelta(t, 1, math.Sqrt(square), 1e-6)
	}
	require.Equal(t, out.Data[0], out.Data[2])
	require.NotEqual(t, out.Data[0], out.Data[1])
}
