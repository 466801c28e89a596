package admin_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/admin"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
)

func targetsOf(name string) string { return own + "/endpoints/" + name + "/targets" }

// claude is a body that adds a target; more is laid over.
func claude(name string, more map[string]any) string {
	body := map[string]any{
		"name": name, "modelProvider": "anthropic", "modelName": "claude-x",
		"modelConfig": map[string]string{"anthropic_api_key": canary + "-2"},
	}
	for k, v := range more {
		body[k] = v
	}
	return text(body)
}

func (w *world) endpoint(name string) *catalog.Endpoint {
	w.t.Helper()
	e, ok := w.catalog.Snapshot().Get(name)
	require.True(w.t, ok)
	return e
}

func targetNames(e *catalog.Endpoint) string {
	var names []string
	for _, t := range e.Targets {
		names = append(names, t.Name)
	}
	return strings.Join(names, " ")
}

func TestTargetsFromBirthToDeath(t *testing.T) {
	w := newWorld(t)
	w.create("chat", map[string]any{"userIds": []string{w.users["alice"]}})
	path := targetsOf("chat")
	first := w.as("root", "GET", path, "").must(200)
	assert.Equal(t, "0s", first.at("headTimeout"))
	assert.Equal(t, []string{
		"disabled", "modelConfig", "modelConfigSecrets", "modelName", "modelProvider", "name", "order", "targetId", "weight",
	}, keys(first.at("targets", 0).(map[string]any)))
	assert.Equal(t, "default", first.at("targets", 0, "name"))
	assert.Equal(t, first.body, w.as("alice", "GET", path, "").must(200).body, "who may use it sees it")
	w.as("bob", "GET", path, "").must(403)
	w.as("bob", "GET", path+"/default", "").must(403)

	made := w.as("root", "POST", path, claude("spare", map[string]any{"order": 1, "weight": 0})).must(200)
	assert.Equal(t, []any{"anthropic_api_key"}, made.at("modelConfigSecrets"))
	assert.Equal(t, made.body, w.as("root", "GET", path+"/spare", "").must(200).body)
	assert.Equal(t, map[string]string{
		"targets.spare.modelProvider": " → anthropic", "targets.spare.modelName": " → claude-x",
		"targets.spare.modelConfig.anthropic_api_key": " → set", "targets.spare.weight": " → 0", "targets.spare.order": " → 1",
		"targets.spare.disabled": " → false", "targets.spare.targetId": " → " + made.at("targetId").(string),
	}, changesOf(w.lastEvent(audit.KindUpdateEndpoint)))
	assert.Equal(t, []string{"chat", "chat"}, w.activated)

	w.as("root", "PATCH", path+"/spare", `{"name":"second","modelName":"claude-y","disabled":true}`).must(200)
	e := w.endpoint("chat")
	second, ok := e.Target("second")
	require.True(t, ok)
	assert.Equal(t, made.at("targetId"), second.ID)
	assert.Equal(t, canary+"-2", second.Secrets["anthropic_api_key"], "a key that is left out is kept")
	assert.True(t, second.Disabled)
	assert.Equal(t, "claude-y", second.Model)

	rotated := w.as("root", "PATCH", path+"/second", `{"modelConfig":{"anthropic_api_key":"`+canary+`-3"}}`).must(200)
	assert.Equal(t, map[string]string{"targets.second.modelConfig.anthropic_api_key": "set → changed"},
		changesOf(w.lastEvent(audit.KindUpdateEndpoint)))
	assert.NotEqual(t, first.header.Get("ETag"), rotated.header.Get("ETag"))

	gone := w.as("root", "DELETE", path+"/default", "").must(200)
	assert.Empty(t, gone.body)
	shown := w.as("root", "GET", endpoints+"/chat", "").must(200)
	assert.Equal(t, "anthropic", shown.at("modelProvider"), "Domino's shape shows the first target")
	last := w.as("root", "DELETE", path+"/second", "").must(400)
	assert.Equal(t, "last_target", last.at("code"))
	assert.NotContains(t, w.replies.String(), canary)
	assert.NotContains(t, w.logs.String(), canary)
}

