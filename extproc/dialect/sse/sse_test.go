package sse_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect/sse"
)

// read feeds parts one by one and renders what came out, one event a line.
func read(parts ...string) (events []string, raw string, err error) {
	var r sse.Reader
	note := func(ev sse.Event) error {
		s := fmt.Sprintf("%s|%s", ev.Name, ev.Data)
		if ev.Data == nil {
			s = "-"
		}
		if ev.ID != nil {
			s += fmt.Sprintf(" id=%s", ev.ID)
		}
		if ev.Retry != nil {
			s += fmt.Sprintf(" retry=%s", ev.Retry)
		}
		if ev.Partial {
			s += " partial"
		}
		events = append(events, s)
		raw += string(ev.Raw)
		return nil
	}
	for _, p := range parts {
		if err := r.Feed([]byte(p), note); err != nil {
			return events, raw, err
		}
	}
	return events, raw, r.End(note)
}

func TestEvents(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"empty":                   {"", nil},
		"lf":                      {"event: a\ndata: 1\n\ndata: 2\n\n", []string{"a|1", "|2"}},
		"crlf":                    {"event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", []string{"a|1", "|2"}},
		"cr":                      {"event: a\rdata: 1\r\rdata: 2\r\r", []string{"a|1", "|2"}},
		"mixed":                   {"event: a\rdata: 1\n\r\ndata: 2\r\n\ndata: 3\n\n", []string{"a|1", "|2", "|3"}},
		"cr line, crlf blank":     {"data: 1\r\r\ndata: 2\r\r\n", []string{"|1", "|2", "-"}},
		"multi-line":              {"data: a\ndata:\ndata: b\n\n", []string{"|a\n\nb"}},
		"multi-line twice":        {"data: a\ndata: b\n\ndata: c\ndata: d\n\n", []string{"|a\nb", "|c\nd"}},
		"no space, two spaces":    {"data:x\ndata:  y\n\n", []string{"|x\n y"}},
		"no colon":                {"data\n\n", []string{"|"}},
		"empty data":              {"data:\n\n", []string{"|"}},
		"comment":                 {": keep-alive\n\ndata: 1\n:c\n\n", []string{"-", "|1"}},
		"blank lines":             {"\n\ndata: 1\n\n\n", []string{"-", "-", "|1", "-"}},
		"unknown field":           {"foo: x\ndata: 1\ndatax: 2\n\n", []string{"|1"}},
		"name only":               {"event: ping\n\n", []string{"-"}},
		"last name wins":          {"event: a\nevent: b\ndata: 1\n\n", []string{"b|1"}},
		"id and retry":            {"id: 7\nretry: 100\ndata: 1\n\n", []string{"|1 id=7 retry=100"}},
		"bad id and retry":        {"id: 7\x00\nretry: 1s\ndata: 1\n\n", []string{"|1"}},
		"empty id":                {"id\ndata: 1\n\n", []string{"|1 id="}},
		"byte order mark":         {"\xEF\xBB\xBFdata: 1\n\n\xEF\xBB\xBFdata: 2\n\n", []string{"|1", "-"}},
		"byte order mark, blank":  {"\xEF\xBB\xBF\ndata: 2\n\n", []string{"-", "|2"}},
		"byte order mark, broken": {"\xEF\xBBdata: 1\n\n", []string{"-"}},
		"colon in data":           {"data: {\"a\":1}\n\n", []string{`|{"a":1}`}},
		"partial":                 {"data: 1\n\ndata: 2\n", []string{"|1", "|2 partial"}},
		"partial line":            {"data: 1\n\nda", []string{"|1", "- partial"}},
		"partial crlf":            {"data: 1\r\n", []string{"|1 partial"}},
		"partial cr":              {"data: 1\r", []string{"|1 partial"}},
		"held back cr":            {"data: 1\r\n\r", []string{"|1"}},
	} {
		t.Run(name, func(t *testing.T) {
			checkSplits(t, c.in, c.want)
		})
	}
}

// checkSplits reads in at every cut in two, byte by byte, and whole.
func checkSplits(t *testing.T, in string, want []string) {
	t.Helper()
	got, raw, err := read(in)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, in, raw, "the raws together are the stream")
	for i := range in {
		got, raw, err := read(in[:i], in[i:])
		require.NoError(t, err)
		require.Equal(t, want, got, "cut at %d", i)
		require.Equal(t, in, raw, "cut at %d", i)
	}
	got, raw, err = read(strings.Split(in, "")...)
	require.NoError(t, err)
	require.Equal(t, want, got, "byte by byte")
	require.Equal(t, in, raw)
}

func TestEventIsGivenAtOnce(t *testing.T) {
	for _, in := range []string{"data: 1\n\n", "data: 1\r\n\r\n", "data: 1\r\r"} {
		var r sse.Reader
		n := 0
		for i := range len(in) {
			require.NoError(t, r.Feed([]byte{in[i]}, func(sse.Event) error { n++; return nil }))
		}
		require.Equal(t, 1, n, "%q", in)
	}
}

