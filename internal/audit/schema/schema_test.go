package schema_test

import (
	"context"
	"flag"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/audit/audittest"
	"sluice/internal/audit/schema"
	"sluice/internal/decision"
	"sluice/internal/identity"
)

var update = flag.Bool("update", false, "write docs/audit.schema.json")

const (
	published = "../../../docs/audit.schema.json"
	page      = "../../../docs/audit.md"
)

// TestPublished: what is in docs is what follows from the types.
func TestPublished(t *testing.T) {
	text, err := schema.JSON(false)
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(published, text, 0o644))
	}
	have, err := os.ReadFile(published)
	require.NoError(t, err)
	require.Equal(t, string(text), string(have), "run: go test ./internal/audit/schema -update")
}

// TestFieldsAreOnThePage: docs/audit.md names every member of a record.
func TestFieldsAreOnThePage(t *testing.T) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	_, records, ok := strings.Cut(string(text), "\n## Records\n")
	require.True(t, ok)
	records, _, ok = strings.Cut(records, "\n## Bodies\n")
	require.True(t, ok)
	for _, name := range schema.Fields() {
		_, member, _ := strings.Cut(name, ".")
		require.Contains(t, records, "`"+member+"`", "docs/audit.md does not say what %s is", name)
	}
}

// TestKindsAreOnThePage: docs/audit.md says of every kind of event that the code
// writes what it means, and of no other.
func TestKindsAreOnThePage(t *testing.T) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(text), "\n## Kinds of events\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\| ([^|]+) \\|").FindAllStringSubmatch(section, -1) {
		listed = append(listed, row[1])
		require.Greater(t, len(row[2]), 10, row[1])
	}
	require.ElementsMatch(t, audittest.EventKinds(t), listed, "the kinds in docs/audit.md are those that the code writes")
}

// fill sets every field to something.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		if _, is := v.Interface().(time.Time); is {
			v.Set(reflect.ValueOf(time.Date(2026, 3, 10, 12, 0, 0, 1, time.UTC)))
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i))
			}
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("b\xff"))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("k"), reflect.ValueOf("v"))
	}
}

// TestEveryMemberIsInTheSchema: records with all fields set, and with none, are
// as the schema says; one with a member more is not.
func TestEveryMemberIsInTheSchema(t *testing.T) {
	for _, part := range []string{"exchange", "event"} {
		var r audit.Record
		fill(reflect.ValueOf(&r).Elem())
		r.Exchange.Bodies, r.Outcome.BodyForm, r.Outcome.Result, r.Parts[0].Kind = audit.BodiesFull, audit.FormMessage, audit.ResultAnswered, audit.PartStreamEvents
		if part == "event" {
			r.Exchange, r.Outcome = nil, nil
		} else {
			r.Event = nil
		}
		text, err := r.AppendJSON(nil)
		require.NoError(t, err)
		require.NoError(t, audittest.Check(text), "%s", text)
		require.Error(t, audittest.Check([]byte(strings.Replace(string(text), `{`, `{"more":1,`, 1))))
		require.Error(t, audittest.Check([]byte(strings.Replace(string(text), `"sequence":7`, `"sequence":"7"`, 1))))
	}
	require.Error(t, audittest.Check([]byte(`{}`)))
}

// TestRecordsOfEveryKind: what a trail makes of each kind of event and of each
// result is as the schema says.
func TestRecordsOfEveryKind(t *testing.T) {
	dir := t.TempDir()
	trail, err := audit.Open(audit.Options{Dir: dir, Node: "n"})
	require.NoError(t, err)
	for _, kind := range audittest.EventKinds(t) {
		require.NoError(t, trail.Event(&audit.Event{Kind: kind, TargetType: "t", Changes: []audit.Change{{Field: "f"}}}))
	}
	results := []string{
		audit.ResultAnswered, audit.ResultProviderError, audit.ResultGatewayError, audit.ResultClientGone, audit.ResultDenied,
		audit.ResultUnauthenticated, audit.ResultRefused,
	}
	for _, result := range results {
		x := &audit.Exchange{ID: result, Caller: &identity.Caller{UserID: "u"}, Decision: decision.Decision{Reasons: []decision.Reason{{Code: "c"}}}}
		o := &audit.Outcome{Result: result, Attempts: []audit.Attempt{{}}}
		switch result {
		case audit.ResultDenied, audit.ResultUnauthenticated, audit.ResultRefused:
			require.NoError(t, trail.Refuse(x, []byte("b\xff"), o))
		default:
			require.NoError(t, trail.Begin(x, []byte("{}")))
			require.NoError(t, trail.Part(result, audit.PartProviderRequest, []byte("p")))
			require.NoError(t, trail.End(result, o, nil))
		}
	}
	require.NoError(t, trail.Begin(&audit.Exchange{ID: "interrupted"}, nil))
	require.NoError(t, trail.Close())
	trail, err = audit.Open(audit.Options{Dir: dir}) // which ends what was under way
	require.NoError(t, err)
	kinds := map[string]bool{}
	require.NoError(t, trail.Query(context.Background(), audit.Filter{Bodies: true}, func(r *audit.Record) error {
		kinds[r.Kind()] = true
		text, err := r.AppendJSON(nil)
		require.NoError(t, err)
		require.NoError(t, audittest.Check(text), "%s", text)
		return nil
	}))
	require.NoError(t, trail.Close())
	require.Greater(t, len(kinds), 30)
	audittest.Trail(t, dir)
}
