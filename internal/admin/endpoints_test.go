package admin_test

import (
	"fmt"
	"net/http"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
)

func keys(m map[string]any) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

const endpoints = "/api/aigateway/v1/endpoints"

func TestEndpointFromBirthToDeath(t *testing.T) {
	w := newWorld(t)
	body := newEndpoint("chat", map[string]any{"limit": map[string]any{"calls": 5, "renewal_period": "2 minutes"}})
	made := w.as("root", "POST", endpoints, body).must(200)

	assert.Equal(t, []string{
		"auditBodies", "creationDate", "description", "disabled", "endpointId", "endpointName", "endpointType", "limit", "mayChange", "mayInvoke",
		"modelConfig", "modelConfigSecrets", "modelName", "modelProvider", "targetCount", "updateDate",
	}, keys(made.json()))
	assert.Regexp(t, `^[0-9a-f]{24}$`, made.at("endpointId"))
	_, err := time.Parse(time.RFC3339, made.at("creationDate").(string))
	assert.NoError(t, err)
	assert.Equal(t, map[string]any{}, made.at("modelConfig"))
	assert.Equal(t, []any{"openai_api_key"}, made.at("modelConfigSecrets"))
	assert.Equal(t, []string{"chat"}, w.activated)

	assert.Equal(t, made.body, w.as("root", "GET", endpoints+"/chat?numInputTokens=12", "").must(200).body)

	patched := w.as("root", "PATCH", endpoints+"/chat",
		`{"endpointName":"chat2","modelName":"gpt-5","modelConfig":{"openai_organization":"acme"},"limit":null}`).must(200)
	assert.Equal(t, made.at("endpointId"), patched.at("endpointId"))
	assert.Equal(t, "chat2", patched.at("endpointName"))
	assert.Equal(t, map[string]any{"openai_organization": "acme"}, patched.at("modelConfig"))
	assert.Equal(t, []any{"openai_api_key"}, patched.at("modelConfigSecrets"), "a secret that is left out is kept")
	assert.NotContains(t, patched.json(), "limit")
	e, _ := w.catalog.Snapshot().Get("chat2")
	assert.Equal(t, canary, e.First().Secrets["openai_api_key"])

	w.as("root", "GET", endpoints+"/chat", "").must(404)
	gone := w.as("root", "DELETE", endpoints+"/chat2", "").must(200)
	assert.Empty(t, gone.body)
	w.as("root", "DELETE", endpoints+"/chat2", "").must(404)
}

// What the trail keeps of an endpoint's bodies is for who may change the settings,
// not for the endpoint's owner: what is not kept can't be shown.
func TestAuditBodies(t *testing.T) {
	w := newWorld(t)
	w.person("olga", identity.RoleEndpointOwner)
	mine := map[string]any{"endpointPermissions": map[string]any{"isEveryoneAllowed": false, "ownerIds": []string{w.users["olga"]}}}
	w.as("olga", "POST", endpoints, newEndpoint("mine", mine)).must(200)
	mine["auditBodies"] = "none"
	w.as("olga", "POST", endpoints, newEndpoint("other", mine)).must(403)
	w.as("olga", "PATCH", endpoints+"/mine", `{"auditBodies":"none"}`).must(403)
	w.as("olga", "PATCH", endpoints+"/mine", `{"auditBodies":"full","description":"x"}`).must(200)
	w.as("root", "POST", endpoints, newEndpoint("other", mine)).must(200)

	assert.Equal(t, "full", w.as("root", "GET", endpoints+"/mine", "").must(200).at("auditBodies"))
	r := w.as("root", "PATCH", endpoints+"/mine", `{"auditBodies":"redacted"}`).must(200)
	assert.Equal(t, "redacted", r.at("auditBodies"))
	assert.Equal(t, "full → redacted", changesOf(w.lastEvent("UpdateEndpoint"))["auditBodies"])
	w.as("olga", "PATCH", endpoints+"/mine", `{"auditBodies":"full"}`).must(403)
	w.as("olga", "PATCH", endpoints+"/mine", `{"description":"y"}`).must(200)
	r = w.as("root", "PATCH", endpoints+"/mine", `{"auditBodies":"some"}`).must(400)
	assert.Equal(t, "auditBodies", r.at("field"))

	apply := "endpoints:\n- {name: mine, endpoint_type: llm/v1/chat, model: {provider: openai, name: gpt-4, config: {openai_api_key: k}}%s}\n"
	w.as("root", "POST", "/api/sluice/v1/apply", fmt.Sprintf(apply, "")).must(200)
	e, _ := w.catalog.Snapshot().Get("mine")
	assert.Equal(t, "redacted", e.AuditBodies, "what the file does not say stays")
	w.as("root", "POST", "/api/sluice/v1/apply", fmt.Sprintf(apply, ", audit_bodies: full")).must(200)
	e, _ = w.catalog.Snapshot().Get("mine")
	assert.Empty(t, e.AuditBodies)
	w.as("root", "POST", "/api/sluice/v1/apply", fmt.Sprintf(apply, ", audit_bodies: some")).must(400)
}

