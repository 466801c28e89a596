package audit_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// damagedTrail is a trail of two days that was closed in order, and where the
// frames of the second begin.
func damagedTrail(t *testing.T, opts audit.Options, c *clock) (data []byte, offsets []int) {
	t.Helper()
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	require.NoError(t, trail.SetSigner(newSigner(1)))
	record(t, trail, "yesterday")
	require.NoError(t, trail.Begin(exchange("long"), nil))
	c.Add(24 * time.Hour)
	for i := range 20 {
		record(t, trail, name("today", i))
	}
	require.NoError(t, trail.End("long", answered(), nil))
	require.NoError(t, trail.Close())
	data, err = os.ReadFile(segmentOf(t, opts.Dir))
	require.NoError(t, err)
	return data, frameOffsets(t, data)
}

// toldDamage waits until the trail tells of damage.
func toldDamage(t *testing.T, trail *audit.Trail) []*audit.Record {
	t.Helper()
	var told []*audit.Record
	require.Eventually(t, func() bool {
		told = query(t, trail, audit.Filter{Kinds: []string{audit.KindDamaged}})
		return len(told) > 0
	}, time.Minute, 20*time.Millisecond)
	return told
}

// TestDamageStaysWhereItIs flips a byte of one frame after another: the next start
// loses no record but that one, keeps the id of the trail, goes on with the chain,
// tells of the damage once, and verify names it.
func TestDamageStaysWhereItIs(t *testing.T) {
	c := newClock(noon)
	origin := audit.Options{Dir: t.TempDir(), Now: c.Now}
	data, offsets := damagedTrail(t, origin, c)
	frames := len(offsets) - 1
	for _, n := range []int{0, 1, 8, frames - 4} {
		for what, at := range map[string]int{"content": offsets[n] + audit.HeaderSize + 5, "checksum": offsets[n] + 30, "length": offsets[n] + 9, "magic": offsets[n]} {
			for _, indexed := range []bool{true, false} {
				if indexed && what != "content" {
					continue
				}
				dir := copyDir(t, origin.Dir)
				spoilt := bytes.Clone(data)
				spoilt[at] ^= 1
				require.NoError(t, os.WriteFile(segmentOf(t, dir), spoilt, 0o600))
				if !indexed {
					require.NoError(t, os.Remove(filepath.Join(dir, "2026-03-11.db")))
				}
				opts := audit.Options{Dir: dir, Now: c.Now}
				before, err := audit.OpenRead(origin.Dir)
				require.NoError(t, err)
				id := before.ID()
				require.NoError(t, before.Close())

				trail, err := audit.Open(opts)
				require.NoError(t, err, "frame %d, %s", n, what)
				require.Equal(t, id, trail.ID())
				torn, err := filepath.Glob(filepath.Join(dir, "*.torn-*"))
				require.NoError(t, err)
				require.Empty(t, torn, "frame %d, %s", n, what)
				record(t, trail, "after")
				if n == 0 || !indexed {
					require.Len(t, toldDamage(t, trail), 1)
					require.Equal(t, "2026-03-11", trail.Damaged()[0].Day)
					require.EqualValues(t, offsets[n], trail.Damaged()[0].Offset)
				}
				report, err := trail.Verify(ctx)
				require.NoError(t, err)
				require.NotNil(t, report.Problem)
				require.EqualValues(t, offsets[n], report.Problem.Offset)
				require.NoError(t, trail.Close())

				trail, err = audit.Open(opts) // the next start, with what the last one left
				require.NoError(t, err)
				if n == 0 || !indexed {
					require.Len(t, toldDamage(t, trail), 1, "it is told of once")
					require.Eventually(t, func() bool { return len(trail.Damaged()) == 1 }, time.Minute, 10*time.Millisecond)
				}
				require.NoError(t, trail.Close())
				require.NoError(t, os.RemoveAll(filepath.Join(dir, "2026-03-11.db")))
				trail = openTrail(t, opts)
				found := ids(query(t, trail, audit.Filter{Kinds: []string{audit.KindAccessEndpoint}}))
				for i := range 20 {
					id := name("today", i)
					if frame := 1 + 2*i; n == frame || n == frame+1 {
						continue
					}
					require.Equal(t, 1, countOf(found, id), "%s with frame %d, %s", id, n, what)
				}
				require.Contains(t, found, "long")
				require.Contains(t, found, "yesterday")
				require.Contains(t, found, "after")
			}
		}
	}
}

