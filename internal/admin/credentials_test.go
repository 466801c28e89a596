package admin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/admin"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/policies"
)

const (
	credentialsPath = own + "/credentials"
	testPath        = own + "/targets/test"
	rotated         = "sk-canary-rotated-55"
)

// credential stores one and returns its id.
func (w *world) credential(name, provider, key, value string) string {
	w.t.Helper()
	r := w.as("root", "POST", credentialsPath, text(map[string]any{
		"name": name, "provider": provider, "values": map[string]string{key: value},
	})).must(200)
	return r.at("id").(string)
}

func (w *world) secretOf(endpoint string) string {
	w.t.Helper()
	e, ok := w.catalog.Snapshot().Get(endpoint)
	require.True(w.t, ok)
	return e.First().Secrets["openai_api_key"]
}

func sharing(id string) map[string]any {
	return map[string]any{"modelConfig": map[string]string{}, "credentialId": id}
}

func TestCredentialServesManyEndpoints(t *testing.T) {
	w := newWorld(t)
	id := w.credential("company openai", "OpenAI", "openai_api_key", canary)
	for _, name := range []string{"a", "b"} {
		r := w.as("root", "POST", endpoints, newEndpoint(name, sharing(id))).must(200)
		assert.Equal(t, id, r.at("credentialId"))
		assert.Equal(t, []any{"openai_api_key"}, r.at("modelConfigSecrets"))
		require.Equal(t, canary, w.secretOf(name))
	}
	require.Equal(t, map[string]string{
		"credentialId": " → " + id, "disabled": " → false", "auditBodies": " → full", "endpointName": " → a", "endpointType": " → llm/v1/chat", "isEveryoneAllowed": " → false",
		"modelName": " → gpt-4", "modelProvider": " → openai",
	}, changesOf(w.events("CreateEndpoint")[0]), "the event names the credential and no key")

	before := w.as("root", "GET", credentialsPath+"/"+id, "").must(200)
	assert.Equal(t, []any{"a", "b"}, before.at("usedBy"))
	assert.Equal(t, "openai", before.at("provider"))
	r := w.as("root", "PATCH", credentialsPath+"/"+id, `{"values":{"openai_api_key":"`+rotated+`"}}`, "If-Match", before.header.Get("ETag")).must(200)
	assert.NotEqual(t, before.header.Get("ETag"), r.header.Get("ETag"))
	for _, name := range []string{"a", "b"} {
		require.Equal(t, rotated, w.secretOf(name), "every target at once")
	}
	assert.Equal(t, map[string]string{"values.openai_api_key": "set → changed"}, changesOf(w.lastEvent("RotateCredential")))
	assert.Equal(t, "2", w.lastEvent("RotateCredential").Metadata["endpoints"])
	w.as("root", "PATCH", credentialsPath+"/"+id, `{"name":"x"}`, "If-Match", before.header.Get("ETag")).must(412)
	w.as("root", "PATCH", credentialsPath+"/"+id, `{"name":"openai of all"}`).must(200)
	assert.Equal(t, map[string]string{"name": "company openai → openai of all"}, changesOf(w.lastEvent("UpdateCredential")))

	refused := w.as("root", "DELETE", credentialsPath+"/"+id, "").must(400)
	assert.Equal(t, "in_use", refused.at("code"))
	assert.Contains(t, refused.body, "is used by a, b")
	w.as("root", "PATCH", endpoints+"/a", `{"credentialId":"","modelConfig":{"openai_api_key":"`+canary+`"}}`).must(200)
	w.as("root", "DELETE", endpoints+"/b", "").must(200)
	require.Equal(t, canary, w.secretOf("a"))
	w.as("root", "DELETE", credentialsPath+"/"+id, "").must(200)
	w.as("root", "GET", credentialsPath+"/"+id, "").must(404)
	assert.Equal(t, map[string]string{"name": "openai of all → ", "provider": "openai → ", "values.openai_api_key": "set → "},
		changesOf(w.lastEvent("DeleteCredential")))
	w.noCanary()
}

// noCanary looks for keys in replies, logs and the data folder.
func (w *world) noCanary() {
	w.t.Helper()
	seen := w.replies.String() + w.logs.String()
	require.NoError(w.t, filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var b []byte
			b, err = os.ReadFile(path)
			seen += string(b)
		}
		return err
	}))
	for _, key := range []string{canary, rotated} {
		assert.NotContains(w.t, seen, key)
	}
}