// The curl command of Domino's documentation.
func TestDominosOwnExample(t *testing.T) {
	w := newWorld(t)
	body := `{"endpointName":"completions","endpointType":"llm/v1/completions","endpointPermissions":` +
		`{"isEveryoneAllowed":true,"userIds":[]},"modelProvider":"openai","modelName":"gpt-4","modelConfig":{"openai_api_key":"` + canary + `"}}`
	w.as("", "POST", endpoints, body, "X-Domino-Api-Key", w.tokens["root"]).must(200)
	w.as("alice", "GET", endpoints+"/completions", "").must(200)
}

func TestProviderChangeDropsOldKeys(t *testing.T) {
	w := newWorld(t)
	w.create("a", nil)
	w.as("root", "PATCH", endpoints+"/a", `{"modelProvider":"anthropic","modelName":"claude"}`).must(400)
	r := w.as("root", "PATCH", endpoints+"/a",
		`{"modelProvider":"anthropic","modelName":"claude","modelConfig":{"anthropic_api_key":"`+canary+`"}}`).must(200)
	assert.Equal(t, []any{"anthropic_api_key"}, r.at("modelConfigSecrets"))
	changes := changesOf(w.lastEvent("UpdateEndpoint"))
	assert.Equal(t, "set → ", changes["modelConfig.openai_api_key"])
	assert.Equal(t, " → set", changes["modelConfig.anthropic_api_key"])

	same := w.as("root", "PATCH", endpoints+"/a", `{"modelProvider":"ANTHROPIC"}`).must(200)
	assert.Equal(t, "anthropic", same.at("modelProvider"))
	assert.Equal(t, []any{"anthropic_api_key"}, same.at("modelConfigSecrets"))
}

// Who may change an endpoint may not read its key: it does not follow the
// endpoint to another server.
func TestAddressChangeAsksForTheKey(t *testing.T) {
	w := newWorld(t)
	w.create("a", nil)
	move := func(config string) *reply {
		return w.as("root", "PATCH", endpoints+"/a", `{"modelConfig":{`+config+`}}`)
	}
	for _, base := range []string{"https://collector.example/v1", "https://api.openai.com:8443/v1"} {
		r := move(`"openai_api_base":"` + base + `"`).must(400)
		assert.Equal(t, "key_required", r.at("code"))
		assert.Equal(t, "modelConfig.openai_api_key", r.at("field"))
	}
	stayed, _ := w.catalog.Snapshot().Get("a")
	assert.Empty(t, stayed.First().Config)
	move(`"openai_api_base":"https://api.openai.com/v2"`).must(200)
	move(`"openai_api_base":"https://collector.example/v1","openai_api_key":"sk-another"`).must(200)
	move(`"openai_api_base":"https://collector.example/v2"`).must(200)
	move(``).must(400)
	w.as("root", "PATCH", endpoints+"/a", `{"modelName":"gpt-4o"}`).must(200)
}

