package config_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/config"
)

func TestEveryKeyOfAnOTLPSinkArrives(t *testing.T) {
	t.Setenv("SLUICE_TEST_CLIENT_SECRET", "canary of a header")
	c, err := config.Load("testdata/sink-otlp.good.yaml")
	require.NoError(t, err)
	require.NoError(t, c.Validate())
	require.Equal(t, &config.SinkOTLP{
		URL: "https://collector.corp.example:4318/otlp/v1/logs", Protocol: config.OTLPOverHTTP, Timeout: 30 * time.Second,
		Headers: []config.SinkHeader{{Name: "authorization", Secret: "canary of a header"}, {Name: "x-scope-orgid", Secret: "security"}},
		TLS:     config.SinkTLS{CAFile: "ca.pem", Certificate: "client.pem", Key: "client.key", ServerName: "collector"},
	}, c.Audit.Sinks[0].OTLP)
	require.Equal(t, config.FormatOCSF, c.Audit.Sinks[0].Format)
	require.Equal(t, &config.SinkOTLP{
		URL: "http://127.0.0.1:4317", Protocol: config.OTLPOverGRPC, Compress: true, Timeout: 10 * time.Second,
	}, c.Audit.Sinks[1].OTLP)
	require.True(t, c.Audit.Sinks[2].OTLP.Plaintext)
	shown := fmt.Sprint(c.Settings())
	require.Contains(t, shown, "x-scope-orgid")
	require.NotContains(t, shown, "canary of a header")
}

func TestBadOTLPSinksSayWhere(t *testing.T) {
	for file, want := range map[string]string{
		"url":      "sink-otlp-url.bad.yaml:5: audit.sinks[0].url: want an http or https URL without user, password or query",
		"query":    "sink-otlp-query.bad.yaml:5: audit.sinks[0].url: want an http or https URL without user, password or query",
		"headers":  "sink-otlp-headers.bad.yaml:6: audit.sinks[0].headers.x-token: want the name of a header and a value without",
		"secret":   "audit.sinks[0].headers.x-token: the environment variable SLUICE_TEST_NOT_SET is not set",
		"protocol": "sink-otlp-protocol.bad.yaml:6: audit.sinks[0].protocol: want one of: grpc, http",
		"needs":    "sink-otlp-needs.bad.yaml:3: audit.sinks[0].url: is needed for a sink of type otlp",
		"pair":     "audit.sinks[0].tls: certificate and key go together",
		"plain":    "audit.sinks[0].url: want https: records would be readable on the way",
		"tls":      "audit.sinks[0].tls: goes with https",
		"path":     "audit.sinks[0].url: gRPC has no path",
	} {
		_, err := config.Load(filepath.Join("testdata", "sink-otlp-"+file+".bad.yaml"))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret-canary")
	}
}
