package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

func reading(t testing.TB, trail *audit.Trail, from audit.Mark) *audit.Reader {
	t.Helper()
	r, err := trail.Reader(from)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

// read fetches all that is there, a few records at a time.
func read(t testing.TB, r *audit.Reader, step int) []*audit.Record {
	t.Helper()
	var all []*audit.Record
	for {
		records, err := r.Ready(ctx, step, 1<<20)
		require.NoError(t, err)
		if len(records) == 0 && r.Behind() == 0 {
			return all
		}
		require.LessOrEqual(t, len(records), step)
		all = append(all, records...)
	}
}

// plain is the record as its JSON has it.
func plain(t testing.TB, r *audit.Record) string {
	t.Helper()
	out, err := r.MarshalJSON()
	require.NoError(t, err)
	return string(out)
}

// requireSame compares the bodies as bytes: large ones take their time as JSON.
func requireSame(t testing.TB, want, got *audit.Record) {
	t.Helper()
	require.True(t, bytes.Equal(want.RequestBody, got.RequestBody), want.ID)
	require.True(t, bytes.Equal(want.ResponseBody, got.ResponseBody), want.ID)
	a, b := *want, *got
	a.RequestBody, a.ResponseBody, b.RequestBody, b.ResponseBody = nil, nil, nil, nil
	require.Equal(t, plain(t, &a), plain(t, &b))
}

func completed(r *audit.Record) uint64 { return max(r.Sequence, r.EndSequence) }

func TestReaderReadsWhatQueryFinds(t *testing.T) {
	dir, clock := t.TempDir(), newClock(noon)
	trail := openTrail(t, audit.Options{Dir: dir, Now: clock.Now})
	require.NoError(t, trail.Begin(exchange("long"), []byte("asked long ago")))
	require.NoError(t, trail.Begin(exchange("large"), randomBody(9<<20)))
	for n := range 5 {
		record(t, trail, name("first", n))
	}
	clock.Add(24 * time.Hour)
	require.NoError(t, trail.Refuse(exchange("no"), []byte("please"), denied()))
	require.NoError(t, trail.Event(&audit.Event{Kind: "CreateOrganization", RequestID: "q", TargetType: "organization", TargetID: "o1"}))
	require.NoError(t, trail.End("large", answered(), randomBody(1000)))
	require.NoError(t, trail.End("long", answered(), []byte("answered late")))
	record(t, trail, "last")

	want := map[string]string{}
	for _, r := range query(t, trail, audit.Filter{Bodies: true}) {
		want[r.RecordID] = plain(t, r)
	}
	for _, step := range []int{1, 3, 100} {
		got := read(t, reading(t, trail, audit.Mark{}), step)
		require.Len(t, got, len(want))
		for i, r := range got {
			require.Equal(t, want[r.RecordID], plain(t, r))
			if i > 0 {
				require.Greater(t, completed(r), completed(got[i-1]))
			}
			// Each place between two records is one to go on from.
			again, err := audit.ParseMark(r.Mark().String())
			require.NoError(t, err)
			rest := read(t, reading(t, trail, again), step)
			require.Len(t, rest, len(got)-i-1)
			for k := range rest {
				requireSame(t, got[i+1+k], rest[k])
			}
		}
	}
}

func TestReaderWaits(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir()})
	record(t, trail, "one")
	r := reading(t, trail, trail.EndMark())
	got := make(chan []*audit.Record)
	go func() {
		records, _, err := r.Next(ctx, 10, 1<<20)
		if err != nil {
			panic(err)
		}
		got <- records
	}()
	select {
	case <-got:
		t.Fatal("there was nothing to return")
	case <-time.After(50 * time.Millisecond):
	}
	record(t, trail, "two")
	require.Equal(t, []string{"two"}, ids(<-got))
	require.Zero(t, r.Behind())

	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	_, at, err := r.Next(short, 10, 1<<20)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, trail.Stats().Sequence, at.Sequence())

	ended := make(chan error)
	go func() { _, _, err := r.Next(ctx, 1, 1); ended <- err }()
	require.NoError(t, trail.Close())
	require.ErrorIs(t, <-ended, audit.ErrClosed)
}

func TestReaderIsBoundedByBytes(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir()})
	for n := range 6 {
		require.NoError(t, trail.Begin(exchange(name("x", n)), randomBody(300<<10)))
		require.NoError(t, trail.End(name("x", n), answered(), nil))
	}
	r := reading(t, trail, audit.Mark{})
	records, _, err := r.Next(ctx, 100, 700<<10)
	require.NoError(t, err)
	require.Len(t, records, 2)
	records, _, err = r.Next(ctx, 100, 1)
	require.NoError(t, err)
	require.Len(t, records, 1, "one always")
	require.Len(t, read(t, r, 100), 3)
}

