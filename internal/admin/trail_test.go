package admin_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/admin"
	"sluice/internal/audit"
	"sluice/internal/decision"
	"sluice/internal/identity"
)

// A change of each kind, in an order in which each is possible. Names in
// braces are filled in with ids.
type change struct {
	kind, method, path, body string
}

func (w *world) changes() []change {
	own := "/api/sluice/v1"
	return []change{
		{"CreateEndpoint", "POST", endpoints, newEndpoint("a", nil)},
		{"UpdateEndpoint", "PATCH", endpoints + "/a", `{"modelName":"gpt-5"}`},
		{"ChangeEndpointPermissions", "PATCH", endpoints + "/a/permissions", `{"isEveryoneAllowed":true}`},
		{"DeleteEndpoint", "DELETE", endpoints + "/a", ``},
		{"CreateEndpoint", "POST", own + "/apply", `{"endpoints":[{"name":"b","endpoint_type":"llm/v1/chat",` +
			`"model":{"provider":"openai","name":"gpt-4","config":{"openai_api_key":"` + canary + `"}}}]}`},
		{"CreateUser", "POST", own + "/users", `{"userName":"carol"}`},
		{"UpdateUser", "PATCH", own + "/users/" + w.users["alice"], `{"fullName":"Alice"}`},
		{"DeleteUser", "DELETE", own + "/users/" + w.users["alice"], ``},
		{"CreateOrganization", "POST", own + "/organizations", `{"name":"arts"}`},
		{"UpdateOrganization", "PATCH", own + "/organizations/" + w.science, `{"name":"physics"}`},
		{"AddOrganizationMember", "PUT", own + "/organizations/" + w.science + "/members/" + w.users["eve"], ``},
		{"RemoveOrganizationMember", "DELETE", own + "/organizations/" + w.science + "/members/" + w.users["eve"], ``},
		{"DeleteOrganization", "DELETE", own + "/organizations/" + w.science, ``},
		{"CreateToken", "POST", own + "/tokens", `{"name":"batch"}`},
		{"ReloadPolicies", "POST", own + "/policies/reload", ``},
		{"CreateHold", "POST", own + "/audit/holds", `{"name":"case","from":"2026-03-10","reason":"4711"}`},
		{"DeleteHold", "DELETE", own + "/audit/holds/case", ``},
	}
}

func TestEveryChangeIsRecordedBeforeItHolds(t *testing.T) {
	w := newWorld(t)
	for _, c := range w.changes() {
		t.Run(c.kind, func(t *testing.T) {
			before := len(w.records())
			w.trail.broken.Store(true)
			r := w.as("root", c.method, c.path, c.body).must(503)
			assert.Equal(t, "audit_unavailable", r.at("code"))
			w.trail.broken.Store(false)
			assert.Len(t, w.records(), before)

			// It was not done, so it can be done now.
			w.as("root", c.method, c.path, c.body, "X-Request-Id", "made-"+c.kind).must(200)
			e := w.lastEvent(c.kind)
			assert.Equal(t, "made-"+c.kind, e.RequestID)
			assert.Equal(t, w.users["root"], e.By.UserID)
			assert.Equal(t, "192.0.2.7", e.ClientAddr)
			assert.NotContains(t, e.Metadata, "outcome")
		})
	}
}

func TestRefusalsNeedTheTrailToo(t *testing.T) {
	w := newWorld(t)
	w.trail.broken.Store(true)
	w.as("", "GET", endpoints, "").must(503)
	w.as("alice", "POST", endpoints, "{}").must(503)
	w.as("root", "GET", endpoints, "").must(200)
}

func TestChangeThatCouldNotBeCommitted(t *testing.T) {
	w := newWorld(t)
	long := make([]byte, 300)
	for i := range long {
		long[i] = 'n'
	}
	w.as("root", "POST", "/api/sluice/v1/organizations", `{"name":"`+string(long)+`"}`, "X-Request-Id", "r").must(400)
	e := w.lastEvent("CreateOrganization")
	assert.Equal(t, "r", e.RequestID)
	assert.Equal(t, "failed", e.Metadata["outcome"])
}

