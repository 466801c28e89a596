package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// allSizes writes records of all sorts and sizes over two days: texts with
// characters of several bytes where pieces of bodies meet, bytes that are no
// text, parts, and what is found across pieces.
func allSizes(t testing.TB, trail *audit.Trail, c *clock) {
	text := func(n int) []byte { return []byte(strings.Repeat("é€\"𝄞\nand eighteen more.", n/29+1)) }
	bodies := [][]byte{
		nil, []byte("short"), chatBody(5000), chatBody(40_000), text(300_000), randomBody(300_001), text(1<<20 + 5), randomBody(1<<20 + 100),
		slices.Concat(chatBody(1<<20 - 7)[:1<<20-7], []byte("Needle-0815"), text(200_000)), slices.Concat(text(1<<20), []byte{0xff}),
	}
	for i, request := range bodies {
		for _, j := range [][]int{{0, i}, {2, len(bodies) - 1 - i}}[i%2] {
			response := bodies[j]
			c.Add(50 * time.Minute)
			id := fmt.Sprintf("x-%d-%d-%s", i, j, c.Now().Format("1504"))
			if j == 0 && i%3 == 1 {
				o := denied()
				o.Message = "No needle in \"here\"."
				require.NoError(t, trail.Refuse(exchange(id), request, o))
				continue
			}
			require.NoError(t, trail.Begin(exchange(id), request))
			if i%4 == 2 {
				require.NoError(t, trail.Part(id, audit.PartProviderRequest, bodies[j]))
				require.NoError(t, trail.Part(id, audit.PartStreamEvents, bodies[9-j]))
			}
			if i == 3 && j == 2 {
				continue // under way
			}
			require.NoError(t, trail.End(id, answered(), response))
		}
		require.NoError(t, trail.Event(&audit.Event{Kind: "CreateUser", By: bob, RequestID: name("req", i), TargetType: "user",
			Changes: []audit.Change{{Field: "name", After: "needle-0815 <b>"}}}))
	}
	require.Greater(t, trail.Stats().Partitions, 1)
}

// downloads are what is asked for of allSizes.
func downloads(whole []*audit.Record) map[string]audit.Filter {
	return map[string]audit.Filter{
		"all":                     {},
		"bodies":                  {Bodies: true},
		"newest first":            {Bodies: true, Descending: true},
		"behind a cursor":         {Bodies: true, After: whole[len(whole)/3].Cursor()},
		"before a cursor":         {Descending: true, After: whole[len(whole)/3].Cursor()},
		"some hours":              {Bodies: true, From: noon.Add(11 * time.Hour), To: noon.Add(13 * time.Hour)},
		"a kind":                  {Bodies: true, Kinds: []string{audit.KindDenyEndpoint}},
		"one id":                  {Bodies: true, ID: whole[len(whole)-3].ID},
		"a page":                  {Bodies: true, Skip: 5, Limit: 9},
		"text":                    {Text: []string{"needle-0815"}},
		"text and bodies":         {Text: []string{"NEEDLE-0815", "\"𝄞\n"}, Bodies: true},
		"text and bodies, a page": {Text: []string{"é€"}, Bodies: true, Skip: 3, Limit: 4, Descending: true},
		"text in a message":       {Text: []string{`in "here"`}},
		"text in changes":         {Text: []string{"needle-0815 <B>"}},
		"nowhere":                 {Text: []string{"needle-0816"}, Bodies: true},
	}
}

// TestDownloadsAreWhatIsInTheTrail compares what downloads write with the JSON of
// the records as they are read one by one, and those with what readers of the log get.
func TestDownloadsAreWhatIsInTheTrail(t *testing.T) {
	c := newClock(noon)
	trail := openTrail(t, audit.Options{Dir: t.TempDir(), Now: c.Now})
	allSizes(t, trail, c)
	whole := query(t, trail, audit.Filter{Bodies: true})
	require.NotEmpty(t, whole)
	texts := map[string]string{} // the JSON of the records with their bodies
	for _, r := range whole {
		texts[r.RecordID] = encoded(t, r)
	}
	reader, err := trail.Reader(audit.Mark{})
	require.NoError(t, err)
	defer reader.Close()
	ended := 0
	for {
		records, err := reader.Ready(ctx, 100, 1<<20)
		require.NoError(t, err)
		if len(records) == 0 {
			break
		}
		for _, r := range records {
			ended++
			require.True(t, encoded(t, r) == texts[r.RecordID], "%s differs", r.ID)
		}
	}
	require.Equal(t, len(whole)-1, ended, "one is under way")

	for name, f := range downloads(whole) {
		t.Run(name, func(t *testing.T) {
			var want []byte
			count, skip, matches := 0, f.Skip, f.Matcher()
			order := slices.Clone(whole)
			if f.Descending {
				slices.Reverse(order)
			}
			for _, r := range order {
				at := r.Cursor()
				behind := f.After == (audit.Cursor{}) || f.Descending == (at.Sequence < f.After.Sequence) && at != f.After
				if !behind || !matches(r) {
					continue
				}
				if skip--; skip >= 0 || f.Limit > 0 && count == f.Limit {
					continue
				}
				text := texts[r.RecordID]
				if !f.Bodies {
					shown := *r
					shown.RequestBody, shown.ResponseBody, shown.Parts = nil, nil, slices.Clone(r.Parts)
					for i := range shown.Parts {
						shown.Parts[i].Body = nil
					}
					text = encoded(t, &shown)
				}
				want = append(append(want, text...), '\n')
				count++
			}
			if name != "nowhere" {
				require.NotZero(t, count)
			}
			for how, export := range map[string]func(func([]byte) error) (int, error){
				"lines": func(write func([]byte) error) (int, error) { return trail.Lines(ctx, f, write) },
				"rendered": func(write func([]byte) error) (int, error) {
					return trail.Export(ctx, f, func(dst []byte, r *audit.Record) ([]byte, error) {
						dst, err := r.AppendJSON(dst)
						return append(dst, '\n'), err
					}, write)
				},
			} {
				if how == "rendered" && f.Bodies && name != "bodies" && len(f.Text) == 0 {
					continue // once is enough of these
				}
				var got []byte
				n, err := export(func(b []byte) error { got = append(got, b...); return nil })
				require.NoError(t, err)
				require.Equal(t, count, n)
				require.True(t, bytes.Equal(want, got), "%s are %d bytes and not %d", how, len(got), len(want))
			}
		})
	}
}