func TestReaderTellsWhatRetentionDropped(t *testing.T) {
	dir, clock := t.TempDir(), newClock(noon)
	trail := openTrail(t, audit.Options{Dir: dir, Now: clock.Now})
	record(t, trail, "seen")
	r := reading(t, trail, audit.Mark{})
	require.Len(t, read(t, r, 10), 1)
	at := r.Mark()
	record(t, trail, "never seen")
	require.NoError(t, trail.Begin(exchange("half"), nil))
	require.NoError(t, trail.Close())

	clock.Add(10 * 24 * time.Hour)
	trail = openTrail(t, audit.Options{Dir: dir, Now: clock.Now, RetentionDays: 2})
	record(t, trail, "after")
	require.Eventually(t, func() bool { return trail.Stats().Partitions == 1 }, time.Minute, 10*time.Millisecond)
	// The outcome "interrupted" is a record of the day that is left, or gone with
	// the day before; both were written behind the mark.
	r = reading(t, trail, at)
	got := read(t, r, 10)
	require.Equal(t, "after", got[len(got)-1].ID)
	gaps := r.Gaps()
	require.Len(t, gaps, 1)
	require.Equal(t, at.Sequence()+1, gaps[0].From)
	require.GreaterOrEqual(t, gaps[0].To, at.Sequence()+3)
	require.Less(t, gaps[0].To, completed(got[0]))
	require.Empty(t, r.Gaps(), "told once")
	fresh := reading(t, trail, audit.Mark{})
	read(t, fresh, 10)
	require.Empty(t, fresh.Gaps(), "the beginning of the trail is where it begins now")
}

func TestReaderPassesOverADamagedPlace(t *testing.T) {
	for _, turned := range []bool{false, true} {
		t.Run(fmt.Sprint("the day has ended: ", turned), func(t *testing.T) {
			dir, clock := t.TempDir(), newClock(noon)
			trail := openTrail(t, audit.Options{Dir: dir, Now: clock.Now})
			marks := reading(t, trail, audit.Mark{})
			for n := range 5 {
				record(t, trail, name("x", n))
			}
			all := read(t, marks, 10)
			if turned {
				clock.Add(24 * time.Hour)
				record(t, trail, "next day")
			}
			require.NoError(t, trail.Close())
			trail = openTrail(t, audit.Options{Dir: dir, Now: clock.Now})
			path := filepath.Join(dir, "2026-03-10.log")
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			damage := audit.MarkOffset(all[1].Mark()) + 200 // in the request half of x-0002
			data[damage] ^= 1
			require.NoError(t, os.WriteFile(path, data, 0o600))

			readers := []*audit.Reader{reading(t, trail, audit.Mark{}), reading(t, trail, all[0].Mark()), reading(t, trail, all[0].Mark())}
			for i, r := range readers {
				got := read(t, r, 2)
				require.Equal(t, []audit.Gap{{From: all[1].Mark().Sequence() + 1, To: all[1].Mark().Sequence() + 1,
					Reason: "their place in the trail is damaged"}}, r.Gaps())
				got = slices.DeleteFunc(got, func(r *audit.Record) bool { return r.Kind() == audit.KindDamaged }) // the trail tells of it
				require.Len(t, got, 4+b2i(i == 0)+b2i(turned))
			}
		})
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestReaderOfAnotherTrail(t *testing.T) {
	trail, other := openTrail(t, audit.Options{Dir: t.TempDir()}), openTrail(t, audit.Options{Dir: t.TempDir()})
	for n := range 3 {
		record(t, trail, name("x", n))
		record(t, other, name("y", n))
	}
	_, err := other.Reader(trail.EndMark())
	require.ErrorIs(t, err, audit.ErrNoMark)
}

// TestReadersUnderLoad has readers at different paces, one of which falls off
// the shared tape again and again, while records are written.
func TestReadersUnderLoad(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir()})
	const workers, each, readers = 4, 3000, 3
	var writing, group sync.WaitGroup
	for w := range workers {
		writing.Go(func() {
			for n := range each {
				record(t, trail, name(fmt.Sprint("w", w), n))
			}
		})
	}
	got := make([][]string, readers)
	for i := range readers {
		r := reading(t, trail, audit.Mark{})
		group.Go(func() {
			for len(got[i]) < workers*each {
				records, _, err := r.Next(ctx, 1+i*500, 1<<20)
				if err != nil {
					panic(err)
				}
				got[i] = append(got[i], ids(records)...)
				if i == 2 && len(got[i]) < workers*each/2 {
					time.Sleep(100 * time.Millisecond)
				}
			}
		})
	}
	writing.Wait()
	group.Wait()
	require.Len(t, got[0], workers*each)
	require.Equal(t, got[0], got[1])
	require.Equal(t, got[0], got[2])
}

func BenchmarkReader(whole *testing.B) {
	dir := whole.TempDir()
	trail := openTrail(whole, audit.Options{Dir: dir})
	const records = 20000
	request, response := fmt.Appendf(nil, `{"q":"%01400d"}`, 7), fmt.Appendf(nil, `{"a":"%0500d"}`, 7)
	for n := range records {
		id := name("x", n)
		require.NoError(whole, trail.Begin(exchange(id), request))
		require.NoError(whole, trail.End(id, answered(), response))
	}
	for _, sinks := range []int{1, 4} {
		whole.Run(fmt.Sprint(sinks, " readers"), func(b *testing.B) {
			b.ReportAllocs()
			for left := b.N; left > 0; {
				b.StopTimer()
				require.NoError(b, trail.Close())
				trail = openTrail(whole, audit.Options{Dir: dir})
				var all []*audit.Reader
				for range sinks {
					all = append(all, reading(b, trail, audit.Mark{}))
				}
				b.StartTimer()
				for left > 0 && all[0].Behind() > 0 {
					for _, r := range all {
						got, err := r.Ready(ctx, 500, 1<<20)
						require.NoError(b, err)
						if r == all[0] {
							left -= len(got)
						}
					}
				}
			}
		})
	}
}