func TestSecretsComeOutNowhere(t *testing.T) {
	w := newWorld(t)
	for _, c := range w.changes() {
		w.as("root", c.method, c.path, c.body).must(200)
	}
	w.create("a", nil)
	w.as("root", "PATCH", endpoints+"/a", `{"modelConfig":{"openai_api_key":"`+canary+`-2"}}`).must(200)
	assert.Equal(t, "set → changed", changesOf(w.lastEvent("UpdateEndpoint"))["modelConfig.openai_api_key"])
	for _, user := range []string{"root", "eve", "bob"} {
		for _, path := range []string{
			endpoints, endpoints + "/a", endpoints + "/b", endpoints + "/a/permissions", "/api/2.0/endpoints/", "/v1/models",
			"/api/aigateway/v1/audit", "/api/sluice/v1/audit", "/api/sluice/v1/status", "/api/sluice/v1/tokens", "/readyz",
		} {
			w.as(user, "GET", path, "")
		}
	}
	// Requests that are wrong around the key.
	for _, body := range []string{
		newEndpoint("x", map[string]any{"modelConfig": map[string]any{"openai_api_key": []string{canary}}}),
		newEndpoint("x", map[string]any{"modelConfig": map[string]string{"openai_api_key": canary + "\u0001"}}),
		newEndpoint("x", map[string]any{"modelConfig": map[string]string{"openai_api_kye": canary}}),
		newEndpoint("x", nil) + canary,
		`{"endpoints":[{"name":"x","endpoint_type":"llm/v1/chat","model":{"provider":"openai","config":{"openai_api_key":"` + canary,
	} {
		w.as("root", "POST", endpoints, body).must(400)
		w.as("root", "POST", "/api/sluice/v1/apply", body).must(400)
	}
	assert.NotContains(t, w.replies.String(), "sk-canary", "a reply")
	assert.NotContains(t, w.logs.String(), "sk-canary", "the log")
	records, err := json.Marshal(w.records())
	require.NoError(t, err)
	assert.NotContains(t, string(records), "sk-canary", "the trail")
	require.NoError(t, w.trail.Close())
	require.NoError(t, filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.NotContains(t, string(content), "sk-canary", path)
		}
		return err
	}))
	for name, token := range w.tokens {
		assert.NotContains(t, w.replies.String(), token, "the token of "+name)
		assert.NotContains(t, w.logs.String(), token, "the token of "+name)
		assert.NotContains(t, string(records), token, "the token of "+name)
	}
}

// exchange writes the record of one call of a model.
func (w *world) exchange(id, endpoint string, at time.Time, request, answer string) {
	w.t.Helper()
	e, ok := w.catalog.Snapshot().Get(endpoint)
	require.True(w.t, ok)
	caller := &identity.Caller{UserID: w.users["alice"], UserName: "alice", Project: "climate", Execution: "run-7"}
	require.NoError(w.t, w.trail.Begin(&audit.Exchange{
		ID: id, Time: at, Caller: caller, Credential: "token", EndpointID: e.ID, EndpointName: e.Name, EndpointType: string(e.Type),
		Provider: "openai", Model: "gpt-4", Dialect: "openai", Operation: "chat", Method: "POST", Path: "/v1/chat/completions",
		Decision: decision.Decision{Allow: true, Reasons: []decision.Reason{{Code: "allowed_everyone"}}, Revision: "r1"},
	}, []byte(request)))
	require.NoError(w.t, w.trail.End(id, &audit.Outcome{
		Time: at.Add(time.Second), Result: audit.ResultAnswered, Status: 200, UpstreamStatus: 200,
		InputTokens: 11, OutputTokens: 7, CachedTokens: -1, ReasoningTokens: -1, Duration: time.Second,
	}, []byte(answer)))
}

func TestDominosAudit(t *testing.T) {
	w := newWorld(t)
	w.create("a", nil)
	w.create("b", nil)
	now := time.Now().UTC()
	w.exchange("x-1", "a", now, `{"q":1}`, `{"a":1}`)
	w.exchange("x-old", "a", now.Add(-30*time.Hour), `{"q":0}`, `{"a":0}`)
	w.as("alice", "POST", endpoints, "{}").must(403) // about no endpoint

	list := func(query string) []map[string]any {
		r := w.as("eve", "GET", "/api/aigateway/v1/audit"+query, "").must(200)
		var out []map[string]any
		require.NoError(t, json.Unmarshal([]byte(r.body), &out), r.body)
		return out
	}
	all := list("")
	require.Len(t, all, 3, "two creations and one access within the last day")
	for _, data := range all {
		assert.Equal(t, []string{"endpointId", "endpointType", "eventKind", "metadata", "performedBy", "timestamp"}, keys(data))
		for k, v := range data["metadata"].(map[string]any) {
			assert.IsType(t, "", v, k)
		}
	}
	access := all[2]
	assert.Equal(t, "AccessEndpoint", access["eventKind"])
	assert.Equal(t, w.users["alice"], access["performedBy"])
	assert.Subset(t, access["metadata"], map[string]any{
		"endpointName": "a", "modelProvider": "openai", "modelName": "gpt-4", "project": "climate", "execution": "run-7",
		"status": "200", "inputTokens": "11", "outputTokens": "7", "decisionReasons": "allowed_everyone", "exchangeId": "x-1",
		"result": "answered", "userName": "alice",
	})
	assert.NotContains(t, access["metadata"], "cachedTokens")
	assert.Equal(t, "CreateEndpoint", all[0]["eventKind"])

	e, _ := w.catalog.Snapshot().Get("b")
	assert.Len(t, list("?endpointNames[]=b"), 1)
	assert.Len(t, list("?endpointNames=b&endpointNames=a"), 3)
	assert.Len(t, list("?endpointIds[]="+e.ID), 1)
	assert.Len(t, list("?startTime="+now.Add(-48*time.Hour).Format(time.RFC3339)), 4)
	assert.Len(t, list("?endTime="+now.Add(-20*time.Hour).Format(time.RFC3339)), 1)
	assert.Equal(t, []map[string]any{}, list("?endpointNames=none"))
	for _, q := range []string{"startTime=yesterday", "endTime=x", "startTime=2030-01-02T00:00:00Z&endTime=2030-01-01T00:00:00Z"} {
		w.as("eve", "GET", "/api/aigateway/v1/audit?"+q, "").must(400)
	}
}

