package audit_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"sluice/internal/audit"
	"sluice/internal/decision"
	"sluice/internal/identity"
)

const planted = "planted@example.com"

// stars stands in for the real redactor: it knows one value.
type stars struct{}

func (stars) Body(b []byte) []byte { return bytes.ReplaceAll(b, []byte(planted), []byte("***")) }
func (stars) Text(s string) string { return strings.ReplaceAll(s, planted, "***") }

// broken fails as a redactor with a fault would, with the body in its words.
type broken struct{}

func (broken) Body(b []byte) []byte { panic(string(b)) }
func (broken) Text(s string) string { panic(s) }

// recordPlanted records an exchange and a refusal with the planted value
// wherever clients and providers can put one.
func recordPlanted(t *testing.T, trail *audit.Trail, bodies string) {
	t.Helper()
	body := []byte(`{"q":"` + planted + `"}`)
	x := exchange("one")
	x.Bodies, x.Path = bodies, "/v1/chat?user="+planted
	x.Decision.Reasons = []decision.Reason{{Code: "permitted", Message: planted}}
	require.NoError(t, trail.Begin(x, body))
	require.Equal(t, "/v1/chat?user="+planted, x.Path, "what the caller gave is as it was")
	o := answered()
	o.Message = "no " + planted
	require.NoError(t, trail.End("one", o, body))
	require.Equal(t, "no "+planted, o.Message)
	x.ID = "two"
	o = denied()
	o.Message = planted
	require.NoError(t, trail.Refuse(x, body, o))
}

// inFiles reports whether any file of a folder holds the planted value.
func inFiles(t *testing.T, dir string) bool {
	t.Helper()
	found := false
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		found = found || bytes.Contains(b, []byte(planted))
		return err
	}))
	return found
}

func TestRedacted(t *testing.T) {
	for _, by := range []string{"trail", "exchange"} {
		dir := t.TempDir()
		opts, asked := audit.Options{Dir: dir, Now: newClock(noon).Now}, audit.BodiesRedacted
		if by == "trail" {
			opts.Bodies, asked = audit.BodiesRedacted, ""
		}
		trail := openTrail(t, opts)
		trail.SetRedactor(stars{})
		recordPlanted(t, trail, asked)
		for _, r := range query(t, trail, audit.Filter{Bodies: true}) {
			require.Equal(t, `{"q":"***"}`, string(r.RequestBody))
			require.Equal(t, audit.BodiesRedacted, r.Exchange.Bodies)
			require.Equal(t, "/v1/chat?user=***", r.Exchange.Path)
			require.Equal(t, "***", r.Exchange.Decision.Message())
			require.Contains(t, r.Outcome.Message, "***")
			if r.ID == "one" {
				require.Equal(t, `{"q":"***"}`, string(r.ResponseBody))
			}
		}
		verified(t, trail)
		require.NoError(t, trail.Close())
		require.False(t, inFiles(t, dir))
	}
}

// TestStrictest: none is stricter than redacted, redacted than full, whoever
// asks.
func TestStrictest(t *testing.T) {
	for _, c := range [][3]string{
		{"full", "full", "full"}, {"full", "redacted", "redacted"}, {"full", "none", "none"},
		{"redacted", "full", "redacted"}, {"redacted", "none", "none"},
		{"none", "full", "none"}, {"none", "redacted", "none"},
	} {
		trail := openTrail(t, audit.Options{Dir: t.TempDir(), Bodies: c[0], Now: newClock(noon).Now})
		trail.SetRedactor(stars{})
		recordPlanted(t, trail, c[1])
		want := map[string]string{"full": `{"q":"` + planted + `"}`, "redacted": `{"q":"***"}`}[c[2]]
		for _, r := range query(t, trail, audit.Filter{Bodies: true}) {
			require.Equal(t, want, string(r.RequestBody), "%v", c)
			require.Equal(t, c[2], r.Exchange.Bodies, "%v", c)
			if c[2] == "none" {
				require.EqualValues(t, len(planted)+8, r.RequestBytes)
				require.NotContains(t, r.Exchange.Path+r.Outcome.Message+r.Exchange.Decision.Message(), planted, "%v", c)
			}
		}
	}
}

// TestWordsOfOthers: where no bodies are kept, neither are the sentences and
// names in which clients and providers are quoted.
func TestWordsOfOthers(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir(), Now: newClock(noon).Now})
	trail.SetRedactor(stars{})
	for mode, want := range map[string][3]string{
		audit.BodiesFull:     {planted, "the prompt " + planted, "the prompt " + planted},
		audit.BodiesRedacted: {"***", "the prompt ***", "the prompt ***"},
		audit.BodiesNone:     {"", "", "the prompt ***"},
	} {
		x, o := exchange("refused-"+mode), denied()
		x.Bodies, x.EndpointID, x.EndpointName = mode, "", planted
		o.Result, o.Message = audit.ResultRefused, "the prompt "+planted
		require.NoError(t, trail.Refuse(x, nil, o))
		r, err := trail.Get(ctx, x.ID)
		require.NoError(t, err)
		require.Equal(t, want[0], r.Exchange.EndpointName)
		require.Equal(t, want[1], r.Outcome.Message)

		x, o = exchange("denied-"+mode), denied()
		x.Bodies, o.Message = mode, "the prompt "+planted
		require.NoError(t, trail.Refuse(x, nil, o))
		r, err = trail.Get(ctx, x.ID)
		require.NoError(t, err)
		require.Equal(t, "chat", r.Exchange.EndpointName)
		require.Equal(t, want[2], r.Outcome.Message, "the policy's own sentence stays")
	}
}

