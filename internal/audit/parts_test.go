package audit_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// withParts writes an exchange with long bodies and two parts.
func withParts(t testing.TB, trail *audit.Trail, id string, size int) {
	t.Helper()
	require.NoError(t, trail.Begin(exchange(id), chatBody(size)))
	require.NoError(t, trail.Part(id, audit.PartProviderRequest, []byte("to the provider")))
	require.NoError(t, trail.Part(id, audit.PartStreamEvents, randomBody(size)))
	require.NoError(t, trail.End(id, answered(), randomBody(size)))
}

func requireParts(t testing.TB, r *audit.Record, size int) {
	t.Helper()
	require.True(t, bytes.Equal(chatBody(size), r.RequestBody), "the request body")
	require.True(t, bytes.Equal(randomBody(size), r.ResponseBody), "the response body")
	require.EqualValues(t, size, r.ResponseBytes)
	require.False(t, r.RequestTruncated || r.ResponseTruncated)
	require.Len(t, r.Parts, 2)
	require.Equal(t, audit.Part{Kind: audit.PartProviderRequest, Bytes: 15, Body: audit.Body("to the provider")}, r.Parts[0])
	require.Equal(t, audit.PartStreamEvents, r.Parts[1].Kind)
	require.True(t, bytes.Equal(randomBody(size), r.Parts[1].Body), "the events")
}

// TestPartsAndLongBodies reads back what was written in several frames: from
// the writer, after a start, after a rebuild of the index and over midnight.
func TestPartsAndLongBodies(t *testing.T) {
	c := newClock(noon)
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	sizes := []int{0, 1, 1 << 20, 1<<20 + 1, 3<<20 + 17}
	for i, size := range sizes {
		if size > 0 {
			withParts(t, trail, name("x", i), size)
		}
	}
	require.NoError(t, trail.Begin(exchange("late"), nil))
	require.NoError(t, trail.Part("late", audit.PartProviderRequest, []byte("to the provider")))
	c.Add(24 * time.Hour)
	require.NoError(t, trail.Part("late", audit.PartStreamEvents, randomBody(2<<20)))
	require.NoError(t, trail.Refuse(exchange("refused"), randomBody(2<<20), denied()))
	require.ErrorIs(t, trail.Part("nobody", audit.PartStreamEvents, nil), audit.ErrNotBegun)
	require.NoError(t, trail.End("late", answered(), nil))
	require.ErrorIs(t, trail.Part("late", audit.PartStreamEvents, nil), audit.ErrNotBegun)

	check := func(trail *audit.Trail) {
		for i, size := range sizes {
			if size > 0 {
				r, err := trail.Get(ctx, name("x", i))
				require.NoError(t, err)
				requireParts(t, r, size)
			}
		}
		r, err := trail.Get(ctx, "late")
		require.NoError(t, err)
		require.Len(t, r.Parts, 2)
		require.Equal(t, randomBody(2<<20), []byte(r.Parts[1].Body))
		r, err = trail.Get(ctx, "refused")
		require.NoError(t, err)
		require.Equal(t, randomBody(2<<20), []byte(r.RequestBody))
		for _, r := range query(t, trail, audit.Filter{EndpointNames: []string{"chat"}}) {
			require.Empty(t, r.RequestBody)
			if r.ID != "refused" {
				require.Len(t, r.Parts, 2, r.ID)
				require.Empty(t, r.Parts[1].Body)
			}
		}
		read := read(t, reading(t, trail, audit.Mark{}), 3)
		require.Len(t, read, len(sizes)+1)
		for i, size := range sizes[1:] {
			requireParts(t, read[i], size)
		}
		require.Equal(t, randomBody(2<<20), []byte(read[len(sizes)-1].RequestBody), "refused")
		require.Equal(t, randomBody(2<<20), []byte(read[len(sizes)].Parts[1].Body), "late")
		verified(t, trail)
	}
	check(trail)
	require.NoError(t, trail.Close())
	verifiedDir(t, opts.Dir)
	for _, rebuild := range []bool{false, true} {
		if rebuild {
			indexes, err := filepath.Glob(filepath.Join(opts.Dir, "*.db"))
			require.NoError(t, err)
			for _, path := range indexes {
				require.NoError(t, os.Remove(path))
			}
		}
		trail, err := audit.Open(opts)
		require.NoError(t, err)
		check(trail)
		require.NoError(t, trail.Close())
	}
}

