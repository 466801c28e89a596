package audit_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// fill sets every field that v has, so that a field without an encoder is
// found by its absence.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("s%d \"\\\n\t\x01 ü 世 \u2028 <>&", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n) * 1e6)
	case reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]any{"max_tokens": 12.0, "nested": map[string]any{"a": []any{"b"}}}))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(noon.Add(time.Duration(*n))))
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() && v.Type().Field(i).Tag.Get("json") != "-" { // those are not for the trail
				fill(v.Field(i), n)
			}
		}
	default:
		panic(v.Kind())
	}
}

// TestEveryFieldIsKept compares what is read with what was written, for a
// record in which every field is set, and for one in which none is.
func TestEveryFieldIsKept(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir()})
	for _, whole := range []bool{false, true} {
		var x audit.Exchange
		var o audit.Outcome
		n := 0
		fill(reflect.ValueOf(&x).Elem(), &n)
		fill(reflect.ValueOf(&o).Elem(), &n)
		x.ID = fmt.Sprint("full-", whole)
		write(t, trail, whole, &x, &o)
		r, err := trail.Get(ctx, x.ID)
		require.NoError(t, err)
		require.Equal(t, &x, r.Exchange)
		require.Equal(t, &o, r.Outcome)
		// The same JSON as encoding/json makes of it.
		want, err := json.Marshal(&x)
		require.NoError(t, err)
		got, err := json.Marshal(r.Exchange)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(got))

		x, o = audit.Exchange{ID: fmt.Sprint("bare-", whole), Time: noon}, audit.Outcome{Time: noon}
		write(t, trail, whole, &x, &o)
		r, err = trail.Get(ctx, x.ID)
		require.NoError(t, err)
		require.Equal(t, &x, r.Exchange)
		require.Equal(t, &o, r.Outcome)
	}
}

func write(t *testing.T, trail *audit.Trail, whole bool, x *audit.Exchange, o *audit.Outcome) {
	t.Helper()
	if whole {
		require.NoError(t, trail.Refuse(x, nil, o))
		return
	}
	require.NoError(t, trail.Begin(x, nil))
	require.NoError(t, trail.End(x.ID, o, nil))
}

func FuzzStrings(f *testing.F) {
	for _, s := range []string{"", "a\"b\\", "\xff\xfe", "é\xc3", "\u2028", "\x00\x1f\x7f", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		encoded := audit.AppendString(nil, s)
		var got, want string
		require.NoError(t, json.Unmarshal(encoded, &got))
		plain, err := json.Marshal(s)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(plain, &want))
		require.Equal(t, want, got)
	})
}

func TestObligationThatIsNoJSON(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir()})
	x := exchange("x")
	x.Decision.Obligations = map[string]any{"f": func() {}}
	require.ErrorContains(t, trail.Begin(x, nil), "encoding obligations")
	require.ErrorContains(t, trail.Refuse(x, nil, denied()), "encoding obligations")
	verified(t, trail)
}
