package admin

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/extproc/dialect"
	"sluice/internal/identity"
	"sluice/internal/throttle"
)

func newSlowing(d Deps) (*throttle.Limiter, prometheus.Counter) {
	slowed := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sluice_api_slowed_total",
		Help: "Requests of the REST API without a token that is good that were turned away because their address sent many.",
	})
	if d.Registerer != nil {
		d.Registerer.MustRegister(slowed)
	}
	return throttle.Tokens(d.Now), slowed
}

// slow counts a failed authentication, by the address that it came from, and
// returns how long the address must wait, 0 for not at all: after few failures
// where the token can't be anybody's, after many where it is missing or has
// ended. Who is let in is never kept waiting: who guesses can't shut out others
// behind the same address. What is turned away so leaves no record, so that
// strangers can't fill the trail.
func (s *server) slow(c *call, err error) time.Duration {
	guessed := slices.ContainsFunc([]error{identity.ErrMalformedToken, identity.ErrUnknownToken, identity.ErrUntrustedToken},
		func(e error) bool { return errors.Is(err, e) })
	if c.client == "" || errors.Is(err, identity.ErrProviderAway) {
		return 0
	}
	failures, key := s.strangers, throttle.AddressKey(c.client)
	if guessed {
		failures = s.failures
	}
	if wait := failures.Wait(key); wait > 0 {
		s.slowed.Inc()
		return wait
	}
	failures.Fail(key)
	return 0
}

func tooManyFailures(wait time.Duration) *dialect.Error {
	seconds := strconv.Itoa(int((wait + time.Second - 1) / time.Second))
	return &dialect.Error{
		Status: http.StatusTooManyRequests, Code: dialect.CodeTooManyFailures,
		Message: fmt.Sprintf("Many requests from this address had no token, or one that is not good here. "+
			"Wait %s s, and check the token.", seconds),
		Headers: [][2]string{{"Retry-After", seconds}},
	}
}