// TestPartsOfInterruptedExchanges: what was written before a crash is in the
// record that the next start completes, whether the index knew of it or not.
func TestPartsOfInterruptedExchanges(t *testing.T) {
	for _, indexed := range []bool{false, true} {
		t.Run(fmt.Sprint("indexed ", indexed), func(t *testing.T) {
			c := newClock(noon)
			opts := audit.Options{Dir: t.TempDir(), Now: c.Now}
			trail, err := audit.Open(opts)
			require.NoError(t, err)
			require.NoError(t, trail.Begin(exchange("1"), []byte("asked")))
			require.NoError(t, trail.Part("1", audit.PartProviderRequest, []byte("one")))
			if indexed {
				query(t, trail, audit.Filter{})
				c.Add(24 * time.Hour)
			}
			require.NoError(t, trail.Part("1", audit.PartProviderResponse, randomBody(2<<20)))
			query(t, trail, audit.Filter{})
			audit.CrashFiles(trail)
			trail = openTrail(t, opts)
			r, err := trail.Get(ctx, "1")
			require.NoError(t, err)
			require.Equal(t, audit.ResultInterrupted, r.Outcome.Result)
			require.Len(t, r.Parts, 2)
			require.Equal(t, "one", string(r.Parts[0].Body))
			require.Equal(t, randomBody(2<<20), []byte(r.Parts[1].Body))
			verified(t, trail)
		})
	}
}

func TestBodiesAreBounded(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir(), BodyBytes: 1000})
	require.NoError(t, trail.Begin(exchange("1"), chatBody(1000)))
	require.NoError(t, trail.Part("1", audit.PartProviderResponse, randomBody(1001)))
	require.NoError(t, trail.End("1", answered(), chatBody(3<<20)))
	r, err := trail.Get(ctx, "1")
	require.NoError(t, err)
	require.False(t, r.RequestTruncated)
	require.True(t, r.ResponseTruncated)
	require.EqualValues(t, len(chatBody(3<<20)), r.ResponseBytes)
	require.Equal(t, chatBody(3 << 20)[:1000], []byte(r.ResponseBody))
	require.Equal(t, []audit.Part{{Kind: audit.PartProviderResponse, Bytes: 1001, Truncated: true, Body: randomBody(1001)[:1000]}}, r.Parts)

	trail = openTrail(t, audit.Options{Dir: t.TempDir(), Bodies: audit.BodiesNone, BodyBytes: 10})
	require.NoError(t, trail.Refuse(exchange("2"), chatBody(1000), denied()))
	r, err = trail.Get(ctx, "2")
	require.NoError(t, err)
	require.False(t, r.RequestTruncated, "nothing was to be kept of it")
	require.EqualValues(t, len(chatBody(1000)), r.RequestBytes)
}

