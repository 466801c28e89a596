package consume_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"sluice/internal/consume"
	"sluice/internal/redisclient"
	"sluice/internal/redistest"
)

const stream = "sluice:audit"

// add adds the records first to last to the stream.
func add(t testing.TB, s *redistest.Server, first, last int) {
	t.Helper()
	p := s.Client(t).Pipeline()
	for i := first; i <= last; i++ {
		p.XAdd(context.Background(), &redis.XAddArgs{Stream: stream, Values: []any{
			"id", fmt.Sprint("aa-", i), "encoding", "none", "data", fmt.Sprintf(`{"recordId":"aa-%d"}`, i),
		}})
	}
	_, err := p.Exec(context.Background())
	require.NoError(t, err)
}

// told is what consumers told, and output to memory.
type told struct {
	sync.Mutex
	lines []string
}

func (o *told) tell(format string, a ...any) {
	o.Lock()
	defer o.Unlock()
	o.lines = append(o.lines, fmt.Sprintf(format, a...))
}

func (o *told) text() string {
	o.Lock()
	defer o.Unlock()
	return strings.Join(o.lines, "\n")
}

func options(s *redistest.Server, consumer string, out consume.Output, o *told) consume.Options {
	return consume.Options{
		Client: redisclient.New(redisclient.Options{Addresses: []string{s.Address}, Timeout: time.Second}),
		Stream: stream, Group: "g", Consumer: consumer, Output: out, Batch: 10, ClaimAfter: 300 * time.Millisecond,
		MaxDeliveries: 3, DeadLetter: stream + ":dead", Remember: 10_000, Tell: o.tell,
	}
}

// start runs a consumer; the function stops it and returns what it has done.
func start(t testing.TB, o consume.Options) (stop func() consume.Counts) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan consume.Counts, 1)
	go func() {
		n, err := consume.Run(ctx, o)
		if err != nil {
			t.Error(err)
		}
		done <- n
	}()
	var once sync.Once
	var n consume.Counts
	stop = func() consume.Counts {
		once.Do(func() { cancel(); n = <-done; _ = o.Client.Close() })
		return n
	}
	t.Cleanup(func() { stop() })
	return stop
}

func lines(t testing.TB, files ...string) []string {
	t.Helper()
	var all []string
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		all = append(all, strings.Fields(string(raw))...)
	}
	return all
}

func want(first, last int) []string {
	var all []string
	for i := first; i <= last; i++ {
		all = append(all, fmt.Sprintf(`{"recordId":"aa-%d"}`, i))
	}
	return all
}

func openFile(t testing.TB, path string) *consume.File {
	t.Helper()
	f, err := consume.OpenFile(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestTwoConsumersShareAndOneDies(t *testing.T) {
	s, o := redistest.Start(t), &told{}
	add(t, s, 1, 1000)
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	// The one that dies has read entries and acknowledged none.
	dead := s.Client(t)
	require.NoError(t, dead.XGroupCreate(t.Context(), stream, "g", "0").Err())
	read, err := dead.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: "g", Consumer: "dead", Streams: []string{stream, ">"}, Count: 100}).Result()
	require.NoError(t, err)
	require.Len(t, read[0].Messages, 100)

	first := start(t, options(s, "one", openFile(t, one), o))
	second := start(t, options(s, "two", openFile(t, two), o))
	acknowledged := func() bool {
		g := s.Client(t).XInfoGroups(t.Context(), stream).Val()
		return g[0].Pending == 0 && g[0].Lag == 0
	}
	require.Eventually(t, acknowledged, time.Minute, 50*time.Millisecond)
	require.ElementsMatch(t, want(1, 1000), lines(t, one, two), "each once")
	second()
	add(t, s, 1001, 1100)
	require.Eventually(t, acknowledged, time.Minute, 50*time.Millisecond)
	n := first()
	require.ElementsMatch(t, want(1, 1100), lines(t, one, two))
	require.Zero(t, n.Failed+n.Dead+n.Gone)
}

// The consumer wrote, and died before it acknowledged; half a line is from
// another such death.
func TestWhatAFileHasIsNotWrittenAgain(t *testing.T) {
	s, o, file := redistest.Start(t), &told{}, filepath.Join(t.TempDir(), "out")
	add(t, s, 1, 50)
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(want(1, 30), "\n")+"\n"+`{"recordId":"aa-3`), 0o600))
	stop := start(t, options(s, "one", openFile(t, file), o))
	require.Eventually(t, func() bool { return len(lines(t, file)) == 50 }, time.Minute, 20*time.Millisecond)
	require.Equal(t, consume.Counts{Written: 20, Repeats: 30}, stop())
	require.Equal(t, want(1, 50), lines(t, file))
	aside, err := filepath.Glob(file + ".torn-*")
	require.NoError(t, err)
	require.Equal(t, []string{`{"recordId":"aa-3`}, lines(t, aside...))
}

// Records of a group in CEF are told by their externalId.
func TestWhatAFileHasInCEFIsNotWrittenAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out")
	line := "CEF:0|Sluice|Sluice|1|k|n|5|rt=1 msg=an externalId\\=zz-1 externalId=aa-7 cs1=x\nCEF:0|Sluice|Sluice|1|k|n|5|externalId=aa-8\n"
	require.NoError(t, os.WriteFile(file, []byte(line), 0o600))
	var ids []string
	require.NoError(t, openFile(t, file).Seen(func(id string) { ids = append(ids, id) }))
	require.Equal(t, []string{"aa-7", "aa-8"}, ids)
}

