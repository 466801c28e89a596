package batch_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/extproc/provider"
	"sluice/internal/batch"
	"sluice/xds"
)

// ask sends the request by which Envoy asks for a batch.
func ask(t *testing.T, s http.Handler, up provider.Upstream) *http.Response {
	t.Helper()
	front := httptest.NewServer(s)
	defer front.Close()
	req, err := http.NewRequestWithContext(t.Context(), up.Method, front.URL+up.Path, nil)
	require.NoError(t, err)
	for _, h := range up.Headers {
		req.Header.Set(h[0], h[1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func provide(t *testing.T, h http.HandlerFunc) xds.Upstream {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	return xds.Upstream{Host: host, Port: uint16(n)}
}

func bodies(list ...string) provider.Upstream {
	up := provider.Upstream{Method: "POST", Path: "/embed?a=b", Headers: [][2]string{{"content-type", "application/json"}}}
	for _, b := range list {
		up.Batch = append(up.Batch, []byte(b))
	}
	return up
}

func sign(_ context.Context, up *provider.Upstream) error {
	up.Headers = append(up.Headers, [2]string{"authorization", "of " + string(up.Body)})
	return nil
}

func TestABatchIsAnsweredInOrderAndSignedOneByOne(t *testing.T) {
	at := provide(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "of "+string(body) || r.URL.String() != "/embed?a=b" || r.Header.Get("X-Sluice-Batch") != "" {
			w.WriteHeader(http.StatusTeapot)
		}
		if string(body) == "1" {
			time.Sleep(20 * time.Millisecond) // the last to answer
		}
		_, _ = w.Write(body)
	})
	s := batch.New(http.DefaultClient, 1<<10)
	to, up, done := s.Add(bodies("1", "2", "3", "4", "5", "6"), at, sign)
	require.Equal(t, s.At(), to)
	resp := ask(t, s, up)
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "[1,2,3,4,5,6]", string(got))

	done()
	require.Equal(t, http.StatusNotFound, ask(t, s, up).StatusCode, "it is forgotten")
	require.Equal(t, http.StatusNotFound, ask(t, s, provider.Upstream{Method: "POST", Path: "/"}).StatusCode)
	require.Equal(t, http.StatusNotFound, ask(t, s, provider.Upstream{Method: "POST", Path: "/", Headers: [][2]string{{"x-sluice-batch", "1"}}}).StatusCode)
}

func TestARefusalIsPassedOnWithWhatAClientMayKnow(t *testing.T) {
	at := provide(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3")
		w.Header().Set("Set-Cookie", "a=b")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write([]byte("slow down"))
	})
	s := batch.New(http.DefaultClient, 1<<10)
	_, up, done := s.Add(bodies("1", "2"), at, sign)
	defer done()
	resp := ask(t, s, up)
	require.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
	require.Equal(t, "3", resp.Header.Get("Retry-After"))
	require.Empty(t, resp.Header.Get("Set-Cookie"))
}

func TestNoReplyWhereNoneCanBeHad(t *testing.T) {
	large := provide(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 600)) })
	s := batch.New(http.DefaultClient, 1<<10)
	for name, add := range map[string]func() (xds.Upstream, provider.Upstream, func()){
		"too large": func() (xds.Upstream, provider.Upstream, func()) { return s.Add(bodies("1", "2"), large, sign) },
		"unsigned": func() (xds.Upstream, provider.Upstream, func()) {
			return s.Add(bodies("1"), large, func(context.Context, *provider.Upstream) error { return errors.New("no credential") })
		},
		"unreachable": func() (xds.Upstream, provider.Upstream, func()) {
			return s.Add(bodies("1"), xds.Upstream{Host: "127.0.0.1", Port: 1}, sign)
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, up, done := add()
			defer done()
			require.Nil(t, ask(t, s, up), "the connection breaks, as the provider's would")
		})
	}
}

// TestABatchEndsWithItsClient: nothing more is asked once nobody listens.
func TestABatchEndsWithItsClient(t *testing.T) {
	var asked atomic.Int32
	begun := make(chan struct{}, 100)
	at := provide(t, func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		begun <- struct{}{}
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	s := batch.New(http.DefaultClient, 1<<10)
	_, up, done := s.Add(bodies(strings.Split(strings.Repeat("x", 50), "")...), at, sign)
	defer done()
	ctx, cancel := context.WithCancel(t.Context())
	req := httptest.NewRequestWithContext(ctx, up.Method, up.Path, nil)
	req.Header.Set(up.Headers[0][0], up.Headers[0][1])
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { _ = recover() }() // http.ErrAbortHandler
		s.ServeHTTP(httptest.NewRecorder(), req)
	}()
	<-begun
	cancel()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the batch goes on")
	}
	require.LessOrEqual(t, asked.Load(), int32(4))
}
