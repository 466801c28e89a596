package admin_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/policies"
)

// A bundle may give a role less than everything: the API holds to it also
// where its handlers change things.
func TestScopesOfACustomBundle(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "custom.rego"), []byte(`package sluice.custom

api := {"editor": {
	"endpoints": {"create": "permitted", "update": "permitted", "delete": "permitted"},
	"permissions": {"update": "permitted"},
	"users": {"create": "own", "update": "own"},
	"organizations": {"create": "own", "delete": "own"},
	"audit": {"list": "own", "read": "own"},
	"status": {"read": "own"},
}}
`), 0o600))
	custom, err := policies.New(policies.Options{Sources: []policies.Source{{Name: "default"}, {Name: "custom", Dir: dir}}})
	require.NoError(t, err)
	w.policy.Engine = custom

	w.as("root", "PATCH", own+"/users/"+w.users["alice"], `{"roles":["editor"]}`).must(200)
	w.create("hers", map[string]any{"userIds": []string{w.users["alice"]}})
	w.create("other", map[string]any{"userIds": []string{w.users["bob"]}})

	w.as("alice", "PATCH", endpoints+"/hers", `{"modelName":"gpt-4o"}`).must(200)
	w.as("alice", "PATCH", endpoints+"/hers/permissions", `{"roles":["editor"]}`).must(200)
	w.as("alice", "POST", targetsOf("hers"), claude("spare", map[string]any{"order": 1})).must(200)
	w.as("alice", "DELETE", targetsOf("hers")+"/spare", "").must(200)
	for _, c := range [][3]string{
		{"GET", targetsOf("other"), ""},
		{"PUT", targetsOf("other"), `{"headTimeout":"1s"}`},
		{"POST", targetsOf("other"), claude("spare", nil)},
		{"PATCH", targetsOf("other") + "/default", `{"weight":2}`},
		{"DELETE", targetsOf("other") + "/default", ""},
		{"PATCH", endpoints + "/other", `{"modelName":"gpt-4o"}`},
		{"PATCH", endpoints + "/other/permissions", `{"isEveryoneAllowed":true}`},
		{"DELETE", endpoints + "/other", ""},
		{"PATCH", own + "/users/" + w.users["alice"], `{"roles":["administrator"]}`},
		{"POST", own + "/users", `{"userName":"mallory","roles":["administrator"]}`},
		{"POST", own + "/organizations", `{"name":"o"}`},
		{"DELETE", own + "/organizations/" + w.science, ""},
		{"GET", own + "/audit", ""},
		{"GET", "/api/aigateway/v1/audit", ""},
		{"GET", own + "/status", ""},
	} {
		r := w.as("alice", c[0], c[1], c[2]).must(403)
		assert.Equal(t, "not_permitted", r.at("code"), c)
	}
	w.as("alice", "DELETE", endpoints+"/hers", "").must(200)
}