func TestTooLarge(t *testing.T) {
	largest := "data: " + strings.Repeat("x", sse.MaxEvent-8) + "\n\n"
	got, _, err := read("data: 0\n\n" + largest[:9] + largest[9:])
	require.NoError(t, err)
	require.Len(t, got, 2)
	larger := "data: " + largest
	for _, parts := range [][]string{{larger}, {larger[:100], larger[100:]}, {larger[:len(larger)-1], "\n"}} {
		_, _, err := read(parts...)
		require.ErrorIs(t, err, sse.ErrTooLarge)
	}
	var r sse.Reader
	require.ErrorIs(t, r.Feed([]byte(larger), nil), sse.ErrTooLarge)
	require.ErrorIs(t, r.Feed([]byte("data: 1\n\n"), nil), sse.ErrTooLarge, "spent")
	require.ErrorIs(t, r.End(nil), sse.ErrTooLarge)
}

func TestErrorOfFunction(t *testing.T) {
	stop := errors.New("stop")
	var r sse.Reader
	n := 0
	err := r.Feed([]byte("data: 1\n\ndata: 2\n\n"), func(sse.Event) error { n++; return stop })
	require.ErrorIs(t, err, stop)
	require.Equal(t, 1, n)
	require.ErrorIs(t, r.Feed(nil, nil), stop)
}

func TestAppend(t *testing.T) {
	require.Equal(t, "data: x\n\n", string(sse.Append(nil, "", []byte("x"))))
	require.Equal(t, "event: e\ndata: x\n\n", string(sse.Append(nil, "e", []byte("x"))))
	require.Equal(t, "data: \n\n", string(sse.Append(nil, "", nil)))
	require.Equal(t, "event: e\ndata: a\ndata: b\ndata: \ndata: c\ndata: \n\n",
		string(sse.Append(nil, "e", []byte("a\nb\r\n\rc\n"))))
}

func TestReaderAllocatesNothing(t *testing.T) {
	chunk := []byte(strings.Repeat("event: e\ndata: {\"x\":\"yyyyyyyy\"}\n\n", 10))
	var r sse.Reader
	fn := func(sse.Event) error { return nil }
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = r.Feed(chunk, fn) }))
	require.NoError(t, r.Feed(chunk[:20], fn))
	turned := append(bytes.Clone(chunk[20:]), chunk[:20]...)
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = r.Feed(turned, fn) }), "with a rest to hold")
}

// FuzzSSE checks that a stream cut anywhere gives the same events as whole,
// and that what Append writes is read back.
func FuzzSSE(f *testing.F) {
	f.Add("event: a\r\ndata: 1\r\n\r\ndata: 2\n\n", uint16(3), uint16(9))
	f.Add("data: 1\r\r\ndata: 2\r\r", uint16(9), uint16(10))
	f.Add("\xEF\xBB\xBF:c\n\nid: 1\ndata: x\ndata: y\n\npart", uint16(1), uint16(2))
	f.Fuzz(func(t *testing.T, in string, a, b uint16) {
		want, raw, err := read(in)
		require.NoError(t, err)
		require.Equal(t, in, raw)
		i, j := int(a)%(len(in)+1), int(b)%(len(in)+1)
		i, j = min(i, j), max(i, j)
		got, raw, err := read(in[:i], in[i:j], in[j:])
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, in, raw)

		data := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(in)
		got, _, err = read(string(sse.Append(nil, "e", []byte(in))))
		require.NoError(t, err)
		require.Equal(t, []string{"e|" + data}, got)
	})
}

func BenchmarkFeed(b *testing.B) {
	event := "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0," +
		"\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello there\"}}\n\n"
	fn := func(sse.Event) error { return nil }
	b.Run("one event a chunk", func(b *testing.B) {
		var r sse.Reader
		chunk := []byte(event)
		b.SetBytes(int64(len(chunk)))
		b.ReportAllocs()
		for b.Loop() {
			_ = r.Feed(chunk, fn)
		}
	})
	b.Run("4 KiB chunks", func(b *testing.B) {
		var r sse.Reader
		stream := []byte(strings.Repeat(event, 4096))
		b.SetBytes(int64(len(stream)))
		b.ReportAllocs()
		for b.Loop() {
			for at := 0; at < len(stream); at += 4096 {
				_ = r.Feed(stream[at:min(at+4096, len(stream))], fn)
			}
		}
	})
	b.Run("4 MiB event in 1 KiB chunks", func(b *testing.B) {
		stream := []byte("data: " + strings.Repeat("x", 4<<20) + "\n\n")
		b.SetBytes(int64(len(stream)))
		b.ReportAllocs()
		for b.Loop() {
			var r sse.Reader
			for at := 0; at < len(stream); at += 1024 {
				_ = r.Feed(stream[at:min(at+1024, len(stream))], fn)
			}
		}
	})
}
