package httpsink_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/config"
	"sluice/internal/sink"
	"sluice/internal/sink/sinktest"
)

// collector is a service that takes lines of JSON, or does as a test says.
type collector struct {
	*httptest.Server
	got sinktest.Got

	mu   sync.Mutex // guards the following fields
	do   func(w http.ResponseWriter, ids []string) bool
	last http.Header
	path string
	n    int
}

func newCollector(t *testing.T, do func(w http.ResponseWriter, ids []string) bool) *collector {
	c := &collector{do: do}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil && r.Header.Get("Content-Encoding") == "gzip" {
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, err = io.ReadAll(z)
		}
	}
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	var ids []string
	for s := bufio.NewScanner(bytes.NewReader(body)); s.Scan(); {
		var record struct{ ID, RecordID string }
		if err := json.Unmarshal(s.Bytes(), &record); err != nil {
			panic(err)
		}
		ids = append(ids, record.ID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.path = r.Header, r.URL.String()
	c.n++
	if c.do != nil && !c.do(w, ids) {
		return
	}
	for _, id := range ids {
		c.got.Add(id)
	}
}

func to(url string, change ...func(*config.SinkHTTP)) config.Sink {
	c := &config.SinkHTTP{URL: url, PathSecret: "/audit?key=canary-path", Token: "canary-token", Compress: "gzip", Timeout: 300 * time.Millisecond}
	for _, f := range change {
		f(c)
	}
	return config.Sink{Name: "a", Type: "http", HTTP: c}
}

func TestRecordsArriveAsLines(t *testing.T) {
	w := sinktest.New(t)
	c := newCollector(t, nil)
	ids := w.Write("x", 100)
	w.Set(to(c.URL, func(h *config.SinkHTTP) { h.Headers = []config.SinkHeader{{Name: "x-tenant", Secret: "corp"}} }))
	w.Through("a")
	require.Equal(t, ids, c.got.Unique())
	require.Equal(t, "Bearer canary-token", c.last.Get("Authorization"))
	require.Equal(t, "corp", c.last.Get("X-Tenant"))
	require.Equal(t, "application/x-ndjson", c.last.Get("Content-Type"))
	require.Equal(t, w.Trail.ID()+"-2.."+w.Trail.ID()+"-200", c.last.Get("Idempotency-Key"))
	require.Equal(t, "/audit?key=canary-path", c.path)
}

// TestNothingIsLostWhateverTheServiceDoes has a service that fails in every way
// that there is, at random, under load.
func TestNothingIsLostWhateverTheServiceDoes(t *testing.T) {
	w := sinktest.New(t)
	c := newCollector(t, nil)
	c.do = func(rw http.ResponseWriter, ids []string) bool {
		switch rand.IntN(8) {
		case 0:
			rw.WriteHeader(http.StatusInternalServerError)
		case 1:
			rw.Header().Set("Retry-After", "0")
			rw.WriteHeader(http.StatusTooManyRequests)
		case 2:
			rw.WriteHeader(http.StatusServiceUnavailable)
		case 3: // it took all and nobody hears of it
			for _, id := range ids {
				c.got.Add(id)
			}
			panic(http.ErrAbortHandler)
		case 4:
			time.Sleep(400 * time.Millisecond) // no answer in time
		default:
			return true
		}
		return false
	}
	w.Set(to(c.URL, func(*config.SinkHTTP) {}))
	var ids []string
	for n := range 8 {
		ids = append(ids, w.Write("load"+string(rune('a'+n)), 100)...)
		time.Sleep(50 * time.Millisecond)
	}
	w.Through("a")
	require.Equal(t, ids, slices.DeleteFunc(c.got.Unique(), func(id string) bool { return !strings.HasPrefix(id, "load") }))
	s := w.Status("a")
	require.Zero(t, s.DeadLetters)
	require.NotContains(t, s.LastError, "canary")
}

func TestARecordThatIsRefusedIsFound(t *testing.T) {
	w := sinktest.New(t)
	c := newCollector(t, func(rw http.ResponseWriter, ids []string) bool {
		bad := slices.ContainsFunc(ids, func(id string) bool { return strings.HasSuffix(id, "7") })
		if bad {
			rw.WriteHeader(http.StatusUnprocessableEntity)
		}
		return !bad
	})
	ids := w.Write("x", 100)
	w.Set(to(c.URL))
	w.Through("a")
	require.Equal(t, slices.DeleteFunc(ids, func(id string) bool { return strings.HasSuffix(id, "7") }), c.got.Unique())
	require.Equal(t, 10, w.Status("a").DeadLetters)
	require.Less(t, c.n, 200)
}

// TestAServiceThatRefusesEverythingIsNotBelieved: a wrong setting must not make
// dead letters of the whole trail.
func TestAServiceThatRefusesEverythingIsNotBelieved(t *testing.T) {
	w := sinktest.New(t)
	var open bool
	c := newCollector(t, nil)
	c.do = func(rw http.ResponseWriter, _ []string) bool {
		if !open {
			rw.WriteHeader(http.StatusBadRequest)
		}
		return open
	}
	w.Write("x", 200)
	w.Set(to(c.URL))
	w.Eventually("it fails", func() bool { return w.Status("a").State == sink.StateFailing })
	require.Contains(t, w.Status("a").LastError, "refuses one record after the other")
	c.mu.Lock()
	open = true
	c.mu.Unlock()
	w.Through("a")
	s := w.Status("a")
	require.Less(t, s.DeadLetters, 25)
	require.Equal(t, 200, s.DeadLetters+len(c.got.Unique()))
	_, err := w.M.RetryLetters("a", "root")
	require.NoError(t, err)
	w.Eventually("none is left", func() bool { return w.Status("a").DeadLetters == 0 })
	require.Len(t, c.got.Unique(), 200)
}

func TestRetryAfterIsHeeded(t *testing.T) {
	w := sinktest.New(t)
	var calls []time.Time
	c := newCollector(t, func(rw http.ResponseWriter, _ []string) bool {
		calls = append(calls, time.Now())
		if len(calls) == 1 {
			rw.Header().Set("Retry-After", "2")
			rw.WriteHeader(http.StatusServiceUnavailable)
			return false
		}
		return true
	})
	w.Write("x", 1)
	w.Set(to(c.URL))
	w.Through("a")
	require.GreaterOrEqual(t, calls[1].Sub(calls[0]), 1900*time.Millisecond)
}

func TestClientCertificateAndOwnAuthority(t *testing.T) {
	w := sinktest.New(t)
	c := &collector{}
	c.Server = httptest.NewUnstartedServer(c)
	cert, key, pool := clientPair(t)
	c.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	c.StartTLS()
	t.Cleanup(c.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw}), 0o600))

	ids := w.Write("x", 10)
	w.Set(to(c.URL))
	w.Eventually("its certificate is not trusted", func() bool { return strings.Contains(w.Status("a").LastError, "certificate") })
	w.Set(to(c.URL, func(h *config.SinkHTTP) {
		h.TLS = config.SinkTLS{CAFile: ca, Certificate: cert, Key: key, ServerName: "example.com"}
	}))
	w.Through("a")
	require.Equal(t, ids, slices.DeleteFunc(c.got.Unique(), func(id string) bool { return id == "" }))

	w.Set(to(c.URL, func(h *config.SinkHTTP) { h.TLS.CAFile = filepath.Join(t.TempDir(), "missing.pem") }))
	w.Write("y", 1)
	w.Eventually("a file is missing", func() bool { return strings.Contains(w.Status("a").LastError, "tls.ca_file") })
}

