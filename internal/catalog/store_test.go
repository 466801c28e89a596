package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
)

func TestCreateKeepsEverything(t *testing.T) {
	w := newWorld(t)
	given := endpoint("chat")
	e := w.create(given)
	want := facts{
		ID: fmt.Sprintf("%024x", 1), Name: "chat", Type: catalog.TypeChat, Provider: "openai", Model: "gpt-x",
		Config:     map[string]string{"openai_api_base": "https://api.example.com/v1"},
		Secrets:    map[string]string{"openai_api_key": "sk-canary"},
		Unreadable: []string{},
		Limit:      &catalog.Limit{Calls: 10, Period: "minute"},
		Permissions: catalog.Permissions{Users: []string{"u1", "u2"}, Organizations: []string{},
			Roles: []string{"r"}, Projects: []string{}, Owners: []string{"o9", "u9"}},
		Created: start, Updated: start, Description: "What it is\nfor.",
	}
	require.Equal(t, want, factsOf(e))
	for _, s := range []*catalog.Store{w.Store, w.reopen()} {
		byName, ok := s.Snapshot().Get("chat")
		require.True(t, ok)
		require.Equal(t, want, factsOf(byName))
		byID, ok := s.Snapshot().ByID(want.ID)
		require.True(t, ok)
		require.Same(t, byName, byID)
		require.Equal(t, []*catalog.Endpoint{byName}, s.Snapshot().All())
	}
	require.Equal(t, []string{"u2", "u1", "u2"}, given.Permissions.Users, "what was given is not touched")
}

func TestNewIDIsRandomHex(t *testing.T) {
	require.Regexp(t, `^[0-9a-f]{24}$`, catalog.NewID())
	require.NotEqual(t, catalog.NewID(), catalog.NewID())
}

func TestCreateRefuses(t *testing.T) {
	long := strings.Repeat("x", 65<<10)
	tests := []struct {
		name  string
		spoil func(*catalog.Endpoint)
		field string
		text  string
	}{
		{"no name", func(e *catalog.Endpoint) { e.Name = "" }, "endpointName", "missing"},
		{"slash", func(e *catalog.Endpoint) { e.Name = "a/b" }, "endpointName", `"a/b" has other characters`},
		{"line break", func(e *catalog.Endpoint) { e.Name = "a\n" }, "endpointName", "other characters"},
		{"percent", func(e *catalog.Endpoint) { e.Name = "a%2fb" }, "endpointName", "other characters"},
		{"dot", func(e *catalog.Endpoint) { e.Name = "." }, "endpointName", "step in a path"},
		{"dots", func(e *catalog.Endpoint) { e.Name = ".." }, "endpointName", "step in a path"},
		{"long name", func(e *catalog.Endpoint) { e.Name = long }, "endpointName", "longer than 255"},
		{"type", func(e *catalog.Endpoint) { e.Type = "llm/v1/dance" }, "endpointType", `"llm/v1/dance" is none of llm/v1/chat`},
		{"no provider", func(e *catalog.Endpoint) { e.First().Provider = "" }, "modelProvider", "missing"},
		{"no model", func(e *catalog.Endpoint) { e.First().Model = "" }, "modelName", "missing"},
		{"id", func(e *catalog.Endpoint) { e.ID = "x" }, "endpointId", "24 hex digits"},
		{"key", func(e *catalog.Endpoint) { e.First().Config["a b"] = "x" }, "modelConfig", `"a b"`},
		{"value", func(e *catalog.Endpoint) { e.First().Config["k"] = long }, "modelConfig.k", "longer than 65536"},
		{"not UTF-8", func(e *catalog.Endpoint) { e.First().Config["k"] = "\xff" }, "modelConfig.k", "not UTF-8"},
		{"secret with NUL", func(e *catalog.Endpoint) { e.First().Secrets["k"] = "canary\x00" }, "modelConfig.k", "control characters"},
		{"empty secret", func(e *catalog.Endpoint) { e.First().Secrets["k"] = "" }, "modelConfig.k", "empty; leave it out"},
		{"secret and parameter", func(e *catalog.Endpoint) { e.First().Config["openai_api_key"] = "canary" }, "modelConfig.openai_api_key", "as a secret and as a parameter"},
		{"many keys", func(e *catalog.Endpoint) {
			for i := range 200 {
				e.First().Config[fmt.Sprint("k", i)] = "x"
			}
		}, "modelConfig", "more than 128"},
		{"no calls", func(e *catalog.Endpoint) { e.Limit.Calls = 0 }, "limit.calls", "0 is less than 1"},
		{"period", func(e *catalog.Endpoint) { e.Limit.Period = "fortnight" }, "limit.renewal_period", `"fortnight" is no period`},
		{"empty user", func(e *catalog.Endpoint) { e.Permissions.Users = []string{""} }, "endpointPermissions.userIds", "empty"},
		{"organization with a tab", func(e *catalog.Endpoint) { e.Permissions.Organizations = []string{"a\t"} }, "endpointPermissions.organizationIds", "control"},
		{"many projects", func(e *catalog.Endpoint) {
			for i := range 10_001 {
				e.Permissions.Projects = append(e.Permissions.Projects, fmt.Sprint(i))
			}
		}, "endpointPermissions.projects", "more than 10000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			e := endpoint("chat")
			tt.spoil(&e)
			_, err := w.Create(t.Context(), e)
			require.ErrorIs(t, err, catalog.ErrInvalid)
			var field *catalog.FieldError
			require.ErrorAs(t, err, &field)
			require.Equal(t, tt.field, field.Field)
			require.Contains(t, field.Message, tt.text)
			require.NotContains(t, err.Error(), "canary")
			require.Empty(t, w.Snapshot().All())
			require.Zero(t, w.Snapshot().Revision)
		})
	}
}

