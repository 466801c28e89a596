package credentials_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"sluice/extproc/provider/kit"
	"sluice/internal/credentials"
)

// These tests run in a bubble of testing/synctest: time is the bubble's own,
// and a goroutine that is left behind fails the test.

// tokenServer answers within the process, so that the bubble's time stands
// still meanwhile. It gives token-1, token-2 …
type tokenServer struct {
	mu    sync.Mutex
	calls []time.Duration // since start
	start time.Time
	life  int           // seconds
	slow  time.Duration // before it answers
	down  bool
	count int
}

func newTokenServer(life int) *tokenServer { return &tokenServer{start: time.Now(), life: life} }

func (s *tokenServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.calls = append(s.calls, time.Since(s.start))
	slow, down := s.slow, s.down
	if !down {
		s.count++
	}
	body := fmt.Sprintf(`{"access_token":"token-%d","token_type":"bearer","expires_in":%d}`, s.count, s.life)
	s.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if down {
		return nil, errors.New("down, and this text holds client-secret-1")
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

func (s *tokenServer) set(down bool, slow time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down, s.slow = down, slow
}

// taken returns when it was called since it was last asked.
func (s *tokenServer) taken() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.calls
	s.calls = nil
	return out
}

func (s *tokenServer) manager(t *testing.T, jitter float64) (*credentials.Manager, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	m := credentials.New(credentials.Options{
		HTTP: &http.Client{Transport: s}, Jitter: func() float64 { return jitter }, Registerer: reg,
	})
	t.Cleanup(m.Close)
	return m, reg
}

func oauthClient(id string) kit.Credential {
	return credential(kit.OAuth, "token_url", "https://token.example/t", "client_id", id, "client_secret", "client-secret-1")
}

func bearer(s *credentials.Source) (string, error) {
	up := kit.Upstream{Headers: [][2]string{{"authorization", "old"}}}
	err := s.Authorize(context.Background(), &up, "api.example.com")
	return headers(up).Get("authorization"), err
}

func requireBearer(t *testing.T, want string, s *credentials.Source) {
	t.Helper()
	got, err := bearer(s)
	require.NoError(t, err)
	require.Equal(t, "Bearer "+want, got)
}

func TestTokensAreRenewedAheadOfTheirEnd(t *testing.T) {
	for _, c := range []struct {
		life   int
		jitter float64
		want   time.Duration
	}{
		{3600, 0, 48 * time.Minute},              // 80 %
		{3600, 0.5, 48 * time.Minute * 95 / 100}, // spread by up to a tenth
		{1200, 0, 15 * time.Minute},              // 5 minutes before the end
		{300, 0, 4 * time.Minute},                // too short for that: 80 %
		{86400, 0, 69120 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			server := newTokenServer(c.life)
			m, _ := server.manager(t, c.jitter)
			source := m.For(oauthClient("a"))
			requireBearer(t, "token-1", source)
			require.NoError(t, source.Ready())
			require.Equal(t, []time.Duration{0}, server.taken(), "fetched at once, and once")
			require.Equal(t, server.start.Add(c.want), source.Status().Next)
			time.Sleep(c.want - time.Millisecond)
			require.Empty(t, server.taken())
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			require.Equal(t, []time.Duration{c.want}, server.taken())
			requireBearer(t, "token-2", source)
		})
	}
}

func TestLastGoodTokenIsServedUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newTokenServer(3600)
		m, reg := server.manager(t, 0)
		source := m.For(oauthClient("a"))
		requireBearer(t, "token-1", source)
		server.set(true, 0)
		server.taken()

		time.Sleep(59 * time.Minute)
		synctest.Wait()
		requireBearer(t, "token-1", source)
		st := source.Status()
		require.True(t, st.Ready)
		require.Equal(t, "token.example could not be reached: the connection broke", st.Error)
		require.Positive(t, st.Failures)
		calls := server.taken()
		require.Equal(t, 48*time.Minute, calls[0])
		for i, wait := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
			require.Equal(t, time.Duration(wait)*time.Second, calls[i+1]-calls[i])
		}

		time.Sleep(time.Minute)
		err := source.Ready()
		require.ErrorIs(t, err, credentials.ErrUnavailable)
		require.ErrorContains(t, err, "could not be reached")
		_, err = bearer(source)
		require.ErrorIs(t, err, credentials.ErrUnavailable)
		require.NotContains(t, fmt.Sprint(err, source.Status()), "client-secret-1")
		require.Equal(t, 1.0, metric(t, reg, "sluice_credentials_unready"))
		require.Negative(t, metric(t, reg, "sluice_credentials_seconds_to_end")-5)

		server.set(false, 0)
		time.Sleep(time.Minute)
		synctest.Wait()
		requireBearer(t, "token-2", source)
		require.Empty(t, source.Status().Error)
		require.Zero(t, source.Status().Failures)
		require.Zero(t, metric(t, reg, "sluice_credentials_unready"))
		require.InDelta(t, 3600, metric(t, reg, "sluice_credentials_seconds_to_end"), 61)
	})
}