// TestTornInsideALongRecord cuts a record of several frames at places in each
// of them, and at their edges: it counts as one, and its frames that are whole
// are no loss.
func TestTornInsideALongRecord(t *testing.T) {
	c := newClock(noon)
	origin := t.TempDir()
	trail, err := audit.Open(audit.Options{Dir: origin, Now: c.Now})
	require.NoError(t, err)
	record(t, trail, "kept")
	require.NoError(t, trail.Begin(exchange("long"), nil))
	require.NoError(t, trail.Part("long", audit.PartStreamEvents, []byte("event")))
	require.NoError(t, trail.End("long", answered(), randomBody(2<<20+1000)))
	audit.CrashFiles(trail)
	whole, err := os.ReadFile(segmentOf(t, origin))
	require.NoError(t, err)
	offsets := frameOffsets(t, whole)
	n := len(offsets) - 5 // end, its list of parts, two pieces
	headOf := trailHead(t, whole, offsets, n-1)
	require.NoError(t, os.WriteFile(filepath.Join(origin, "head.json"), headOf, 0o600))
	var cuts []int
	for _, off := range offsets[n : len(offsets)-1] {
		cuts = append(cuts, off+1, off+rand.IntN(300), off)
	}
	for _, size := range append(cuts, len(whole)-1) {
		if size == offsets[n] {
			continue
		}
		dir := copyDir(t, origin)
		require.NoError(t, os.Truncate(segmentOf(t, dir), int64(size)))
		require.NoError(t, os.Remove(filepath.Join(dir, "2026-03-10.db")))
		report, err := audit.VerifyDir(ctx, dir)
		require.NoError(t, err)
		require.NoError(t, report.Err(), "a torn tail is no damage")
		require.EqualValues(t, size-offsets[n], report.TailBytes)
		require.Equal(t, 1, report.UnderWay)
		require.EqualValues(t, n, report.Frames)

		trail, err := audit.Open(audit.Options{Dir: dir, Now: c.Now})
		require.NoError(t, err)
		r, err := trail.Get(ctx, "long")
		require.NoError(t, err)
		require.Equal(t, audit.ResultInterrupted, r.Outcome.Result)
		require.Len(t, r.Parts, 1)
		require.Empty(t, query(t, trail, audit.Filter{Kinds: []string{audit.KindRecordsMissing}}))
		verified(t, trail)
		require.NoError(t, trail.Close())
		verifiedDir(t, dir)
	}
}

// TestFullDiskAndParts: an exchange with parts can be ended on a full disk.
func TestFullDiskAndParts(t *testing.T) {
	d := &disk{ahead: true}
	d.room.Store(4 << 20)
	trail := openOn(t, d, audit.Options{Dir: t.TempDir()})
	require.NoError(t, trail.Begin(exchange("p"), nil))
	parts := 0
	for ; parts < 1000; parts++ {
		if err := trail.Part("p", audit.PartStreamEvents, randomBody(8<<10)); err != nil {
			require.ErrorIs(t, err, audit.ErrNoSpace)
			break
		}
	}
	require.Greater(t, parts, 100)
	begun := fillUp(t, trail)
	require.ErrorIs(t, trail.End("p", answered(), randomBody(6<<20)), audit.ErrNoSpace)
	for _, id := range append(begun, "p") {
		require.NoError(t, trail.End(id, answered(), nil))
	}
	r, err := trail.Get(ctx, "p")
	require.NoError(t, err)
	require.Len(t, r.Parts, parts)
	require.Zero(t, trail.Stats().Reserved)
	require.Zero(t, verified(t, trail).UnderWay)
}

// TestVerifyKnowsPartsAndPieces damages frames that belong to others.
func TestVerifyKnowsPartsAndPieces(t *testing.T) {
	dir := t.TempDir()
	trail, err := audit.Open(audit.Options{Dir: dir, Now: newClock(noon).Now})
	require.NoError(t, err)
	withParts(t, trail, "1", 1<<20+500)
	require.NoError(t, trail.Close())
	path := segmentOf(t, dir)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	offsets := frameOffsets(t, data)
	kinds := []byte{}
	for _, off := range offsets[:len(offsets)-1] {
		kinds = append(kinds, data[off+4])
	}
	require.Equal(t, []byte{1, 2, 7, 6, 6, 7, 3, 8, 7}, kinds)
	for n, off := range offsets[1 : len(offsets)-1] {
		spoiled := bytes.Clone(data)
		end := off + audit.HeaderSize + int(binary.LittleEndian.Uint32(data[off+8:])) + int(binary.LittleEndian.Uint32(data[off+12:]))
		spoiled[end-1] ^= 1
		require.NoError(t, os.WriteFile(path, spoiled, 0o600))
		report, err := audit.VerifyDir(ctx, dir)
		require.NoError(t, err)
		require.NotNil(t, report.Problem)
		require.EqualValues(t, n+2, report.Problem.Sequence)
	}
}
