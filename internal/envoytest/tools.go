package envoytest

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"sluice/envoy"
)

// Binary returns the pinned Envoy, or fails the test. From a package's folder
// the one that `make tools` has put under the root of the repository is found.
func Binary(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	must(t, err)
	for range 6 {
		if _, err := os.Stat(dir + "/.tools/envoy"); err == nil && os.Getenv("ENVOY_BIN") == "" {
			bin, err := envoy.Find(dir + "/.tools/envoy")
			must(t, err)
			return bin
		}
		dir += "/.."
	}
	bin, err := envoy.Find("")
	if err != nil {
		t.Fatalf("this test runs the real Envoy: %v", err)
	}
	return bin
}

// Dir makes a run directory with a path that is short enough for unix sockets.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "slu")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Go runs f until the test ends, then waits for it. An error before the end
// fails the test.
func Go(t testing.TB, name string, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f(ctx); err != nil && ctx.Err() == nil {
			t.Errorf("%s: %v", name, err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Errorf("%s did not end", name)
		}
	})
}

// Eventually waits until ok returns true, and fails the test with what state
// returns when it does not in time.
func Eventually(t testing.TB, within time.Duration, ok func() bool, state func() any) {
	t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %s: %+v", within, state())
		}
	}
}

// Log is a logger to the test's own log, from warnings up. It falls silent
// when the test has ended.
func Log(t testing.TB) *zap.Logger {
	var over atomic.Bool
	t.Cleanup(func() { over.Store(true) })
	encoder := zapcore.NewConsoleEncoder(zapcore.EncoderConfig{
		MessageKey: "m", LevelKey: "l", NameKey: "n", EncodeLevel: zapcore.LowercaseLevelEncoder,
	})
	return zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&testWriter{t: t, over: &over}), zapcore.WarnLevel))
}

type testWriter struct {
	t    testing.TB
	over *atomic.Bool
}

func (w *testWriter) Write(p []byte) (int, error) {
	if !w.over.Load() {
		w.t.Logf("%s", p)
	}
	return len(p), nil
}