// clientPair makes a certificate of a client that signs itself.
func clientPair(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	certPEM, keyPEM := selfSigned(t)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	require.NoError(t, os.WriteFile(cert, certPEM, 0o600))
	require.NoError(t, os.WriteFile(key, keyPEM, 0o600))
	pool = x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certPEM))
	return cert, key, pool
}

// The first connection is dead: nothing comes back on it, and nothing ends it.
func TestADeadConnectionIsLeft(t *testing.T) {
	w := sinktest.New(t)
	c := &collector{}
	var dead atomic.Pointer[string]
	over := make(chan struct{})
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		from := r.RemoteAddr
		if dead.CompareAndSwap(nil, &from) || *dead.Load() == from {
			<-over
			return
		}
		c.ServeHTTP(rw, r)
	}))
	c.EnableHTTP2 = true
	c.StartTLS()
	t.Cleanup(c.Close)
	t.Cleanup(func() { close(over) })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw}), 0o600))
	ids := w.Write("x", 10)
	w.Set(to(c.URL, func(h *config.SinkHTTP) {
		h.TLS, h.Timeout = config.SinkTLS{CAFile: ca, ServerName: "example.com"}, 2*time.Second
	}))
	w.Through("a")
	require.Equal(t, ids, slices.DeleteFunc(c.got.Unique(), func(id string) bool { return id == "" }))
}

// The certificate of the client is renewed in place: the next connection shows it.
func TestAClientCertificateThatIsRenewed(t *testing.T) {
	w := sinktest.New(t)
	cert, key, pool := clientPair(t)
	next, nextKey, _ := clientPair(t)
	shown := make(chan []byte, 100)
	c := &collector{}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Connection", "close")
		shown <- r.TLS.PeerCertificates[0].Raw
		c.ServeHTTP(rw, r)
	}))
	c.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, ClientCAs: pool}
	c.StartTLS()
	t.Cleanup(c.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw}), 0o600))
	w.Set(to(c.URL, func(h *config.SinkHTTP) {
		h.TLS = config.SinkTLS{CAFile: ca, Certificate: cert, Key: key, ServerName: "example.com"}
		h.Timeout = 10 * time.Second
	}))
	w.Write("x", 1)
	w.Through("a")
	first := <-shown
	for from, at := range map[string]string{next: cert, nextKey: key} {
		data, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(at, data, 0o600))
	}
	w.Write("y", 1)
	w.Eventually("the new one is shown", func() bool {
		select {
		case now := <-shown:
			return !bytes.Equal(first, now)
		default:
			return false
		}
	})
	w.Through("a")
}
