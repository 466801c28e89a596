package audit_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"sluice/internal/audit"
)

// TestBodyThatCantBeRestored: all checksums fit, and yet a body is not what its
// codec makes. The record is told as damaged, and the others are whole.
func TestBodyThatCantBeRestored(t *testing.T) {
	c := newClock(noon)
	origin := t.TempDir()
	trail, err := audit.Open(audit.Options{Dir: origin, Now: c.Now})
	require.NoError(t, err)
	record(t, trail, "before")
	require.NoError(t, trail.Begin(exchange("spoilt"), []byte("question")))
	require.NoError(t, trail.Part("spoilt", audit.PartProviderRequest, randomBody(500)))
	require.NoError(t, trail.End("spoilt", answered(), randomBody(1<<20+999))) // two frames
	record(t, trail, "after")
	require.NoError(t, trail.Close())
	s := readSegments(t, origin)
	var spoilt []int // the frames of it that have a body
	for i, f := range takeApart(s)[0] {
		if seq := oldSequence(f); seq > 3 && seq < 9 && len(f.body) > 0 {
			spoilt = append(spoilt, i)
		}
	}
	require.Len(t, spoilt, 4)
	magic := []byte{0x28, 0xb5, 0x2f, 0xfd}
	for name, as := range map[string]struct {
		codec byte
		body  []byte
	}{
		"zstd, no frame":   {1, randomBody(300)},
		"zstd, torn":       {1, append(magic, 0x04, 0x88, 0xff)},
		"s2, garbage":      {2, slices.Repeat([]byte{0xff}, 300)},
		"s2, too long":     {2, binary.AppendUvarint(nil, 1<<40)},
		"s2, torn":         {2, s2.Encode(nil, slices.Repeat([]byte("torn"), 500))[:9]},
		"an unknown codec": {9, randomBody(300)},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range spoilt {
				dir := copyDir(t, origin)
				removeIndexes(t, dir)
				all := takeApart(s)
				f := all[0][n]
				all[0][n] = &forged{audit.EditHeader(f.raw, audit.OffCodec, as.codec), f.meta, as.body}
				putTogether(t, dir, s, all, func(map[string]any) {})
				trail := openTrail(t, audit.Options{Dir: dir, Now: c.Now})
				marked(t, trail, "frame %d", n)
				require.NoError(t, trail.Close())
			}
		})
	}
}

// marked reads a trail in each way that bodies are read in: three exchanges, of
// which the second is damaged.
func marked(t *testing.T, trail *audit.Trail, what ...any) {
	t.Helper()
	f := audit.Filter{Bodies: true, Kinds: []string{audit.KindAccessEndpoint}}
	records := query(t, trail, f)
	require.Equal(t, []string{"before", "spoilt", "after"}, ids(records), what...)
	for i, r := range records {
		require.Equal(t, i == 1, len(r.Damaged) > 0, what...)
		require.Equal(t, i != 1, string(r.ResponseBody) == `{"a":"`+r.ID+`"}`, what...)
	}
	var lines, texts bytes.Buffer
	count, err := trail.Lines(ctx, f, func(b []byte) error { lines.Write(b); return nil })
	require.NoError(t, err, what...)
	require.Equal(t, 3, count, what...)
	count, err = trail.Export(ctx, f, func(b []byte, r *audit.Record) ([]byte, error) {
		b, err := r.AppendJSON(b)
		return append(b, '\n'), err
	}, func(b []byte) error { texts.Write(b); return nil })
	require.NoError(t, err, what...)
	require.Equal(t, 3, count, what...)
	for _, text := range []string{lines.String(), texts.String()} {
		for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
			var told struct {
				ID      string           `json:"id"`
				Damaged []map[string]any `json:"damaged"`
			}
			require.NoError(t, json.Unmarshal([]byte(line), &told), what...)
			require.Equal(t, []string{"before", "spoilt", "after"}[i], told.ID, what...)
			require.Equal(t, i == 1, len(told.Damaged) > 0, what...)
		}
	}
	f.Text = []string{"a text that is nowhere"}
	require.Equal(t, []string{"spoilt"}, ids(query(t, trail, f)), what...) // it may have been in it
}

// TestPanicOfAWorker: what goes wrong with a record ends the search that it was
// met in, and neither the process nor other searches.
func TestPanicOfAWorker(t *testing.T) {
	core, logged := observer.New(zapcore.ErrorLevel)
	trail := openTrail(t, audit.Options{Dir: t.TempDir(), Log: zap.New(core)})
	for i := range 300 {
		record(t, trail, name("r", i))
	}
	write := func([]byte) error { return nil }
	for _, spoil := range []func(r *audit.Record){
		func(r *audit.Record) { panic("the secret of " + r.ID) },
		func(r *audit.Record) { _ = r.RequestBody[len(r.ID)*100] },
	} {
		_, err := trail.Export(ctx, audit.Filter{}, func(b []byte, r *audit.Record) ([]byte, error) {
			if r.ID == name("r", 200) {
				spoil(r)
			}
			return append(b, r.ID...), nil
		}, write)
		require.ErrorContains(t, err, "a defect of the gateway ended the search")
	}
	entries := logged.TakeAll()
	require.Len(t, entries, 2)
	for i, reason := range []string{"string", "index out of range"} {
		require.Contains(t, entries[i].ContextMap()["reason"], reason)
		require.Contains(t, entries[i].ContextMap()["stack"], "TestPanicOfAWorker")
	}
	count, err := trail.Lines(ctx, audit.Filter{}, write)
	require.NoError(t, err)
	require.Equal(t, 300, count)
}