func TestCredentialFields(t *testing.T) {
	w := newWorld(t)
	id := w.credential("one", "openai", "openai_api_key", canary)
	claude := w.credential("claude", "anthropic", "anthropic_api_key", canary)
	w.as("root", "POST", endpoints, newEndpoint("a", sharing(id))).must(200)
	one := credentialsPath + "/" + id
	for _, c := range []struct{ method, path, body, code, field, text string }{
		{"POST", credentialsPath, `{"provider":"openai","values":{"openai_api_key":"k"}}`, "missing_field", "name", ""},
		{"POST", credentialsPath, `{"name":"x","values":{"openai_api_key":"k"}}`, "missing_field", "provider", ""},
		{"POST", credentialsPath, `{"name":"x","provider":"openai"}`, "missing_field", "values", ""},
		{"POST", credentialsPath, `{"name":"x","provider":"nobody","values":{"a":"k"}}`, "invalid_field", "provider", "known are"},
		{"POST", credentialsPath, `{"name":"x","provider":"openai","values":{"openai_api_base":"https://x.example"}}`, "invalid_field",
			"values.openai_api_base", "is not a secret of the provider openai, and belongs to the modelConfig of targets; secrets are openai_api_key"},
		{"POST", credentialsPath, `{"name":"x","provider":"openai","values":{"openai_api_key":""}}`, "invalid_field", "values", "at least one value"},
		{"POST", credentialsPath, `{"name":"one","provider":"openai","values":{"openai_api_key":"k"}}`, "exists", "name", ""},
		{"POST", credentialsPath, `{"name":" x","provider":"openai","values":{"openai_api_key":"k"}}`, "invalid_field", "name", "space"},
		{"PATCH", one, `{"name":"claude"}`, "exists", "name", ""},
		{"PATCH", one, `{"values":{"openai_api_key":""}}`, "invalid_field", "values", "at least one value"},
		{"POST", endpoints, newEndpoint("b", sharing("000000000000000000000000")), "unknown_id", "credentialId", "There is no stored credential"},
		{"POST", endpoints, newEndpoint("b", sharing(claude)), "invalid_field", "credentialId", "is for the provider anthropic, not for openai"},
		{"POST", endpoints, newEndpoint("b", map[string]any{"credentialId": id}), "invalid_field", "modelConfig.openai_api_key", "Leave out one of the two"},
		{"PATCH", endpoints + "/a", `{"credentialId":""}`, "invalid_field", "modelConfig.openai_api_key", ""},
		{"PATCH", endpoints + "/a", `{"modelProvider":"anthropic","modelConfig":{}}`, "invalid_field", "modelConfig.anthropic_api_key", ""},
		{"GET", credentialsPath + "?sortByField=secrets", "", "invalid_parameter", "sortByField", ""},
	} {
		r := w.as("root", c.method, c.path, c.body).must(400)
		assert.Equal(t, c.code, r.at("code"), c)
		assert.Equal(t, c.field, r.at("field"), r.body)
		assert.Contains(t, r.body, c.text)
	}
	for _, c := range [][3]string{{"GET", credentialsPath + "/none", ""}, {"PATCH", credentialsPath + "/none", `{"name":"y"}`}, {"DELETE", credentialsPath + "/none", ""}} {
		w.as("root", c[0], c[1], c[2]).must(404)
	}
	// Several keys: one that endpoints need can't be taken away.
	aws := w.as("root", "POST", credentialsPath, `{"name":"aws","provider":"bedrock","values":{"aws_secret_access_key":"s","aws_access_key_id":"i"}}`).must(200)
	w.as("root", "POST", endpoints, newEndpoint("c", map[string]any{
		"modelProvider": "bedrock", "modelName": "m", "modelConfig": map[string]string{"aws_region": "us-east-1"}, "credentialId": aws.at("id"),
	})).must(200)
	r := w.as("root", "PATCH", credentialsPath+"/"+aws.at("id").(string), `{"values":{"aws_secret_access_key":""}}`).must(400)
	assert.Contains(t, r.body, `The endpoint \"c\"`)
}

func TestListCredentials(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"beta", "alpha", "gamma"} {
		w.credential(name, "openai", "openai_api_key", canary)
	}
	w.credential("delta", "anthropic", "anthropic_api_key", canary)
	names := func(query string) (out []string) {
		r := w.as("root", "GET", credentialsPath+query, "").must(200)
		for _, k := range r.at("credentials").([]any) {
			out = append(out, k.(map[string]any)["name"].(string))
		}
		return out
	}
	assert.Equal(t, []string{"alpha", "beta", "delta", "gamma"}, names(""))
	assert.Equal(t, []string{"beta", "delta"}, names("?offset=1&limit=2"))
	assert.Equal(t, []string{"delta"}, names("?searchFilter=ANTHRO"))
	assert.Equal(t, []string{"delta", "gamma", "alpha", "beta"}, names("?sortByField=created&shouldSortAscending=false"))
	assert.Equal(t, "delta", names("?sortByField=provider")[0])
	w.noCanary()
}

