package credentials_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"sluice/extproc/provider/kit"
	"sluice/internal/credentials"
	"sluice/internal/egress"
	"sluice/internal/simulate"
)

// world is a gateway's credentials and the servers they are fetched from, each
// over TLS under its own name and by the egress rules.
type world struct {
	manager  *credentials.Manager
	registry *prometheus.Registry
	logs     *observer.ObservedLogs
	rules    *egress.Rules
}

type hosts map[string]http.HandlerFunc

// newWorld starts the hosts. ambient allows the machine's own identity.
func newWorld(t *testing.T, list hosts, ambient bool) *world {
	t.Helper()
	ca, err := simulate.NewCA(time.Now())
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, ca.PEM(), 0o600))
	resolve := map[string]string{}
	for name, h := range list {
		pair, err := ca.Issue(name)
		require.NoError(t, err)
		s := httptest.NewUnstartedServer(h)
		s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		s.StartTLS()
		t.Cleanup(s.Close)
		resolve[name] = s.Listener.Addr().String()
	}
	return gateway(t, egress.Options{CAFile: file, Resolve: resolve}, ambient)
}

func gateway(t *testing.T, o egress.Options, ambient bool) *world {
	t.Helper()
	rules, err := egress.New(o)
	require.NoError(t, err)
	core, logs := observer.New(zapcore.DebugLevel)
	w := &world{registry: prometheus.NewPedanticRegistry(), logs: logs, rules: rules}
	options := credentials.Options{HTTP: rules.Client(), Log: zap.New(core), Registerer: w.registry}
	if ambient {
		options.Ambient = rules.AmbientClient()
	}
	w.manager = credentials.New(options)
	t.Cleanup(w.manager.Close)
	return w
}

// authorize returns the headers of a request that a credential was added to.
func (w *world) authorize(t *testing.T, c kit.Credential) (http.Header, error) {
	t.Helper()
	up := kit.Upstream{Method: http.MethodPost, Path: "/v1/x", Body: []byte("{}"), Headers: [][2]string{
		{"content-type", "application/json"}, {"Authorization", "placeholder"},
	}}
	err := w.manager.For(c).Authorize(t.Context(), &up, "api.example.com")
	return headers(up), err
}

func headers(up kit.Upstream) http.Header {
	out := http.Header{}
	for _, h := range up.Headers {
		out.Add(h[0], h[1])
	}
	return out
}

// shows is everything that people and machines get to see of the credentials.
func (w *world) shows(t *testing.T, sources ...*credentials.Source) string {
	t.Helper()
	var b strings.Builder
	for _, s := range sources {
		fmt.Fprintf(&b, "%v %+v %#v %s %q %x %v\n", s, s, s, s, s, s, s.Ready())
	}
	fmt.Fprintf(&b, "%+v\n", w.manager.Status())
	for _, e := range w.logs.All() {
		fmt.Fprintf(&b, "%v %v\n", e.Entry, e.ContextMap())
	}
	families, err := w.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		b.WriteString(f.String())
	}
	return b.String()
}

// hides requires that none of the secrets is seen.
func (w *world) hides(t *testing.T, secrets ...string) {
	t.Helper()
	seen := w.shows(t)
	for _, s := range secrets {
		require.NotContains(t, seen, s)
	}
}

func credential(kind kit.CredentialKind, pairs ...string) kit.Credential {
	c := kit.Credential{Kind: kind, Params: map[string]string{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		c.Params[pairs[i]] = pairs[i+1]
	}
	return c
}
