package catalog_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
)

// target is a good one with that name.
func target(name string) catalog.Target {
	return catalog.Target{
		Name: name, Weight: 1, Provider: "openai", Model: "m-" + name,
		Config: map[string]string{"k": name}, Secrets: catalog.Secrets{"openai_api_key": "canary-" + name},
	}
}

func withTargets(name string, targets ...catalog.Target) catalog.Endpoint {
	e := endpoint(name)
	e.Targets = targets
	return e
}

func names(e *catalog.Endpoint) (out []string) {
	for _, t := range e.Targets {
		out = append(out, t.Name)
	}
	return out
}

func TestTargetsAreKeptInOrder(t *testing.T) {
	w := newWorld(t)
	late, early := target("a"), target("z")
	late.Order, late.Weight, late.Disabled = 2, 0, true
	given := withTargets("chat", late, target("c"), early, target("b"))
	given.HeadTimeout = 2500*time.Millisecond + 7
	e := w.create(given)
	for _, s := range []*catalog.Store{w.Store, w.reopen()} {
		got, _ := s.Snapshot().Get("chat")
		require.Equal(t, []string{"b", "c", "z", "a"}, names(got))
		require.Equal(t, e.Targets, got.Targets)
		require.Equal(t, 2500*time.Millisecond, got.HeadTimeout)
		require.Same(t, &got.Targets[0], got.First())
		a, ok := got.Target("a")
		require.True(t, ok)
		require.True(t, a.Disabled)
		require.Equal(t, 2, a.Order)
		require.Equal(t, "canary-a", a.Parameters()["openai_api_key"])
	}
	_, ok := e.Target("nothing")
	require.False(t, ok)
	require.Equal(t, "a", given.Targets[0].Name, "what was given is not touched")
}

func TestTargetsRefused(t *testing.T) {
	many := make([]catalog.Target, catalog.MaxTargets+1)
	for i := range many {
		many[i] = target(fmt.Sprint("t", i))
	}
	spoilt := func(spoil func(*catalog.Target)) []catalog.Target {
		bad := target("b")
		spoil(&bad)
		return []catalog.Target{target("a"), bad}
	}
	for _, c := range []struct {
		name        string
		targets     []catalog.Target
		timeout     time.Duration
		field, text string
	}{
		{"none", nil, 0, "targets", "at least one"},
		{"many", many, 0, "targets", "at most 16"},
		{"no name", spoilt(func(t *catalog.Target) { t.Name = "" }), 0, "targets[1].name", "missing"},
		{"bad name", spoilt(func(t *catalog.Target) { t.Name = "a/b" }), 0, "targets[1].name", "other characters"},
		{"one name twice", spoilt(func(t *catalog.Target) { t.Name = "a" }), 0, "targets[1].name", "another target"},
		{"bad id", spoilt(func(t *catalog.Target) { t.ID = "x" }), 0, "targets[1].id", "24 hex digits"},
		{"weight", spoilt(func(t *catalog.Target) { t.Weight = 10_001 }), 0, "targets[1].weight", "0 to 10000"},
		{"negative weight", spoilt(func(t *catalog.Target) { t.Weight = -1 }), 0, "targets[1].weight", "0 to 10000"},
		{"order", spoilt(func(t *catalog.Target) { t.Order = 100 }), 0, "targets[1].order", "0 to 99"},
		{"provider", spoilt(func(t *catalog.Target) { t.Provider = "" }), 0, "targets[1].modelProvider", "missing"},
		{"secret", spoilt(func(t *catalog.Target) { t.Secrets["k2"] = "canary\x00" }), 0, "targets[1].modelConfig.k2", "control characters"},
		{"nobody is called", []catalog.Target{{Name: "a", Provider: "p", Model: "m"}, {Name: "b", Provider: "p", Model: "m"}}, 0, "targets", "weight 0"},
		{"negative timeout", spoilt(func(*catalog.Target) {}), -1, "headTimeout", "0s"},
		{"long timeout", spoilt(func(*catalog.Target) {}), 2 * time.Hour, "headTimeout", "1h"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			e := withTargets("chat", c.targets...)
			e.HeadTimeout = c.timeout
			_, err := w.Create(t.Context(), e)
			var field *catalog.FieldError
			require.ErrorAs(t, err, &field)
			require.Equal(t, c.field, field.Field)
			require.Contains(t, field.Message, c.text)
			require.NotContains(t, err.Error(), "canary")
			require.Empty(t, w.Snapshot().All())
		})
	}
	_, err := newWorld(t).Create(t.Context(), withTargets("one", catalog.Target{Provider: "p", Model: "m"}))
	require.NoError(t, err, "one target needs no name and no weight")
}