// running reports whether a goroutine is at work on a search.
func running(t *testing.T) bool {
	var b bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&b, 1))
	return strings.Contains(b.String(), "audit.(*worker)") || strings.Contains(b.String(), "audit.(*search)")
}

// A client that leaves, or a call that is given up, ends the work at once.
func TestDownloadEndsWhenTheClientLeaves(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir()})
	for i := range 3000 {
		record(t, trail, name("x", i))
	}
	gone := errors.New("the client has gone")
	for _, f := range []audit.Filter{{}, {Bodies: true}, {Text: []string{"x-"}}, {Limit: 100}} {
		_, err := trail.Lines(ctx, f, func([]byte) error { return gone })
		require.ErrorIs(t, err, gone)
		require.False(t, running(t))

		given, cancel := context.WithCancel(ctx)
		_, err = trail.Lines(given, f, func([]byte) error {
			cancel()
			<-given.Done()
			return given.Err()
		})
		require.ErrorIs(t, err, context.Canceled)
		require.False(t, running(t))
	}
	broken := errors.New("it can't be rendered")
	_, err := trail.Export(ctx, audit.Filter{}, func([]byte, *audit.Record) ([]byte, error) { return nil, broken }, func([]byte) error { return nil })
	require.ErrorIs(t, err, broken)
	require.False(t, running(t))
}

// liveHeap is how much of the heap is in use, besides what the next collection takes.
func liveHeap() int64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// TestMemoryOfDownloadsIsBounded downloads records of three bodies of 2 MB each and
// many small ones, several times at once, to clients that stand still now and then,
// and looks at what is in memory then.
func TestMemoryOfDownloadsIsBounded(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir()})
	const long, small, size = 2, 3000, 2 << 20
	text := []byte(strings.Repeat("all that was said € ", size/22))
	for i := range long {
		id := name("long", i)
		require.NoError(t, trail.Begin(exchange(id), randomBody(size+i)))
		require.NoError(t, trail.Part(id, audit.PartStreamEvents, text))
		require.NoError(t, trail.End(id, answered(), text))
	}
	for i := range small {
		record(t, trail, name("x", i))
	}
	indexed(t, trail)
	before := liveHeap()
	const clients = audit.MostDownloads + 2
	var group sync.WaitGroup
	var mu sync.Mutex // held while somebody looks: the others stand still
	most, total := int64(0), int64(0)
	for i := range clients {
		group.Go(func() {
			f := audit.Filter{Bodies: true, Descending: i%2 == 1}
			if i%4 == 3 {
				f.Text = []string{"that was SAID"}
			}
			writes := 0
			_, err := trail.Lines(ctx, f, func(b []byte) error {
				mu.Lock()
				defer mu.Unlock()
				total += int64(len(b))
				if writes++; writes%40 == i {
					most = max(most, liveHeap()-before)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.Greater(t, total, int64(clients*long*size), "all was downloaded")
	require.NotZero(t, most)
	t.Logf("%d MB were written, with %d MB in memory at most", total>>20, most>>20)
	require.Less(t, most, int64(audit.MostDownloadMemory))
}

// TestDownloadsWaitForEachOther has more downloads than may run at a time.
func TestDownloadsWaitForEachOther(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir()})
	record(t, trail, "x")
	hold, begun := make(chan struct{}), make(chan struct{}, 2*audit.MostDownloads)
	download := func(ctx context.Context) error {
		_, err := trail.Lines(ctx, audit.Filter{}, func([]byte) error {
			begun <- struct{}{}
			<-hold
			return nil
		})
		return err
	}
	over := make(chan error, audit.MostDownloads+1)
	for range audit.MostDownloads {
		go func() { over <- download(ctx) }()
	}
	for range audit.MostDownloads {
		<-begun
	}
	given, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, download(given), context.Canceled, "there is no room for one more")
	go func() { over <- download(ctx) }()
	close(hold)
	for range audit.MostDownloads + 1 {
		require.NoError(t, <-over)
	}
	require.Len(t, begun, 1, "the last one began when others had ended")
}

// TestWhatComesDuringAQuery has records written while a query is under way, behind
// what it has read ahead.
func TestWhatComesDuringAQuery(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir()})
	for i := range 700 {
		record(t, trail, name("x", i))
	}
	for _, f := range []audit.Filter{{Bodies: true}, {}, {Text: []string{`"x-`}}} {
		seen := 0
		require.NoError(t, trail.Query(ctx, f, func(r *audit.Record) error {
			if seen++; seen == 1 {
				for i := range 300 {
					record(t, trail, name("x-late", i))
				}
				indexed(t, trail)
			}
			return nil
		}))
		require.GreaterOrEqual(t, seen, 700)
	}
}
