package audit_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// encoded is the JSON of a record made of what it says, not of what is stored.
func encoded(t *testing.T, r *audit.Record) string {
	t.Helper()
	again := *r
	if r.Exchange != nil {
		x := *r.Exchange
		again.Exchange = &x
	}
	if r.Outcome != nil {
		o := *r.Outcome
		again.Outcome = &o
	}
	if r.Event != nil {
		e := *r.Event
		again.Event = &e
	}
	text, err := again.AppendJSON(nil)
	require.NoError(t, err)
	return string(text)
}

// manyShapes writes records of every kind, with all fields and with none.
func manyShapes(t *testing.T, trail *audit.Trail) {
	n := 0
	for _, id := range []string{"plain", "quoted \"\\ é\n<&>\u2028 \xff"} {
		for _, whole := range []bool{false, true} {
			var x audit.Exchange
			var o audit.Outcome
			fill(reflect.ValueOf(&x).Elem(), &n)
			fill(reflect.ValueOf(&o).Elem(), &n)
			x.ID, x.Bodies = fmt.Sprint(id, whole), ""
			write(t, trail, whole, &x, &o)
			write(t, trail, whole, &audit.Exchange{ID: x.ID + "-bare"}, &audit.Outcome{})
		}
	}
	e := audit.Event{Metadata: map[string]string{"a<b>": "é&", "": "\u2029"}}
	e.Time, e.Kind, e.By, e.RequestID, e.TargetName = noon, "Kind", alice, "r \" 1", "<é>"
	e.Changes = []audit.Change{{Field: "f", Before: "\x00", After: "ü"}, {}}
	require.NoError(t, trail.Event(&e))
	require.NoError(t, trail.Event(&audit.Event{Kind: "Bare"}))
	require.NoError(t, trail.Begin(exchange("parts"), randomBody(3<<20)))
	require.NoError(t, trail.Part("parts", audit.PartProviderRequest, []byte(`{"q":1}`)))
	require.NoError(t, trail.Part("parts", audit.PartStreamEvents, randomBody(5<<20)))
	require.NoError(t, trail.End("parts", answered(), chatBody(5<<20)))
	require.NoError(t, trail.Begin(exchange("under way"), []byte("{}")))
}

// What is spliced from the segments is what the encoders would have made.
func TestStoredJSONIsThatOfTheEncoders(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir(), BodyBytes: 4 << 20})
	reader, err := trail.Reader(audit.Mark{})
	require.NoError(t, err)
	defer reader.Close()
	manyShapes(t, trail)
	seen := map[string]int{}
	same := func(r *audit.Record) error {
		text, err := r.AppendJSON(nil)
		require.NoError(t, err)
		require.Equal(t, encoded(t, r), string(text))
		require.True(t, audit.IsStored(r), "%s", text)
		seen[string(text)]++
		return nil
	}
	for _, bodies := range []bool{false, true} {
		require.NoError(t, trail.Query(ctx, audit.Filter{Bodies: bodies}, same))
	}
	require.Equal(t, 12+2, len(seen)) // two have bodies
	records, err := reader.Ready(ctx, 100, 1<<30)
	require.NoError(t, err)
	for _, r := range records {
		require.NoError(t, same(r))
	}
	require.Len(t, records, 11) // all but the one that is under way
}

// Who puts another half in place of one sees that one in the JSON.
func TestStoredJSONIsNotThatOfWhatIsChanged(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir()})
	require.NoError(t, trail.Refuse(exchange("x"), nil, &audit.Outcome{Result: audit.ResultRefused, Message: "no secret"}))
	require.NoError(t, trail.Query(ctx, audit.Filter{}, func(r *audit.Record) error {
		if r.Exchange == nil {
			return nil
		}
		x, o := *r.Exchange, *r.Outcome
		x.EndpointName, o.Message = "another", "other"
		changed := *r
		changed.Exchange, changed.Outcome = &x, &o
		text, err := changed.AppendJSON(nil)
		require.NoError(t, err)
		require.Contains(t, string(text), `"endpointName":"another"`)
		require.Contains(t, string(text), `"message":"other"`)
		return nil
	}))
}

// FuzzDecode holds the decoders to encoding/json.
func FuzzDecode(f *testing.F) {
	f.Add("plain", int64(0), false)
	f.Add("a\"b\\c\n\x01<é\xff世\u2028", int64(-1), true)
	f.Add(`\u0041\`, int64(1<<62), true)
	f.Fuzz(func(t *testing.T, s string, n int64, flag bool) {
		x := exchange(s)
		x.Path, x.MaxTokens, x.Stream, x.Applied, x.Credential = s, n, flag, []string{s, ""}, s
		o := answered()
		o.Message, o.CostNanoUSD, o.Partial, o.Attempts = s, n, flag, []audit.Attempt{{Target: s, Status: int(int32(n))}, {}}
		e := &audit.Event{Kind: s, Time: noon, TargetID: s, Metadata: map[string]string{s: s}, Changes: []audit.Change{{Field: s, After: s}}}
		text, err := json.Marshal(&audit.Record{Exchange: x, Outcome: o})
		require.NoError(t, err)
		var halves struct{ Exchange, Outcome json.RawMessage }
		require.NoError(t, json.Unmarshal(text, &halves))
		event, err := json.Marshal(e)
		require.NoError(t, err)

		var wantX audit.Exchange
		require.NoError(t, json.Unmarshal(halves.Exchange, &wantX))
		gotX, plain, err := audit.DecodeExchange(string(halves.Exchange))
		require.NoError(t, err)
		require.Equal(t, &wantX, gotX)
		require.Equal(t, plain, n > -1e18 && n < 1e18, "%s", halves.Exchange)
		var wantO audit.Outcome
		require.NoError(t, json.Unmarshal(halves.Outcome, &wantO))
		_, gotO, _, err := audit.DecodeEnd(string(halves.Outcome))
		require.NoError(t, err)
		require.Equal(t, &wantO, gotO)
		var wantE audit.Event
		require.NoError(t, json.Unmarshal(event, &wantE))
		gotE, plain, err := audit.DecodeEvent(string(event))
		require.NoError(t, err)
		require.Equal(t, &wantE, gotE)
		require.True(t, plain)
	})
}

// JSON that no encoder here writes is read all the same, and what is none is an
// error.
func TestDecodeWhatIsNotOurs(t *testing.T) {
	for text, fine := range map[string]bool{
		`{"id":"x","new":{"member":[1,2.5e3,null,"}"]}}`: true,
		`{ "id" : "x" }`:                      true,
		`{"id":"x","caller":null}`:            true,
		`{"id":"x","stream":0}`:               false,
		`{"id":"x","maxTokens":1.5}`:          false,
		`{"id":"x","maxTokens":}`:             false,
		`{"id":"x","applied":["a",]}`:         false,
		`{"id":"x","time":"noon"}`:            false,
		`{"id":"x"}}`:                         false,
		`{"id":"x"`:                           false,
		`{"id":"x\"}`:                         false,
		`{"id":"x","decision":{"allow":tru}}`: false,
		``:                                    false,
	} {
		x, plain, err := audit.DecodeExchange(text)
		require.False(t, plain, text)
		if !fine {
			require.Error(t, err, text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, "x", x.ID, text)
	}
	x, plain, err := audit.DecodeExchange(`{"id":"` + strings.Repeat("x", 100) + `"}`)
	require.NoError(t, err)
	require.True(t, plain)
	require.Len(t, x.ID, 100)
}
