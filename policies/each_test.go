package policies_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
	"sluice/internal/identity"
	"sluice/policies"
)

// manyEndpoints differ in all that a policy can read.
func manyEndpoints(n int) []*catalog.Endpoint {
	random := rand.New(rand.NewPCG(7, 8))
	some := func(prefix string, of int) (out []string) {
		for range random.IntN(4) {
			out = append(out, fmt.Sprint(prefix, random.IntN(of)))
		}
		return out
	}
	list := make([]*catalog.Endpoint, n)
	for i := range list {
		list[i] = &catalog.Endpoint{
			ID: fmt.Sprintf("%024x", i), Name: fmt.Sprint("e", i), Type: []catalog.EndpointType{catalog.TypeChat, catalog.TypeEmbeddings}[i%2],
			Disabled: random.IntN(10) == 0, Problem: []string{"", "", "broken"}[random.IntN(3)],
			Targets: []catalog.Target{{
				Name: "t", Provider: fmt.Sprint("p", random.IntN(3)), Model: fmt.Sprint("m", random.IntN(5)),
				Config: map[string]string{"k": fmt.Sprint(random.IntN(2))},
			}},
			Permissions: catalog.Permissions{
				Everyone: random.IntN(12) == 0, Users: some("u", 40), Organizations: some("o", 30), Roles: some("r", 20),
				Projects: some("p", 20), Owners: append(some("u", 40), some("o", 30)...),
			},
		}
	}
	return list
}

var eachCallers = map[string]*identity.Caller{
	"nobody in particular": {UserID: "u99"},
	"a user":               {UserID: "u1"},
	"a member":             {UserID: "u2", Organizations: []string{"o1", "o2", "o3"}, Roles: []string{"r1"}, Project: "p1"},
	"an administrator":     {UserID: "u3", Roles: []string{identity.RoleAdministrator}},
	"an operator":          {UserID: "u4", Roles: []string{"operator", "r2"}, Organizations: []string{"o4"}},
	"without an id":        {},
}

// bundles that read endpoints in many ways. most is how many evaluations 600
// endpoints may take for the view of a member; 0: any number.
var eachBundles = map[string]struct {
	rego string
	most uint64
}{
	"the default": {"", 40},
	"the type and the provider": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if { input.endpoint.type == "llm/v1/chat"; input.endpoint.provider == "p1" }`, 120},
	"the model": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if input.endpoint.model in {"m1", "m2"}`, 120},
	"the name": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if endswith(input.endpoint.name, "7")`, 0},
	"the name of the question": {`package sluice.custom
import data.sluice.other
deny contains {"code": "c", "message": "m"} if other.seven
`, 0},
	"the size of a list": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if count(input.endpoint.permissions.users) > 2`, 0},
	"each member of a list": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if { some u in input.endpoint.permissions.users; endswith(u, "3") }`, 0},
	"permissions by a variable": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if { some what in ["users", "roles"]; "u3" in input.endpoint.permissions[what] }`, 0},
	"the whole endpoint": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if { e := input.endpoint; e.model == "m3" }`, 0},
	"the endpoint by a variable": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if { some k in ["model", "provider"]; input.endpoint[k] == "p2" }`, 0},
	"the input by a variable": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if { some k in ["endpoint"]; input[k].model == "m0" }`, 0},
	"the whole input": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if object.get(input, ["endpoint", "model"], "") == "m0"`, 0},
	"another input": {`package sluice.custom
import data.sluice.endpoints
deny contains {"code": "c", "message": "m"} if { not endpoints.grants with input.endpoint as object.union(input.endpoint, {"permissions": {"everyone": input.endpoint.model == "m1"}}) }`, 0},
	"targets": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if { some t in input.endpoint.targets; t.config.k == "1" }`, 0},
	"a comprehension": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if count({o | some o in input.caller.organizations; input.endpoint.permissions.organizations[o]}) > 1`, 0},
	"every": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if { every r in input.caller.roles { not input.endpoint.permissions.roles[r] } }`, 0},
	"a function": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if chatty(input.endpoint)
chatty(e) if e.type == "llm/v1/chat"`, 0},
	"who is not a member": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if not input.endpoint.permissions.users[input.caller.id]`, 60},
	"the time": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if { input.time > 5; input.endpoint.permissions.roles["r1"] }`, 0},
	"chance": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if rand.intn(input.endpoint.name, 10) == 3`, 0},
	"the request, which is not there": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if { input.request.stream; endswith(input.endpoint.name, "7") }`, 40},
	"no request": {`package sluice.custom
deny contains {"code": "c", "message": "m"} if { not input.request; endswith(input.endpoint.name, "7") }`, 0},
	"another role": {`package sluice.custom
api := {"operator": {"endpoints": {"update": "permitted", "read": "owned"}}}`, 40},
}