// metric is the value of the only sample of a gauge.
func metric(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			require.Len(t, f.GetMetric(), 1)
			require.Equal(t, "oauth", f.GetMetric()[0].GetLabel()[0].GetValue())
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	require.Fail(t, "no such metric", name)
	return 0
}

func TestRequestsWaitForTheFirstFetchOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newTokenServer(3600)
		server.set(false, 3*time.Second)
		m, _ := server.manager(t, 0)
		source := m.For(oauthClient("a"))
		require.ErrorContains(t, source.Ready(), "under way")
		begin := time.Now()
		requireBearer(t, "token-1", source)
		require.Equal(t, 3*time.Second, time.Since(begin))

		// A first fetch that takes too long.
		server.set(false, 20*time.Second)
		slow := m.For(oauthClient("b"))
		begin = time.Now()
		_, err := bearer(slow)
		require.ErrorIs(t, err, credentials.ErrUnavailable)
		require.Equal(t, 5*time.Second, time.Since(begin))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		begin = time.Now()
		require.Error(t, slow.Authorize(ctx, &kit.Upstream{}, "h"))
		require.Equal(t, time.Second, time.Since(begin))
		time.Sleep(15 * time.Second)
		synctest.Wait()
		requireBearer(t, "token-2", slow)

		// One that never ends is given up, and requests no longer wait.
		server.set(false, time.Hour)
		never := m.For(oauthClient("c"))
		time.Sleep(31 * time.Second)
		begin = time.Now()
		_, err = bearer(never)
		require.ErrorContains(t, err, "did not answer in time")
		require.Zero(t, time.Since(begin))
	})
}

func TestNobodyWaitsDuringARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newTokenServer(600)
		m, _ := server.manager(t, 0)
		source := m.For(oauthClient("a"))
		requireBearer(t, "token-1", source)
		server.set(false, time.Second)
		time.Sleep(8*time.Minute + time.Millisecond) // the renewal is under way
		var old, renewed atomic.Int64
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				for range 200 {
					begin := time.Now()
					got, err := bearer(source)
					if err != nil || time.Since(begin) != 0 {
						t.Errorf("%v after %s", err, time.Since(begin))
					}
					switch got {
					case "Bearer token-1":
						old.Add(1)
					case "Bearer token-2":
						renewed.Add(1)
					default:
						t.Errorf("unexpected token")
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		all.Wait()
		require.Positive(t, old.Load())
		require.Positive(t, renewed.Load())
		require.Len(t, server.taken(), 2, "one fetch for all")
	})
}

func TestSourcesAreSharedAndLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newTokenServer(600)
		m, _ := server.manager(t, 0)
		a := m.For(oauthClient("a"))
		requireBearer(t, "token-1", a)
		b := m.For(oauthClient("b"))
		same := oauthClient("a")
		same.Params["scope"] = "" // an empty parameter is none
		require.Same(t, a, m.For(same))
		require.NotSame(t, a, b)
		require.NotSame(t, a, m.For(credential(kit.EntraID, "tenant_id", "t")), "of another kind")
		// Names and values can't be shifted into each other.
		require.NotSame(t, m.For(credential(kit.OAuth, "client_id", "xy", "scope", "z")),
			m.For(credential(kit.OAuth, "client_id", "x", "scope", "yz")))
		synctest.Wait()
		require.Len(t, m.Status(), 5)

		m.Retain(map[*credentials.Source]bool{b: true})
		require.Len(t, m.Status(), 1)
		server.taken()
		requireBearer(t, "token-1", a) // exchanges under way still have it
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		require.Len(t, server.taken(), 1, "only what is in use is renewed")
		time.Sleep(time.Minute)
		_, err := bearer(a)
		require.ErrorContains(t, err, "has ended")
		require.NotSame(t, a, m.For(oauthClient("a")), "it comes back as a new one")

		server.set(false, time.Hour)
		pending := m.For(oauthClient("c"))
		m.Close() // does not wait for servers
		_, err = bearer(pending)
		require.ErrorIs(t, err, credentials.ErrUnavailable)
		_, err = bearer(m.For(oauthClient("d")))
		require.ErrorContains(t, err, "stopping")
		m.Close()
	})
}

func TestTokensThatAreOfNoUse(t *testing.T) {
	for life, why := range map[int]string{-5: "already ended", 3: "already ended"} {
		synctest.Test(t, func(t *testing.T) {
			server := newTokenServer(life)
			m, _ := server.manager(t, 0)
			_, err := bearer(m.For(oauthClient("a")))
			require.ErrorContains(t, err, why)
			time.Sleep(time.Minute)
			require.LessOrEqual(t, len(server.taken()), 7, "asked with back-off, not in a loop")
		})
	}
	synctest.Test(t, func(t *testing.T) { // no expires_in
		server := newTokenServer(0)
		m, _ := server.manager(t, 0)
		source := m.For(oauthClient("a"))
		requireBearer(t, "token-1", source)
		require.Equal(t, server.start.Add(time.Hour), source.Status().Ends)
	})
}
