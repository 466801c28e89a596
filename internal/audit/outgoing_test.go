package audit_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/decision"
)

// shouter redacts a word.
type shouter struct{}

func (shouter) Body(b []byte) []byte { return bytes.ReplaceAll(b, []byte("secret"), []byte("[x]")) }
func (shouter) Text(s string) string { return strings.ReplaceAll(s, "secret", "[x]") }

// TestOutgoingQuotesNobody: what was kept whole leaves as a sink may have it, with
// nothing of bodies in messages, paths or pieces of streams.
func TestOutgoingQuotesNobody(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir()})
	trail.SetRedactor(shouter{})
	x := exchange("1")
	x.Path = "/v1/models/secret"
	x.Decision.Reasons = []decision.Reason{{Code: "c", Message: "the secret is forbidden"}}
	require.NoError(t, trail.Begin(x, []byte(`{"q":"secret"}`)))
	require.NoError(t, trail.Part("1", audit.PartStreamEvents, []byte("data: sec")))
	require.NoError(t, trail.Part("1", audit.PartStreamEvents, []byte("ret\n\n")))
	require.NoError(t, trail.Part("1", audit.PartProviderRequest, []byte("first secret")))
	require.NoError(t, trail.Part("1", audit.PartProviderRequest, []byte("second secret")))
	o := answered()
	o.Result, o.Message = audit.ResultProviderError, "The provider says: no secret please"
	require.NoError(t, trail.End("1", o, []byte(`{"a":"secret"}`)))
	r, err := trail.Get(ctx, "1")
	require.NoError(t, err)
	require.Same(t, r, trail.Outgoing(r, audit.BodiesFull, 1<<20))
	for _, bodies := range []string{audit.BodiesRedacted, audit.BodiesNone} {
		out := trail.Outgoing(r, bodies, 1<<20)
		text, err := json.Marshal(out)
		require.NoError(t, err)
		for _, word := range []string{"secret", "data: sec", "ret\\n"} {
			require.NotContains(t, string(text), word, bodies)
		}
		require.Equal(t, bodies == audit.BodiesRedacted, strings.Contains(string(text), "second [x]"))
	}
}