func TestTargetsChange(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*catalog.Endpoint)
		names   []string
		secrets map[string]string // of openai_api_key, by name
		seals   int64
	}{
		{"added", func(e *catalog.Endpoint) { e.Targets = append(e.Targets, target("c")) },
			[]string{"a", "b", "c"}, map[string]string{"a": "canary-a", "b": "canary-b", "c": "canary-c"}, 1},
		{"removed", func(e *catalog.Endpoint) { e.Targets = e.Targets[1:] },
			[]string{"b"}, map[string]string{"b": "canary-b"}, 0},
		{"reordered", func(e *catalog.Endpoint) { e.Targets[0].Order = 1 },
			[]string{"b", "a"}, map[string]string{"a": "canary-a", "b": "canary-b"}, 0},
		{"renamed", func(e *catalog.Endpoint) { e.Targets[0].Name = "z" },
			[]string{"b", "z"}, map[string]string{"z": "canary-a", "b": "canary-b"}, 0},
		{"names swapped", func(e *catalog.Endpoint) { e.Targets[0].Name, e.Targets[1].Name = "b", "a" },
			[]string{"a", "b"}, map[string]string{"b": "canary-a", "a": "canary-b"}, 0},
		{"a new one takes a name that was left", func(e *catalog.Endpoint) {
			e.Targets[0].Name = "z"
			e.Targets = append(e.Targets, target("a"))
		}, []string{"a", "b", "z"}, map[string]string{"z": "canary-a", "b": "canary-b", "a": "canary-a"}, 1},
		{"key changed", func(e *catalog.Endpoint) { e.Targets[1].Secrets["openai_api_key"] = "canary-2" },
			[]string{"a", "b"}, map[string]string{"a": "canary-a", "b": "canary-2"}, 1},
		{"without ids, by name", func(e *catalog.Endpoint) { e.Targets = []catalog.Target{target("b"), target("a")} },
			[]string{"a", "b"}, map[string]string{"a": "canary-a", "b": "canary-b"}, 0},
		{"head timeout", func(e *catalog.Endpoint) { e.HeadTimeout = time.Second },
			[]string{"a", "b"}, map[string]string{"a": "canary-a", "b": "canary-b"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			before := w.create(withTargets("chat", target("a"), target("b")))
			was := *before.First()
			w.vault.seals.Store(0)
			_, err := w.Update(t.Context(), "chat", func(e *catalog.Endpoint) error { c.change(e); return nil })
			require.NoError(t, err)
			for _, s := range []*catalog.Store{w.Store, w.reopen()} {
				e, _ := s.Snapshot().Get("chat")
				require.Equal(t, c.names, names(e))
				for _, target := range e.Targets {
					require.Equal(t, c.secrets[target.Name], target.Secrets["openai_api_key"], target.Name)
				}
			}
			require.Equal(t, c.seals, w.vault.seals.Load(), "only what is new is sealed")
			require.Equal(t, was, *before.First(), "the old snapshot did not move")
			var rows int
			require.NoError(t, w.db.QueryRow("SELECT count(*) FROM target_secrets").Scan(&rows))
			require.Equal(t, len(c.names), rows, "nothing is left behind")
		})
	}
}

func TestTargetOfAnotherEndpointIsNotTaken(t *testing.T) {
	w := newWorld(t)
	a := w.create(endpoint("a"))
	w.create(endpoint("b"))
	_, err := w.Update(t.Context(), "b", func(e *catalog.Endpoint) error {
		e.Targets = append(e.Targets, catalog.Target{ID: a.First().ID, Name: "x", Weight: 1, Provider: "p", Model: "m"})
		return nil
	})
	require.Error(t, err)
	require.Equal(t, allFacts(w.Store), allFacts(w.reopen()))
}

func TestProblemOfTargets(t *testing.T) {
	off := func(t catalog.Target) catalog.Target { t.Disabled = true; return t }
	sick := func(t catalog.Target) catalog.Target { t.Secrets["bad"] = "canary"; return t }
	for _, c := range []struct {
		name    string
		targets []catalog.Target
		problem string
		usable  []bool
	}{
		{"one of two", []catalog.Target{sick(target("a")), target("b")}, "", []bool{false, true}},
		{"both", []catalog.Target{sick(target("a")), sick(target("b"))}, "can't open the credential bad", []bool{false, false}},
		{"the other is off", []catalog.Target{sick(target("a")), off(target("b"))}, "can't open the credential bad", []bool{false, false}},
		{"the sick one is off", []catalog.Target{off(sick(target("a"))), target("b")}, "", []bool{false, true}},
		{"all off", []catalog.Target{off(target("a")), off(target("b"))}, "switched off", []bool{false, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.create(withTargets("chat", c.targets...))
			w.vault.failing = "/bad"
			s := w.reopen()
			e, _ := s.Snapshot().Get("chat")
			if c.problem == "" {
				require.Empty(t, e.Problem)
				require.Empty(t, s.Status().Broken)
			} else {
				require.Contains(t, e.Problem, c.problem)
				require.Equal(t, map[string]string{"chat": e.Problem}, s.Status().Broken)
			}
			for i := range e.Targets {
				require.Equal(t, c.usable[i], e.Targets[i].Usable())
			}
		})
	}
}