func TestNamesAndIDsAreUnique(t *testing.T) {
	w := newWorld(t)
	a := w.create(endpoint("a"))
	w.create(endpoint("b"))
	_, err := w.Create(t.Context(), endpoint("a"))
	require.ErrorIs(t, err, catalog.ErrExists)
	require.ErrorContains(t, err, `creating endpoint "a": the name exists already; choose another`)
	again := endpoint("c")
	again.ID = a.ID
	_, err = w.Create(t.Context(), again)
	require.ErrorIs(t, err, catalog.ErrExists)
	_, err = w.Update(t.Context(), "a", func(e *catalog.Endpoint) error { e.Name = "b"; return nil })
	require.ErrorIs(t, err, catalog.ErrExists)
	w.create(endpoint("A")) // names differ by case
	require.Len(t, w.reopen().Snapshot().All(), 3)
}

func TestUpdate(t *testing.T) {
	type change = func(*catalog.Endpoint)
	tests := []struct {
		name   string
		change change
		want   func(*facts)
		seals  int64
	}{
		{"rename keeps id and secrets", func(e *catalog.Endpoint) { e.Name = "other" },
			func(f *facts) { f.Name = "other" }, 0},
		{"what the store sets stays", func(e *catalog.Endpoint) {
			e.ID, e.Created, e.Problem, e.First().Model = "x", time.Time{}, "mine", "m"
		}, func(f *facts) { f.Model = "m" }, 0},
		{"type and provider", func(e *catalog.Endpoint) { e.Type, e.First().Provider = catalog.TypeEmbeddings, "anthropic" },
			func(f *facts) { f.Type, f.Provider = catalog.TypeEmbeddings, "anthropic" }, 0},
		{"parameters added, changed, removed", func(e *catalog.Endpoint) {
			e.First().Config = map[string]string{"new": "1", "keep": "y"}
		}, func(f *facts) { f.Config = map[string]string{"new": "1", "keep": "y"} }, 0},
		{"secret changed", func(e *catalog.Endpoint) { e.First().Secrets["openai_api_key"] = "sk-2" },
			func(f *facts) { f.Secrets["openai_api_key"] = "sk-2" }, 1},
		{"secret added", func(e *catalog.Endpoint) { e.First().Secrets["b"] = "sk-3" },
			func(f *facts) { f.Secrets["b"] = "sk-3" }, 1},
		{"secret removed", func(e *catalog.Endpoint) { delete(e.First().Secrets, "openai_api_key") },
			func(f *facts) { f.Secrets = map[string]string{} }, 0},
		{"secret becomes a parameter", func(e *catalog.Endpoint) {
			delete(e.First().Secrets, "openai_api_key")
			e.First().Config["openai_api_key"] = "shown"
		}, func(f *facts) {
			f.Secrets = map[string]string{}
			f.Config = map[string]string{"keep": "x", "openai_api_key": "shown"}
		}, 0},
		{"limit removed", func(e *catalog.Endpoint) { e.Limit = nil }, func(f *facts) { f.Limit = nil }, 0},
		{"limit changed", func(e *catalog.Endpoint) { e.Limit.Calls = 11 },
			func(f *facts) { f.Limit = &catalog.Limit{Calls: 11, Period: "minute"} }, 0},
		{"permissions", func(e *catalog.Endpoint) {
			e.Permissions = catalog.Permissions{Everyone: true, Users: []string{"u2", "u3", "u0"}, Projects: []string{"p"}}
		}, func(f *facts) {
			f.Permissions = catalog.Permissions{Everyone: true, Users: []string{"u0", "u2", "u3"},
				Organizations: []string{}, Roles: []string{}, Projects: []string{"p"}, Owners: []string{}}
		}, 0},
		{"owners", func(e *catalog.Endpoint) { e.Permissions.Owners = []string{"o9", "u8"} },
			func(f *facts) { f.Permissions.Owners = []string{"o9", "u8"} }, 0},
		{"description", func(e *catalog.Endpoint) { e.Description = "" }, func(f *facts) { f.Description = "" }, 0},
		{"disabled", func(e *catalog.Endpoint) { e.Disabled = true }, func(f *facts) { f.Disabled = true }, 0},
		{"audit bodies", func(e *catalog.Endpoint) { e.AuditBodies = "none" }, func(f *facts) { f.AuditBodies = "none" }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			given := endpoint("chat")
			given.First().Config = map[string]string{"keep": "x"}
			before := w.create(given)
			was := factsOf(before)
			w.create(endpoint("zzz")) // a neighbour that must stay
			w.vault.seals.Store(0)
			w.vault.opens.Store(0)
			w.nano.Add(int64(time.Hour))

			after, err := w.Update(t.Context(), "chat", func(e *catalog.Endpoint) error { tt.change(e); return nil })
			require.NoError(t, err)
			want := was
			want.Config, want.Secrets = map[string]string{"keep": "x"}, map[string]string{"openai_api_key": "sk-canary"}
			want.Updated = start.Add(time.Hour)
			tt.want(&want)
			require.Equal(t, want, factsOf(after))
			require.Equal(t, tt.seals, w.vault.seals.Load(), "only what changed is sealed")
			require.Zero(t, w.vault.opens.Load(), "nothing is opened again")
			require.Equal(t, was, factsOf(before), "the endpoint of the old snapshot did not move")
			require.Len(t, w.Snapshot().All(), 2)
			_, old := w.Snapshot().Get("chat")
			require.Equal(t, after.Name == "chat", old, "the old name is gone")
			require.Equal(t, allFacts(w.Store), allFacts(w.reopen()), "the database says the same")
		})
	}
}

