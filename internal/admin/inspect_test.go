package admin_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/admin"
	"sluice/internal/admin/api"
	"sluice/policies"
)

// withBundle puts a second bundle into force.
func (w *world) withBundle(rego string) (file string) {
	dir := w.t.TempDir()
	file = filepath.Join(dir, "custom.rego")
	require.NoError(w.t, os.WriteFile(file, []byte(rego), 0o600))
	engine, err := policies.New(policies.Options{
		Sources: []policies.Source{{Name: "default"}, {Name: "site", Dir: dir}}, Log: w.log, Timeout: time.Minute,
	})
	require.NoError(w.t, err)
	w.policy.Engine = engine
	w.serve(func(*admin.Deps) {})
	return file
}

func TestRolesAreWhatThePolicySays(t *testing.T) {
	w := newWorld(t)
	w.create("a", map[string]any{"isEveryoneAllowed": false, "userIds": []string{}, "roles": []string{"quant"}})
	w.withBundle("package sluice.custom\n\nimport rego.v1\n\napi := {\"helper\": {\"users\": {\"list\": \"all\"}}}\n")
	w.person("hugo", "helper")
	r := w.as("root", "GET", own+"/roles", "").must(200)
	var list api.RoleList
	r.into(&list)
	roles := map[string]api.Role{}
	for _, one := range list.Roles {
		roles[one.Name] = one
	}
	assert.Equal(t, "own", list.Everyone["tokens"]["create"])
	assert.Empty(t, list.Everyone["users"]["list"])
	assert.Equal(t, "all", roles["helper"].May["users"]["list"])
	assert.False(t, roles["helper"].BuiltIn)
	assert.Equal(t, 1, roles["helper"].Users)
	assert.Equal(t, []string{"a"}, roles["quant"].Endpoints)
	assert.Equal(t, "owned", roles["endpoint-owner"].May["endpoints"]["create"])
	assert.Equal(t, "all", roles["administrator"].May["settings"]["read"])
	assert.Equal(t, "all", roles["auditor"].May["audit"]["list"])
	assert.Equal(t, "all", roles["provisioner"].May["provisioning"]["create"])
	assert.True(t, roles["provisioner"].BuiltIn)
	assert.Len(t, list.Roles, 6)
	assert.Equal(t, w.policy.Status().Revision, list.Revision)
}

func TestWhoMayCallWhat(t *testing.T) {
	w := newWorld(t)
	w.create("a", map[string]any{"isEveryoneAllowed": false, "userIds": []string{w.users["alice"], w.science}})
	w.create("b", map[string]any{"isEveryoneAllowed": true})
	w.as("root", "PATCH", endpoints+"/b", `{"disabled":true}`).must(200)
	w.as("root", "PATCH", own+"/users/"+w.users["bob"], `{"disabled":true}`).must(200)
	ask := func(question map[string]any) (out api.AccessAnswers) {
		w.as("root", "POST", own+"/policies/access", text(question)).must(200).into(&out)
		return out
	}
	who := ask(map[string]any{"endpointName": "a"})
	assert.Equal(t, 4, who.Total)
	assert.Equal(t, 1, who.Allowed)
	assert.Equal(t, "alice", who.Answers[0].UserName)
	assert.Equal(t, "allowed_user", who.Answers[0].Reasons[0].Code)
	assert.Equal(t, "bob", who.Answers[1].UserName)
	assert.Equal(t, "disabled_user", who.Answers[1].Reasons[0].Code)

	what := ask(map[string]any{"user": "alice"})
	assert.Equal(t, 2, what.Allowed)
	assert.Equal(t, "", what.Answers[0].Hindrance)
	assert.Equal(t, "The endpoint is switched off.", what.Answers[1].Hindrance)

	imagined := ask(map[string]any{"caller": map[string]any{"organizationIds": []string{w.science}}, "endpointName": "a"})
	assert.Equal(t, "allowed_organization", imagined.Answers[0].Reasons[0].Code)

	for _, question := range []map[string]any{
		{}, {"user": "nobody"}, {"endpointName": "nothing"}, {"user": "alice", "caller": map[string]any{}},
	} {
		w.as("root", "POST", own+"/policies/access", text(question)).must(400)
	}
}