func countOf(list []string, s string) (n int) {
	for _, e := range list {
		if e == s {
			n++
		}
	}
	return n
}

// TestHoleOfZeros: what truncating a file in place and writing on leaves: zeros
// up to where the frames that came after begin.
func TestHoleOfZeros(t *testing.T) {
	c := newClock(noon)
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now}
	data, offsets := damagedTrail(t, opts, c)
	clear(data[:offsets[15]])
	require.NoError(t, os.WriteFile(segmentOf(t, opts.Dir), data, 0o600))
	require.NoError(t, os.Remove(filepath.Join(opts.Dir, "2026-03-11.db")))
	trail := openTrail(t, opts)
	found := ids(query(t, trail, audit.Filter{}))
	require.Contains(t, found, name("today", 8))
	require.Contains(t, found, name("today", 19))
	require.Contains(t, found, "yesterday")
	require.Len(t, toldDamage(t, trail), 1)
}

// TestFrameInsideABody: a client sends what looks like frames of the log. Where the
// record that holds them is damaged they are not taken for some.
func TestFrameInsideABody(t *testing.T) {
	c := newClock(noon)
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	record(t, trail, "first")
	data, err := os.ReadFile(segmentOf(t, opts.Dir))
	require.NoError(t, err)
	length := bytes.Index(data, []byte(`{"id":"first"`)) - audit.HeaderSize
	old := data[length:]
	one, _ := audit.SealFrame(old, []byte(`{"kind":"Forged"}`), nil, 9, [32]byte{1})
	require.NoError(t, trail.Begin(exchange("forger"), append(one, "more"...)))
	require.NoError(t, trail.End("forger", answered(), nil))
	record(t, trail, "last")
	require.NoError(t, trail.Close())
	data, err = os.ReadFile(segmentOf(t, opts.Dir))
	require.NoError(t, err)
	at := bytes.Index(data, one)
	require.Positive(t, at, "the body is kept as it is")
	offsets := frameOffsets(t, data)
	forged := offsets[slices.IndexFunc(offsets, func(o int) bool { return o > at })-1]
	require.EqualValues(t, len(one)+4, binary.LittleEndian.Uint32(data[forged+12:]))
	for _, spoil := range []int{audit.HeaderSize + 3, 50, 9, 0} {
		dir := copyDir(t, opts.Dir)
		spoilt := bytes.Clone(data)
		spoilt[forged+spoil] ^= 1
		require.NoError(t, os.WriteFile(segmentOf(t, dir), spoilt, 0o600))
		require.NoError(t, os.Remove(filepath.Join(dir, "2026-03-10.db")))
		trail := openTrail(t, audit.Options{Dir: dir, Now: c.Now})
		require.Len(t, query(t, trail, audit.Filter{ID: "last"}), 1)
		require.Len(t, query(t, trail, audit.Filter{ID: "first"}), 1)
	}
}

// TestNothingReadable: a day of which nothing can be read is set aside, and the
// trail keeps its id; what follows is known under another, as its sequences were
// used.
func TestNothingReadable(t *testing.T) {
	c := newClock(noon)
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	record(t, trail, "one")
	before := trail.ID()
	require.NoError(t, trail.Close())
	require.NoError(t, os.WriteFile(segmentOf(t, opts.Dir), randomBody(5000), 0o600))

	trail = openTrail(t, opts)
	require.NotEqual(t, before, trail.ID())
	missing := query(t, trail, audit.Filter{Kinds: []string{audit.KindRecordsMissing}})
	require.Len(t, missing, 1)
	require.Equal(t, []audit.Change{{Field: "id", Before: before, After: trail.ID()}}, missing[0].Event.Changes)
	require.NotEmpty(t, trail.Damaged(), "the status warns")
	record(t, trail, "two")
	require.Contains(t, query(t, trail, audit.Filter{ID: "two"})[0].RecordID, trail.ID())
}