// TestRedactionFailsClosed: without a redactor, or with one that fails,
// records are whole and hold nothing of what was to be redacted; neither does
// the log of the gateway.
func TestRedactionFailsClosed(t *testing.T) {
	for name, redactor := range map[string]audit.Redactor{"none": nil, "broken": broken{}} {
		core, logged := observer.New(zapcore.DebugLevel)
		dir := t.TempDir()
		trail := openTrail(t, audit.Options{Dir: dir, Bodies: audit.BodiesRedacted, Now: newClock(noon).Now, Log: zap.New(core)})
		if redactor != nil {
			trail.SetRedactor(redactor)
		}
		recordPlanted(t, trail, "")
		records := query(t, trail, audit.Filter{Bodies: true})
		require.Len(t, records, 2, name)
		for _, r := range records {
			require.Equal(t, audit.MarkUnredacted, string(r.RequestBody))
			require.Equal(t, audit.MarkUnredacted, r.Outcome.Message)
		}
		for _, entry := range logged.All() {
			require.NotContains(t, entry.Message+string(entry.ContextMap()["stack"].(string)), planted)
		}
		require.Equal(t, name == "broken", logged.Len() > 0)
		require.NoError(t, trail.Close())
		require.False(t, inFiles(t, dir))
	}
}

func TestPartsAreRedacted(t *testing.T) {
	dir := t.TempDir()
	trail := openTrail(t, audit.Options{Dir: dir, Bodies: audit.BodiesRedacted, Now: newClock(noon).Now})
	trail.SetRedactor(stars{})
	require.NoError(t, trail.Begin(exchange("one"), nil))
	require.NoError(t, trail.Part("one", audit.PartProviderRequest, []byte(planted)))
	require.NoError(t, trail.End("one", answered(), nil))
	r, err := trail.Get(ctx, "one")
	require.NoError(t, err)
	require.Equal(t, "***", string(r.Parts[0].Body))
	require.NoError(t, trail.Close())
	require.False(t, inFiles(t, dir))
}

// TestEventsAreRedacted: of what somebody wrote into a change nothing is kept
// that is not kept of bodies; who did what to what is.
func TestEventsAreRedacted(t *testing.T) {
	by := &identity.Caller{UserID: "u1", UserName: planted}
	events := map[string]*audit.Event{
		"changed": {Kind: "CreateUser", By: by, TargetType: audit.TargetUser, TargetID: "u2", TargetName: "eve" + planted, Changes: []audit.Change{
			{Field: "userName", After: "eve" + planted}, {Field: "description", Before: "was " + planted, After: "is " + planted},
		}, Metadata: map[string]string{"reason": "asked by " + planted}},
		"claims": {Kind: "UpdateUser", TargetType: audit.TargetUser, TargetID: "u2", Changes: []audit.Change{{Field: "email", After: planted}}},
		"hold":   {Kind: audit.KindCreateHold, By: by, TargetType: "hold", TargetName: "case", Changes: []audit.Change{{Field: "reason", After: planted}}},
		"system": {Kind: "RefusePolicy", Metadata: map[string]string{"problem": planted}},
		"key":    {Kind: audit.KindKeyRotated, By: by, Metadata: map[string]string{"publicKey": planted}},
	}
	for _, mode := range []string{audit.BodiesFull, audit.BodiesRedacted, audit.BodiesNone} {
		trail := openTrail(t, audit.Options{Dir: t.TempDir(), Bodies: mode, Now: newClock(noon).Now})
		trail.SetRedactor(stars{})
		for id, e := range events {
			e.RequestID = id
			if id == "hold" {
				require.NoError(t, trail.AddHold(audit.Hold{Name: "case", From: "2030-01-01", Reason: planted}, e))
				continue
			}
			require.NoError(t, trail.Event(e))
		}
		verified(t, trail)
		if mode != audit.BodiesFull {
			require.Equal(t, "***", trail.Holds()[0].Reason)
		}
		for _, sink := range []string{audit.BodiesFull, audit.BodiesRedacted, audit.BodiesNone} {
			kept := planted
			if mode != audit.BodiesFull || sink != audit.BodiesFull {
				kept = "***"
			}
			for _, recorded := range query(t, trail, audit.Filter{}) {
				r := trail.Outgoing(recorded, sink, 1<<20)
				switch e := r.Event; r.ID {
				case "changed":
					require.Equal(t, planted, e.By.UserName)
					require.Equal(t, "eve"+planted, e.TargetName)
					require.Equal(t, []audit.Change{
						{Field: "userName", After: "eve" + planted}, {Field: "description", Before: "was " + kept, After: "is " + kept},
					}, e.Changes)
					require.Equal(t, "asked by "+kept, e.Metadata["reason"])
				case "hold":
					require.Equal(t, kept, e.Changes[0].After)
					require.Contains(t, e.Metadata["holds"], `"reason":"`+kept+`"`)
					require.NotEmpty(t, e.Metadata["holdsVersion"])
				case "claims":
					require.Equal(t, kept, e.Changes[0].After)
				case "system":
					require.Equal(t, planted, e.Metadata["problem"])
				case "key":
					require.Equal(t, planted, e.Metadata["publicKey"], "it is no key any more if it is changed")
				}
			}
		}
	}
}
