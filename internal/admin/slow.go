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
		Help: "Requests of the REST API with an unknown or malformed token that were turned away because their address sent many.",
	})
	if d.Registerer != nil {
		d.Registerer.MustRegister(slowed)
	}
	return throttle.Tokens(d.Now), slowed
}

// slow counts a token that can't be anybody's, by the address that sent it, and
// returns how long the address must wait, 0 for not at all. A token that is
// known is never kept waiting: who guesses can't shut out others behind the same
// address. What is turned away so leaves no record, so that guessing can't fill
// the trail.
func (s *server) slow(c *call, err error) time.Duration {
	guessed := slices.ContainsFunc([]error{identity.ErrMalformedToken, identity.ErrUnknownToken, identity.ErrUntrustedToken},
		func(e error) bool { return errors.Is(err, e) })
	if !guessed || c.client == "" {
		return 0
	}
	key := throttle.AddressKey(c.client)
	if wait := s.failures.Wait(key); wait > 0 {
		s.slowed.Inc()
		return wait
	}
	s.failures.Fail(key)
	return 0
}

func tooManyFailures(wait time.Duration) *dialect.Error {
	seconds := strconv.Itoa(int((wait + time.Second - 1) / time.Second))
	return &dialect.Error{
		Status: http.StatusTooManyRequests, Code: "too_many_failures",
		Message: fmt.Sprintf("Many requests from this address had a token that is not known here. "+
			"Wait %s s, and check the token.", seconds),
		Headers: [][2]string{{"Retry-After", seconds}},
	}
}