func TestRefusedEndpoints(t *testing.T) {
	w := newWorld(t)
	w.create("taken", nil)
	w.refuseHost = "10.0.0.1"
	for _, c := range []struct {
		name, body, field, says string
	}{
		{"unknown host", newEndpoint("x", map[string]any{"modelConfig": map[string]string{"openai_api_key": "k", "openai_api_base": "https://unknown.example/v1"}}),
			"modelConfig", "has no address that is known here: unknown.example: no such host. Check the name"},
		{"not JSON", `{"endpointName"`, "", "not valid JSON"},
		{"empty", ``, "", "empty"},
		{"a list", `[]`, "", "must be an object, not a list"},
		{"two values", `{} {}`, "", "after its JSON value"},
		{"not UTF-8", "{\"endpointName\":\"\xff\"}", "", "UTF-8"},
		{"too deep", strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40), "", "nested deeper"},
		{"unknown field", newEndpoint("x", map[string]any{"endpointname": "x"}), "endpointname", "not known"},
		{"given twice", `{"endpointName":"a","endpointName":"b"}`, "endpointName", "given twice"},
		{"wrong type", newEndpoint("x", map[string]any{"modelName": 4}), "modelName", "must be a string, not a number"},
		{"wrong type inside", newEndpoint("x", map[string]any{"modelConfig": map[string]any{"openai_api_key": true}}),
			"modelConfig.openai_api_key", "must be a string, not true or false"},
		{"nested config", newEndpoint("x", map[string]any{"modelConfig": map[string]any{"aws_config": map[string]any{}}}),
			"modelConfig.aws_config", "must be a string, not an object"},
		{"no name", newEndpoint("x", map[string]any{"endpointName": nil}), "endpointName", "required"},
		{"no type", newEndpoint("x", map[string]any{"endpointType": nil}), "endpointType", "required"},
		{"no permissions", newEndpoint("x", map[string]any{"endpointPermissions": nil}), "endpointPermissions", "required"},
		{"no provider", newEndpoint("x", map[string]any{"modelProvider": nil}), "modelProvider", "required"},
		{"no model", newEndpoint("x", map[string]any{"modelName": nil}), "modelName", "required"},
		{"no config", newEndpoint("x", map[string]any{"modelConfig": nil}), "modelConfig", "required"},
		{"bad name", newEndpoint("a/b", nil), "endpointName", "letters, digits"},
		{"dots", newEndpoint("..", nil), "endpointName", "letters, digits"},
		{"taken", newEndpoint("taken", nil), "endpointName", "exists already"},
		{"bad type", newEndpoint("x", map[string]any{"endpointType": "llm/v2/chat"}), "endpointType", "llm/v1/chat"},
		{"type not answered", newEndpoint("x", map[string]any{"endpointType": "llm/v1/embeddings", "modelProvider": "anthropic",
			"modelConfig": map[string]string{"anthropic_api_key": canary}}), "endpointType", "does not answer"},
		{"unknown provider", newEndpoint("x", map[string]any{"modelProvider": "acme"}), "modelProvider", "openai"},
		{"key missing", newEndpoint("x", map[string]any{"modelConfig": map[string]string{}}), "modelConfig.openai_api_key", "missing"},
		{"key unknown", newEndpoint("x", map[string]any{"modelConfig": map[string]string{"openai_api_key": canary, "colour": "red"}}),
			"modelConfig.colour", "colour"},
		{"key with line break", newEndpoint("x", map[string]any{"modelConfig": map[string]string{"openai_api_key": canary + "\n"}}),
			"modelConfig.openai_api_key", "line breaks"},
		{"private host", newEndpoint("x", map[string]any{"modelConfig": map[string]string{
			"openai_api_key": canary, "openai_api_base": "http://10.0.0.1/v1"}}), "modelConfig", "private"},
		{"bad limit", newEndpoint("x", map[string]any{"limit": map[string]any{"calls": 0, "renewal_period": "minute"}}), "limit.calls", "1 or more"},
		{"bad period", newEndpoint("x", map[string]any{"limit": map[string]any{"calls": 1, "renewal_period": "moon"}}),
			"limit.renewal_period", "period"},
		{"fractional calls", newEndpoint("x", map[string]any{"limit": map[string]any{"calls": 1.5, "renewal_period": "minute"}}),
			"limit.calls", "whole number"},
		{"unknown user", newEndpoint("x", map[string]any{"endpointPermissions": map[string]any{"userIds": []string{"62604702b7e5d347dbe7a909"}}}),
			"endpointPermissions.userIds", "62604702b7e5d347dbe7a909"},
		{"unknown organization", newEndpoint("x", map[string]any{"endpointPermissions": map[string]any{"organizationIds": []string{"62604702b7e5d347dbe7a909"}}}),
			"endpointPermissions.organizationIds", "62604702b7e5d347dbe7a909"},
		{"null in a list", newEndpoint("x", map[string]any{"endpointPermissions": map[string]any{"userIds": []any{nil}}}),
			"endpointPermissions.userIds[0]", "not null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := w.as("root", "POST", endpoints, c.body)
			require.Equal(t, 400, r.status, r.body)
			got := r.json()
			assert.Contains(t, got["error"], c.says)
			if c.field != "" {
				assert.Equal(t, c.field, got["field"])
			}
			assert.NotEmpty(t, got["code"])
			assert.NotEmpty(t, got["requestId"])
		})
	}
	_, made := w.catalog.Snapshot().Get("x")
	assert.False(t, made)
}

func TestBodyLimit(t *testing.T) {
	w := newWorld(t)
	r := w.as("root", "POST", endpoints, `{"endpointName":"`+strings.Repeat("a", 5<<20)+`"}`).must(413)
	assert.Contains(t, r.at("error"), "4194304 bytes")
}

