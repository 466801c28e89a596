package xds_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/envoytest"
)

// TestBodies passes bodies of many sizes in both directions, whole.
func TestBodies(t *testing.T) {
	w := newWorld(t)
	w.proc.answer = func(b []byte) []byte { return append(b[:len(b):len(b)], '!') }
	for _, protocol := range []string{"h2", "http/1.1"} {
		for _, size := range []int{1, 1 << 10, 100 << 10, 1 << 20, 3 << 20, 30 << 20} {
			t.Run(fmt.Sprintf("%s %d", protocol, size), func(t *testing.T) {
				var e echoed
				w.proc.answer = nil
				e = w.do(t, call{protocol: protocol, route: w.provider.Key(), to: "/echo", body: make([]byte, size)}).echoed(t)
				require.Equal(t, size, e.Body)
				require.EqualValues(t, size, e.Length)
				w.proc.answer = func(b []byte) []byte { return append(b[:len(b):len(b)], '!') }
				for _, length := range []string{"", "&length"} {
					r := w.do(t, call{protocol: protocol, route: w.provider.Key(), to: "/big?n=" + strconv.Itoa(size) + length, body: []byte("x")})
					require.NoError(t, r.err)
					require.Equal(t, http.StatusOK, r.status)
					require.Len(t, r.body, size+1)
					require.Equal(t, strconv.Itoa(size+1), r.header.Get("Content-Length"))
				}
			})
		}
	}
}

// TestBodiesOverTheLimit are refused in the dialect, in both directions.
func TestBodiesOverTheLimit(t *testing.T) {
	const limit = 4 << 20
	w := newWorld(t, func(o *envoytest.Options) { o.BodyBytes = limit })
	for _, protocol := range []string{"h2", "http/1.1"} {
		r := w.do(t, call{protocol: protocol, route: w.provider.Key(), to: "/echo", body: make([]byte, limit-1)})
		require.Equal(t, http.StatusOK, r.status)

		r = w.do(t, call{protocol: protocol, route: w.provider.Key(), to: "/echo", body: make([]byte, limit+1)})
		r.requireError(t, http.StatusRequestEntityTooLarge, "body_too_large")
		require.Empty(t, r.header.Get("X-Gateway-Local"))
		story := w.proc.story()
		story.with(func(s *seen) { require.Equal(t, "request_payload_too_large", s.head["x-gateway-local"], s.events) })

		r = w.do(t, call{protocol: protocol, route: w.provider.Key(), to: "/big?n=" + strconv.Itoa(limit+1), body: []byte("x")})
		r.requireError(t, http.StatusBadGateway, "provider_reply_too_large")
		require.Empty(t, r.header.Get("X-Gateway-Local"))
		require.Len(t, r.header.Get("X-Request-Id"), 36)
	}
}

// TestStreamPassesAtOnce has the provider hold back the second event until the
// client has the first.
func TestStreamPassesAtOnce(t *testing.T) {
	next := make(chan struct{})
	w := newWorld(t, func(o *envoytest.Options) {
		o.Local["practice"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range 3 {
				_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
				w.(http.Flusher).Flush()
				select {
				case <-next:
				case <-time.After(time.Minute):
					return
				}
			}
		})
	})
	for _, protocol := range []string{"h2", "http/1.1"} {
		client := w.Client(protocol)
		resp, err := client.Do(w.request(t.Context(), t, call{route: "local:practice", body: []byte("x")}))
		require.NoError(t, err)
		lines := bufio.NewScanner(resp.Body)
		for i := range 3 {
			require.True(t, lines.Scan(), lines.Err())
			require.Equal(t, fmt.Sprintf("data: %d", i), lines.Text())
			require.True(t, lines.Scan())
			next <- struct{}{}
		}
		require.False(t, lines.Scan())
		_ = resp.Body.Close()
		client.CloseIdleConnections()
		w.proc.story().with(func(s *seen) {
			require.GreaterOrEqual(t, s.chunks, 3, "%v", s.events)
			require.True(t, s.eos)
		})
	}
}

// TestClientGone cancels the call to the provider.
func TestClientGone(t *testing.T) {
	begun, gone := make(chan struct{}, 1), make(chan struct{}, 1)
	w := newWorld(t, func(o *envoytest.Options) {
		o.Local["practice"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if strings.HasPrefix(r.URL.Path, "/stream") {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = w.Write([]byte("data: 1\n\n"))
				w.(http.Flusher).Flush()
			}
			begun <- struct{}{}
			<-r.Context().Done()
			gone <- struct{}{}
		})
	})
	for _, to := range []string{"/head", "/stream"} {
		ctx, cancel := context.WithCancel(t.Context())
		client := w.Client("h2")
		go func() {
			<-begun
			time.Sleep(100 * time.Millisecond) // what the provider has sent may reach the client
			cancel()
		}()
		resp, err := client.Do(w.request(ctx, t, call{route: "local:practice", to: to, body: []byte("x")}))
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
		}
		require.ErrorIs(t, err, context.Canceled)
		select {
		case <-gone:
		case <-time.After(time.Minute):
			t.Fatal("the provider was not told that the client has gone")
		}
		w.proc.story().with(func(s *seen) { require.True(t, s.ended); require.False(t, s.eos) })
		client.CloseIdleConnections()
	}
}

// TestCompressedReply comes to ext_proc as the provider sent it: nothing in
// Envoy unpacks it (docs/decisions/no-decompressor.md).
func TestCompressedReply(t *testing.T) {
	w := newWorld(t)
	r := w.do(t, call{route: w.provider.Key(), to: "/gzip", body: []byte("x")})
	require.Equal(t, http.StatusOK, r.status)
	w.proc.story().with(func(s *seen) {
		require.Equal(t, "gzip", s.head["content-encoding"])
		require.True(t, bytes.HasPrefix(s.reply, []byte{0x1f, 0x8b}))
		require.True(t, s.eos)
	})
}

// TestTrailers are not part of the reply.
func TestTrailers(t *testing.T) {
	w := newWorld(t)
	r := w.do(t, call{route: w.provider.Key(), to: "/trailers", body: []byte("x")})
	require.Equal(t, "onetwo", string(r.body))
	w.proc.story().with(func(s *seen) { require.Equal(t, "onetwo", string(s.reply)); require.True(t, s.eos) })
}
