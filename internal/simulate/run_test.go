package simulate_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"sluice/internal/simulate"
)

func TestRunServesUntilTheEnd(t *testing.T) {
	ca, err := simulate.NewCA(time.Now())
	require.NoError(t, err)
	cert, key, err := ca.IssueFiles(t.TempDir(), "localhost")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	addr, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		ended <- simulate.Run(ctx, simulate.RunOptions{Listen: "127.0.0.1:0", TLSCert: cert, TLSKey: key,
			Log: zap.NewNop(), Ready: func(a net.Addr) { addr <- a }})
	}()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}}}
	r, err := client.Post("https://"+(<-addr).String()+"/v1/chat/completions", "application/json",
		strings.NewReader(`{"model":"practice","messages":[{"role":"user","content":"hi"}]}`))
	require.NoError(t, err)
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.Contains(t, string(body), `You said: \"hi\"`)
	client.CloseIdleConnections()
	cancel()
	require.NoError(t, <-ended)
}

func TestRunRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		options simulate.RunOptions
		want    string
	}{
		"provider":  {simulate.RunOptions{Provider: "acme"}, `provider "acme" is not one of practice, openai, anthropic`},
		"key alone": {simulate.RunOptions{TLSKey: "x"}, "a certificate and a key are needed together"},
		"no file":   {simulate.RunOptions{TLSKey: "x", TLSCert: filepath.Join(t.TempDir(), "none")}, "loading the certificate"},
		"address":   {simulate.RunOptions{Listen: "127.0.0.1:99999"}, "listening on 127.0.0.1:99999"},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.Log = zap.NewNop()
			require.ErrorContains(t, simulate.Run(t.Context(), c.options), c.want)
		})
	}
}

func TestRefusedAddr(t *testing.T) {
	addr, err := simulate.RefusedAddr()
	require.NoError(t, err)
	_, err = net.DialTimeout("tcp", addr, time.Second)
	require.ErrorContains(t, err, "refused")
}

func TestCertificateIsForItsHosts(t *testing.T) {
	ca, err := simulate.NewCA(time.Now())
	require.NoError(t, err)
	s, err := simulate.StartTLS(http.NotFoundHandler(), ca, "api.openai.com")
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	for name, fine := range map[string]bool{"api.openai.com": true, "api.anthropic.com": false} {
		conn, err := tls.Dial("tcp", s.Addr, &tls.Config{RootCAs: ca.Pool(), ServerName: name})
		require.Equal(t, fine, err == nil, "%s: %v", name, err)
		if err == nil {
			require.NoError(t, conn.Close())
		}
	}
}
