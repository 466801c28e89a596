package pki_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"sluice/internal/pki"
)

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func leaf(t *testing.T, p pki.Pair) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(p.Cert)
	c, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return c
}

func ensure(t *testing.T, dir string, now time.Time, hosts ...string) (pki.Pair, string) {
	t.Helper()
	p, ca, err := pki.Ensure(dir, hosts, now)
	require.NoError(t, err)
	return p, ca
}

func TestEnsureMakesWhatATLSClientTrusts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p, ca := ensure(t, dir, start, "gateway.test", "10.1.2.3", "0.0.0.0", "", "bad name")
	b, err := os.ReadFile(ca)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(b))
	c := leaf(t, p)
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "gateway.test", "10.1.2.3"} {
		_, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: start})
		require.NoError(t, err, name)
	}
	require.Error(t, c.VerifyHostname("other.test"))
	require.Error(t, c.VerifyHostname("0.0.0.0"))
	require.IsType(t, &ecdsa.PublicKey{}, c.PublicKey)
	require.False(t, c.IsCA)
	require.Equal(t, 397*day+time.Hour, c.NotAfter.Sub(c.NotBefore))
	require.Equal(t, c.NotAfter, p.NotAfter)
	_, err = tls.X509KeyPair(p.Cert, p.Key)
	require.NoError(t, err)

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 4, "no file is left over")
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), e.Name())
	}
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
}

func TestEnsureKeepsAndRenews(t *testing.T) {
	dir := t.TempDir()
	first, ca := ensure(t, dir, start)
	root, err := os.ReadFile(ca)
	require.NoError(t, err)

	same, _ := ensure(t, dir, start.Add(366*day))
	require.Equal(t, first, same, "31 days before its end it is kept")
	renewed, _ := ensure(t, dir, start.Add(368*day))
	require.NotEqual(t, first.Cert, renewed.Cert)
	named, _ := ensure(t, dir, start.Add(368*day), "new.test")
	require.NoError(t, leaf(t, named).VerifyHostname("new.test"))
	now, err := os.ReadFile(ca)
	require.NoError(t, err)
	require.Equal(t, root, now, "clients go on trusting")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "server.pem"), []byte("broken"), 0o600))
	healed, _ := ensure(t, dir, start.Add(369*day))
	require.NotEmpty(t, healed.Cert)

	_, _ = ensure(t, dir, start.Add(3640*day))
	now, err = os.ReadFile(ca)
	require.NoError(t, err)
	require.NotEqual(t, root, now, "the CA is renewed before its end")
}

func TestBrokenCAIsNotReplaced(t *testing.T) {
	for _, file := range []string{"ca.pem", "ca.key"} {
		dir := t.TempDir()
		_, _ = ensure(t, dir, start)
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte("broken"), 0o600))
		_, _, err := pki.Ensure(dir, nil, start)
		require.ErrorContains(t, err, "remove both")
		require.NoError(t, os.Remove(filepath.Join(dir, file)))
		_, _, err = pki.Ensure(dir, nil, start)
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

func TestLoad(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	p, _ := ensure(t, a, start)
	_, _ = ensure(t, b, start)
	crt, key := filepath.Join(a, "server.pem"), filepath.Join(a, "server.key")
	got, err := pki.Load(crt, key, start)
	require.NoError(t, err)
	require.Equal(t, p, got)
	_, err = pki.Load(crt, key, start.Add(398*day))
	require.ErrorIs(t, err, pki.ErrExpired)
	_, err = pki.Load(crt, key, start.Add(-2*time.Hour))
	require.ErrorIs(t, err, pki.ErrNotYet)
	_, err = pki.Load(crt, filepath.Join(b, "server.key"), start)
	require.ErrorIs(t, err, pki.ErrMismatch)
	_, err = pki.Load(filepath.Join(a, "missing"), key, start)
	require.ErrorIs(t, err, os.ErrNotExist)
	secret := strings.Split(string(p.Key), "\n")[1]
	require.NotContains(t, err.Error(), secret)
}

// TestWatch replaces files in the ways that people and Kubernetes do.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	crt, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	version := func(name string) string {
		d := filepath.Join(dir, name)
		require.NoError(t, os.Mkdir(d, 0o755))
		for _, f := range []string{"tls.crt", "tls.key"} {
			require.NoError(t, os.WriteFile(filepath.Join(d, f), []byte(name+f), 0o600))
		}
		return name
	}
	require.NoError(t, os.Symlink(version("..one"), filepath.Join(dir, "..data")))
	require.NoError(t, os.Symlink("..data/tls.crt", crt))
	require.NoError(t, os.Symlink("..data/tls.key", key))

	ctx, cancel := context.WithCancel(t.Context())
	changed, done := make(chan string, 1000), make(chan error, 1) // what the certificate is at each call
	go func() {
		done <- pki.Watch(ctx, []string{crt, key}, zap.NewNop(), func() {
			now, _ := os.ReadFile(crt)
			changed <- string(now)
		})
	}()
	// told waits until it is told of that content, and returns how often it was told.
	told := func(content string) (n int) {
		t.Helper()
		for limit := time.After(time.Minute); ; {
			select {
			case now := <-changed:
				if n++; now == content {
					return n
				}
			case <-limit:
				t.Fatalf("%q was not seen", content)
			}
		}
	}
	put := func(content string) { require.NoError(t, os.WriteFile(crt, []byte(content), 0o600)) }
	swap := func(to string) {
		require.NoError(t, os.Symlink(version(to), filepath.Join(dir, "..new")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")))
	}
	// It has begun when it tells of a change.
	for n := 0; len(changed) == 0; n++ {
		swap(fmt.Sprint("..begin", n))
		time.Sleep(500 * time.Millisecond)
	}
	swap("..two")
	told("..twotls.crt")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "next"), []byte("renamed"), 0o600))
	require.NoError(t, os.Rename(filepath.Join(dir, "next"), crt))
	told("renamed")
	// Written in place twice in a row: told once, unless this process stands still in between.
	once := false
	for n := 0; n < 5 && !once; n++ {
		put(fmt.Sprint("in place ", n))
		put(fmt.Sprint("in place again ", n))
		once = told(fmt.Sprint("in place again ", n)) == 1
	}
	require.True(t, once, "told of each of two writes in a row")
	// The same content is no change.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "next"), []byte("last"), 0o600))
	require.NoError(t, os.Rename(filepath.Join(dir, "next"), crt))
	told("last")
	time.Sleep(600 * time.Millisecond)
	for len(changed) > 0 {
		<-changed
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "next"), []byte("last"), 0o600))
	require.NoError(t, os.Rename(filepath.Join(dir, "next"), crt))
	select {
	case <-changed:
		t.Fatal("told of a change that is none")
	case <-time.After(600 * time.Millisecond):
	}
	cancel()
	require.NoError(t, <-done)
	require.Error(t, pki.Watch(t.Context(), []string{"/missing/file"}, zap.NewNop(), func() {}))
}