func TestCredentialsOfFiles(t *testing.T) {
	w := newWorld(t)
	id := w.credential("company", "openai", "openai_api_key", canary)
	file := `endpoints:
  - name: chat
    endpoint_type: llm/v1/chat
    model: {provider: openai, name: gpt-4o, credential: company}
`
	w.as("root", "POST", own+"/apply", file).must(200)
	require.Equal(t, canary, w.secretOf("chat"))
	assert.Equal(t, id, w.as("root", "GET", endpoints+"/chat", "").must(200).at("credentialId"))
	again := w.as("root", "POST", own+"/apply", file).must(200)
	assert.Equal(t, "unchanged", again.at("results", 0, "change"))
	r := w.as("root", "POST", own+"/apply", strings.Replace(file, "company", "other", 1)).must(400)
	assert.Contains(t, r.body, `There is no stored credential \"other\"`)
}

// editors gives alice the right to change endpoints, and bob also to see stored
// credentials.
func (w *world) editors() {
	dir := w.t.TempDir()
	require.NoError(w.t, os.WriteFile(filepath.Join(dir, "custom.rego"), []byte(`package sluice.custom

api := {
	"editor": {"endpoints": {"create": "all", "update": "all"}},
	"user-of-keys": {"credentials": {"read": "all"}},
	"little": {"credentials": {"read": "own"}},
}
`), 0o600))
	custom, err := policies.New(policies.Options{Sources: []policies.Source{{Name: "default"}, {Name: "custom", Dir: dir}}})
	require.NoError(w.t, err)
	w.policy.Engine = custom
	w.as("root", "PATCH", own+"/users/"+w.users["alice"], `{"roles":["editor"]}`).must(200)
	w.as("root", "PATCH", own+"/users/"+w.users["bob"], `{"roles":["editor","user-of-keys"]}`).must(200)
	w.as("root", "PATCH", own+"/users/"+w.users["eve"], `{"roles":["editor","little"]}`).must(200)
}

