// Package redistest runs a real redis-server for tests, which can be stopped,
// killed and started again with or without its data.
package redistest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"sluice/internal/freeport"
)

// Server is a redis-server on loopback with a folder of its own.
type Server struct {
	Address string // host:port, the same after each start
	Dir     string
	args    []string
	client  func() redis.UniversalClient
	cmd     *exec.Cmd
	output  bytes.Buffer
	ended   chan struct{}
}

// Start starts a server; args are lines of redis.conf, such as "appendonly yes".
// It ends with the test.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := New(t, args...)
	s.Run(t)
	return s
}

// New returns a server that is not yet started.
func New(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{Address: freeport.Address(t), Dir: t.TempDir(), args: args}
	s.client = func() redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: s.Address, MaxRetries: -1}) }
	t.Cleanup(s.Kill)
	return s
}

// Run starts the server and waits until it answers.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	_, port, err := net.SplitHostPort(s.Address)
	require.NoError(t, err)
	lines := []string{"bind 127.0.0.1", "save \"\"", "dir " + s.Dir, "loglevel warning"}
	if !strings.Contains(strings.Join(s.args, "\n"), "tls-port") {
		lines = append(lines, "port "+port)
	}
	file := filepath.Join(s.Dir, "redis.conf")
	conf := strings.Join(append(lines, s.args...), "\n") + "\n"
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(conf, "PORT", port)), 0o600))
	s.output.Reset()
	s.cmd = exec.Command("redis-server", file)
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	require.NoError(t, s.cmd.Start(), "redis-server is missing: make debian installs it")
	ended, cmd := make(chan struct{}), s.cmd
	s.ended = ended
	go func() { _ = cmd.Wait(); close(ended) }()
	deadline := time.Now().Add(time.Minute)
	for {
		c, err := net.DialTimeout("tcp", s.Address, time.Second)
		if err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("redis-server ended: %s", s.output.String())
		case <-time.After(20 * time.Millisecond):
		}
		require.True(t, time.Now().Before(deadline), "redis-server does not answer")
	}
}

// Kill ends the server at once, as kill -9 does.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
	s.cmd = nil
}

// Client is a client of a server without TLS and without passwords.
func (s *Server) Client(t testing.TB) redis.UniversalClient {
	c := s.client()
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Config sets a parameter of the running server.
func (s *Server) Config(t testing.TB, name, value string) {
	t.Helper()
	require.NoError(t, s.Client(t).ConfigSet(context.Background(), name, value).Err())
}

// Ids are the field id of all entries of a stream, in order.
func (s *Server) Ids(t testing.TB, stream string) []string {
	t.Helper()
	entries, err := s.Client(t).XRange(context.Background(), stream, "-", "+").Result()
	require.NoError(t, err)
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = fmt.Sprint(e.Values["id"])
	}
	return ids
}
