package credentials

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
)

const (
	// endMargin is how long before its end a credential is no longer used:
	// the request has a way to go, and clocks differ.
	endMargin = 5 * time.Second
	// fetchTimeout bounds one fetch.
	fetchTimeout = 30 * time.Second
	// ahead is how long before its end a credential is renewed at the latest,
	// when it lives long enough for that to make sense.
	ahead, longLife = 5 * time.Minute, 10 * time.Minute
	// Failed fetches are repeated after 1, 2, 4 … 60 s, less up to half.
	firstBackoff, maxBackoff = time.Second, time.Minute
	// soonest is the shortest time between two fetches.
	soonest = time.Second
	// A wait is cut into steps, since a clock may jump: the end of a
	// credential is a time of day.
	longestStep = time.Minute
)

var errEnded = errors.New("what was fetched has already ended: is the clock of this machine right?")

// start runs the source's goroutine, until cancel is called.
func (s *Source) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.done = cancel, make(chan struct{})
	go func() {
		defer close(s.done)
		defer s.settle()
		s.run(ctx)
	}()
}

func (s *Source) run(ctx context.Context) {
	for {
		c, err := s.fetchOnce(ctx)
		if ctx.Err() != nil {
			s.stopped()
			return
		}
		next := s.take(c, err)
		s.settle()
		if next.IsZero() || !s.sleep(ctx, next) {
			s.stopped()
			return
		}
	}
}

// fetchOnce fetches by the source's recipe. The error is fit to be shown.
func (s *Source) fetchOnce(ctx context.Context) (*material, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	t := &trip{ctx: ctx}
	c, err := s.fetch(t)
	if err != nil {
		return nil, t.explain(err, s.secrets)
	}
	if !c.ends.IsZero() && !s.manager.now().Before(c.ends.Add(-endMargin)) {
		return nil, errEnded
	}
	return c, nil
}

// take notes what a fetch brought and returns when the next is due; zero for
// never.
func (s *Source) take(c *material, err error) time.Time {
	now := s.manager.now()
	if err != nil {
		s.mu.Lock()
		again := s.failures > 0
		next := now.Add(s.backoff(s.failures))
		s.mu.Unlock()
		s.fail(err, next)
		s.manager.metrics.fetches.WithLabelValues(string(s.kind), resultFailed).Inc()
		level := zap.WarnLevel
		if again {
			level = zap.DebugLevel // the status tells that it goes on
		}
		s.manager.log.Log(level, "fetching a credential failed",
			zap.String("kind", string(s.kind)), zap.String("id", s.id), zap.Error(err), zap.Time("next", next))
		return next
	}
	var next time.Time
	if d := s.renewal(c, now); d > 0 {
		next = now.Add(d)
	}
	s.current.Store(c)
	s.mu.Lock()
	recovered := s.failures > 0
	s.err, s.failures, s.next = nil, 0, next
	s.mu.Unlock()
	s.manager.metrics.fetches.WithLabelValues(string(s.kind), resultOK).Inc()
	if recovered {
		s.manager.log.Info("fetching a credential works again",
			zap.String("kind", string(s.kind)), zap.String("id", s.id))
	}
	return next
}

// backoff is the wait after a number of earlier failures in a row.
func (s *Source) backoff(earlier int) time.Duration {
	d := maxBackoff
	if earlier < 6 {
		d = min(firstBackoff<<earlier, maxBackoff)
	}
	return d - time.Duration(float64(d)/2*s.manager.jitter())
}

// renewal is how long a credential is used before the next fetch: 80 % of its
// life, or until 5 minutes before its end where that is earlier; 0 for ever.
func (s *Source) renewal(c *material, now time.Time) time.Duration {
	d := c.again
	if !c.ends.IsZero() {
		life := c.ends.Sub(now)
		if d = life * 8 / 10; life > longLife {
			d = min(d, life-ahead)
		}
	}
	if d == 0 {
		return 0
	}
	return max(d-time.Duration(float64(d)/10*s.manager.jitter()), soonest)
}

// sleep waits until a time of day; false: the source was stopped.
func (s *Source) sleep(ctx context.Context, until time.Time) bool {
	for {
		left := until.Round(0).Sub(s.manager.now().Round(0)) // by the wall, not since the start
		if left <= 0 {
			return true
		}
		t := time.NewTimer(min(left, longestStep))
		select {
		case <-ctx.Done():
			t.Stop()
			return false
		case <-t.C:
		}
	}
}

var errStopped = errors.New("no target uses it any more")

// stopped notes that no fetch will follow.
func (s *Source) stopped() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = time.Time{}
	if s.err == nil && s.current.Load() == nil {
		s.err = errStopped
	}
}
