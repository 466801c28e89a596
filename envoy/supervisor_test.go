package envoy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"sluice/envoy"
	"sluice/internal/envoytest"
)

// supervisorIn makes a supervisor whose sockets are in dir. No control plane
// answers: Envoy starts and waits.
func supervisorIn(t testing.TB, bin, dir string, log *zap.Logger, told ...func(envoy.ProcessStatus)) *envoy.Supervisor {
	o := envoy.SupervisorOptions{
		Path: bin, Dir: dir, Concurrency: 1, DrainTime: time.Second, Log: log,
		Bootstrap: envoy.BootstrapOptions{
			NodeID: "test", AdminSocket: filepath.Join(dir, "admin.sock"), XDSSocket: filepath.Join(dir, "xds.sock"),
		},
	}
	for _, f := range told {
		o.OnRestart = f
	}
	s, err := envoy.NewSupervisor(o)
	require.NoError(t, err)
	return s
}

func TestMain(m *testing.M) {
	if dir := os.Getenv("SLUICE_TEST_RUN_ENVOY"); dir != "" {
		beGateway(dir)
		return
	}
	os.Exit(m.Run())
}

// beGateway is the process that TestNoEnvoyIsLeft kills: it runs Envoy and
// prints its process id.
func beGateway(dir string) {
	s, err := envoy.NewSupervisor(envoy.SupervisorOptions{
		Path: os.Getenv("ENVOY_BIN"), Dir: dir, Concurrency: 1, Log: zap.NewNop(),
		Bootstrap: envoy.BootstrapOptions{NodeID: "t", AdminSocket: filepath.Join(dir, "a"), XDSSocket: filepath.Join(dir, "x")},
	})
	if err != nil {
		panic(err)
	}
	go func() { _ = s.Run(context.Background()) }()
	for s.Status().PID == 0 {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(s.Status().PID)
	select {}
}

// TestNoEnvoyIsLeft kills a gateway the hard way and looks for its Envoy.
func TestNoEnvoyIsLeft(t *testing.T) {
	bin := envoytest.Binary(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SLUICE_TEST_RUN_ENVOY="+envoytest.Dir(t), "ENVOY_BIN="+bin)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	time.Sleep(500 * time.Millisecond) // threads of the gateway come and go
	require.NoError(t, syscall.Kill(pid, 0), "Envoy runs")
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	envoytest.Eventually(t, time.Minute, func() bool { return gone(pid) }, func() any { return pid })
}

// gone reports whether the process has ended. A zombie that its new parent has
// not asked about has ended too.
func gone(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(after, "Z")
}

func TestRunEndsWithItsContext(t *testing.T) {
	s := supervisorIn(t, envoytest.Binary(t), envoytest.Dir(t), zap.NewNop())
	require.Equal(t, envoy.StateStopped, s.Status().State)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	envoytest.Eventually(t, time.Minute, func() bool {
		info, err := s.Admin().ServerInfo(ctx)
		return err == nil && strings.Contains(info.Version, "/"+envoy.Version+"/")
	}, func() any { return s.Status() })
	require.Error(t, s.Ready(ctx), "it has no configuration yet")
	pid := s.Status().PID
	cancel()
	require.NoError(t, <-done)
	require.Equal(t, envoy.StateStopped, s.Status().State)
	require.True(t, gone(pid))
}

func TestDrainWithoutProcess(t *testing.T) {
	s := supervisorIn(t, envoytest.Binary(t), envoytest.Dir(t), zap.NewNop())
	require.NoError(t, s.Drain(t.Context()))
	require.NoError(t, s.Run(t.Context()), "a drained supervisor starts nothing")
}

func TestCannotStart(t *testing.T) {
	dir := envoytest.Dir(t)
	s := supervisorIn(t, filepath.Join(dir, "missing"), dir, zap.NewNop())
	require.ErrorIs(t, s.Run(t.Context()), os.ErrNotExist)
}

// TestRestarts has a process that ends at once.
func TestRestarts(t *testing.T) {
	dir := envoytest.Dir(t)
	bin := filepath.Join(dir, "dies")
	require.NoError(t, os.WriteFile(bin, []byte("#!/bin/sh\necho '[critical][main] no luck' >&2\nexit 3\n"), 0o755))
	core, logs := observer.New(zapcore.DebugLevel)
	restarts := make(chan envoy.ProcessStatus, 100)
	s := supervisorIn(t, bin, dir, zap.New(core), func(st envoy.ProcessStatus) { restarts <- st })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	envoytest.Eventually(t, time.Minute, func() bool { return s.Status().Restarts >= 2 }, func() any { return s.Status() })
	cancel()
	require.NoError(t, <-done)
	for n := 1; n <= 2; n++ {
		st := <-restarts
		require.Equal(t, n, st.Restarts)
		require.Equal(t, "exit status 3", st.LastExit)
	}
	again := logs.FilterMessage("Envoy ended by itself; it is started again").All()
	require.NotEmpty(t, again)
	require.Equal(t, "exit status 3", again[0].ContextMap()["exit"])
	require.NotEmpty(t, logs.FilterMessage("no luck").All())
	require.Equal(t, zapcore.ErrorLevel, logs.FilterMessage("no luck").All()[0].Level)
}

func TestPauses(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	require.Equal(t,
		[]time.Duration{0, 250 * ms, 500 * ms, s, 2 * s, 4 * s, 8 * s, 10 * s, 10 * s, 0, 250 * ms},
		envoy.Pauses(0, 0, 0, 0, 0, 0, 0, 0, 0, time.Minute, 0))
}

func TestLogLevels(t *testing.T) {
	for _, level := range []string{"debug", "trace", "loud"} {
		o := envoy.SupervisorOptions{Dir: t.TempDir(), LogLevel: level, Log: zap.NewNop(), Bootstrap: options()}
		_, err := envoy.NewSupervisor(o)
		require.ErrorContains(t, err, "log level", level)
	}
}

func TestLogLines(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	w := envoy.NewLogWriter(zap.New(core))
	for _, part := range []string{"[warning][config] a [b] c\n[in", "fo][main] two\n\n", "Segmentation fault\n[odd][x] y\n", strings.Repeat("z", 100<<10) + "\n"} {
		n, err := io.WriteString(w, part)
		require.NoError(t, err)
		require.Equal(t, len(part), n)
	}
	type line struct {
		level           zapcore.Level
		logger, message string
	}
	var got []line
	for _, e := range logs.All() {
		logger, _ := e.ContextMap()["envoyLogger"].(string)
		got = append(got, line{e.Level, logger, e.Message})
	}
	require.Len(t, got, 5)
	require.Equal(t, []line{
		{zapcore.WarnLevel, "config", "a [b] c"}, {zapcore.InfoLevel, "main", "two"},
		{zapcore.WarnLevel, "", "Segmentation fault"}, {zapcore.WarnLevel, "", "[odd][x] y"},
	}, got[:4])
	require.Len(t, got[4].message, 16<<10)
}