func TestUpdateThatChangesNothing(t *testing.T) {
	w := newWorld(t)
	e := w.create(endpoint("chat"))
	calls := 0
	w.OnChange(func(*catalog.Snapshot) { calls++ })
	w.nano.Add(int64(time.Hour))
	same, err := w.Update(t.Context(), "chat", func(*catalog.Endpoint) error { return nil })
	require.NoError(t, err)
	require.Same(t, e, same)
	require.Zero(t, calls)
	require.EqualValues(t, 1, w.Snapshot().Revision)
}

func TestUpdateFails(t *testing.T) {
	w := newWorld(t)
	w.create(endpoint("chat"))
	before := allFacts(w.Store)
	boom := errors.New("boom")
	update := func(name string, f func(*catalog.Endpoint) error) error {
		_, err := w.Update(t.Context(), name, f)
		return err
	}
	require.ErrorIs(t, update("chat", func(e *catalog.Endpoint) error { e.Name = "x"; return boom }), boom)
	require.ErrorIs(t, update("nope", func(*catalog.Endpoint) error { return nil }), catalog.ErrNotFound)
	require.ErrorContains(t, update("chat", func(e *catalog.Endpoint) error {
		e.First().Unreadable = []string{"ghost"}
		return nil
	}), "modelConfig.ghost: no such credential")
	w.vault.failing = "/new"
	err := update("chat", func(e *catalog.Endpoint) error {
		e.First().Model, e.First().Secrets["new"] = "m", "canary"
		return nil
	})
	require.ErrorIs(t, err, errVault)
	require.NotContains(t, err.Error(), "canary")
	w.vault.failing = ""
	require.Equal(t, before, allFacts(w.Store))
	require.Equal(t, before, allFacts(w.reopen()))
}

