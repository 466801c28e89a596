package extproc

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// When a target cools down: it is then tried only after all others. It keeps
// its share of the calls until it has failed coolAfter times in a row, and is
// left alone for coolFirst then, for twice as long each time it fails again,
// up to coolMost. A provider that says when to come back (Retry-After with 429
// or 503) is taken at its word, up to coolAsked.
const (
	coolAfter = 5
	coolFirst = 15 * time.Second
	coolMost  = 5 * time.Minute
	coolAsked = time.Minute
)

// health is how a target has done lately. One target's failures are told from
// another's though they share an address: their keys and models differ. The
// zero value is healthy.
type health struct {
	mu       sync.Mutex // guards the following fields
	failures int        // in a row
	rests    int        // cooling periods in a row
	until    time.Time  // cooling
	code     string     // of the last failure
	status   int
	last     time.Time // of the last failure
}

// Health is a target's state as status shows it.
type Health struct {
	Endpoint, Target string
	Cooling          bool
	Failures         int       // in a row
	Until            time.Time // end of cooling
	LastCode         string
	LastStatus       int // the provider's; 0: no reply
	LastFailure      time.Time
}

func (h *health) cooling(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return now.Before(h.until)
}

func (h *health) succeeded() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures, h.rests, h.until = 0, 0, time.Time{}
}

// failed takes in a failure; wait is how long the provider asked to be left
// alone, 0 if it did not.
func (h *health) failed(now time.Time, status int, code string, wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures++
	h.code, h.status, h.last = code, status, now
	if wait > 0 {
		h.until = later(h.until, now.Add(min(wait, coolAsked)))
	}
	if h.failures >= coolAfter && !now.Before(h.until) {
		h.until = now.Add(min(coolFirst<<min(h.rests, 8), coolMost))
		h.rests++
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Health lists the targets of endpoints with several that failed last or are
// cooling down.
func (s *Server) Health() []Health {
	now := s.Now()
	var out []Health
	s.Table().Each(func(e *Entry) {
		if len(e.Targets) < 2 {
			return
		}
		for _, t := range e.Targets {
			h := &t.health
			h.mu.Lock()
			if h.failures > 0 || now.Before(h.until) {
				out = append(out, Health{
					Endpoint: e.Endpoint.Name, Target: t.Name, Cooling: now.Before(h.until), Failures: h.failures,
					Until: h.until, LastCode: h.code, LastStatus: h.status, LastFailure: h.last,
				})
			}
			h.mu.Unlock()
		}
	})
	return out
}

// askedWait reads Retry-After of a reply that says that there is too much: in
// seconds, or as a date (RFC 9110, section 10.2.3).
func askedWait(status int, retryAfter string, now time.Time) time.Duration {
	if retryAfter == "" || status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
		return 0
	}
	if n, err := strconv.ParseInt(retryAfter, 10, 32); err == nil {
		return max(0, time.Duration(n)*time.Second)
	}
	if at, err := http.ParseTime(retryAfter); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
