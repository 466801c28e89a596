// Package redistest runs real redis-servers for tests: one, a group that sentinels
// watch, or a cluster. Each can be stopped, killed and started again with or without
// its data. They end with the test, also when that is killed.
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
	"syscall"
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
	mode    []string // arguments of the command
	options redis.Options
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
	s := &Server{Address: freeport.Address(t), Dir: t.TempDir(), args: args, options: redis.Options{MaxRetries: -1}}
	s.options.Addr = s.Address
	t.Cleanup(s.Kill)
	return s
}

// As makes Client connect with these settings: a user and a password, TLS.
func (s *Server) As(o redis.Options) {
	o.Addr, o.MaxRetries = s.Address, -1
	s.options = o
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
	s.cmd = exec.Command("redis-server", append([]string{file}, s.mode...)...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
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

// Revive starts the server again where it was killed.
func (s *Server) Revive(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		s.Run(t)
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

// Freeze stops the server as a machine that hangs: its connections stay. Thaw ends
// that.
func (s *Server) Freeze(t testing.TB) { require.NoError(t, s.cmd.Process.Signal(syscall.SIGSTOP)) }

// Thaw lets a server go on after Freeze.
func (s *Server) Thaw(t testing.TB) { require.NoError(t, s.cmd.Process.Signal(syscall.SIGCONT)) }

// Client is a client of this server alone, with the settings of As.
func (s *Server) Client(t testing.TB) *redis.Client {
	o := s.options
	c := redis.NewClient(&o)
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

func clientsOf(t testing.TB, all []*Server) []*redis.Client {
	out := make([]*redis.Client, len(all))
	for i, s := range all {
		out[i] = s.Client(t)
	}
	return out
}

// wait waits for what comes by itself: the machine may be busy.
func wait(t testing.TB, what string, is func(ctx context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	for !is(ctx) {
		require.NoError(t, ctx.Err(), "it did not come to this: %s", what)
		time.Sleep(50 * time.Millisecond)
	}
}

// info is a field of INFO, "" where it does not say.
func info(ctx context.Context, c *redis.Client, section, field string) string {
	return fieldOf(c.Info(ctx, section).Val(), field)
}

func fieldOf(text, field string) string {
	for _, line := range strings.Split(text, "\r\n") {
		if value, is := strings.CutPrefix(line, field+":"); is {
			return value
		}
	}
	return ""
}