func eachEngine(t testing.TB, rego string) *policies.Engine {
	sources := []policies.Source{{Name: "default"}}
	if rego != "" {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "custom.rego"), []byte(rego), 0o600))
		other := "package sluice.other\nseven if endswith(input.name, \"7\")\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, "other.rego"), []byte(other), 0o600))
		sources = append(sources, policies.Source{Name: "custom", Dir: dir})
	}
	return engine(t, policies.Options{Sources: sources, Timeout: time.Minute})
}

// One evaluation for many endpoints must say of each what asking about it alone
// says.
func TestDecideEachIsDecide(t *testing.T) {
	endpoints := manyEndpoints(60)
	questions := []policies.Input{
		{Action: policies.ActionView},
		{Action: policies.ActionAPI, Resource: policies.ResourceEndpoints, Verb: policies.VerbUpdate},
		{Action: policies.ActionAPI, Resource: policies.ResourceUsage, Verb: policies.VerbList},
		{Action: policies.ActionAPI, Resource: policies.ResourceEndpoints, Verb: policies.VerbRead},
		{Action: "dream"},
	}
	for name, bundle := range eachBundles {
		t.Run(name, func(t *testing.T) {
			e := eachEngine(t, bundle.rego)
			for who, caller := range eachCallers {
				for _, in := range questions {
					in.Caller, in.Time = caller, time.Unix(1, 0)
					before := e.Evaluations()
					got, err := e.DecideEach(t.Context(), &in, endpoints)
					require.NoError(t, err)
					evaluated := e.Evaluations() - before
					if bundle.most > 0 && in.Action != "dream" {
						require.LessOrEqual(t, evaluated, bundle.most, "%s of %s", in.Action, who)
					}
					for i, endpoint := range endpoints {
						one := in
						one.Endpoint = endpoint
						if one.Action == policies.ActionAPI {
							one.Name = endpoint.Name
						}
						want, err := e.Decide(t.Context(), &one)
						require.NoError(t, err)
						if name != "chance" {
							require.Equal(t, want, got[i], "%s: %s %s of %s", who, in.Action, in.Verb, endpoint.Name)
						}
					}
				}
			}
		})
	}
}

func TestDecideEachHoldsBoundTokens(t *testing.T) {
	w := newWorld(t)
	root := w.user("root", identity.RoleAdministrator)
	endpoints := manyEndpoints(40)
	bound := w.caller(identity.Token{UserID: root.ID, EndpointIDs: []string{endpoints[7].ID}})
	e := eachEngine(t, "")
	in := policies.Input{Action: policies.ActionAPI, Resource: policies.ResourceEndpoints, Verb: policies.VerbRead, Caller: bound}
	got, err := e.DecideEach(t.Context(), &in, endpoints)
	require.NoError(t, err)
	for i, d := range got {
		require.Equal(t, i == 7, d.Allow)
	}
}

func TestDecideEachWithoutAnswer(t *testing.T) {
	e := eachEngine(t, `package sluice.custom
deny contains {"code": "c", "message": "m"} if to_number(input.endpoint.name) > 1`)
	in := policies.Input{Action: policies.ActionView, Caller: eachCallers["a user"]}
	_, err := e.DecideEach(t.Context(), &in, manyEndpoints(300))
	require.ErrorIs(t, err, policies.ErrNoAnswer)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = e.DecideEach(ctx, &in, manyEndpoints(300))
	require.Error(t, err)

	in.Request = &policies.RequestFacts{}
	_, err = e.DecideEach(t.Context(), &in, nil)
	require.ErrorContains(t, err, "a request names one")
}

func BenchmarkDecideEach(b *testing.B) {
	e := eachEngine(b, "")
	endpoints := manyEndpoints(10_000)
	in := policies.Input{Action: policies.ActionView, Caller: eachCallers["a member"]}
	before := e.Evaluations()
	for b.Loop() {
		_, err := e.DecideEach(b.Context(), &in, endpoints)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(e.Evaluations()-before)/float64(b.N), "evaluations/op")
}
