package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// TestDamagedRecordBlindsNobody flips a byte of each frame in turn, in a trail that
// is open: searches, exports and whoever reads in order come to the end, show the
// other records, and what is damaged is marked or counted.
func TestDamagedRecordBlindsNobody(t *testing.T) {
	c := newClock(noon)
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	require.NoError(t, trail.Event(&audit.Event{Kind: "StartGateway", TargetType: "gateway"}))
	record(t, trail, "before")
	require.NoError(t, trail.Begin(exchange("wounded"), bytes.Repeat([]byte("a question that is long "), 40)))
	require.NoError(t, trail.Part("wounded", audit.PartProviderRequest, randomBody(3000)))
	require.NoError(t, trail.End("wounded", answered(), randomBody(2<<20)))
	require.NoError(t, trail.Event(&audit.Event{Kind: "UpdateUser", TargetType: "user"}))
	record(t, trail, "after")
	require.NoError(t, trail.Close())
	data, err := os.ReadFile(segmentOf(t, opts.Dir))
	require.NoError(t, err)
	offsets := frameOffsets(t, data)
	for n := 1; n < len(offsets)-2; n++ {
		for _, at := range []int{offsets[n] + 30, offsets[n] + audit.HeaderSize + 4, offsets[n+1] - 5} {
			dir := copyDir(t, opts.Dir)
			spoilt := bytes.Clone(data)
			spoilt[at] ^= 1
			require.NoError(t, os.WriteFile(segmentOf(t, dir), spoilt, 0o600))
			trail, err := audit.Open(audit.Options{Dir: dir, Now: c.Now})
			require.NoError(t, err)
			require.NoError(t, trail.Event(&audit.Event{Kind: "UpdateUser", TargetType: "user"})) // the file goes on
			seen := len(query(t, trail, audit.Filter{}))
			require.Equal(t, 6, seen, "frame %d", n)
			marked := false
			for _, r := range query(t, trail, audit.Filter{Bodies: true}) {
				marked = marked || len(r.Damaged) > 0
				require.NotEqual(t, r.Exchange == nil, r.Event == nil)
			}
			require.True(t, marked, "frame %d", n)
			for _, f := range []audit.Filter{{Bodies: true}, {}, {Text: []string{"question"}}, {Text: []string{"question"}, Bodies: true}} {
				var lines bytes.Buffer
				count, err := trail.Lines(ctx, f, func(b []byte) error { lines.Write(b); return nil })
				require.NoError(t, err, "frame %d at %d, %+v", n, at, f)
				for _, line := range bytes.Split(bytes.TrimSpace(lines.Bytes()), []byte("\n")) {
					require.True(t, json.Valid(line) || count == 0, "frame %d at %d: %s", n, at, line)
				}
			}
			handedOn(t, trail, n)
			require.NotEmpty(t, trail.Damaged())
			require.NoError(t, trail.Close())
		}
	}
}

// handedOn reads the trail in order, in both ways.
func handedOn(t *testing.T, trail *audit.Trail, n int) {
	t.Helper()
	within, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	end := trail.EndMark().Sequence()
	reader, err := trail.Reader(audit.Mark{})
	require.NoError(t, err)
	defer reader.Close()
	var last string
	marked, gaps := false, 0
	for reader.Mark().Sequence() < end {
		records, err := reader.Ready(within, 100, 8<<20)
		require.NoError(t, err, "frame %d", n)
		for _, r := range records {
			marked = marked || len(r.Damaged) > 0
			if r.ID != "" {
				last = r.ID
			}
		}
		gaps += len(reader.Gaps())
	}
	require.True(t, marked || gaps > 0, "frame %d: nothing tells of the damage", n)
	require.Equal(t, "after", last)
	follower, err := trail.Follow(audit.Mark{}, 10)
	require.NoError(t, err)
	defer follower.Close()
	var ended []audit.Ended
	for follower.Behind() > 0 {
		some, _, err := follower.Next(within, 100)
		require.NoError(t, err, "frame %d", n)
		ended = append(ended, some...)
	}
	require.NotEmpty(t, ended)
}
