package simulate

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
)

// statusOverloaded is Anthropic's "overloaded", not an IANA status.
const statusOverloaded = 529

// reply is a whole answer: a body, or the events of a stream.
type reply struct {
	status int
	header http.Header
	body   []byte
	events []event // set for a stream
}

// event is one write of a stream, framing included.
type event struct {
	data    []byte
	content bool // carries a piece of the answer, rather than framing
}

func jsonHeader() http.Header { return http.Header{"Content-Type": {"application/json"}} }

func streamHeader() http.Header {
	return http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}, "Cache-Control": {"no-cache"}}
}

func htmlReply(status int) reply {
	if status == 0 {
		status = http.StatusOK
	}
	page := fmt.Sprintf("<!DOCTYPE html><html><head><title>%d</title></head>"+
		"<body><h1>%[1]d %s</h1><p>edge-7.internal.example</p></body></html>", status, http.StatusText(status))
	return reply{status: status, header: http.Header{"Content-Type": {"text/html; charset=UTF-8"}}, body: []byte(page)}
}

// firstContent is the index of the first event that carries content.
func firstContent(events []event) int {
	for i, e := range events {
		if e.content {
			return i
		}
	}
	return len(events) - 1
}

// gzipped compresses a reply; each event of a stream ends with a flush, so
// that it can be read when it arrives.
func gzipped(in reply) reply {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	out := in
	out.header.Set("Content-Encoding", "gzip")
	if len(in.events) == 0 {
		z.Write(in.body) // a bytes.Buffer does not fail
		z.Close()
		out.body = buf.Bytes()
		return out
	}
	out.events = make([]event, len(in.events))
	for i, e := range in.events {
		z.Write(e.data)
		z.Flush()
		if i == len(in.events)-1 {
			z.Close()
		}
		out.events[i] = event{data: bytes.Clone(buf.Bytes()), content: e.content}
		buf.Reset()
	}
	return out
}

// deliver sends the reply as the act says.
func (p *Provider) deliver(w http.ResponseWriter, r *http.Request, out reply, act Act) {
	switch act.Fault {
	case ResetHead:
		reset(w)
	case StallHead:
		<-r.Context().Done()
		abort()
	}
	if act.HeadDelay > 0 && p.opts.Sleep(r.Context(), act.HeadDelay) != nil {
		abort()
	}
	for name, values := range out.header {
		w.Header()[name] = values
	}
	if len(out.events) > 0 {
		p.deliverStream(w, r, out, act)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(out.body)))
	w.WriteHeader(out.status)
	p.deliverBody(w, r, out.body, act)
}

func (p *Provider) deliverBody(w http.ResponseWriter, r *http.Request, body []byte, act Act) {
	if !interrupts(act) {
		w.Write(body) // an error means that the client left
		return
	}
	release := p.releasing()
	half := len(body) / 2
	w.Write(body[:half])
	flush(w)
	if p.interrupt(w, r.Context(), act, release) {
		if act.Fault == Truncate {
			abort() // closes before the length that the head promised
		}
		return
	}
	w.Write(body[half:])
}

func (p *Provider) deliverStream(w http.ResponseWriter, r *http.Request, out reply, act Act) {
	w.WriteHeader(out.status)
	first := firstContent(out.events)
	release := p.releasing()
	for i, e := range out.events {
		if i > first && act.ChunkDelay > 0 && p.opts.Sleep(r.Context(), act.ChunkDelay) != nil {
			abort()
		}
		if _, err := w.Write(e.data); err != nil {
			return
		}
		if i >= first {
			flush(w)
		}
		if i == first && p.interrupt(w, r.Context(), act, release) {
			return
		}
	}
}

func interrupts(act Act) bool {
	switch act.Fault {
	case Reset, Truncate, Stall:
		return true
	}
	return act.Hold || act.HoldFor > 0
}

// interrupt does what the act wants after the first chunk. It returns true
// when nothing more is to be sent.
func (p *Provider) interrupt(w http.ResponseWriter, ctx context.Context, act Act, release <-chan struct{}) bool {
	switch {
	case act.Fault == Reset:
		reset(w)
	case act.Fault == Truncate:
		return true
	case act.Fault == Stall:
		<-ctx.Done()
		abort()
	case act.Hold:
		p.hold(ctx, release)
	case act.HoldFor > 0:
		if p.opts.Sleep(ctx, act.HoldFor) != nil {
			abort()
		}
	}
	return false
}

// abort breaks off: the client has left, or is to see a broken reply. A plain
// return would end the reply as if it were whole.
func abort() { panic(http.ErrAbortHandler) }

// releasing is closed by the next Release. A stream asks for it before its first
// chunk: whoever has read that may call Release before the stream waits.
func (p *Provider) releasing() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.release
}

func (p *Provider) hold(ctx context.Context, release <-chan struct{}) {
	select {
	case p.held <- struct{}{}:
	default:
	}
	select {
	case <-release:
	case <-ctx.Done():
		abort()
	}
}

func flush(w http.ResponseWriter) {
	// Not every test's writer can flush; then the whole arrives at the end.
	_ = http.NewResponseController(w).Flush()
}

// reset breaks the connection with RST (HTTP/1.1), or the stream with
// RST_STREAM (HTTP/2). It does not return.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		if t, ok := conn.(*tls.Conn); ok {
			conn = t.NetConn()
		}
		if t, ok := conn.(*net.TCPConn); ok {
			t.SetLinger(0) // RST rather than FIN; a failure still closes
		}
		conn.Close()
	}
	abort()
}
