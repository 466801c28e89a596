package audit_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/identity"
)

// variety writes records of all sorts over some days, of which a part is under
// way in the end.
func variety(t testing.TB, trail *audit.Trail, c *clock, n int) {
	random := rand.New(rand.NewPCG(7, 7))
	pick := func(values ...string) string { return values[random.IntN(len(values))] }
	var callers []*identity.Caller
	for i := range 12 {
		caller := &identity.Caller{UserID: name("id", i), UserName: name("user", i), Project: pick("", "churn", "fraud"), Execution: pick("", "", "run-1", "run-2")}
		for o := range random.IntN(4) {
			caller.Organizations = append(caller.Organizations, name("org", (i+o)%5))
		}
		callers = append(callers, caller)
	}
	for i := range n {
		c.Add(time.Duration(random.IntN(800)) * time.Second)
		if random.IntN(10) == 0 {
			require.NoError(t, trail.Event(&audit.Event{
				Kind: pick("CreateUser", "CreateToken", audit.KindUpdateEndpoint), By: callers[random.IntN(len(callers))],
				RequestID: name("req", i), TargetType: pick("user", "token", audit.TargetEndpoint), TargetID: name("id", random.IntN(30)),
				TargetName: name("user", random.IntN(30)), ClientAddr: "10.0.0." + fmt.Sprint(random.IntN(5)),
				Changes: []audit.Change{{Field: "name", Before: "Früher", After: "later"}},
			}))
			continue
		}
		x := exchange(name("x", i))
		x.Caller = callers[random.IntN(len(callers))]
		endpoint := random.IntN(8)
		x.EndpointID, x.EndpointName = name("id-of-e", endpoint), name("e", endpoint)
		x.Provider, x.Model = pick("openai", "anthropic", "bedrock"), pick("gpt-4o", "claude", "nova")
		x.ClientAddr = "10.0.0." + fmt.Sprint(random.IntN(5)) + ":4711"
		request := []byte(fmt.Sprintf(`{"messages":[{"content":"Please say \"WORD-%d\" to M\u00fcller\nand More, Grüße"}]}`, random.IntN(40)))
		switch random.IntN(6) {
		case 0:
			o := denied()
			o.Message = fmt.Sprintf("Ask Word-%d for access.", random.IntN(40))
			require.NoError(t, trail.Refuse(x, request, o))
			continue
		case 1:
			x.Caller = nil
			require.NoError(t, trail.Refuse(x, nil, &audit.Outcome{Result: audit.ResultUnauthenticated, Status: 401}))
			continue
		}
		require.NoError(t, trail.Begin(x, request))
		if i > n-10 || random.IntN(50) == 0 {
			continue // under way
		}
		c.Add(time.Duration(random.IntN(20)) * time.Second)
		o := answered()
		if random.IntN(8) == 0 {
			o.Result, o.Status = audit.ResultProviderError, 500+random.IntN(5)
			o.Attempts = []audit.Attempt{{Target: "a", Provider: x.Provider, Model: x.Model}, {Target: "b", Provider: "mistral", Model: "small"}}
			o.Provider, o.Model = "mistral", "small"
		}
		require.NoError(t, trail.End(x.ID, o, []byte(fmt.Sprintf(`{"answer":"WoRd-%d and ÄÖÜ"}`, random.IntN(40)))))
	}
}

// filters are of every sort, alone and with others.
func filters() map[string]audit.Filter {
	all := map[string]audit.Filter{
		"all":                  {},
		"user id":              {Users: []string{"id-0003"}},
		"users":                {Users: []string{"user-0003", "id-0004", "nobody"}},
		"unknown user":         {Users: []string{"nobody"}},
		"organization":         {Organizations: []string{"org-0002"}},
		"organizations":        {Organizations: []string{"org-0001", "org-0003"}},
		"project":              {Projects: []string{"fraud"}},
		"execution":            {Executions: []string{"run-2"}},
		"endpoint":             {EndpointNames: []string{"e-0003"}},
		"endpoint ids":         {EndpointIDs: []string{"id-of-e-0001", "id-0007"}},
		"provider":             {Providers: []string{"bedrock"}},
		"provider of one try":  {Providers: []string{"mistral"}},
		"model":                {Models: []string{"small", "nova"}},
		"result":               {Results: []string{audit.ResultProviderError}},
		"status":               {Statuses: []audit.Status{{Low: 403, High: 403}, {Low: 502, High: 504}}},
		"all statuses":         {Statuses: []audit.Status{{Low: 100, High: 599}}},
		"kind":                 {Kinds: []string{"CreateUser", audit.KindDenyEndpoint}},
		"without kinds":        {Except: []string{audit.KindAccessEndpoint, "CreateToken"}},
		"target":               {TargetTypes: []string{"token"}, TargetNames: []string{"user-0004", "user-0005", "user-0006", "user-0007"}},
		"target id":            {TargetIDs: []string{"id-0009", "id-of-e-0002"}},
		"target type":          {TargetTypes: []string{audit.TargetEndpoint}},
		"address":              {ClientAddrs: []string{"10.0.0.3"}},
		"id":                   {ID: "x-0042"},
		"no such id":           {ID: "x"},
		"user and endpoint":    {Users: []string{"user-0001"}, EndpointNames: []string{"e-0001"}},
		"user and result":      {Users: []string{"user-0001", "user-0002"}, Results: []string{audit.ResultDenied}},
		"many together":        {Organizations: []string{"org-0000", "org-0001"}, Providers: []string{"openai"}, Results: []string{audit.ResultAnswered}, ClientAddrs: []string{"10.0.0.1", "10.0.0.2"}},
		"text":                 {Text: []string{"word-17"}},
		"text quoted":          {Text: []string{`say "word-17"`}},
		"text escaped":         {Text: []string{"müller\nand more"}},
		"text outside ASCII":   {Text: []string{"MÜLLER"}},
		"text in changes":      {Text: []string{"FRÜHER"}},
		"texts":                {Text: []string{"word-1", "word-2"}},
		"text and user":        {Text: []string{"word-3"}, Users: []string{"user-0005", "user-0006", "user-0007"}},
		"text that is nowhere": {Text: []string{"never said"}},
	}
	hours := audit.Filter{From: noon.Add(20 * time.Hour), To: noon.Add(40 * time.Hour)}
	for _, name := range []string{"all", "users", "result", "endpoint"} {
		f := all[name]
		f.From, f.To = hours.From, hours.To
		all[name+" in some hours"] = f
	}
	return all
}

