package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"sluice/internal/cli"
	"sluice/internal/redistest"
)

func TestConsumeRefuses(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"--redis redis://u:canary@h:1", "others can read the password there"},
		{"--password canary", "want $NAME or file:PATH"},
		{"--master m --sentinel-password canary", "--sentinel-password: want $NAME or file:PATH"},
		{"--sentinel-username u", "go with --master"},
		{"--password $SLUICE_TEST_NONE", "the environment variable SLUICE_TEST_NONE is not set"},
		{"--redis ftp://canary", "want redis://HOST:PORT"},
		{"--redis redis://a:1,b:2", "several addresses go with --cluster or --master"},
		{"--from yesterday", "want start or new"},
		{"--batch 0", "want more than 0"},
		{"--ca-file ca.pem", "go with rediss://"},
		{"--exec cat --output file", "exec output"},
	} {
		var out, said bytes.Buffer
		code := cli.Execute(t.Context(), cli.Program{}, append([]string{"audit", "consume"}, strings.Fields(c.args)...), nil, &out, &said)
		require.Equal(t, 2, code, c.args)
		require.Contains(t, said.String(), c.says)
		require.NotContains(t, said.String(), "canary")
	}
}

func TestConsume(t *testing.T) {
	s := redistest.Start(t, "user reader on >canary ~sluice:audit* +xreadgroup +xack +xautoclaim +xpending +xgroup|create +xadd +exists")
	require.NoError(t, s.Client(t).XAdd(t.Context(), &redis.XAddArgs{Stream: "sluice:audit", Values: []any{
		"id", "aa-1", "encoding", "none", "data", `{"recordId":"aa-1"}`,
	}}).Err())
	dir := t.TempDir()
	secret, file := filepath.Join(dir, "secret"), filepath.Join(dir, "out")
	require.NoError(t, os.WriteFile(secret, []byte("canary\n"), 0o600))
	ctx, stop := context.WithCancel(t.Context())
	var said bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- cli.Execute(ctx, cli.Program{}, []string{"audit", "consume", "--redis", "redis://reader@" + s.Address + "/0",
			"--password", "file:" + secret, "--output", file}, nil, &bytes.Buffer{}, &said)
	}()
	require.Eventually(t, func() bool {
		raw, _ := os.ReadFile(file)
		return string(raw) == "{\"recordId\":\"aa-1\"}\n"
	}, time.Minute, 20*time.Millisecond)
	stop()
	require.Zero(t, <-done)
	require.Equal(t, "1 records were written, 0 were repeats, 0 failed, 0 were set aside, 0 were gone before they were read\n", said.String())
}

// By way of sentinels with users of their own, over TLS.
func TestConsumeBySentinels(t *testing.T) {
	secured := redistest.NewSecured(t,
		"user reader on >canary-reader ~sluice:audit* +xreadgroup +xack +xautoclaim +xpending +xgroup|create +xadd +exists",
		"user watcher on >canary-watcher +sentinel|get-master-addr-by-name +sentinel|sentinels +subscribe &+switch-master &+replica-reconf-done")
	g := redistest.StartGroup(t, secured.GroupOptions)
	add := func(s *redistest.Server, id string) {
		require.NoError(t, s.Client(t).XAdd(t.Context(), &redis.XAddArgs{Stream: "sluice:audit", Values: []any{
			"id", id, "encoding", "none", "data", `{"recordId":"` + id + `"}`,
		}}).Err())
	}
	add(g.Servers[0], "aa-1")
	file := filepath.Join(t.TempDir(), "out")
	t.Setenv("SLUICE_TEST_READER", "canary-reader")
	t.Setenv("SLUICE_TEST_WATCHER", "canary-watcher")
	ctx, stop := context.WithCancel(t.Context())
	var said bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- cli.Execute(ctx, cli.Program{}, []string{
			"audit", "consume", "--redis", "rediss://reader@" + strings.Join(g.SentinelAddresses(), ","), "--master", redistest.GroupName,
			"--password", "$SLUICE_TEST_READER", "--sentinel-username", "watcher", "--sentinel-password", "$SLUICE_TEST_WATCHER",
			"--ca-file", secured.CAFile, "--certificate", secured.Certificate, "--key", secured.Key, "--output", file,
		}, nil, &bytes.Buffer{}, &said)
	}()
	has := func(want string) {
		t.Helper()
		require.Eventually(t, func() bool {
			raw, _ := os.ReadFile(file)
			return string(raw) == want
		}, time.Minute, 20*time.Millisecond)
	}
	has("{\"recordId\":\"aa-1\"}\n")
	g.InSync(t)
	add(g.Failover(t), "aa-2")
	has("{\"recordId\":\"aa-1\"}\n{\"recordId\":\"aa-2\"}\n")
	stop()
	require.Zero(t, <-done)
	require.NotContains(t, said.String(), "canary")
}
