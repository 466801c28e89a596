package policies_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
	"sluice/internal/identity"
	"sluice/policies"
)

// TestListingShowsWhatMayBeCalled asks, for random callers and endpoints, both
// actions, remembered and anew, and compares with the permissions read by hand.
func TestListingShowsWhatMayBeCalled(t *testing.T) {
	e := engine(t, policies.Options{})
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(t)
	callers, endpoints := randomCallers(w, random, 30), randomEndpoints(w, random, 60)
	allowed := 0
	for _, c := range callers {
		for _, ep := range endpoints {
			want := mayCall(c, &ep.Permissions)
			if want {
				allowed++
			}
			copied := *c
			for _, in := range []policies.Input{
				{Action: policies.ActionInvoke, Caller: c, Endpoint: ep},
				{Action: policies.ActionInvoke, Caller: c, Endpoint: ep, Request: &policies.RequestFacts{Operation: "chat", MaxTokens: random.Int64N(100)}},
				{Action: policies.ActionView, Caller: c, Endpoint: ep},
				{Action: policies.ActionView, Caller: c, Endpoint: ep}, // remembered
				{Action: policies.ActionView, Caller: &copied, Endpoint: ep},
				{Action: policies.ActionAPI, Resource: "endpoints", Verb: "read", Caller: c, Endpoint: ep},
			} {
				d, err := e.Decide(t.Context(), &in)
				require.NoError(t, err)
				expected := want || in.Action == policies.ActionAPI && c.HasRole("administrator")
				require.Equal(t, expected, d.Allow, "seed %d, %s, caller %+v, permissions %+v: %v", seed, in.Action, c, ep.Permissions, d)
				require.Len(t, d.Reasons, 1)
				require.NotEmpty(t, d.Message())
			}
		}
	}
	require.Greater(t, allowed, 100, "the cases have something to say")
	require.Less(t, allowed, 1700)
}

// mayCall is the default policy once more, in Go.
func mayCall(c *identity.Caller, p *catalog.Permissions) bool {
	any := func(mine, theirs []string) bool {
		return slices.ContainsFunc(mine, func(s string) bool { return slices.Contains(theirs, s) })
	}
	return p.Everyone || slices.Contains(p.Users, c.UserID) || any(c.Organizations, p.Organizations) ||
		any(c.Roles, p.Roles) || c.Project != "" && slices.Contains(p.Projects, c.Project)
}

func randomCallers(w *world, random *rand.Rand, n int) []*identity.Caller {
	var ids []string
	for i := range n {
		ids = append(ids, w.user(fmt.Sprint("user-", i), pick(random, "administrator", "auditor", "analyst")...).ID)
	}
	for i := range 6 {
		w.organization(fmt.Sprint("org-", i), pick(random, ids...)...)
	}
	var callers []*identity.Caller
	for _, id := range ids {
		project := append(pick(random, "fraud", "payroll"), "")[0]
		callers = append(callers, w.caller(identity.Token{UserID: id, Project: project}))
	}
	return callers
}

func randomEndpoints(w *world, random *rand.Rand, n int) []*catalog.Endpoint {
	var users, orgs []string
	for _, u := range w.users.ListUsers(w.tb.Context()) {
		users = append(users, u.ID)
	}
	for _, o := range w.users.ListOrganizations(w.tb.Context()) {
		orgs = append(orgs, o.ID)
	}
	var endpoints []*catalog.Endpoint
	for i := range n {
		p := catalog.Permissions{Everyone: random.IntN(10) == 0}
		for _, list := range []struct {
			into *[]string
			of   []string
		}{{&p.Users, users[:4]}, {&p.Organizations, orgs}, {&p.Roles, []string{"analyst", "ghost"}}, {&p.Projects, []string{"fraud"}}} {
			if random.IntN(3) == 0 {
				*list.into = pick(random, list.of...)
			}
		}
		endpoints = append(endpoints, w.endpoint(fmt.Sprint("endpoint-", i), p))
	}
	return endpoints
}

// pick takes about a third of the values.
func pick(random *rand.Rand, values ...string) []string {
	var picked []string
	for _, v := range values {
		if random.IntN(3) == 0 {
			picked = append(picked, v)
		}
	}
	return picked
}

// TestChangesCountAtOnce: a permission that is given or taken away decides the
// next question, remembered answers or not.
func TestChangesCountAtOnce(t *testing.T) {
	e := engine(t, policies.Options{})
	w := newWorld(t)
	ann := w.user("ann")
	caller := w.caller(identity.Token{UserID: ann.ID})
	w.endpoint("chat", catalog.Permissions{})
	for i := range 6 {
		give := i%2 == 0
		ep, err := w.catalog.Update(t.Context(), "chat", func(ep *catalog.Endpoint) error {
			ep.Permissions.Users = nil
			if give {
				ep.Permissions.Users = []string{ann.ID}
			}
			return nil
		})
		require.NoError(t, err)
		for range 3 {
			d, err := e.Decide(t.Context(), &policies.Input{Action: policies.ActionInvoke, Caller: caller, Endpoint: ep})
			require.NoError(t, err)
			require.Equal(t, give, d.Allow)
		}
	}
}

// TestReusedStructIsReadAnew: what is not from a snapshot may change under one
// address, and no answer about it is remembered.
func TestReusedStructIsReadAnew(t *testing.T) {
	e := engine(t, policies.Options{})
	w := newWorld(t)
	caller := *w.caller(identity.Token{UserID: w.user("ann").ID})
	endpoint := *w.endpoint("chat", catalog.Permissions{})
	for i := range 6 {
		endpoint.Permissions.Everyone = i%2 == 0
		d, err := e.Decide(t.Context(), &policies.Input{Action: policies.ActionInvoke, Caller: &caller, Endpoint: &endpoint})
		require.NoError(t, err)
		require.Equal(t, i%2 == 0, d.Allow)
	}
}

func TestRememberedScopeCannotBeSpoilt(t *testing.T) {
	e := engine(t, policies.Options{})
	w := newWorld(t)
	in := &policies.Input{Action: policies.ActionAPI, Resource: "tokens", Verb: "list",
		Caller: w.caller(identity.Token{UserID: w.user("ann").ID})}
	for range 3 {
		d, err := e.Decide(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, map[string]any{policies.ObligationScope: policies.ScopeOwn}, d.Obligations)
		d.Obligations[policies.ObligationScope] = policies.ScopeAll
	}
}
