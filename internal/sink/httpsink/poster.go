// Package httpsink is the sink type http: lines of JSON by POST.
package httpsink

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"

	"sluice/internal/config"
	"sluice/internal/sink"
)

const (
	maxReply = 64 << 10 // how much is read of a reply
	// lifetime is how long a connection is used: the name is looked up and the
	// certificate verified again behind it.
	lifetime = 10 * time.Minute
)

// Dial connects as package egress has it.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Poster posts bodies to a service, one at a time.
type Poster struct {
	base    string
	client  *http.Client
	header  http.Header
	timeout time.Duration
	now     func() time.Time
	fresh   func()       // leaves all connections behind
	begun   time.Time    // when that was
	gz      *gzip.Writer // nil: bodies are not compressed
	out     bytes.Buffer
}

// NewPoster makes a Poster for the address of c; secure is nil where that is not
// https. It follows no redirect and does not connect yet.
func NewPoster(c *config.SinkHTTP, dial Dial, secure *tls.Config, now func() time.Time) *Poster {
	p := &Poster{base: c.URL, header: http.Header{"User-Agent": {"sluice"}}, timeout: c.Timeout, now: now}
	for _, h := range c.Headers {
		p.header.Set(h.Name, h.Secret)
	}
	p.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	p.fresh = func() {
		p.client.CloseIdleConnections()
		p.client.Transport = &http.Transport{
			DialContext: dial, TLSClientConfig: secure.Clone(), TLSHandshakeTimeout: c.Timeout, ForceAttemptHTTP2: true,
			MaxIdleConns: 2, IdleConnTimeout: 90 * time.Second, DisableCompression: true,
		}
		p.begun = p.now()
	}
	p.fresh()
	if c.Compress == "gzip" {
		p.gz, _ = gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level is one of gzip's
	}
	return p
}

// Reply is what a service answered.
type Reply struct {
	Status int
	After  time.Duration // of Retry-After; 0: it did not say
	Body   []byte        // its beginning
}

// Post sends a body and returns the reply. The error says why there is none, and
// holds nothing of the address's path, of headers or of bodies.
func (p *Poster) Post(ctx context.Context, path string, body []byte, header http.Header) (Reply, error) {
	if p.now().Sub(p.begun).Abs() >= lifetime {
		p.fresh()
	}
	r, err := p.post(ctx, path, body, header)
	if err != nil || r.Status/100 != 2 && !refuses(r.Status) {
		// The next try connects anew. A connection of HTTP/2 on which nothing comes
		// back any more would be kept else, and a service that moved not be found. To
		// close what is idle is not enough: it is not, until the request has ended.
		p.fresh()
	}
	return r, err
}

func (p *Poster) post(ctx context.Context, path string, body []byte, header http.Header) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	encoding, err := p.encode(body)
	if err != nil {
		return Reply{}, fmt.Errorf("compressing records: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+path, bytes.NewReader(p.out.Bytes()))
	if err != nil {
		return Reply{}, fmt.Errorf("posting to %s: the address can't be used", p.base)
	}
	req.Header = p.header.Clone()
	for name, values := range header {
		req.Header[name] = values
	}
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return Reply{}, fmt.Errorf("posting to %s: %w", p.base, plain(err))
	}
	defer resp.Body.Close()
	r := Reply{Status: resp.StatusCode, After: p.after(resp.Header.Get("Retry-After"))}
	if r.Body, err = io.ReadAll(io.LimitReader(resp.Body, maxReply)); err != nil {
		return Reply{}, fmt.Errorf("reading the answer of %s: %w", p.base, plain(err))
	}
	return r, nil
}

// encode puts the body as it is sent into out.
func (p *Poster) encode(body []byte) (string, error) {
	if p.out.Cap() > 32<<20 {
		p.out = bytes.Buffer{}
	}
	p.out.Reset()
	if p.gz == nil {
		p.out.Write(body)
		return "", nil
	}
	p.gz.Reset(&p.out)
	if _, err := p.gz.Write(body); err != nil {
		return "", err
	}
	return "gzip", p.gz.Close()
}

// plain takes the address out of an error: its path may be a secret.
func plain(err error) error {
	var at *url.Error
	if !errors.As(err, &at) {
		return err
	}
	if at.Timeout() {
		return errors.New("no answer in time")
	}
	return at.Err
}

// after reads Retry-After: seconds, or a date.
func (p *Poster) after(text string) time.Duration {
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(p.now()), 0)
	}
	return 0
}

// Failure is the error of a reply that took nothing: a *sink.Refused where the
// service calls what was sent wrong, so that sending it again would not help.
func (p *Poster) Failure(r Reply, what string) error {
	if refuses(r.Status) {
		return &sink.Refused{Reason: what}
	}
	err := fmt.Errorf("%s answered %s", p.base, what)
	if r.After > 0 {
		return &sink.Later{After: r.After, Err: err}
	}
	return err
}

// refuses reports whether a status calls what was sent wrong.
func refuses(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusNotAcceptable, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// StatusText names an HTTP status.
func StatusText(status int) string {
	return fmt.Sprintf("%d %s", status, http.StatusText(status))
}

// Close closes the connections.
func (p *Poster) Close() { p.client.CloseIdleConnections() }

// Halves posts entries by post, which takes all or none. Where post says that
// something of them is refused it finds out what, by halves. It returns as
// Deliver does.
func Halves(entries []sink.Entry, post func([]sink.Entry) error) (int, error) {
	err := post(entries)
	var refused *sink.Refused
	if err == nil {
		return len(entries), nil
	}
	if !errors.As(err, &refused) || len(entries) == 1 {
		return 0, err
	}
	half := len(entries) / 2
	n, err := Halves(entries[:half], post)
	if err != nil {
		return n, err
	}
	m, err := Halves(entries[half:], post)
	return n + m, err
}
