package trail_test

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"sluice/internal/freeport"
)

// redisServer is a real redis-server that can be killed and started again.
type redisServer struct {
	t    *testing.T
	Addr string
	args []string
	cmd  *exec.Cmd
}

func startRedis(t *testing.T, settings ...string) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is missing: run `make debian` as root, or install Debian's package redis-server")
	}
	addr := freeport.Address(t)
	_, port, _ := strings.Cut(addr, ":")
	r := &redisServer{t: t, Addr: addr, args: append([]string{
		"--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", "", "--daemonize", "no",
	}, settings...)}
	t.Cleanup(func() {
		if r.cmd != nil {
			r.kill()
		}
	})
	r.start()
	return r
}

func (r *redisServer) start() {
	r.t.Helper()
	r.cmd = exec.Command("redis-server", r.args...)
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(r.t, r.cmd.Start())
	client := r.client()
	defer func() { _ = client.Close() }()
	eventually(r.t, "Redis answers", func() bool { return client.Ping(context.Background()).Err() == nil })
}

func (r *redisServer) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	r.cmd = nil
}

func (r *redisServer) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: r.Addr, MaxRetries: -1, DialTimeout: time.Second})
}

// entries are the values of a field in the stream, in order.
func (r *redisServer) entries(stream, field string) []string {
	r.t.Helper()
	client := r.client()
	defer func() { _ = client.Close() }()
	var out []string
	from := "-"
	for {
		page, err := client.XRangeN(context.Background(), stream, from, "+", 5000).Result()
		require.NoError(r.t, err)
		if len(page) == 0 {
			return out
		}
		for _, e := range page {
			out = append(out, fmt.Sprint(e.Values[field]))
		}
		from = "(" + page[len(page)-1].ID
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 90 s for this and it did not come: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
