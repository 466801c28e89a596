package eventstream_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	aws "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect/eventstream"
)

// read feeds parts one by one and renders what came out, one message a line.
func read(parts ...[]byte) (messages []string, err error) {
	var r eventstream.Reader
	note := func(m eventstream.Message) error {
		messages = append(messages, fmt.Sprintf("%s|%s|%s|%s", m.Kind, m.Type, m.Text, m.Payload))
		return nil
	}
	for _, p := range parts {
		if err := r.Feed(p, note); err != nil {
			return messages, err
		}
	}
	return messages, r.End()
}

// frame encodes a message by the AWS SDK.
func frame(t testing.TB, payload string, headers ...string) []byte {
	t.Helper()
	var m aws.Message
	for i := 0; i < len(headers); i += 2 {
		m.Headers.Set(headers[i], aws.StringValue(headers[i+1]))
	}
	m.Payload = []byte(payload)
	var b bytes.Buffer
	require.NoError(t, aws.NewEncoder().Encode(&b, m))
	return b.Bytes()
}

func example(t testing.TB) (stream []byte, want []string) {
	stream = eventstream.Append(nil, eventstream.Event, "messageStart", []byte(`{"role":"assistant"}`))
	stream = eventstream.Append(stream, eventstream.Event, "empty", nil)
	stream = append(stream, frame(t, "")...)
	stream = append(stream, frame(t, "x", ":message-type", "error", ":error-code", "Oops", ":error-message", "it broke")...)
	stream = eventstream.Append(stream, eventstream.Exception, "throttlingException", []byte(`{"message":"slow"}`))
	return stream, []string{
		`event|messageStart||{"role":"assistant"}`, "event|empty||", "|||", "error|Oops|it broke|x",
		`exception|throttlingException||{"message":"slow"}`,
	}
}

func TestCutAnywhere(t *testing.T) {
	stream, want := example(t)
	got, err := read(stream)
	require.NoError(t, err)
	require.Equal(t, want, got)
	for i := range stream {
		got, err := read(stream[:i], stream[i:])
		require.NoError(t, err)
		require.Equal(t, want, got, "cut at %d", i)
	}
	var each [][]byte
	for i := range stream {
		each = append(each, stream[i:i+1])
	}
	got, err = read(each...)
	require.NoError(t, err)
	require.Equal(t, want, got, "byte by byte")
}

func TestTruncated(t *testing.T) {
	stream, want := example(t)
	got, err := read(stream[:len(stream)-1])
	require.ErrorIs(t, err, eventstream.ErrTruncated)
	require.Equal(t, want[:len(want)-1], got)
	got, err = read(stream[:5])
	require.ErrorIs(t, err, eventstream.ErrTruncated)
	require.Empty(t, got)
	_, err = read(nil)
	require.NoError(t, err)
}

// TestCorrupt turns each bit of a frame: none may pass.
func TestCorrupt(t *testing.T) {
	good := eventstream.Append(nil, eventstream.Event, "a", []byte(`{"x":1}`))
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			got, err := read(bad)
			require.ErrorIs(t, err, eventstream.ErrCorrupt, "byte %d bit %d", i, bit)
			require.Empty(t, got)
		}
	}
}

// withLengths is a prelude with a right checksum.
func withLengths(size, headers uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, size)
	b = binary.BigEndian.AppendUint32(b, headers)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func TestLengths(t *testing.T) {
	for name, c := range map[string]struct {
		size, headers uint32
		want          error
	}{
		"too small":         {15, 0, eventstream.ErrCorrupt},
		"zero":              {0, 0, eventstream.ErrCorrupt},
		"headers too long":  {20, 5, eventstream.ErrCorrupt},
		"headers beyond":    {20, 1 << 31, eventstream.ErrCorrupt},
		"headers too large": {1 << 20, 128<<10 + 1, eventstream.ErrCorrupt},
		"too large":         {eventstream.MaxFrame + 1, 0, eventstream.ErrTooLarge},
		"largest":           {eventstream.MaxFrame, 0, eventstream.ErrTruncated},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(withLengths(c.size, c.headers))
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestSpent(t *testing.T) {
	stop := errors.New("stop")
	stream, _ := example(t)
	var r eventstream.Reader
	n := 0
	require.ErrorIs(t, r.Feed(stream, func(eventstream.Message) error { n++; return stop }), stop)
	require.Equal(t, 1, n)
	require.ErrorIs(t, r.Feed(nil, nil), stop)
	require.ErrorIs(t, r.End(), stop)
}

func TestHeadersOfOtherTypes(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, aws.NewEncoder().Encode(&b, aws.Message{Headers: aws.Headers{
		{Name: ":message-type", Value: aws.BoolValue(true)}, {Name: ":event-type", Value: aws.Int32Value(1)},
	}, Payload: []byte("p")}))
	got, err := read(b.Bytes())
	require.NoError(t, err)
	require.Equal(t, []string{"|||p"}, got)
}

func TestIsStream(t *testing.T) {
	for ctype, want := range map[string]bool{
		"application/vnd.amazon.eventstream": true, "Application/vnd.Amazon.EventStream; charset=utf-8": true,
		"application/json": false, "": false, "text/event-stream": false,
	} {
		require.Equal(t, want, eventstream.IsStream(ctype), ctype)
	}
}

// FuzzFrames checks that nothing panics and that cuts change nothing.
func FuzzFrames(f *testing.F) {
	stream, _ := example(f)
	f.Add(stream, uint16(3), uint16(70))
	f.Add(withLengths(20, 4), uint16(1), uint16(2))
	f.Add(append(withLengths(16, 0), 0, 0, 0, 0), uint16(12), uint16(13))
	f.Fuzz(func(t *testing.T, in []byte, a, b uint16) {
		want, wantErr := read(in)
		i, j := int(a)%(len(in)+1), int(b)%(len(in)+1)
		i, j = min(i, j), max(i, j)
		got, err := read(in[:i], in[i:j], in[j:])
		require.Equal(t, want, got)
		require.Equal(t, wantErr == nil, err == nil, "%v %v", wantErr, err)
	})
}

// BenchmarkFrames shows that a frame costs the same in short and long streams.
func BenchmarkFrames(b *testing.B) {
	one := eventstream.Append(nil, eventstream.Event, "contentBlockDelta",
		[]byte(`{"contentBlockIndex":0,"delta":{"text":"Hello there"},"p":"abcdefghijkl"}`))
	for _, n := range []int{100, 10_000} {
		stream := bytes.Repeat(one, n)
		for _, cut := range []int{len(one), 61, 4096} {
			b.Run(fmt.Sprintf("%d frames by %d bytes", n, cut), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					var r eventstream.Reader
					for at := 0; at < len(stream); at += cut {
						if err := r.Feed(stream[at:min(at+cut, len(stream))], func(eventstream.Message) error { return nil }); err != nil {
							b.Fatal(err)
						}
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/frame")
			})
		}
	}
	b.Run("4 MiB frame in 1 KiB chunks", func(b *testing.B) {
		stream := eventstream.Append(nil, eventstream.Event, "x", []byte(strings.Repeat("x", 4<<20)))
		b.SetBytes(int64(len(stream)))
		for b.Loop() {
			var r eventstream.Reader
			for at := 0; at < len(stream); at += 1024 {
				_ = r.Feed(stream[at:min(at+1024, len(stream))], func(eventstream.Message) error { return nil })
			}
		}
	})
}