func TestListEndpoints(t *testing.T) {
	w := newWorld(t)
	w.create("zeta", map[string]any{"isEveryoneAllowed": true})
	w.create("alpha", map[string]any{"userIds": []string{w.users["alice"]}})
	w.create("mid", map[string]any{"organizationIds": []string{w.science}})
	w.create("hidden", nil)
	w.as("root", "PATCH", endpoints+"/mid", `{"modelName":"special-model"}`).must(200)
	names := func(r *reply) []string {
		var out []string
		for _, e := range r.must(200).json()["endpoints"].([]any) {
			out = append(out, e.(map[string]any)["endpointName"].(string))
		}
		return out
	}
	assert.Equal(t, []string{"alpha", "hidden", "mid", "zeta"}, names(w.as("root", "GET", endpoints, "")))
	assert.Equal(t, []string{"alpha", "zeta"}, names(w.as("alice", "GET", endpoints, "")))
	assert.Equal(t, []string{"mid", "zeta"}, names(w.as("bob", "GET", endpoints, "")))
	assert.Equal(t, []string{"zeta"}, names(w.as("eve", "GET", endpoints, "")))

	assert.Equal(t, []string{"mid"}, names(w.as("root", "GET", endpoints+"?searchFilter=SPECIAL", "")))
	assert.Equal(t, []string{"zeta", "mid", "hidden", "alpha"},
		names(w.as("root", "GET", endpoints+"?sortByField=endpointName&shouldSortAscending=false", "")))
	assert.Equal(t, []string{"zeta", "alpha", "mid", "hidden"},
		names(w.as("root", "GET", endpoints+"?sortByField=creationDate", "")))
	assert.Equal(t, []string{"hidden", "mid"}, names(w.as("root", "GET", endpoints+"?offset=1&limit=2", "")))
	assert.Empty(t, names(w.as("root", "GET", endpoints+"?offset=99", "")))

	page := w.as("alice", "GET", endpoints+"?limit=1", "", "X-Request-Id", "the-id")
	assert.Equal(t, []string{"limit", "notices", "offset", "pagination", "requestId", "totalCount"}, keys(page.at("metadata").(map[string]any)))
	assert.Equal(t, 2.0, page.at("metadata", "totalCount"))
	assert.Equal(t, "the-id", page.at("metadata", "requestId"))
	assert.Equal(t, map[string]any{"offset": 0.0, "limit": 1.0, "totalCount": 2.0}, page.at("metadata", "pagination"))

	for _, q := range []string{"offset=-1", "limit=0", "limit=x", "sortByField=colour", "shouldSortAscending=perhaps"} {
		r := w.as("root", "GET", endpoints+"?"+q, "").must(400)
		assert.Equal(t, strings.Split(q, "=")[0], r.at("field"))
	}
}

func TestReadingWhatYouMayNotUse(t *testing.T) {
	w := newWorld(t)
	w.create("hidden", nil)
	r := w.as("alice", "GET", endpoints+"/hidden", "").must(403)
	assert.Equal(t, []string{"code", "errors", "requestId"}, keys(r.json()))
	w.as("root", "GET", endpoints+"/hidden", "").must(200)
	w.as("root", "GET", endpoints+"/a%2Fb", "").must(404)
	w.as("root", "GET", endpoints+"/x/../hidden", "").must(404)
	w.as("root", "GET", "//api/aigateway/v1/endpoints", "").must(404)
}

func TestIfMatch(t *testing.T) {
	w := newWorld(t)
	w.create("a", nil)
	tag := w.as("root", "GET", endpoints+"/a", "").header.Get("ETag")
	require.NotEmpty(t, tag)
	next := w.as("root", "PATCH", endpoints+"/a", `{"modelName":"gpt-5"}`, "If-Match", tag).must(200).header.Get("ETag")
	assert.NotEqual(t, tag, next)
	w.as("root", "PATCH", endpoints+"/a", `{"modelName":"gpt-6"}`, "If-Match", tag).must(412)
	w.as("root", "PATCH", endpoints+"/a/permissions", `{"isEveryoneAllowed":true}`, "If-Match", tag).must(412)
	w.as("root", "DELETE", endpoints+"/a", "", "If-Match", tag).must(412)
	w.as("root", "DELETE", endpoints+"/a", "", "If-Match", next).must(200)
}

func TestUnchangedIsNoEvent(t *testing.T) {
	w := newWorld(t)
	w.create("a", nil)
	before := len(w.records())
	w.as("root", "PATCH", endpoints+"/a", `{"modelName":"gpt-4"}`).must(200)
	w.as("root", "PATCH", endpoints+"/a/permissions", `{}`).must(200)
	assert.Len(t, w.records(), before)
}

func TestEnvoyDoesNotTakeIt(t *testing.T) {
	w := newWorld(t)
	w.activate = http.ErrServerClosed
	r := w.as("root", "POST", endpoints, newEndpoint("x", nil)).must(503)
	assert.Equal(t, "not_activated", r.at("code"))
	_, made := w.catalog.Snapshot().Get("x")
	assert.False(t, made)
	assert.Empty(t, w.records(), "nothing happened, so nothing is recorded")
}
