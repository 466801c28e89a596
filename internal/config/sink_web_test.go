package config_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/config"
)

func TestEveryKeyOfWebAndSyslogSinksArrives(t *testing.T) {
	t.Setenv("SLUICE_TEST_CLIENT_SECRET", "canary")
	c, err := config.Load("testdata/sink-web.good.yaml")
	require.NoError(t, err)
	s := c.Audit.Sinks
	tls := config.SinkTLS{CAFile: "ca.pem", Certificate: "c.pem", Key: "k.pem", ServerName: "collector"}
	require.Equal(t, &config.SinkHTTP{
		URL: "https://collector.corp.example:8443", PathSecret: "/audit?key=canary", Token: "canary",
		Headers: []config.SinkHeader{{Name: "x-api-key", Secret: "canary"}, {Name: "x-tenant", Secret: "corp"}}, TLS: tls, Compress: "none", Timeout: 5 * time.Second,
	}, s[0].HTTP)
	require.Equal(t, config.SinkBatch{Records: 100, Bytes: 65536, Age: 2 * time.Second}, s[0].Batch)
	require.Equal(t, config.SinkStartOldest, s[0].Start)
	require.Equal(t, config.SinkStartNow, s[1].Start)
	require.Equal(t, &config.SinkHTTP{
		URL: "https://splunk.corp.example:8088", PathSecret: "/", Token: "canary", Compress: "gzip", Timeout: 30 * time.Second,
		Index: "ai", Source: "gateway", SourceType: "ocsf", Host: "gw-1", Acknowledge: true,
	}, s[1].Splunk)
	require.Equal(t, "http://127.0.0.1:9000", s[2].HTTP.URL)
	tls.ServerName = "siem"
	require.Equal(t, &config.SinkSyslog{
		Address: "siem.corp.example:6514", Transport: "tls", TLS: tls, Facility: 10, AppName: "gateway", Enterprise: 12345,
		MaxBytes: 65536, Timeout: 3 * time.Second,
	}, s[3].Syslog)
	require.Equal(t, config.FormatCEF, s[3].Format)
	require.Equal(t, &config.SinkSyslog{
		Address: "relay.corp.example:514", Transport: "tcp", Plaintext: true, Facility: 13, AppName: "sluice", Enterprise: 32473,
		MaxBytes: 8192, Timeout: 10 * time.Second,
	}, s[4].Syslog)
	require.NotContains(t, fmt.Sprint(c.Settings()), "canary")
}

func TestBadWebAndSyslogSinksSayWhere(t *testing.T) {
	for file, want := range map[string]string{
		"http-plain":     "url: want https: records would be readable on the way",
		"http-url":       "url: want https://host:port/path, without a name and a password",
		"http-header":    "headers: want none that the sink sets itself",
		"http-tls":       "tls: goes with https",
		"http-format":    "format: want one of: sluice, ocsf",
		"splunk-token":   "token: is needed for a sink of type splunk_hec",
		"splunk-path":    "url: want no path: it is added",
		"syslog-address": "address: want host:port",
		"syslog-plain":   "transport: want tls: records would be readable on the way",
		"syslog-tls":     "tls: goes with transport tls",
		"syslog-pair":    "tls: certificate and key go together",
		"syslog-name":    "app_name: want up to 48 printable ASCII characters",
		"start":          "start: want one of: now, oldest",
		"batch":          "batch.age: want a duration of at least 1ms",
	} {
		_, err := config.Load(filepath.Join("testdata", "sink-"+file+".bad.yaml"))
		require.ErrorContains(t, err, "audit.sinks[0]."+want, file)
	}
}
