package plain_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/plain"
)

func cut(t testing.TB, stream string, size int) []string {
	var l plain.Lines
	var got []string
	take := func(line []byte) { got = append(got, string(line)) }
	for len(stream) > 0 {
		n := min(size, len(stream))
		require.NoError(t, l.Feed([]byte(stream[:n]), take))
		stream = stream[n:]
	}
	l.End(take)
	return got
}

func TestLines(t *testing.T) {
	for stream, want := range map[string][]string{
		"":                   nil,
		"\n\r\n \n":          nil,
		"a\nb\r\n\n c \nd":   {"a", "b", "c", "d"},
		"{\"a\":\n1}\n":      {"{\"a\":", "1}"},
		"long line\rstill\n": {"long line\rstill"},
	} {
		for size := 1; size <= len(stream)+1; size++ {
			assert.Equal(t, want, cut(t, stream, size), "%q in %d", stream, size)
		}
	}
}

// TestLinesAreBounded: a line that never ends is refused, not kept.
func TestLinesAreBounded(t *testing.T) {
	var l plain.Lines
	piece := []byte(strings.Repeat("x", 1<<20))
	var err error
	for i := 0; i < 9 && err == nil; i++ {
		err = l.Feed(piece, func([]byte) { t.Fatal("no line ended") })
	}
	assert.ErrorIs(t, err, sse.ErrTooLarge)
}

func FuzzLines(f *testing.F) {
	f.Add("a\nb\r\n\nc", 2)
	f.Fuzz(func(t *testing.T, stream string, size int) {
		size = max(size, 1)
		whole := cut(t, stream, len(stream)+1)
		require.Equal(t, whole, cut(t, stream, size))
		for _, line := range whole {
			require.NotContains(t, line, "\n")
			require.Equal(t, strings.TrimSpace(line), line)
		}
	})
}

func benchmarkLines(b *testing.B, chunks int) {
	line := []byte(`{"text":" a token","is_finished":false,"event_type":"text-generation"}` + "\n")
	b.ReportAllocs()
	for b.Loop() {
		var l plain.Lines
		for range chunks {
			_ = l.Feed(line[:10], func([]byte) {})
			_ = l.Feed(line[10:], func([]byte) {})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*chunks), "ns/chunk")
}

func BenchmarkLines100(b *testing.B)   { benchmarkLines(b, 100) }
func BenchmarkLines10000(b *testing.B) { benchmarkLines(b, 10_000) }