func TestDominoEditsTheFirstTarget(t *testing.T) {
	w := newWorld(t)
	w.create("chat", nil)
	w.as("root", "POST", targetsOf("chat"), claude("spare", map[string]any{"order": 1})).must(200)
	w.as("root", "PATCH", endpoints+"/chat", `{"modelName":"gpt-5"}`).must(200)
	e := w.endpoint("chat")
	assert.Equal(t, "gpt-5", e.First().Model)
	assert.Len(t, e.Targets, 2)
	assert.Equal(t, "claude-x", e.Targets[1].Model)
	assert.Equal(t, canary+"-2", e.Targets[1].Secrets["anthropic_api_key"])
	wrong := w.as("root", "PATCH", endpoints+"/chat", `{"endpointType":"llm/v1/embeddings"}`).must(400)
	assert.Contains(t, wrong.at("error"), "anthropic does not answer", "every target must answer the type")
}

func TestPutTargets(t *testing.T) {
	w := newWorld(t)
	w.create("chat", nil)
	path := targetsOf("chat")
	keep := map[string]any{"name": "default", "modelProvider": "openai", "modelName": "gpt-5", "weight": 9}
	var add map[string]any
	require.NoError(t, json.Unmarshal([]byte(claude("b", nil)), &add))
	put := func(body map[string]any, headers ...string) *reply {
		return w.as("root", "PUT", path, text(body), headers...)
	}
	out := put(map[string]any{"headTimeout": "1m30s", "targets": []any{keep, add}}).must(200)
	assert.Equal(t, "1m30s", out.at("headTimeout"))
	e := w.endpoint("chat")
	assert.Equal(t, 90*time.Second, e.HeadTimeout)
	assert.Equal(t, "b default", targetNames(e), "of one order, by name")
	kept, _ := e.Target("default")
	assert.Equal(t, canary, kept.Secrets["openai_api_key"], "a target that is named keeps its keys")
	assert.Equal(t, 9, kept.Weight)

	var shown map[string]any
	require.NoError(t, json.Unmarshal([]byte(w.as("root", "GET", path, "").must(200).body), &shown))
	records := len(w.records())
	put(shown).must(200)
	assert.Len(t, w.records(), records, "what was read may be sent back, and changes nothing")

	shown["targets"].([]any)[0].(map[string]any)["name"] = "renamed"
	put(shown).must(200)
	e = w.endpoint("chat")
	renamed, ok := e.Target("renamed")
	require.True(t, ok)
	assert.Equal(t, canary+"-2", renamed.Secrets["anthropic_api_key"], "a target is meant by its id")

	put(map[string]any{"headTimeout": "0s"}).must(200)
	e = w.endpoint("chat")
	assert.Zero(t, e.HeadTimeout)
	assert.Len(t, e.Targets, 2, "what is not given stays")
	tag := w.as("root", "GET", path, "").header.Get("ETag")
	w.as("root", "PATCH", path+"/renamed", `{"weight":3}`).must(200)
	assert.Equal(t, "changed_meanwhile", put(shown, "If-Match", tag).must(412).at("code"))
}

