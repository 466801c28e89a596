package targets_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/egress"
	"sluice/internal/sink"
	"sluice/internal/sink/targets"
)

func TestOTLP(t *testing.T) {
	var got http.Header
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	t.Cleanup(s.Close)
	rules, err := egress.New(egress.Options{AllowPrivate: true})
	require.NoError(t, err)
	c := &config.Sink{Name: "watch", Type: "otlp", OTLP: &config.SinkOTLP{
		URL: s.URL, Protocol: config.OTLPOverHTTP, Timeout: time.Second, Headers: []config.SinkHeader{{Name: "x-token", Secret: "canary"}},
	}}
	deps := targets.Deps{Egress: rules, Trail: "t", Node: "n", Version: "1", Now: time.Now}
	target, err := targets.Open(c, deps)
	require.NoError(t, err)
	n, err := target.Deliver(context.Background(), []sink.Entry{{Record: &audit.Record{RecordID: "t-1", Event: &audit.Event{Kind: "K"}}, Data: []byte("x")}})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, "canary", got.Get("X-Token"))
	require.NoError(t, target.Close())

	c.OTLP.TLS.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	_, err = targets.Open(c, deps)
	require.ErrorContains(t, err, "tls.ca_file: open ")
	require.NoError(t, os.WriteFile(c.OTLP.TLS.CAFile, []byte("no PEM"), 0o600))
	_, err = targets.Open(c, deps)
	require.ErrorContains(t, err, "holds no PEM certificate")
	c.OTLP.TLS = config.SinkTLS{Certificate: "missing.pem", Key: "missing.key"}
	_, err = targets.Open(c, deps)
	require.ErrorContains(t, err, "tls.certificate: open missing.pem")
}
