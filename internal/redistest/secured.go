package redistest

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"sluice/internal/simulate"
)

// Secured is how a Group is that speaks TLS only, asks for certificates of clients,
// and has users with passwords.
type Secured struct {
	GroupOptions
	// CAFile, Certificate and Key are PEM files: of the roots, and of a client.
	CAFile, Certificate, Key string
	ca                       *simulate.CA
	pair                     tls.Certificate
}

// NewSecured makes one with a user of the servers and one of the sentinels besides
// those that they need themselves, in words of redis.conf.
func NewSecured(t testing.TB, serverUser, sentinelUser string) *Secured {
	t.Helper()
	s := &Secured{}
	var err error
	s.ca, err = simulate.NewCA(time.Now())
	require.NoError(t, err)
	dir := t.TempDir()
	s.Certificate, s.Key, err = s.ca.IssueFiles(dir, "127.0.0.1")
	require.NoError(t, err)
	s.CAFile = filepath.Join(dir, "ca.pem")
	require.NoError(t, os.WriteFile(s.CAFile, s.ca.PEM(), 0o600))
	s.pair, err = tls.LoadX509KeyPair(s.Certificate, s.Key)
	require.NoError(t, err)
	both := []string{
		"port 0", "tls-port PORT", "tls-cert-file " + s.Certificate, "tls-key-file " + s.Key, "tls-ca-cert-file " + s.CAFile,
		"tls-auth-clients yes", "tls-replication yes", "user default off", "user root on >canary-root ~* &* +@all",
	}
	s.Server = append(both[:len(both):len(both)], serverUser, "masteruser root", "masterauth canary-root")
	s.Sentinel = append(both[:len(both):len(both)], sentinelUser,
		"sentinel auth-user "+GroupName+" root", "sentinel auth-pass "+GroupName+" canary-root",
		"sentinel sentinel-user root", "sentinel sentinel-pass canary-root")
	s.ServerAs = redis.Options{Username: "root", Password: "canary-root", TLSConfig: s.TLS()}
	s.SentinelAs = s.ServerAs
	return s
}

// TLS is how a client connects.
func (s *Secured) TLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.ca.Pool(), Certificates: []tls.Certificate{s.pair}}
}