func TestTheOutputIsRotatedByAnotherProgram(t *testing.T) {
	s, o, file := redistest.Start(t), &told{}, filepath.Join(t.TempDir(), "out")
	add(t, s, 1, 10)
	stop := start(t, options(s, "one", openFile(t, file), o))
	has := func(n int, files ...string) {
		t.Helper()
		require.Eventually(t, func() bool {
			raw, err := os.ReadFile(files[len(files)-1])
			return err == nil && bytes.Count(raw, []byte("\n")) == n
		}, 30*time.Second, 20*time.Millisecond)
	}
	has(10, file)
	require.NoError(t, os.Rename(file, file+".1"))
	add(t, s, 11, 20)
	has(10, file)
	require.NoError(t, os.Truncate(file, 0))
	add(t, s, 21, 25)
	has(5, file)
	stop()
	require.Equal(t, want(1, 10), lines(t, file+".1"))
	require.Equal(t, want(21, 25), lines(t, file), "without a hole where the file was emptied")
}

func TestAnOutputOfSomebodyElse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hosts")
	require.NoError(t, os.WriteFile(file, []byte("127.0.0.1 localhost"), 0o600))
	_, err := consume.OpenFile(file)
	require.ErrorContains(t, err, "does not begin with a record")
	require.Equal(t, []string{"127.0.0.1", "localhost"}, lines(t, file))
}

func TestAStreamThatWasLostAndFilledAgain(t *testing.T) {
	s, o, file := redistest.Start(t), &told{}, filepath.Join(t.TempDir(), "out")
	add(t, s, 1, 100)
	stop := start(t, options(s, "one", openFile(t, file), o))
	require.Eventually(t, func() bool { return len(lines(t, file)) == 100 }, time.Minute, 20*time.Millisecond)
	s.Kill() // with all it had
	require.Eventually(t, func() bool {
		return strings.Contains(o.text(), "Redis can't be reached") || strings.Contains(o.text(), "Redis closed")
	},
		time.Minute, 20*time.Millisecond, "%s", o.text())
	s.Run(t)
	require.Eventually(t, func() bool { return strings.Contains(o.text(), "there is no stream") }, time.Minute, 20*time.Millisecond)
	add(t, s, 51, 150) // as the sink sends again
	require.Eventually(t, func() bool { return len(lines(t, file)) == 150 }, time.Minute, 20*time.Millisecond)
	require.Equal(t, int64(50), stop().Repeats)
	require.Equal(t, want(1, 150), lines(t, file))
}

func TestPoisonIsSetAside(t *testing.T) {
	s, o := redistest.Start(t), &told{}
	add(t, s, 1, 5)
	c := s.Client(t)
	for _, values := range [][]any{
		{"id", "aa-6", "encoding", "zstd", "data", "no zstd"}, {"id", "aa-7", "encoding", "rot13", "data", "x"}, {"id", "aa-8", "encoding", "none"},
	} {
		require.NoError(t, c.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, Values: values}).Err())
	}
	add(t, s, 9, 10)
	var out bytes.Buffer
	stop := start(t, options(s, "one", &consume.Command{Line: `cat; test "$SLUICE_RECORD_ID" != aa-2`, Out: &out}, o))
	require.Eventually(t, func() bool { return c.XLen(t.Context(), stream+":dead").Val() == 4 }, time.Minute, 50*time.Millisecond)
	n := stop()
	require.Equal(t, int64(6), n.Written)
	require.Equal(t, int64(4), n.Dead)
	require.Equal(t, 3, strings.Count(out.String(), `"aa-2"`), "it was tried as often as was said")
	require.Equal(t, 1, strings.Count(out.String(), `"aa-10"`))
	dead := c.XRange(t.Context(), stream+":dead", "-", "+").Val()
	byID := map[any]map[string]any{}
	for _, m := range dead {
		byID[m.Values["id"]] = m.Values
	}
	require.Equal(t, "no zstd", byID["aa-6"]["data"])
	require.Equal(t, "g", byID["aa-2"]["group"])
	require.Contains(t, o.text(), "was set aside in sluice:audit:dead")
	require.Zero(t, c.XInfoGroups(t.Context(), stream).Val()[0].Pending)
}

func TestNothingIsAcknowledgedThatWasNotFlushed(t *testing.T) {
	s, o := redistest.Start(t), &told{}
	add(t, s, 1, 3)
	file := filepath.Join(t.TempDir(), "out")
	stop := start(t, options(s, "one", &unflushed{File: openFile(t, file), left: 2}, o))
	require.Eventually(t, func() bool { return len(lines(t, file)) == 3 }, time.Minute, 20*time.Millisecond)
	require.Contains(t, o.text(), "writing records: no space left on device; it is tried again")
	stop()
	require.Equal(t, want(1, 3), lines(t, file))
}

// unflushed is a file whose disk is full for a while.
type unflushed struct {
	*consume.File
	left   int
	failed bool
}

func (u *unflushed) Write(ctx context.Context, id string, record []byte) error {
	if u.failed = u.left > 0; u.failed {
		return nil
	}
	return u.File.Write(ctx, id, record)
}

func (u *unflushed) Flush() error {
	if u.failed {
		u.left--
		return errors.New("no space left on device")
	}
	return u.File.Flush()
}

func TestANewGroupMayBeginWithWhatComes(t *testing.T) {
	s, o, file := redistest.Start(t), &told{}, filepath.Join(t.TempDir(), "out")
	add(t, s, 1, 10)
	opts := options(s, "one", openFile(t, file), o)
	opts.New = true
	stop := start(t, opts)
	require.Eventually(t, func() bool { return len(s.Client(t).XInfoGroups(t.Context(), stream).Val()) == 1 }, time.Minute, 20*time.Millisecond)
	add(t, s, 11, 12)
	require.Eventually(t, func() bool { return len(lines(t, file)) == 2 }, time.Minute, 20*time.Millisecond)
	stop()
	require.Equal(t, want(11, 12), lines(t, file))
}
