package xds_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/envoytest"
	"sluice/internal/freeport"
	"sluice/xds"
)

// world is a real Envoy between a client and a provider on loopback.
type world struct {
	*envoytest.Gateway
	proc     *fakeProc
	provider xds.Upstream // HTTP, answered by providerHandler
	refused  xds.Upstream // nobody listens
	nowhere  xds.Upstream // has no address
}

func newWorld(t *testing.T, change ...func(*envoytest.Options)) *world {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(providerHandler))
	t.Cleanup(server.Close)
	w := &world{
		proc:     &fakeProc{},
		provider: xds.Upstream{Host: "api.example.com", Port: 80},
		refused:  xds.Upstream{Host: "refused.example.com", Port: 81},
		nowhere:  xds.Upstream{Host: "nowhere.invalid", Port: 82},
	}
	o := envoytest.Options{
		ExtProc:   w.proc,
		Control:   http.HandlerFunc(controlHandler),
		Local:     map[string]http.Handler{"practice": http.HandlerFunc(providerHandler)},
		Resolve:   map[string]string{w.provider.Host: server.Listener.Addr().String(), w.refused.Host: freeport.Address(t)},
		Upstreams: []xds.Upstream{w.provider, w.refused, w.nowhere, {Local: "practice"}},
	}
	for _, f := range change {
		f(&o)
	}
	w.Gateway = envoytest.Start(t, o)
	return w
}

// reply is a whole response.
type reply struct {
	status int
	header http.Header
	body   []byte
	err    error // of reading the body
}

// call is one request of a test.
type call struct {
	method, path string // default POST /v1/chat/completions
	protocol     string // default h2
	route        string // x-test-route
	to           string // x-test-path
	header       http.Header
	body         []byte
}

func (w *world) request(ctx context.Context, t *testing.T, c call) *http.Request {
	t.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.path == "" {
		c.path = "/v1/chat/completions"
	}
	req, err := http.NewRequestWithContext(ctx, c.method, w.URL+c.path, bytes.NewReader(c.body))
	require.NoError(t, err)
	for k, v := range c.header {
		req.Header[http.CanonicalHeaderKey(k)] = v
	}
	if c.route != "" {
		req.Header.Set("x-test-route", c.route)
	}
	if c.to != "" {
		req.Header.Set("x-test-path", c.to)
	}
	return req
}

func (w *world) do(t *testing.T, c call) reply {
	t.Helper()
	if c.protocol == "" {
		c.protocol = "h2"
	}
	client := w.Client(c.protocol)
	defer client.CloseIdleConnections()
	resp, err := client.Do(w.request(t.Context(), t, c))
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return reply{status: resp.StatusCode, header: resp.Header, body: b, err: err}
}

// requireError checks an error of the OpenAI dialect, whole and clean.
func (r reply) requireError(t *testing.T, status int, code string) {
	t.Helper()
	require.NoError(t, r.err)
	require.Equal(t, status, r.status, string(r.body))
	require.Equal(t, "application/json", r.header.Get("Content-Type"))
	require.NotContains(t, string(r.body), "127.0.0.1")
	require.NotContains(t, string(r.body), ".sock")
	var e struct {
		Error struct {
			Code       string `json:"code"`
			Message    string `json:"message"`
			ExchangeID string `json:"exchange_id"`
		} `json:"error"`
	}
	require.NoError(t, json.Unmarshal(r.body, &e), string(r.body))
	require.Equal(t, code, e.Error.Code)
	require.NotEmpty(t, e.Error.Message)
	require.Len(t, e.Error.ExchangeID, 36, "the exchange id")
}

func controlHandler(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Control", "yes")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"path": r.URL.Path, "method": r.Method, "body": len(b), "header": r.Header,
	})
}

// providerHandler is a provider with many faults, by path.
func providerHandler(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch r.URL.Path {
	case "/echo":
		_ = json.NewEncoder(w).Encode(map[string]any{
			"host": r.Host, "length": r.ContentLength, "chunked": len(r.TransferEncoding) > 0,
			"body": len(body), "header": r.Header, "uri": r.RequestURI, "proto": r.Proto,
		})
	case "/big":
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		if r.URL.Query().Has("length") {
			w.Header().Set("Content-Length", strconv.Itoa(n))
		}
		_, _ = w.Write(bytes.Repeat([]byte("x"), n))
	case "/reset":
		reset(w, r.URL.Query().Get("after"))
	case "/slow":
		pause(r)
	case "/stalled-json":
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"half":`))
		w.(http.Flusher).Flush()
		pause(r)
	case "/stalled-stream":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte("data: 1\n\n"))
		w.(http.Flusher).Flush()
		pause(r)
	case "/gzip":
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write([]byte(`{"zipped":true}`))
		_ = z.Close()
	case "/trailers":
		w.Header().Set("Trailer", "X-After")
		_, _ = w.Write([]byte("one"))
		w.(http.Flusher).Flush()
		_, _ = w.Write([]byte("two"))
		w.Header().Set("X-After", "v")
	case "/spoof":
		w.Header().Set("X-Gateway-Local", "spoofed")
		w.Header().Set("X-Envoy-Upstream-Service-Time", "1")
		_, _ = w.Write([]byte("spoof"))
	}
}

func pause(r *http.Request) {
	select {
	case <-time.After(time.Minute):
	case <-r.Context().Done():
	}
}

// reset closes the connection at some point of the reply.
func reset(w http.ResponseWriter, after string) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: "
	switch after {
	case "json":
		_, _ = fmt.Fprint(c, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"half\":")
	case "chunk":
		_, _ = fmt.Fprint(c, chunked+"application/json\r\n\r\n5\r\nhello\r\n")
	case "stream":
		_, _ = fmt.Fprint(c, chunked+"text/event-stream\r\n\r\n5\r\nhello\r\n")
		time.Sleep(100 * time.Millisecond)
	}
	_ = c.Close()
}

// tlsProvider is an HTTPS provider whose certificate is for example.com,
// *.example.com, 127.0.0.1 and ::1.
func tlsProvider(t *testing.T) (addr, caFile string) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(providerHandler))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}
	require.NoError(t, os.WriteFile(caFile, pem.EncodeToMemory(block), 0o600))
	return s.Listener.Addr().String(), caFile
}

// echoed is what the provider says it received.
type echoed struct {
	Host, URI, Proto string
	Length           int64
	Chunked          bool
	Body             int
	Header           http.Header
}

func (r reply) echoed(t *testing.T) echoed {
	t.Helper()
	require.NoError(t, r.err)
	require.Equal(t, http.StatusOK, r.status, string(r.body))
	var e echoed
	require.NoError(t, json.Unmarshal(r.body, &e), string(r.body))
	return e
}