// TestEveryFilterFindsWhatItSelects compares queries with what the filter makes
// of each record, read by every way that there is.
func TestEveryFilterFindsWhatItSelects(t *testing.T) {
	dir := t.TempDir()
	c := newClock(noon)
	opts := audit.Options{Dir: dir, Now: c.Now}
	trail := openTrail(t, opts)
	variety(t, trail, c, 900)
	compare := func(t *testing.T, trail *audit.Trail) {
		whole := query(t, trail, audit.Filter{Bodies: true})
		for name, f := range filters() {
			t.Run(name, func(t *testing.T) {
				want, matches := []string{}, f.Matcher()
				for _, r := range whole {
					if matches(r) {
						want = append(want, r.ID)
					}
				}
				if name != "no such id" && name != "unknown user" && name != "text that is nowhere" {
					require.NotEmpty(t, want)
				}
				require.Equal(t, want, ids(query(t, trail, f)), "oldest first")
				f.Bodies = true
				require.Equal(t, want, ids(query(t, trail, f)), "with bodies")
				f.Bodies = false
				if len(f.Text) == 0 {
					n, err := trail.Count(ctx, f, 1<<30)
					require.NoError(t, err)
					require.InDelta(t, len(want), n, 80, "those under way are not counted")
				}
				f.Skip, f.Limit = 3, 20
				require.Equal(t, want[min(3, len(want)):min(23, len(want))], ids(query(t, trail, f)), "a page in the middle")
				f.Skip, f.Limit, f.Descending = 0, max(7, len(want)/20), true // some twenty pages
				slices.Reverse(want)
				got := []string{}
				for {
					page := query(t, trail, f)
					got = append(got, ids(page)...)
					if len(page) < f.Limit {
						break
					}
					f.After = page[len(page)-1].Cursor()
				}
				require.Equal(t, want, got, "newest first, page by page")
			})
		}
	}
	require.Greater(t, trail.Stats().Partitions, 3)
	t.Run("while it is written", func(t *testing.T) { compare(t, trail) })
	require.NoError(t, trail.Close())
	trail = openTrail(t, opts)
	require.Eventually(t, func() bool { // all days but the last
		made, _ := filepath.Glob(filepath.Join(dir, "*.names"))
		return len(made) == trail.Stats().Partitions-1
	}, time.Minute, 20*time.Millisecond)
	t.Run("with names", func(t *testing.T) { compare(t, trail) })
	require.NoError(t, trail.Close())
	for _, pattern := range []string{"*.db", "*.names"} {
		made, _ := filepath.Glob(filepath.Join(dir, pattern))
		require.NotEmpty(t, made)
		for _, path := range made {
			require.NoError(t, os.Remove(path))
		}
	}
	trail = openTrail(t, opts)
	t.Run("with indexes built anew", func(t *testing.T) { compare(t, trail) })
}

func TestSearchForATextStopsAndGoesOn(t *testing.T) {
	c := newClock(noon)
	trail := openTrail(t, audit.Options{Dir: t.TempDir(), Now: func() time.Time { c.Add(time.Millisecond); return c.Now() }})
	for i := range 300 {
		record(t, trail, name("x", i))
	}
	var found []string
	f := audit.Filter{Text: []string{"X-0007", `"q"`}, Patience: time.Millisecond}
	for range 300 {
		err := trail.Query(ctx, f, func(r *audit.Record) error {
			require.Nil(t, r.RequestBody, "nobody asked for bodies")
			found = append(found, r.ID)
			return nil
		})
		if err == nil {
			require.Equal(t, []string{"x-0007"}, found)
			return
		}
		var unfinished *audit.Unfinished
		require.ErrorAs(t, err, &unfinished)
		require.NotEqual(t, f.After, unfinished.At, "it gets on")
		f.After = unfinished.At
	}
	t.Fatal("it never ended")
}
