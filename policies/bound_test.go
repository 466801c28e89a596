package policies_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
	"sluice/internal/identity"
	"sluice/policies"
)

// TestBoundTokenIsHeldToItsEndpoints asks a policy that allows everything: that
// a token is good for some endpoints only, no bundle can forget.
func TestBoundTokenIsHeldToItsEndpoints(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	rego := "package sluice\n\n" + `decision := {"allow": true, "obligations": {"scope": "all", "x": 1}}` + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sluice.rego"), []byte(rego), 0o600))
	e := engine(t, policies.Options{Sources: []policies.Source{{Name: "yes", Dir: dir}}})
	root := w.user("root", identity.RoleAdministrator)
	mine, other := w.endpoint("mine", catalog.Permissions{Everyone: true}), w.endpoint("other", catalog.Permissions{Everyone: true})
	bound := w.caller(identity.Token{UserID: root.ID, EndpointIDs: []string{mine.ID}})
	free := w.caller(identity.Token{UserID: root.ID})

	tests := map[string]struct {
		in    policies.Input
		scope any // nil: denied
	}{
		"call its endpoint":         {policies.Input{Action: policies.ActionInvoke, Endpoint: mine, Request: &policies.RequestFacts{}}, "all"},
		"see its endpoint":          {policies.Input{Action: policies.ActionView, Endpoint: mine}, "all"},
		"call another":              {policies.Input{Action: policies.ActionInvoke, Endpoint: other, Request: &policies.RequestFacts{}}, nil},
		"see another":               {policies.Input{Action: policies.ActionView, Endpoint: other}, nil},
		"call nothing":              {policies.Input{Action: policies.ActionInvoke}, nil},
		"list endpoints":            {policies.Input{Action: policies.ActionAPI, Resource: "endpoints", Verb: "list"}, "permitted"},
		"read endpoints":            {policies.Input{Action: policies.ActionAPI, Resource: "endpoints", Verb: "read"}, "permitted"},
		"read its endpoint":         {policies.Input{Action: policies.ActionAPI, Resource: "endpoints", Verb: "read", Endpoint: mine}, "permitted"},
		"read another endpoint":     {policies.Input{Action: policies.ActionAPI, Resource: "endpoints", Verb: "read", Endpoint: other}, nil},
		"change an endpoint":        {policies.Input{Action: policies.ActionAPI, Resource: "endpoints", Verb: "update", Endpoint: mine}, nil},
		"read its own user":         {policies.Input{Action: policies.ActionAPI, Resource: "users", Verb: "read", Name: root.ID}, "own"},
		"read another user":         {policies.Input{Action: policies.ActionAPI, Resource: "users", Verb: "read", Name: "x"}, nil},
		"make a token":              {policies.Input{Action: policies.ActionAPI, Resource: "tokens", Verb: "create"}, nil},
		"read the trail":            {policies.Input{Action: policies.ActionAPI, Resource: "audit", Verb: "list"}, nil},
		"something not known today": {policies.Input{Action: "dream"}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := tt.in
			in.Caller = bound
			d, err := e.Decide(t.Context(), &in)
			require.NoError(t, err)
			require.NotEmpty(t, d.Revision)
			require.Equal(t, tt.scope != nil, d.Allow)
			if tt.scope == nil {
				require.Equal(t, policies.CodeTokenEndpoint, d.Code())
				require.NotEmpty(t, d.Message())
			} else {
				require.Equal(t, tt.scope, d.Obligations["scope"])
			}
			in.Caller = free
			d, err = e.Decide(t.Context(), &in)
			require.NoError(t, err)
			require.True(t, d.Allow, "the rule is about bound tokens only")
			require.Equal(t, "all", d.Obligations["scope"], "what is remembered was not changed")
		})
	}
}