func TestDelete(t *testing.T) {
	w := newWorld(t)
	e := w.create(endpoint("chat"))
	gone, err := w.Delete(t.Context(), "chat")
	require.NoError(t, err)
	require.Same(t, e, gone)
	_, err = w.Delete(t.Context(), "chat")
	require.ErrorIs(t, err, catalog.ErrNotFound)
	require.ErrorContains(t, err, `deleting endpoint "chat": not found`)
	for _, table := range []string{"endpoints", "targets", "target_parameters", "target_secrets", "endpoint_grants"} {
		var n int
		require.NoError(t, w.db.QueryRow("SELECT count(*) FROM "+table).Scan(&n))
		require.Zero(t, n, table)
	}
	require.NotEqual(t, e.ID, w.create(endpoint("chat")).ID)
}

func TestForget(t *testing.T) {
	w := newWorld(t)
	for i, p := range []catalog.Permissions{
		{Users: []string{"x", "y"}},
		{Organizations: []string{"x"}, Users: []string{"y"}},
		{Users: []string{"y"}, Roles: []string{"x"}, Projects: []string{"x"}},
	} {
		e := endpoint(fmt.Sprint("e", i))
		e.Permissions = p
		w.create(e)
	}
	require.NoError(t, w.Forget(t.Context(), "x"))
	for _, s := range []*catalog.Store{w.Store, w.reopen()} {
		for _, e := range s.Snapshot().All() {
			require.Equal(t, []string{"y"}, e.Permissions.Users, e.Name)
			require.Empty(t, e.Permissions.Organizations)
		}
		e, _ := s.Snapshot().Get("e2")
		require.Equal(t, []string{"x"}, e.Permissions.Roles, "a role of that name is another thing")
	}
	revision := w.Snapshot().Revision
	require.NoError(t, w.Forget(t.Context(), "nobody"))
	require.Equal(t, revision, w.Snapshot().Revision)
}

func TestOnChangeComesInOrderBeforeReturn(t *testing.T) {
	w := newWorld(t)
	var seen []uint64
	w.OnChange(func(s *catalog.Snapshot) {
		require.Same(t, s, w.Snapshot(), "it is in force already")
		seen = append(seen, s.Revision)
	})
	w.create(endpoint("a"))
	_, err := w.Update(t.Context(), "a", func(e *catalog.Endpoint) error { e.Name = "b"; return nil })
	require.NoError(t, err)
	_, err = w.Create(t.Context(), catalog.Endpoint{})
	require.Error(t, err)
	_, err = w.Delete(t.Context(), "b")
	require.NoError(t, err)
	require.Equal(t, []uint64{1, 2, 3}, seen)
}

func TestCancelledMutationChangesNothing(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.Create(ctx, endpoint("a"))
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, w.Snapshot().All())
	require.Empty(t, w.reopen().Snapshot().All())
}

func TestSecretsAreNotShown(t *testing.T) {
	w := newWorld(t)
	e := w.create(endpoint("chat"))
	b, err := json.Marshal(e)
	require.NoError(t, err)
	s, err := json.Marshal(e.First().Secrets)
	require.NoError(t, err)
	require.JSONEq(t, `["openai_api_key"]`, string(s))
	shown := fmt.Sprintf("%v %+v %#v %s %q %x %v %s", *e, *e, *e, e.First().Secrets, e.First().Secrets, e.First().Secrets, *e.First(), b)
	require.NotContains(t, shown, "canary")
	require.NotContains(t, shown, fmt.Sprintf("%x", "canary"))
	require.Contains(t, shown, "secrets(openai_api_key)")

	var dump string
	require.NoError(t, w.db.QueryRow("SELECT group_concat(target_id || name || sealed) FROM target_secrets").Scan(&dump))
	require.NotContains(t, dump, "canary")
}

func TestParsePeriod(t *testing.T) {
	good := map[string]time.Duration{
		"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour,
		"month": 720 * time.Hour, "year": 8640 * time.Hour,
		"5 minutes": 5 * time.Minute, "5minute": 5 * time.Minute, " 1  HOUR ": time.Hour, "2 Days": 48 * time.Hour,
	}
	for text, want := range good {
		got, err := catalog.ParsePeriod(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "5", "week", "minutess", "-1 minute", "0 minutes", "1.5 hours", "minute minute", "99999999999999999999 seconds", "101 years", "minute; drop"} {
		_, err := catalog.ParsePeriod(text)
		require.ErrorContains(t, err, "is no period", text)
	}
}