// A shared key must not follow to a host that someone chose who may not change it.
func TestCredentialStaysHome(t *testing.T) {
	w := newWorld(t)
	w.editors()
	id := w.credential("shared", "openai", "openai_api_key", canary)
	elsewhere := map[string]any{"credentialId": id, "modelConfig": map[string]string{"openai_api_base": "https://evil.example/v1"}}
	w.as("root", "POST", endpoints, newEndpoint("a", sharing(id))).must(200)
	w.as("root", "POST", endpoints, newEndpoint("proxied", map[string]any{
		"credentialId": id, "modelConfig": map[string]string{"openai_api_base": "https://proxy.example/v1"},
	})).must(200)

	for _, c := range []struct {
		user, method, path, body string
		status                   int
	}{
		{"alice", "POST", endpoints, newEndpoint("b", sharing(id)), 403},    // may not see it, so not use it
		{"eve", "POST", endpoints, newEndpoint("b", sharing(id)), 403},      // sees her own only
		{"bob", "POST", endpoints, newEndpoint("b", sharing(id)), 200},      // to the provider's own servers
		{"bob", "POST", endpoints, newEndpoint("c", elsewhere), 403},        // not to others
		{"alice", "PATCH", endpoints + "/a", `{"modelName":"gpt-4o"}`, 200}, // it goes where it went
		{"alice", "PATCH", endpoints + "/proxied", `{"modelName":"gpt-4o"}`, 200},
		{"alice", "PATCH", endpoints + "/a", `{"modelConfig":{"openai_api_base":"https://evil.example/v1"}}`, 403},
		{"bob", "PATCH", endpoints + "/a", `{"modelConfig":{"openai_api_base":"https://evil.example/v1"}}`, 403},
		{"bob", "POST", targetsOf("a"), text(map[string]any{"name": "t", "modelProvider": "openai", "modelName": "m", "credentialId": id,
			"modelConfig": map[string]string{"openai_api_base": "https://evil.example"}}), 403},
		{"bob", "PATCH", targetsOf("a") + "/default", `{"modelConfig":{"openai_api_base":"https://evil.example/v1"}}`, 403},
		{"bob", "POST", testPath, text(map[string]any{"endpointType": "llm/v1/chat", "modelProvider": "openai", "modelName": "m", "credentialId": id,
			"modelConfig": map[string]string{"openai_api_base": "https://evil.example"}}), 403},
		{"alice", "POST", testPath, text(map[string]any{"endpointType": "llm/v1/chat", "modelProvider": "openai", "modelName": "m",
			"endpointName": "a", "credentialId": id, "modelConfig": map[string]string{"openai_api_base": "https://evil.example"}}), 403},
		{"bob", "POST", own + "/apply", "endpoints: [{name: d, endpoint_type: llm/v1/chat, model: {provider: openai, name: m, credential: shared," +
			" config: {openai_api_base: 'https://evil.example'}}}]", 403},
		{"root", "PATCH", endpoints + "/a", `{"modelConfig":{"openai_api_base":"https://proxy.example/v1"}}`, 200},
	} {
		r := w.as(c.user, c.method, c.path, c.body)
		assert.Equal(t, c.status, r.status, "%s %s %s %s: %s", c.user, c.method, c.path, c.body, r.body)
	}
	// Nor where the parameter that leads there is no URL by itself.
	for provider, in := range map[string]map[string]any{
		"databricks": {"key": "token", "config": map[string]string{"host": "evil.example"}},
		"litellm":    {"key": "api_key", "config": map[string]string{"litellm_provider": "openai", "api_base": "https://evil.example"}},
	} {
		id := w.credential(provider, provider, in["key"].(string), canary)
		target := map[string]any{"endpointType": "llm/v1/chat", "modelProvider": provider, "modelName": "m", "credentialId": id, "modelConfig": in["config"]}
		w.as("bob", "POST", testPath, text(target)).must(403)
		w.as("bob", "POST", endpoints, newEndpoint(provider, target)).must(403)
		w.as("root", "POST", endpoints, newEndpoint(provider, target)).must(200)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Empty(t, w.probed)
}

func TestTestTarget(t *testing.T) {
	w := newWorld(t)
	w.create("a", nil)
	id := w.credential("shared", "openai", "openai_api_key", rotated)
	w.probe = api.TargetTestResult{OK: true, Status: 200, Message: "It works.", DurationMillis: 12}
	body := func(more map[string]any) string {
		in := map[string]any{"endpointType": "llm/v1/chat", "modelProvider": "openai", "modelName": "gpt-4o"}
		for k, v := range more {
			in[k] = v
		}
		return text(in)
	}
	given := map[string]any{"modelConfig": map[string]string{"openai_api_key": "sk-given"}}
	for _, c := range []struct {
		name string
		more map[string]any
		key  string
	}{
		{"its own", given, "sk-given"},
		{"a stored credential", map[string]any{"credentialId": id}, rotated},
		{"a stored target's", map[string]any{"endpointName": "a"}, canary},
		{"a stored target's, by name", map[string]any{"endpointName": "a", "targetName": "default"}, canary},
		{"another in place of a stored target's", map[string]any{"endpointName": "a", "modelConfig": map[string]string{"openai_api_key": "sk-new"}}, "sk-new"},
	} {
		r := w.as("root", "POST", testPath, body(c.more)).must(200)
		assert.Equal(t, map[string]any{"ok": true, "status": 200.0, "message": "It works.", "durationMillis": 12.0}, r.json())
		w.mu.Lock()
		last := w.probed[len(w.probed)-1]
		w.mu.Unlock()
		assert.Equal(t, c.key, last.Config["openai_api_key"], c.name)
		ev := w.lastEvent("TestTarget")
		assert.Equal(t, "ok", ev.Metadata["outcome"])
		assert.Equal(t, "api.openai.com", ev.Metadata["host"])
		assert.Equal(t, "root", ev.By.UserName)
	}
	w.probe = api.TargetTestResult{Code: "provider_credential_rejected", Status: 401, Message: "No."}
	w.as("root", "POST", testPath, body(given)).must(200)
	assert.Equal(t, "provider_credential_rejected", w.lastEvent("TestTarget").Metadata["outcome"])

	for _, c := range []struct {
		more        map[string]any
		status      int
		code, field string
	}{
		{map[string]any{"modelName": ""}, 400, "missing_field", "modelName"},
		{map[string]any{"endpointType": ""}, 400, "missing_field", "endpointType"},
		{nil, 400, "invalid_field", "modelConfig.openai_api_key"},
		{map[string]any{"targetName": "default"}, 400, "missing_field", "endpointName"},
		{map[string]any{"endpointName": "none"}, 404, "endpoint_not_found", "endpointName"},
		{map[string]any{"endpointName": "a", "targetName": "none"}, 404, "target_not_found", "target"},
		// A stored key does not go to another host.
		{map[string]any{"endpointName": "a", "modelConfig": map[string]string{"openai_api_base": "https://evil.example"}}, 400, "key_required", "modelConfig.openai_api_key"},
	} {
		r := w.as("root", "POST", testPath, body(c.more)).must(c.status)
		assert.Equal(t, c.code, r.at("code"), c)
		assert.Equal(t, c.field, r.at("field"), c)
	}
	w.refuseHost = "private.example"
	r := w.as("root", "POST", testPath, body(map[string]any{"modelConfig": map[string]string{
		"openai_api_key": "k", "openai_api_base": "https://private.example"}})).must(400)
	assert.Equal(t, "host_refused", r.at("code"))
	before := len(w.probed)
	w.trail.broken.Store(true)
	w.as("root", "POST", testPath, body(given)).must(503)
	w.trail.broken.Store(false)
	assert.Len(t, w.probed, before, "without a record no key leaves")
	w.noCanary()
}

func TestWhoMayTestATarget(t *testing.T) {
	w := newWorld(t)
	w.create("hers", map[string]any{"ownerIds": []string{w.users["alice"]}})
	w.create("other", map[string]any{"isEveryoneAllowed": true})
	in := func(endpoint string) string {
		return `{"endpointType":"llm/v1/chat","modelProvider":"openai","modelName":"m","modelConfig":{"openai_api_key":"k"},"endpointName":"` + endpoint + `"}`
	}
	w.as("alice", "POST", testPath, in("hers")).must(200)
	w.as("alice", "POST", testPath, in("other")).must(403)
	w.as("alice", "POST", testPath, in("none")).must(403)
	w.as("alice", "POST", testPath, in("")).must(403)
	w.as("root", "POST", testPath, in("")).must(200)
}

func TestVaultRoutes(t *testing.T) {
	w := newWorld(t)
	w.create("a", nil)
	w.credential("shared", "openai", "openai_api_key", rotated)
	r := w.as("root", "GET", own+"/vault", "").must(200)
	key := r.at("key")
	assert.Equal(t, "local", r.at("kind"))
	assert.Equal(t, map[string]any{"local": 4.0}, r.at("values")) // two are keys of the trail
	w.as("root", "POST", own+"/vault/rotate", "").must(200)
	require.Eventually(t, func() bool {
		return w.as("root", "GET", own+"/vault", "").at("job", "running") == false
	}, time.Minute, 10*time.Millisecond)
	after := w.as("root", "GET", own+"/vault", "").must(200)
	assert.NotEqual(t, key, after.at("key"))
	assert.Equal(t, 4.0, after.at("job", "done"))
	assert.Nil(t, after.at("job", "error"))
	assert.Equal(t, "done", w.lastEvent("RotateVault").Metadata["outcome"])
	assert.Equal(t, "started", w.events("RotateVault")[0].Metadata["step"])
	assert.Equal(t, "root", w.events("RotateVault")[0].By.UserName)

	r = w.as("root", "POST", own+"/vault/migrate", `{"to":"aws-kms"}`).must(400)
	assert.Equal(t, "not_configured", r.at("code"))
	assert.Equal(t, "failed", w.lastEvent("MigrateVault").Metadata["outcome"])
	r = w.as("root", "POST", own+"/vault/migrate", `{}`).must(400)
	assert.Equal(t, "to", r.at("field"))
	w.as("root", "POST", own+"/vault/migrate", `{"to":"local"}`).must(200)
	require.Eventually(t, func() bool {
		return w.as("root", "GET", own+"/vault", "").at("job", "running") == false
	}, time.Minute, 10*time.Millisecond)
	assert.Equal(t, 0.0, w.as("root", "GET", own+"/vault", "").at("job", "total"), "all is there already")
	require.Equal(t, canary, w.secretOf("a"))
	w.breakKey("a", "default")
	w.serve(func(*admin.Deps) {})
	assert.Contains(t, w.as("root", "GET", endpoints+"/a", "").body, "The vault can't open the credential openai_api_key of this endpoint")
	w.noCanary()
}

// events are the events of a kind, oldest first.
func (w *world) events(kind string) (out []*audit.Event) {
	w.t.Helper()
	for _, r := range w.records() {
		if r.Event != nil && r.Event.Kind == kind {
			out = append(out, r.Event)
		}
	}
	return out
}
