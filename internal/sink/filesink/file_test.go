package filesink_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/linefile"
	"sluice/internal/sink"
	"sluice/internal/sink/filesink"
)

func entries(prefix string, n int) []sink.Entry {
	out := make([]sink.Entry, n)
	for i := range out {
		out[i] = sink.Entry{Record: &audit.Record{}, Data: fmt.Appendf(nil, `{"id":"%s-%02d"}`, prefix, i)}
	}
	return out
}

func deliver(t *testing.T, target *filesink.Target, e []sink.Entry) {
	t.Helper()
	n, err := target.Deliver(context.Background(), e)
	require.NoError(t, err)
	require.Len(t, e, n)
}

func lines(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(data), "\n"))
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

func TestFileRotatesAndKeeps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "audit.log")
	target := filesink.Open(config.SinkFile{Path: path, RotateBytes: 100, Keep: 2}) // seven lines of 13 bytes and their ends
	deliver(t, target, entries("a", 22))
	require.NoError(t, target.Close())
	require.Len(t, lines(t, path), 22%7)
	require.Len(t, lines(t, path+".1"), 7)
	require.Equal(t, `{"id":"a-14"}`, lines(t, path+".1")[0])
	require.Equal(t, `{"id":"a-07"}`, lines(t, path+".2")[0])
	require.NoFileExists(t, path+".3")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	long := entries("long", 1)
	long[0].Data = []byte(strings.Repeat("x", 500))
	deliver(t, filesink.Open(config.SinkFile{Path: path, RotateBytes: 100, Keep: 0}), append(long, entries("b", 1)...))
	require.Equal(t, []string{`{"id":"b-00"}`}, lines(t, path))
}

func TestFileGoesOnAfterACrashAndARotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	require.NoError(t, os.WriteFile(path, []byte("{\"whole\":1}\n{\"torn"), 0o600))
	target := filesink.Open(config.SinkFile{Path: path, RotateBytes: 1 << 20, Keep: 2})
	deliver(t, target, entries("a", 2))
	require.Equal(t, []string{`{"whole":1}`, `{"id":"a-00"}`, `{"id":"a-01"}`}, lines(t, path))
	aside, err := filepath.Glob(path + ".torn-*")
	require.NoError(t, err)
	require.Len(t, aside, 1)
	torn, err := os.ReadFile(aside[0])
	require.NoError(t, err)
	require.Equal(t, "{\"torn", string(torn))
	require.Equal(t, []string{"The file ended in half a line, which was kept aside in " + aside[0] + "."}, target.Notes())

	require.NoError(t, os.Rename(path, path+"-rotated"))
	deliver(t, target, entries("b", 1))
	require.Equal(t, []string{`{"id":"b-00"}`}, lines(t, path))
	require.NoError(t, os.Truncate(path, 0))
	deliver(t, target, entries("c", 1))
	require.Equal(t, []string{`{"id":"c-00"}`}, lines(t, path))
	require.Len(t, lines(t, path+"-rotated"), 3)
}

func TestFileThatCanNotBeWritten(t *testing.T) {
	target := filesink.Open(config.SinkFile{Path: t.TempDir(), RotateBytes: 1 << 20})
	n, err := target.Deliver(context.Background(), entries("a", 1))
	require.Zero(t, n)
	require.ErrorIs(t, err, linefile.ErrIrregular)

	// Somebody else's file is left alone, whatever it ends with.
	path := filepath.Join(t.TempDir(), "hosts")
	require.NoError(t, os.WriteFile(path, []byte("127.0.0.1 localhost"), 0o600))
	n, err = filesink.Open(config.SinkFile{Path: path, RotateBytes: 1 << 20}).Deliver(context.Background(), entries("a", 1))
	require.Zero(t, n)
	require.ErrorIs(t, err, linefile.ErrForeign)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1 localhost", string(data))
}

// The disk is full in the middle of a line, then is not.
func TestFileOfAFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	target := filesink.Open(config.SinkFile{Path: path, RotateBytes: 1 << 20, Keep: 2})
	deliver(t, target, entries("a", 2))
	signal.Ignore(syscall.SIGXFSZ)
	var was syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was))
	defer func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was)) }()
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 50, Max: was.Max}))
	n, err := target.Deliver(context.Background(), entries("b", 3))
	require.Zero(t, n)
	require.ErrorIs(t, err, syscall.EFBIG)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was))
	deliver(t, target, entries("b", 3))
	require.Equal(t, []string{`{"id":"a-00"}`, `{"id":"a-01"}`, `{"id":"b-00"}`, `{"id":"b-01"}`, `{"id":"b-02"}`}, lines(t, path))
	require.Nil(t, target.Notes())
}

// Two sinks, of this gateway or of two, have one file by mistake: one writes.
func TestFileOfTwoSinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	one := filesink.Open(config.SinkFile{Path: path, RotateBytes: 1 << 20})
	two := filesink.Open(config.SinkFile{Path: path, RotateBytes: 1 << 20})
	deliver(t, one, entries("a", 1))
	_, err := two.Deliver(context.Background(), entries("b", 1))
	require.ErrorIs(t, err, linefile.ErrInUse)
	require.NoError(t, one.Close())
	deliver(t, two, entries("b", 1))
	require.Equal(t, []string{`{"id":"a-00"}`, `{"id":"b-00"}`}, lines(t, path))
}
