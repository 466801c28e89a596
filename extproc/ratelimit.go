package extproc

import (
	"strconv"
	"sync"
	"time"

	"sluice/internal/catalog"
)

// limiter counts calls in fixed windows that start with the first call, the
// rule of MLflow's server. It counts by endpoint and user, where MLflow counts
// by client address and path: behind a gateway many users share an address.
type limiter struct {
	now func() time.Time

	mu      sync.Mutex // guards the following fields
	windows map[limitKey]*window
	swept   time.Time
}

type limitKey struct{ endpoint, user string }

type window struct {
	ends  time.Time
	calls int64
}

// take counts one call. When the window is full it returns how long it lasts
// and false.
func (l *limiter) take(e *catalog.Endpoint, user string) (time.Duration, bool) {
	if e.Limit == nil {
		return 0, true
	}
	period, err := catalog.ParsePeriod(e.Limit.Period)
	if err != nil {
		return 0, true // the catalog refuses such a limit when it is saved
	}
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	key := limitKey{e.ID, user}
	w := l.windows[key]
	if w == nil || !now.Before(w.ends) {
		w = &window{ends: now.Add(period)}
		l.windows[key] = w
	}
	if w.calls >= e.Limit.Calls {
		return w.ends.Sub(now), false
	}
	w.calls++
	return 0, true
}

// sweep drops windows that ended, at most once a minute: the map holds no more
// than the users of limited endpoints in the last window.
func (l *limiter) sweep(now time.Time) {
	if l.windows == nil {
		l.windows = map[limitKey]*window{}
	}
	if now.Sub(l.swept) < time.Minute {
		return
	}
	l.swept = now
	for k, w := range l.windows {
		if !now.Before(w.ends) {
			delete(l.windows, k)
		}
	}
}

// retryAfter is the header's value: whole seconds, at least one.
func retryAfter(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}
