package xds_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBrokenRequests sends what no proper client sends, byte for byte. Each is
// refused in words, and ext_proc does not see it.
func TestBrokenRequests(t *testing.T) {
	w := newWorld(t)
	const head = "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n"
	cases := map[string]struct {
		request string
		status  int
	}{
		"length and chunked":     {head + "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"two lengths":            {head + "content-length: 5\r\ncontent-length: 6\r\n\r\nhello!", 400},
		"a list of lengths":      {head + "content-length: 5, 6\r\n\r\nhello!", 400},
		"a negative length":      {head + "content-length: -1\r\n\r\n", 400},
		"chunked twice":          {head + "transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400},
		"an odd coding":          {head + "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
		"a space before a colon": {head + "content-length : 5\r\n\r\nhello", 400},
		"a NUL in a header":      {head + "x-a: a\x00b\r\n\r\n", 400},
		"no host":                {"POST /v1/chat/completions HTTP/1.1\r\n\r\n", 400},
		"HTTP/1.0":               {"GET /v1/models HTTP/1.0\r\n\r\n", 426},
		"headers without end":    {head + "x-a: " + strings.Repeat("a", 70<<10) + "\r\n\r\n", 431},
		"CONNECT":                {"CONNECT api.example.com:443 HTTP/1.1\r\nhost: api.example.com\r\n\r\n", 404},
		"an upgrade":             {"GET /v1/models HTTP/1.1\r\nhost: g\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", 403},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before := w.proc.last()
			conn, err := tls.Dial("tcp", strings.TrimPrefix(w.URL, "https://"), &tls.Config{RootCAs: w.Roots, MinVersion: tls.VersionTLS12})
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
			_, _ = io.WriteString(conn, c.request)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			defer func() { _ = resp.Body.Close() }()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, c.status, resp.StatusCode, string(body))
			require.Equal(t, "application/json", resp.Header.Get("Content-Type"), string(body))
			require.Empty(t, resp.Header.Get("X-Gateway-Local"))
			require.Same(t, before, w.proc.last(), "ext_proc saw it")
		})
	}
}

// TestOddButRead are requests that Envoy reads: as one request, of which
// nothing is taken for another header or another request.
func TestOddButRead(t *testing.T) {
	w := newWorld(t)
	for name, line := range map[string]string{
		"a folded header": "x-a: 1\r\n\tx-test-route: " + w.provider.Key(), "a bare carriage return": "x-a: a\rx-test-route: " + w.provider.Key(),
	} {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(w.URL, "https://"), &tls.Config{RootCAs: w.Roots, MinVersion: tls.VersionTLS12})
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		_, err = io.WriteString(conn, "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 1\r\n"+line+"\r\n\r\nx")
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode, name)
		w.proc.story().with(func(s *seen) { require.NotContains(t, s.request, "x-test-route") })
		_ = resp.Body.Close()
		_ = conn.Close()
	}
	w.proc.mu.Lock()
	defer w.proc.mu.Unlock()
	require.Len(t, w.proc.seen, 2)
}
