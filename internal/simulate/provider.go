package simulate

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a provider. The zero value is ready to use.
type Options struct {
	// Keys are the credentials that are accepted. Empty, and no Tokens: any.
	Keys []string
	// Tokens are accepted too, each until it ends. May be nil.
	Tokens *Tokens
	// Keep is how many of the latest requests are kept for Requests.
	// 0 means 1024, a negative number none.
	Keep int
	// AllowUnknown lets parameters through that the published API does not
	// have, as servers that are compatible with OpenAI do.
	AllowUnknown bool
	// Now and Sleep are the clock. Sleep returns early, with the context's
	// error, when ctx ends. Nil: the real clock.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
}

// Received is a request as it reached a provider.
type Received struct {
	Method     string
	Path       string // without query, decoded
	Query      string
	Target     string // path and query as they were on the wire
	Host       string
	ServerName string // of TLS, empty without
	Proto      string // "HTTP/1.1" or "HTTP/2.0"
	Header     http.Header
	Body       []byte
}

// wire is a provider's wire format: pure functions from request to reply.
type wire interface {
	// model returns the model that the request names, empty if none.
	model(r *Received) string
	// answer checks the request and renders the right reply or the refusal.
	answer(r *Received, act Act, env env) reply
	// fail renders a failure of the provider in its own shape.
	fail(r *Received, status int) reply
	// errorEvent is what a stream carries when the provider fails in it.
	errorEvent(r *Received) []byte
	// stamp sets the headers that the provider sends with every reply.
	stamp(h http.Header, requestID string)
}

// env is what an answer takes from outside the request.
type env struct {
	now          time.Time
	keys         []string
	tokens       *Tokens
	allowUnknown bool
}

// accepts reports whether a credential is one of the provider's.
func (e env) accepts(key string) bool {
	if len(e.keys) == 0 && e.tokens == nil {
		return true
	}
	return slices.Contains(e.keys, key) || e.tokens.valid(key, e.now)
}

// Provider is an http.Handler that answers like a model provider. It is safe
// for concurrent use.
type Provider struct {
	wire     wire
	opts     Options
	headers  bool // x-practice-* are obeyed
	sequence atomic.Uint64
	held     chan struct{}

	mu       sync.Mutex // guards the following fields
	received []Received
	next     []Act
	always   *Act
	release  chan struct{} // closed and replaced by Release
}

// NewPractice returns the practice provider: OpenAI's wire format, no
// credential needed, and nothing kept of what it receives.
func NewPractice(o Options) *Provider {
	o.Keep, o.AllowUnknown = -1, true
	p := newProvider(openAI{voice: practiceVoice, open: true, dimensions: practiceDimensions}, o)
	p.headers = true
	return p
}

// NewOpenAI returns a stand-in for OpenAI and for Azure OpenAI, told apart by
// the path. An answer reads "<model> at the OpenAI stand-in heard: <message>".
func NewOpenAI(o Options) *Provider {
	return newProvider(openAI{voice: standInVoice("OpenAI"), dimensions: openAIDimensions}, o)
}

// NewAnthropic returns a stand-in for Anthropic: Messages and the legacy Text
// Completions. An answer reads "<model> at the Anthropic stand-in heard: <message>".
func NewAnthropic(o Options) *Provider {
	return newProvider(anthropic{voice: standInVoice("Anthropic")}, o)
}

func newProvider(w wire, o Options) *Provider {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Keep == 0 {
		o.Keep = 1024
	}
	return &Provider{wire: w, opts: o, release: make(chan struct{}), held: make(chan struct{}, 1)}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Next sets how the next requests are answered, one Act for each, in order of
// arrival, after those set before.
func (p *Provider) Next(acts ...Act) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = append(p.next, acts...)
}

// Always sets how each request without an Act of Next is answered; nil takes
// that back.
func (p *Provider) Always(act *Act) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.always = act
}

// Requests returns what was received, oldest first: a copy of the list, whose
// values are shared and must not be changed.
func (p *Provider) Requests() []Received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Received(nil), p.received...)
}

// Forget drops the requests received and the Acts set.
func (p *Provider) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.received, p.next, p.always = nil, nil, nil
}

// Held receives a value when a stream has sent its first chunk and waits for
// Release. Only the latest is kept while nobody reads.
func (p *Provider) Held() <-chan struct{} { return p.held }

// Release lets all streams go on that have begun, held already or not yet.
func (p *Provider) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.release)
	p.release = make(chan struct{})
}

// ServeHTTP answers one request.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client left in the middle of its body
	}
	got := newReceived(r, body)
	p.keep(got)
	p.wire.stamp(w.Header(), fmt.Sprintf("req_%024x", p.sequence.Add(1)))
	act, wrong := p.actFor(got)
	if wrong != "" {
		refusal := badRequest("", wrong)
		p.deliver(w, r, refusal.openAI(), Act{})
		return
	}
	p.deliver(w, r, p.reply(got, act), act)
}

// reply is what the act leaves of the right answer, before it is sent.
func (p *Provider) reply(got *Received, act Act) reply {
	switch act.Fault {
	case Fail:
		out := p.wire.fail(got, act.Status)
		if act.RetryAfter != "" {
			out.header.Set("Retry-After", act.RetryAfter)
		}
		return out
	case HTML:
		return htmlReply(act.Status)
	case Garbage:
		return reply{status: http.StatusOK, header: jsonHeader(), body: []byte(`{"id": "half a rep`)}
	}
	out := p.wire.answer(got, act, env{now: p.opts.Now(), keys: p.opts.Keys, tokens: p.opts.Tokens,
		allowUnknown: p.opts.AllowUnknown})
	if act.Fault == ErrorEvent && len(out.events) > 0 {
		first := firstContent(out.events)
		out.events = append(out.events[:first+1:first+1], event{data: p.wire.errorEvent(got)})
	}
	if act.Fault == Gzip {
		out = gzipped(out)
	}
	return out
}

func (p *Provider) actFor(got *Received) (act Act, wrong string) {
	if act, ok := p.scripted(); ok {
		return act, ""
	}
	if p.headers {
		if act, ok, wrong := actOfHeaders(got.Header); ok || wrong != "" {
			return act, wrong
		}
	}
	return actOfName(p.wire.model(got)), ""
}

func (p *Provider) scripted() (Act, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.next) > 0 {
		act := p.next[0]
		p.next = p.next[1:]
		return act, true
	}
	if p.always != nil {
		return *p.always, true
	}
	return Act{}, false
}

func (p *Provider) keep(got *Received) {
	if p.opts.Keep < 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.received) >= p.opts.Keep {
		p.received = append([]Received(nil), p.received[1:]...)
	}
	p.received = append(p.received, *got)
}

func newReceived(r *http.Request, body []byte) *Received {
	got := &Received{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Target: r.RequestURI, Host: r.Host,
		Proto: r.Proto, Header: r.Header.Clone(), Body: body}
	if r.TLS != nil {
		got.ServerName = r.TLS.ServerName
	}
	return got
}