func TestWhetherAUserMayCallAnEndpoint(t *testing.T) {
	w := newWorld(t)
	w.as("root", "POST", endpoints, `{"endpointName":"chat","endpointType":"llm/v1/chat","modelProvider":"practice","modelName":"m",`+
		`"modelConfig":{},"endpointPermissions":{"organizationIds":["`+w.science+`"]}}`).must(200)
	path := own + "/policies/access"
	ask := func(body string) api.AccessAnswer {
		var out api.AccessAnswers
		w.as("root", "POST", path, body).must(200).into(&out)
		require.Len(t, out.Answers, 1)
		return out.Answers[0]
	}
	yes := ask(`{"user":"bob","endpointName":"chat"}`)
	assert.True(t, yes.Allow)
	assert.True(t, yes.Sees)
	assert.Equal(t, "chat", yes.Operation)
	assert.Equal(t, []string{w.science}, yes.Organizations)
	no := ask(`{"user":"` + w.users["alice"] + `","endpointName":"chat"}`)
	assert.False(t, no.Allow)
	assert.False(t, no.Sees)
	assert.NotEmpty(t, no.Reasons)
	assert.False(t, ask(`{"user":"bob","endpointName":"chat","operation":"embeddings"}`).Allow)
	native := ask(`{"user":"bob","endpointName":"chat","operation":"native"}`)
	assert.True(t, native.Allow)
	assert.Equal(t, "native", native.Operation)
	w.as("root", "PATCH", own+"/users/"+w.users["bob"], `{"disabled":true}`).must(200)
	off := ask(`{"user":"bob","endpointName":"chat"}`)
	assert.False(t, off.Sees)
	assert.False(t, off.Allow)
	for field, body := range map[string]string{
		"user": `{"user":"nobody","endpointName":"chat"}`, "endpointName": `{"user":"alice","endpointName":"x"}`,
		"operation": `{"user":"alice","endpointName":"chat","operation":"dance"}`,
	} {
		assert.Equal(t, field, w.as("root", "POST", path, body).must(400).at("field"))
	}
}

func TestADryRunOfTheBundles(t *testing.T) {
	w := newWorld(t)
	file := w.withBundle("package sluice.custom\n\nimport rego.v1\n\ndeny contains {\"code\": \"x\"} if input.caller.name == \"mallory\"\n")
	good := w.as("root", "POST", own+"/policies/check", "").must(200)
	assert.Equal(t, true, good.at("ok"), good.body)
	before := w.policy.Status().Revision

	require.NoError(t, os.WriteFile(file, []byte("package sluice.custom\n\nimport rego.v1\n\ndeny contains x if {\n"), 0o600))
	bad := w.as("root", "POST", own+"/policies/check", "").must(200)
	assert.Equal(t, false, bad.at("ok"))
	assert.Contains(t, bad.at("error"), "custom.rego:6")
	assert.Equal(t, before, w.policy.Status().Revision, "nothing is put into force")

	shown := w.as("root", "GET", own+"/policies/bundles/site/files", "").must(200)
	assert.Contains(t, shown.at("files", 0, "text"), "mallory", "what is in force, not what is in the folder")
	builtIn := w.as("root", "GET", own+"/policies/bundles/default/files", "").must(200)
	assert.Equal(t, "api.rego", builtIn.at("files", 0, "path"))
	assert.Equal(t, true, builtIn.at("files", 1, "test"))
	w.as("root", "GET", own+"/policies/bundles/none/files", "").must(404)
}

func TestSettings(t *testing.T) {
	w := newWorld(t)
	assert.Equal(t, []any{}, w.as("root", "GET", own+"/settings", "").must(200).at("settings"))
	w.serve(func(d *admin.Deps) {
		d.Settings = func() api.Settings {
			return api.Settings{Settings: []api.Setting{{Key: "audit.bodies", Value: "full"}}, Pending: []string{}, Problems: []string{"sluice.yaml:3: x"}}
		}
	})
	r := w.as("root", "GET", own+"/settings", "").must(200)
	assert.Equal(t, "full", r.at("settings", 0, "value"))
	assert.Equal(t, "sluice.yaml:3: x", r.at("problems", 0))
}
