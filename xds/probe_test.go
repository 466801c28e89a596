package xds_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/internal/envoytest"
	"sluice/xds"
)

func upstreamHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/echo":
			fmt.Fprintf(w, "%s host=%s cl=%d te=%v body=%d hdr=%v", r.URL.Path, r.Host, r.ContentLength, r.TransferEncoding, len(b), r.Header)
		case "/big":
			n, _ := strconv.Atoi(r.URL.Query().Get("n"))
			if r.URL.Query().Get("cl") != "" {
				w.Header().Set("Content-Length", strconv.Itoa(n))
			}
			_, _ = w.Write(bytes.Repeat([]byte("x"), n))
		case "/reset":
			c, _, _ := w.(http.Hijacker).Hijack()
			if q := r.URL.Query().Get("head"); q == "json" {
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"half\":")
			} else if q == "chunked" {
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
			} else if q == "sse" {
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
				time.Sleep(200 * time.Millisecond)
			}
			_ = c.Close()
		case "/trailers":
			w.Header().Set("Trailer", "X-T")
			_, _ = w.Write([]byte("one"))
			w.(http.Flusher).Flush()
			_, _ = w.Write([]byte("two"))
			w.Header().Set("X-T", "v")
		case "/slow":
			select {
			case <-time.After(5 * time.Second):
			case <-r.Context().Done():
			}
		case "/stall":
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = w.Write([]byte("data: 1\n\n"))
			w.(http.Flusher).Flush()
			select {
			case <-time.After(5 * time.Second):
			case <-r.Context().Done():
			}
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Type", "application/json")
			z := gzip.NewWriter(w)
			_, _ = z.Write([]byte(`{"zipped":true}`))
			_ = z.Close()
		case "/spoof":
			w.Header().Set("X-Gateway-Local", "spoofed")
			w.Header().Set("X-Envoy-Upstream-Service-Time", "1")
			_, _ = w.Write([]byte("spoof"))
		}
	})
}

func TestProbe(t *testing.T) {
	proc := &fakeProc{}
	up := httptest.NewServer(upstreamHandler())
	defer up.Close()
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(up.URL, "http://"))
	n, _ := strconv.Atoi(port)
	u := xds.Upstream{Host: "api.example.com", Port: 80}
	dead := xds.Upstream{Host: "dead.example.com", Port: 81}
	none := xds.Upstream{Host: "none.invalid", Port: 81}
	_ = n
	g := envoytest.Start(t, envoytest.Options{
		ExtProc: proc, IdleTimeout: time.Second,
		Resolve:   map[string]string{"api.example.com": "127.0.0.1:" + port, "dead.example.com": "127.0.0.1:9"},
		Upstreams: []xds.Upstream{u, dead, none},
	})
	c := g.Client("h2")
	do := func(name, route, path string, body []byte, extra ...string) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "POST", g.URL+"/v1/chat/completions", bytes.NewReader(body))
		req.Header.Set("x-test-route", route)
		req.Header.Set("x-test-path", path)
		req.Header.Set("content-type", "text/odd")
		for i := 0; i < len(extra); i += 2 {
			req.Header.Set(extra[i], extra[i+1])
		}
		start := time.Now()
		r, err := c.Do(req)
		if err != nil {
			t.Logf("== %s: client error %v (%s)\n   proc: %v err=%v", name, err, time.Since(start), proc.story().events, proc.story().err)
			return
		}
		b, err := io.ReadAll(r.Body)
		s := proc.story()
		out := string(b)
		if len(out) > 1200 {
			out = fmt.Sprintf("%d bytes", len(out))
		}
		t.Logf("== %s: %s %v err=%v took=%s\n   body: %s\n   proc: %v end=%v", name, r.Status, r.Header, err, time.Since(start).Round(time.Millisecond), out, s.events, s.err)
	}
	k := u.Key()
	do("echo", k, "/echo?q=1", []byte("hello"))
	do("strip", k, "/echo", []byte("hello"), "x-test-strip", "1", "x-gateway-foo", "bar", "x-envoy-foo", "1", "x-forwarded-for", "1.2.3.4", "accept-encoding", "gzip", "te", "trailers", "cookie", "a=b", "user_name", "x")
	t.Log(proc.last().request)
	proc.rewrite = func([]byte) []byte { return bytes.Repeat([]byte("y"), 77) }
	do("strip+rewrite", k, "/echo", []byte("hello"), "x-test-strip", "1")
	proc.rewrite = nil
	do("noroute", "http:nowhere:1", "/echo", []byte("hello"))
	do("dead", dead.Key(), "/echo", []byte("hello"))
	do("none", none.Key(), "/echo", []byte("hello"))
	do("reset-before", k, "/reset", []byte("hello"))
	do("reset-json", k, "/reset?head=json", []byte("hello"))
	do("reset-chunked", k, "/reset?head=chunked", []byte("hello"))
	do("reset-sse", k, "/reset?head=sse", []byte("hello"))
	do("trailers", k, "/trailers", []byte("hello"))
	do("slow", k, "/slow", []byte("hello"))
	do("stall", k, "/stall", []byte("hello"))
	do("gzip", k, "/gzip", []byte("hello"))
	do("spoof", k, "/spoof", []byte("hello"))
	do("deny", k, "/echo", []byte("hello"), "x-test-deny", "403")
	do("forbidden", k, "/echo", []byte("hello"), "x-test-forbidden", "1")
	for _, size := range []int{1 << 10, 900 << 10, 3 << 20, 30 << 20, 32<<20 - 10, 33 << 20} {
		do(fmt.Sprintf("upload %d", size), k, "/echo", make([]byte, size))
	}
	for _, size := range []int{1 << 10, 900 << 10, 3 << 20, 30 << 20, 33 << 20, 64 << 20} {
		do(fmt.Sprintf("download %d", size), k, fmt.Sprintf("/big?n=%d", size), []byte("x"))
		do(fmt.Sprintf("download cl %d", size), k, fmt.Sprintf("/big?cl=1&n=%d", size), []byte("x"))
	}
	c = g.Client("http/1.1")
	do("h1 upload 33M", k, "/echo", make([]byte, 33<<20))
	do("h1 upload 30M", k, "/echo", make([]byte, 30<<20))
	do("h1 reset-json", k, "/reset?head=json", []byte("hello"))
	do("h1 reset-sse", k, "/reset?head=sse", []byte("hello"))
	do("h1 deny", k, "/echo", []byte("hello"), "x-test-deny", "403")
	st, _ := g.Envoy.Admin().Stats(t.Context(), "ext_proc|rejected")
	t.Log(st)
}
