package linefile_test

import (
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/linefile"
)

// file is a file of this content, and its path.
func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.ndjson")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// aside is what was kept aside of a file, "" for nothing.
func aside(t *testing.T, path string) string {
	t.Helper()
	found, err := filepath.Glob(path + ".torn-*")
	require.NoError(t, err)
	if len(found) == 0 {
		return ""
	}
	require.Len(t, found, 1)
	info, err := os.Stat(found[0])
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	return read(t, found[0])
}

func open(t *testing.T, path string) *linefile.File {
	t.Helper()
	f := linefile.New(path)
	require.NoError(t, f.Open())
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

func TestALastLineWithoutItsEnd(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for name, c := range map[string]struct{ content, left, torn string }{
		"empty":                     {"", "", ""},
		"whole":                     {"{\"a\":1}\n", "{\"a\":1}\n", ""},
		"half":                      {"{\"a\":1}\n{\"b\":", "{\"a\":1}\n", "{\"b\":"},
		"half, long":                {"{\"a\":1}\n{\"b\":\"" + long, "{\"a\":1}\n", "{\"b\":\"" + long},
		"half of the first":         {"{\"a\":", "", "{\"a\":"},
		"half of the first, of CEF": {"CE", "", "CE"},
		"half, of CEF":              {"CEF:0|a|\nCEF:0|b", "CEF:0|a|\n", "CEF:0|b"},
		"only its end is missing":   {"{\"a\":1}\n{\"b\":2}", "{\"a\":1}\n{\"b\":2}\n", ""},
		"zeros of a power failure":  {"{\"a\":1}\n\x00\x00\x00", "{\"a\":1}\n", "\x00\x00\x00"},
		"zeros only":                {"\x00\x00", "", "\x00\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t, c.content)
			f := open(t, path)
			require.Equal(t, c.left, read(t, path))
			require.Equal(t, c.torn, aside(t, path))
			require.Equal(t, c.torn != "", f.Aside() != "")
			require.EqualValues(t, len(c.left), f.Size())
			require.NoError(t, f.Append([]byte("{\"c\":3}\n")))
			require.Equal(t, c.left+"{\"c\":3}\n", read(t, path))
		})
	}
}

func TestAFileOfSomebodyElseIsLeftAlone(t *testing.T) {
	for _, content := range []string{"root:x:0:0", "127.0.0.1 localhost\n", "\n{}\n", "# notes\n{\"a\":", "CEO: no\n"} {
		path := file(t, content)
		require.ErrorIs(t, linefile.New(path).Open(), linefile.ErrForeign)
		require.Equal(t, content, read(t, path))
		require.Empty(t, aside(t, path))
	}
	dir := t.TempDir()
	require.ErrorIs(t, linefile.New(dir).Open(), linefile.ErrIrregular)
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.ErrorIs(t, linefile.New(pipe).Open(), linefile.ErrIrregular)
	require.ErrorContains(t, linefile.New(filepath.Join(dir, "none", "file")).Open(), "opening the file")
}

func TestTwoDoNotWriteToOneFile(t *testing.T) {
	path := file(t, "")
	first, second := open(t, path), linefile.New(path)
	require.ErrorIs(t, second.Open(), linefile.ErrInUse)
	link := path + "-link"
	require.NoError(t, os.Symlink(path, link))
	require.ErrorIs(t, linefile.New(link).Open(), linefile.ErrInUse)
	require.NoError(t, first.Append([]byte("{}\n")))
	require.NoError(t, first.Close())
	require.NoError(t, second.Open())
	require.NoError(t, second.Append([]byte("{}\n")))
	require.NoError(t, second.Close())
	require.Equal(t, "{}\n{}\n", read(t, path))
}

func TestAnotherProgramRotates(t *testing.T) {
	path := file(t, "")
	f := open(t, path)
	write := func(line string) {
		t.Helper()
		require.NoError(t, f.Open())
		require.NoError(t, f.Append([]byte(line+"\n")))
	}
	write(`{"a":1}`)
	require.NoError(t, os.Rename(path, path+"-1"))
	require.NoError(t, f.Append([]byte("{\"a\":2}\n")), "renamed in between: it goes where the others are")
	write(`{"b":1}`)
	require.Equal(t, "{\"a\":1}\n{\"a\":2}\n", read(t, path+"-1"))
	require.NoError(t, os.Rename(path, path+"-2"))
	require.NoError(t, os.WriteFile(path, nil, 0o640)) // logrotate's create
	write(`{"c":1}`)
	require.NoError(t, os.Truncate(path, 0)) // its copytruncate
	write(`{"d":1}`)
	require.NoError(t, os.Truncate(path, 0))
	require.NoError(t, f.Append([]byte("{\"e\":1}\n")), "emptied in between")
	require.Equal(t, "{\"e\":1}\n", read(t, path))
	require.NoError(t, os.Remove(path))
	write(`{"f":1}`)
	require.Equal(t, "{\"f\":1}\n", read(t, path))
	require.Empty(t, aside(t, path))
}

// limit bounds how long files of this process may be, as a full disk does: what
// fits is written.
func limit(t *testing.T, size uint64) (lift func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var was syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: was.Max}))
	lift = func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was)) }
	t.Cleanup(lift)
	return lift
}

func TestAFullDiskInTheMiddleOfALine(t *testing.T) {
	path := file(t, "{\"a\":1}\n")
	f := open(t, path)
	lift := limit(t, 20)
	require.ErrorIs(t, f.Append([]byte("{\"b\":2}\n{\"c\":3}\n")), syscall.EFBIG)
	require.Equal(t, "{\"a\":1}\n", read(t, path), "none of it is there")
	require.NoError(t, f.Open())
	require.NoError(t, os.Truncate(path, 0))
	require.ErrorIs(t, f.Append([]byte(strings.Repeat("{\"b\":2}\n", 10))), syscall.EFBIG)
	lift()
	require.NotContains(t, read(t, path), "\x00", "it was emptied meanwhile, and is not made longer")
	require.NoError(t, f.Open())
	require.NoError(t, f.Append([]byte("{\"d\":4}\n")))
	require.Regexp(t, `^(\{"\w":\d\}\n)+$`, read(t, path))
}

func TestHalfALineThatCanNotBeKeptIsNotCut(t *testing.T) {
	content := "{\"a\":1}\n{\"b\":"
	path := file(t, content)
	lift := limit(t, 2)
	require.ErrorIs(t, linefile.New(path).Open(), syscall.EFBIG)
	lift()
	require.Equal(t, content, read(t, path))
	require.Empty(t, aside(t, path))
	open(t, path)
	require.Equal(t, "{\"b\":", aside(t, path))
}

func TestTailBeginsWithALine(t *testing.T) {
	f := open(t, file(t, "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n"))
	for most, want := range map[int64]string{100: "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n", 17: "{\"b\":2}\n{\"c\":3}\n", 10: "{\"c\":3}\n", 3: ""} {
		r, err := f.Tail(most)
		require.NoError(t, err)
		got := make([]byte, 100)
		n, _ := r.Read(got)
		require.Equal(t, want, string(got[:n]), most)
	}
}