func TestTheTrailByPages(t *testing.T) {
	w := newWorld(t)
	w.create("a", nil)
	start := time.Now().UTC()
	for _, id := range []string{"x-1", "x-2", "x-3", "x-4", "x-5"} {
		w.exchange(id, "a", start, `{"secret question":1}`, `{"answer":1}`)
		start = start.Add(time.Millisecond)
	}
	var ids []any
	path := "/api/sluice/v1/audit?kinds=AccessEndpoint&limit=2"
	for cursor := ""; ; {
		r := w.as("eve", "GET", path+cursor, "").must(200)
		assert.NotContains(t, r.body, "secret question", "a list has no bodies")
		for _, rec := range r.json()["records"].([]any) {
			ids = append(ids, rec.(map[string]any)["id"])
		}
		next, _ := r.json()["next"].(string)
		if next == "" {
			break
		}
		cursor = "&cursor=" + next
	}
	assert.Equal(t, []any{"x-5", "x-4", "x-3", "x-2", "x-1"}, ids)
	w.as("eve", "GET", path+"&cursor=%21", "").must(400)

	r := w.as("eve", "GET", "/api/sluice/v1/audit/x-3", "").must(200)
	assert.Equal(t, `{"secret question":1}`, r.at("requestBody"))
	assert.Equal(t, `{"answer":1}`, r.at("responseBody"))
	assert.Equal(t, "x-3", w.lastEvent("ReadAuditRecord").TargetID)
	w.as("eve", "GET", "/api/sluice/v1/audit/none", "").must(404)
}

func TestReadiness(t *testing.T) {
	w := newWorld(t)
	w.as("", "GET", "/healthz", "").must(200)
	assert.JSONEq(t, `{"ready":true,"missing":[]}`, w.as("", "GET", "/readyz", "").must(200).body)
	w.components = []admin.Component{
		{Name: "envoy", Missing: "Envoy is starting.", Detail: map[string]string{"socket": "/secret/path"}},
	}
	w.trail.broken.Store(true)
	r := w.as("", "GET", "/readyz", "").must(503)
	assert.JSONEq(t, `{"ready":false,"missing":[{"name":"envoy","message":"Envoy is starting."},
		{"name":"audit","message":"The audit trail can't be written."}]}`, r.body)
	w.trail.broken.Store(false)
	status := w.as("root", "GET", "/api/sluice/v1/status", "").must(200)
	assert.Equal(t, false, status.at("ready"))
	assert.Equal(t, "1.2.3", status.at("version"))
	assert.Equal(t, "/secret/path", status.at("parts", 0, "detail", "socket"))
}

func TestMistakesAndHeaders(t *testing.T) {
	w := newWorld(t)
	w.create("a", nil)
	for _, path := range []string{"/", "/healthz", endpoints, "/nothing", "/api/2.0/endpoints/"} {
		h := w.as("root", "GET", path, "", "X-Request-Id", "r-9").header
		assert.Equal(t, "no-store", h.Get("Cache-Control"), path)
		assert.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
		assert.Equal(t, "r-9", h.Get("X-Request-Id"), path)
	}
	home := w.as("", "GET", "/", "").must(200)
	assert.Equal(t, "Sluice", home.at("name"))
	assert.Equal(t, "/ui/", home.at("links", "Web UI"))

	w.onceBroken()
	r := w.as("root", "GET", "/readyz", "", "X-Request-Id", "r-500").must(500)
	assert.Equal(t, "r-500", r.at("requestId"))
	assert.NotContains(t, r.body, "index out of range")
	assert.Contains(t, w.logs.String(), "r-500")
}

// onceBroken makes the handler meet a mistake of the program.
func (w *world) onceBroken() {
	w.handler = admin.New(admin.Deps{
		Identity: w.identity, Catalog: w.catalog, Policy: w.policy, Trail: w.trail,
		Components: func() []admin.Component { return []admin.Component{}[len(w.tokens):] },
		Now:        time.Now, NewID: w.exchangeID, Log: newLog(w.logs),
	})
}

func TestReloadPolicies(t *testing.T) {
	w := newWorld(t)
	r := w.as("root", "POST", "/api/sluice/v1/policies/reload", "").must(200)
	assert.NotEmpty(t, r.at("revision"))
	assert.Equal(t, r.at("revision"), w.as("root", "GET", "/api/sluice/v1/policies", "").must(200).at("revision"))
}