func TestRefusedTargets(t *testing.T) {
	w := newWorld(t)
	w.create("chat", nil)
	path := targetsOf("chat")
	w.as("root", "POST", path, claude("spare", nil)).must(200)
	w.as("root", "POST", path, text(map[string]any{"name": "router", "modelProvider": "portkey", "modelName": "m",
		"modelConfig": map[string]string{"api_key": canary, "portkey_provider": "openai", "provider_api_key": canary + "-2"}})).must(200)
	w.refuseHost = "10.0.0.1"
	many := make([]any, catalog.MaxTargets+1)
	for i := range many {
		many[i] = map[string]any{"name": fmt.Sprint("t", i), "modelProvider": "practice", "modelName": "m"}
	}
	list := func(targets ...any) string { return text(map[string]any{"targets": targets}) }
	practice := func(more map[string]any) map[string]any {
		out := map[string]any{"name": "p", "modelProvider": "practice", "modelName": "m"}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	before, records := w.endpoint("chat"), len(w.records())
	for _, c := range []struct{ name, method, path, body, field, code, says string }{
		{"no targets", "PUT", path, `{"targets":[]}`, "targets", "invalid_field", "1 to 16"},
		{"too many", "PUT", path, list(many...), "targets", "invalid_field", "1 to 16"},
		{"weight", "PUT", path, list(practice(nil), practice(map[string]any{"name": "q", "weight": 10001})), "targets[1].weight", "invalid_field", "0 to 10000"},
		{"negative weight", "POST", path, text(practice(map[string]any{"weight": -1})), "weight", "invalid_field", "0 to 10000"},
		{"order", "PUT", path, list(practice(map[string]any{"order": 100})), "targets[0].order", "invalid_field", "0 to 99"},
		{"one name twice", "PUT", path, list(practice(nil), practice(nil)), "targets[1].name", "invalid_field", "another target"},
		{"one target twice", "PUT", path, list(practice(map[string]any{"targetId": before.Targets[0].ID}),
			practice(map[string]any{"name": "q", "targetId": before.Targets[0].ID})), "targets[1].name", "invalid_field", "given twice"},
		{"strange id", "PUT", path, list(practice(map[string]any{"targetId": "x"})), "targets[0].targetId", "unknown_id", "no target"},
		{"bad name", "POST", path, claude("a/b", nil), "name", "invalid_field", "other characters"},
		{"no name", "POST", path, claude("", nil), "name", "missing_field", "required"},
		{"no model", "PUT", path, list(practice(nil), practice(map[string]any{"name": "q", "modelName": ""})), "targets[1].modelName", "missing_field", "required"},
		{"taken", "POST", path, claude("spare", nil), "name", "exists", "already"},
		{"id of a new one", "POST", path, claude("q", map[string]any{"targetId": "x"}), "targetId", "invalid_field", "its own"},
		{"all weigh nothing", "PUT", path, list(practice(map[string]any{"weight": 0}), practice(map[string]any{"name": "q", "weight": 0})),
			"targets", "invalid_field", "weight 0"},
		{"unknown provider", "PUT", path, list(practice(nil), practice(map[string]any{"name": "q", "modelProvider": "acme"})),
			"targets[1].modelProvider", "invalid_field", "known are"},
		{"unknown parameter", "PUT", path, list(practice(nil), practice(map[string]any{"name": "q", "modelProvider": "openai",
			"modelConfig": map[string]string{"openai_api_key": canary, "colour": "red"}})), "targets[1].modelConfig.colour", "invalid_field", "colour"},
		{"key missing", "POST", path, claude("q", map[string]any{"modelConfig": map[string]string{}}), "modelConfig.anthropic_api_key", "invalid_field", "missing"},
		{"type", "POST", path, claude("q", map[string]any{"modelConfig": map[string]string{"anthropic_api_key": canary, "anthropic_api_base": "http://10.0.0.1"}}),
			"modelConfig", "host_refused", `"q"`},
		{"another server", "PATCH", path + "/spare", `{"modelConfig":{"anthropic_api_base":"https://collector.example"}}`,
			"modelConfig.anthropic_api_key", "key_required", "again"},
		{"sent on elsewhere", "PATCH", path + "/router", `{"modelConfig":{"portkey_config":"{\"custom_host\":\"https://collector.example\"}"}}`,
			"modelConfig.api_key", "key_required", "again"},
		{"sent on to another", "PATCH", path + "/router", `{"modelConfig":{"portkey_provider":"other"}}`,
			"modelConfig.api_key", "key_required", "again"},
		{"another server by the list", "PUT", path, list(practice(nil), map[string]any{"name": "spare", "modelProvider": "anthropic", "modelName": "m",
			"modelConfig": map[string]string{"anthropic_api_base": "https://collector.example"}}),
			"targets[1].modelConfig.anthropic_api_key", "key_required", "again"},
		{"timeout", "PUT", path, `{"headTimeout":"soon"}`, "headTimeout", "invalid_field", "30s"},
		{"long timeout", "PUT", path, `{"headTimeout":"2h"}`, "headTimeout", "invalid_field", "1h"},
		{"negative timeout", "PUT", path, `{"headTimeout":"-1s"}`, "headTimeout", "invalid_field", "0s"},
		{"wrong type", "PUT", path, `{"targets":[{"weight":"1"}]}`, "targets[0].weight", "wrong_type", "whole number"},
		{"unknown field", "PATCH", path + "/spare", `{"colour":"red"}`, "colour", "unknown_field", "not known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := w.as("root", c.method, c.path, c.body).must(400)
			assert.Equal(t, c.field, r.at("field"), r.body)
			assert.Equal(t, c.code, r.at("code"))
			assert.Contains(t, r.at("error"), c.says)
		})
	}
	w.as("root", "PATCH", path+"/nothing", `{}`).must(404)
	w.as("root", "DELETE", path+"/nothing", ``).must(404)
	w.as("root", "GET", path+"/nothing", ``).must(404)
	assert.Equal(t, "target_not_found", w.as("root", "GET", path+"/nothing", ``).at("code"))
	w.activate = fmt.Errorf("late")
	w.as("root", "PATCH", path+"/spare", `{"weight":5}`).must(503)
	w.trail.broken.Store(true)
	w.activate = nil
	w.as("root", "PATCH", path+"/spare", `{"weight":5}`).must(503)
	w.trail.broken.Store(false)
	assert.Same(t, before, w.endpoint("chat"), "nothing changed")
	assert.Len(t, w.records(), records, "and nothing is recorded")
}

