package assemble_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/eventstream"
	"sluice/internal/assemble"
)

// nativeCase is a stream of a provider's own API and the reply without a stream
// that it stands for. testdata/check.py holds those to the providers' SDKs.
type nativeCase struct {
	Name    string
	Framing string // sse, lines, frames (event, data) or chunks (of InvokeModel)
	Events  []json.RawMessage
	Want    json.RawMessage
	Broken  bool
}

func (c nativeCase) stream(t testing.TB) []byte {
	var b []byte
	for _, ev := range c.Events {
		switch c.Framing {
		case "sse":
			b = append(append(append(b, "data: "...), ev...), "\n\n"...)
		case "lines":
			b = append(append(b, ev...), '\n')
		case "chunks":
			piece := base64.StdEncoding.EncodeToString(ev)
			b = eventstream.Append(b, eventstream.Event, "chunk", []byte(`{"bytes":"`+piece+`","p":"abc"}`))
		case "frames":
			var pair []json.RawMessage
			var name string
			require.NoError(t, json.Unmarshal(ev, &pair))
			require.NoError(t, json.Unmarshal(pair[0], &name))
			kind := eventstream.Event
			if failed, ok := strings.CutPrefix(name, "!"); ok {
				name, kind = failed, eventstream.Exception
			}
			b = eventstream.Append(b, kind, name, pair[1])
		}
	}
	return b
}

func nativeCases(t testing.TB) (list []nativeCase) {
	b, err := os.ReadFile("testdata/native.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &list))
	return list
}

// native is what a stream of a provider's own API adds up to, written in pieces of
// n bytes.
func native(stream []byte, n int) *assemble.Assembler {
	a := assemble.New(dialect.Native, dialect.Passthrough)
	for i := 0; i < len(stream); i += n {
		a.Write(stream[i:min(i+n, len(stream))])
	}
	return a
}

// TestNative: streams of providers' own APIs add up to their replies without a
// stream, and those that broke off are known to have.
func TestNative(t *testing.T) {
	for _, c := range nativeCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			stream := c.stream(t)
			for _, n := range []int{len(stream), 1, 7, 100} {
				a := native(stream, n)
				m := a.Message()
				require.Equal(t, string(m), string(a.Message()), "asking twice changes nothing")
				if string(c.Want) == "null" {
					require.Empty(t, m)
					require.False(t, a.Known())
					continue
				}
				require.JSONEq(t, string(c.Want), string(m))
				require.True(t, a.Known())
				require.False(t, a.Cut())
				require.Equal(t, c.Broken, a.Broken())
			}
			if string(c.Want) == "null" || c.Broken {
				return
			}
			// Broken off anywhere it is known to be, and what there is is JSON.
			for n := range len(stream) {
				if n%7 != 0 && n < len(stream)-20 {
					continue
				}
				a := native(stream[:n], n+1)
				if m := a.Message(); m != nil {
					require.True(t, json.Valid(m), "%s", m)
				}
			}
			last := c
			last.Events = c.Events[:1]
			if a := native(last.stream(t), 1000); len(c.Events) > 1 && c.Name != "an agent's messages" {
				a.Message()
				require.True(t, a.Broken())
			}
		})
	}
}

// TestNotFrames: what begins like frames and is none takes no memory and no
// message.
func TestNotFrames(t *testing.T) {
	for _, body := range []string{"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", strings.Repeat("\x00", 4096), "\x01\xff\xff\xff"} {
		a := native([]byte(body), 5)
		require.Nil(t, a.Message())
		require.False(t, a.Known())
	}
	stream := nativeCases(t)[0].stream(t)
	a := native(append(stream[:len(stream)-30:len(stream)-30], "some other bytes, twice thirty and more of them, to spoil it"...), 50)
	require.NotNil(t, a.Message())
	require.True(t, a.Cut(), "a corrupt frame ends what is understood")
}
