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