// A target whose key can't be opened must not keep others from being changed.
func TestUnreadableTargetLeavesTheOthersFree(t *testing.T) {
	w := newWorld(t)
	w.create("chat", nil)
	w.as("root", "POST", targetsOf("chat"), claude("spare", map[string]any{"order": 1})).must(200)
	w.breakKey("chat", "default")
	path := targetsOf("chat")
	shown := w.as("root", "GET", path+"/default", "").must(200)
	assert.Contains(t, shown.at("problem"), "openai_api_key")
	assert.Equal(t, []any{"openai_api_key"}, shown.at("modelConfigSecrets"))
	w.as("root", "PATCH", path+"/spare", `{"modelName":"claude-z"}`).must(200)
	assert.Empty(t, w.endpoint("chat").Problem, "one target works")
	w.as("root", "PATCH", path+"/default", `{"modelConfig":{"openai_api_key":"`+canary+`"}}`).must(200)
	assert.Empty(t, w.endpoint("chat").First().Problem)
}

func TestStatusShowsTargets(t *testing.T) {
	w := newWorld(t)
	assert.Equal(t, []any{}, w.as("root", "GET", own+"/status", "").must(200).at("targets"))
	until := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	w.serve(func(d *admin.Deps) {
		d.TargetHealth = func() []api.TargetHealth {
			return []api.TargetHealth{{EndpointName: "chat", TargetName: "a", State: api.TargetCooling, Failures: 5,
				Until: &until, LastCode: "upstream_error", LastStatus: 529}}
		}
	})
	assert.Equal(t, map[string]any{
		"endpointName": "chat", "targetName": "a", "state": "cooling", "failures": 5.0, "until": "2030-01-02T03:04:05Z",
		"lastCode": "upstream_error", "lastStatus": 529.0,
	}, w.as("root", "GET", own+"/status", "").must(200).at("targets", 0))
}
