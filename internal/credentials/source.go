package credentials

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"sluice/extproc/provider/kit"
)

// ErrUnavailable says that a source has no valid credential at hand. What
// follows it in an error is for operators.
var ErrUnavailable = errors.New("no valid credential is at hand")

// firstWait is how long a request waits for a source's first fetch.
const firstWait = 5 * time.Second

// material is what a fetch brings. It is not changed.
type material struct {
	headers [][2]string     // of a token
	keys    aws.Credentials // of AWS
	ends    time.Time       // zero: never
	// again is when to read material that has no end anew, since a file or
	// the environment may have changed; 0: never.
	again time.Duration
}

// recipe is how a credential is had and used.
type recipe struct {
	fixed *material // known without fetching
	fetch func(t *trip) (*material, error)
	apply func(up *kit.Upstream, host string, c *material, now time.Time) error
	// secrets are removed from errors, should a server send one back.
	secrets []string
}

// Source adds one credential to requests. It is safe for concurrent use.
type Source struct {
	recipe
	kind    kit.CredentialKind
	id      string
	manager *Manager
	cancel  context.CancelFunc
	done    chan struct{} // closed when the goroutine has ended; nil: there is none

	current atomic.Pointer[material]
	settled chan struct{} // closed when the first fetch has ended, well or not
	once    sync.Once     // closes settled

	mu       sync.Mutex // guards what follows
	err      error      // of the last fetch
	failures int        // in a row
	next     time.Time  // of the next fetch
}

func (m *Manager) newSource(c kit.Credential, id string) *Source {
	s := &Source{kind: c.Kind, id: id, manager: m, cancel: func() {}, settled: make(chan struct{})}
	r, err := m.recipe(c)
	s.recipe = r
	switch {
	case err != nil:
		s.recipe.fetch = nil
		s.fail(err, time.Time{})
		s.settle()
	case r.fixed != nil:
		s.current.Store(r.fixed)
		s.settle()
	}
	return s
}

// recipe reads a credential's parameters.
func (m *Manager) recipe(c kit.Credential) (recipe, error) {
	switch c.Kind {
	case kit.AWS:
		return m.aws(c.Params)
	case kit.Google:
		return m.google(c.Params)
	case kit.EntraID:
		return m.entra(c.Params)
	case kit.OAuth:
		return m.oauth(c.Params)
	}
	return recipe{}, fmt.Errorf("the credential kind %q is not known", c.Kind)
}

// Authorize adds the credential's headers to a request for host, which is the
// host header as it is sent ("name" or "name:port"). Headers of the same names
// are replaced; up's own slice of headers is not written to. It does no I/O,
// and waits only while the very first fetch is under way: 5 s at most, or until
// ctx ends. Without a valid credential the error wraps ErrUnavailable.
//
// An AWS signature covers method, path, query, body, host and the headers
// content-type and x-amz-*: none may be changed afterwards. The query is
// rewritten in its canonical form. A batch is signed one body at a time: make
// an Upstream of each.
func (s *Source) Authorize(ctx context.Context, up *kit.Upstream, host string) error {
	now := s.manager.now()
	c := s.valid(now)
	if c == nil {
		s.wait(ctx)
		now = s.manager.now()
		if c = s.valid(now); c == nil {
			return s.Ready()
		}
	}
	return s.apply(up, host, c, now)
}

// Ready is nil when a valid credential is at hand. Otherwise it wraps
// ErrUnavailable and says why, without secrets.
func (s *Source) Ready() error {
	if s.valid(s.manager.now()) != nil {
		return nil
	}
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case s.current.Load() != nil:
		return fmt.Errorf("%w: the last one has ended", ErrUnavailable)
	}
	return fmt.Errorf("%w: the first fetch is under way", ErrUnavailable)
}

// Misconfigured says why the source can never have a credential, as its
// parameters are; nil where it may. The text holds no secret.
func (s *Source) Misconfigured() error {
	if s.recipe.fetch != nil || s.recipe.fixed != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Status tells the source's state.
func (s *Source) Status() Status {
	st := Status{Kind: s.kind, ID: s.id, Ready: s.valid(s.manager.now()) != nil}
	if c := s.current.Load(); c != nil {
		st.Ends = c.ends
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Failures, st.Next = s.failures, s.next
	if s.err != nil {
		st.Error = s.err.Error()
	}
	return st
}

// String names the source without anything of its credential.
func (s *Source) String() string { return string(s.kind) + " credential " + s.id }

// Format keeps every verb, %#v too, from printing what is inside.
func (s *Source) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// valid returns the credential at hand unless it has ended, or is about to
// while the request travels.
func (s *Source) valid(now time.Time) *material {
	c := s.current.Load()
	if c == nil || !c.ends.IsZero() && !now.Before(c.ends.Add(-endMargin)) {
		return nil
	}
	return c
}

// wait returns when the first fetch has ended, or after firstWait.
func (s *Source) wait(ctx context.Context) {
	select {
	case <-s.settled:
		return
	default:
	}
	t := time.NewTimer(firstWait)
	defer t.Stop()
	select {
	case <-s.settled:
	case <-ctx.Done():
	case <-t.C:
	}
}

func (s *Source) settle() { s.once.Do(func() { close(s.settled) }) }

func (s *Source) fail(err error, next time.Time) (failures int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures++
	s.err, s.next = err, next
	return s.failures
}

// applyHeaders puts a token into a request.
func applyHeaders(up *kit.Upstream, _ string, c *material, _ time.Time) error {
	out := make([][2]string, 0, len(up.Headers)+len(c.headers))
	for _, h := range up.Headers {
		if !named(c.headers, h[0]) {
			out = append(out, h)
		}
	}
	up.Headers = append(out, c.headers...)
	return nil
}

func named(list [][2]string, name string) bool {
	for _, h := range list {
		if strings.EqualFold(h[0], name) {
			return true
		}
	}
	return false
}
