package audit_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/identity"
)

// TestRecordIsAppendedAsJSON compares AppendJSON with what encoding/json makes
// of the same fields, for a record in which every field is set, and for one in
// which none is.
func TestRecordIsAppendedAsJSON(t *testing.T) {
	type plain audit.Record
	for _, full := range []bool{false, true} {
		var r audit.Record
		if full {
			n := 0
			fillRecord(&r, &n)
		}
		want, err := json.Marshal(struct {
			Kind   string `json:"eventKind"`
			Schema int    `json:"schemaVersion"`
			*plain
		}{r.Kind(), audit.SchemaVersion, (*plain)(&r)})
		require.NoError(t, err)
		got, err := r.AppendJSON([]byte("before "))
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(got[len("before "):]))
		require.NotContains(t, string(got), "\n")
		marshalled, err := json.Marshal(&r)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(marshalled))
	}
}

func fillRecord(r *audit.Record, n *int) {
	v := reflect.ValueOf(r).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		if !f.CanSet() { // of readers of the trail
			continue
		}
		switch f.Addr().Interface().(type) {
		case *uint64:
			*n++
			f.SetUint(uint64(*n) << 40)
		case *audit.Body:
			f.SetBytes([]byte("a \"body\"\n\xff\x00"))
		case *[]audit.Part:
			f.Set(reflect.ValueOf([]audit.Part{{Kind: audit.PartStreamEvents, Bytes: 7, Truncated: true, Body: []byte("e")}, {Kind: "k"}}))
		case **audit.Event:
			f.Set(reflect.ValueOf(&audit.Event{
				Time: noon, Kind: "K\n", By: &identity.Caller{UserID: "u"}, Changes: []audit.Change{{Field: "f", After: "a"}},
				Metadata: map[string]string{"b": "c", "a": "d"},
			}))
		default:
			fill(f, n)
		}
	}
	r.ResponseBody = audit.Body("text")
}

func TestRecordThatIsNoJSON(t *testing.T) {
	r := audit.Record{Exchange: exchange("x")}
	r.Exchange.Decision.Obligations = map[string]any{"f": func() {}}
	got, err := r.AppendJSON([]byte("kept"))
	require.ErrorContains(t, err, "encoding obligations")
	require.Equal(t, "kept", string(got))
}
