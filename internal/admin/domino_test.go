package admin_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/admin"
	"sluice/internal/audit"
)

// dominos are the schemas of Domino's specifications, compiled once.
var dominos = sync.OnceValue(func() map[string]*jsonschema.Schema {
	text, err := os.ReadFile("testdata/domino.schemas.json")
	if err != nil {
		panic(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		panic(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("https://domino.test/schemas", doc); err != nil {
		panic(err)
	}
	out := map[string]*jsonschema.Schema{}
	for name := range doc.(map[string]any)["$defs"].(map[string]any) {
		out[name] = c.MustCompile("https://domino.test/schemas#/$defs/" + name)
	}
	for route, name := range doc.(map[string]any)["routes"].(map[string]any) {
		out[route] = out[name.(string)]
	}
	return out
})

var ofDomino = regexp.MustCompile(`^\w+ (/api/(aigateway|users|organizations|serviceAccounts|audittrail)/|/v4/|/auditevents$)`)

// checkDomino holds a reply of one of Domino's routes to Domino's schemas.
func checkDomino(t testing.TB, pattern string, status int, body []byte) {
	t.Helper()
	if !ofDomino.MatchString(pattern) || status == http.StatusMethodNotAllowed || status == http.StatusNotModified {
		return
	}
	schema := dominos()[pattern]
	require.NotNil(t, schema, "Domino's schemas have nothing about %s", pattern)
	switch {
	case strings.Contains(pattern, " /v4/") && status >= 400:
		schema = dominos()["MessageError"]
	case status == 401, status == 403, strings.Contains(pattern, "auditevents") && status >= 400:
		schema = dominos()["FailureEnvelopeV1"]
	case status >= 400:
		schema = dominos()["ErrorV1"]
	case schema == dominos()["Empty"]:
		assert.Empty(t, body, pattern)
		return
	case strings.HasSuffix(pattern, "/audit/download") && !bytes.HasPrefix(body, []byte("[")):
		return // text
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if assert.NoError(t, err, "%s: %s", pattern, body) {
		assert.NoError(t, schema.Validate(value), "%s answered %d: %s", pattern, status, body)
	}
}

// TestDominosClientWorksUnchanged goes through every route of Domino's: each
// must be there, let an administrator do it, and answer in Domino's shape
// (which w.as checks).
func TestDominosClientWorksUnchanged(t *testing.T) {
	w := newWorld(t)
	done := map[string]bool{}
	call := func(pattern, path, body string) *reply {
		t.Helper()
		method, _, _ := strings.Cut(pattern, " ")
		done[pattern] = true
		return w.as("root", method, path, body).must(http.StatusOK)
	}
	call("POST /api/aigateway/v1/endpoints", endpoints, newEndpoint("completions", map[string]any{
		"endpointType": "llm/v1/completions", "endpointPermissions": map[string]any{"isEveryoneAllowed": true, "userIds": []string{}},
	}))
	one := endpoints + "/completions"
	call("GET /api/aigateway/v1/endpoints", endpoints+"?offset=0&limit=5&sortByField=creationDate&shouldSortAscending=false&searchFilter=comp", "")
	call("GET /api/aigateway/v1/endpoints/{name}", one+"?numInputTokens=12", "")
	call("PATCH /api/aigateway/v1/endpoints/{name}", one, `{"modelName":"gpt-4o"}`)
	call("GET /api/aigateway/v1/endpoints/{name}/permissions", one+"/permissions", "")
	call("PATCH /api/aigateway/v1/endpoints/{name}/permissions", one+"/permissions", text(map[string]any{"userIds": []string{w.users["alice"], w.science}}))
	call("GET /api/aigateway/v1/audit", "/api/aigateway/v1/audit?endpointNames=completions", "")
	call("GET /v4/aigateway/provider-models", "/v4/aigateway/provider-models", "")
	call("GET /v4/aigateway/provider-configs", "/v4/aigateway/provider-configs?modelProvider=openai", "")
	call("GET /v4/users/self", "/v4/users/self", "")
	principal := call("GET /v4/auth/principal", "/v4/auth/principal", "")
	assert.Equal(t, true, principal.at("isAdmin"))
	assert.Equal(t, w.users["root"], principal.at("canonicalId"))
	assert.Equal(t, false, w.as("alice", "GET", "/v4/auth/principal", "").must(200).at("isAdmin"))
	call("GET /api/users/v1/self", "/api/users/v1/self", "")
	call("GET /api/users/v1/users", "/api/users/v1/users", "")
	w.dominoOrganizations(call)
	w.dominoAccounts(call)
	for _, path := range []string{"/api/audittrail/v1/auditevents", "/auditevents"} {
		call("GET "+path, path+"?limit=1000&sort=-timestamp", "")
	}
	call("GET /v4/aigateway/audit/download", "/v4/aigateway/audit/download?useJson=true", "")
	call("DELETE /api/aigateway/v1/endpoints/{name}", one, "")
	for _, rt := range admin.Routes() {
		if ofDomino.MatchString(rt.Pattern) {
			assert.True(t, done[rt.Pattern], "%s is not tried", rt.Pattern)
		}
	}
}

func (w *world) dominoOrganizations(call func(pattern, path, body string) *reply) {
	all := "/api/organizations/v1/organizations"
	member := func(user, role string) string {
		return text(map[string]string{"userId": w.users[user], "organizationRole": role})
	}
	made := call("POST "+all, all, `{"name":"arts","members":[`+member("alice", "admin")+`]}`)
	id := made.at("org", "id").(string)
	call("GET "+all, all, "")
	call("GET "+all+"/all", all+"/all?nameFilter=ART", "")
	call("GET "+all+"/{id}", all+"/"+id, "")
	added := call("PUT "+all+"/{id}/user", all+"/"+id+"/user", member("bob", "member"))
	assert.Len(w.t, added.at("org", "members"), 2)
	removed := call("DELETE "+all+"/{id}/user", all+"/"+id+"/user?memberToRemoveId="+w.users["bob"], "")
	assert.Len(w.t, removed.at("org", "members"), 1)
	mine := w.as("alice", "GET", all, "").must(200)
	assert.Equal(w.t, "admin", mine.at("orgs", 0, "members", 0, "organizationRole"))
	w.as("bob", "GET", all+"/"+id, "").must(404)
	w.as("alice", "PUT", all+"/"+id+"/user", member("bob", "member")).must(200) // an admin of it
	w.as("bob", "PUT", all+"/"+id+"/user", member("bob", "admin")).must(403)
}

func (w *world) dominoAccounts(call func(pattern, path, body string) *reply) {
	all := "/api/serviceAccounts/v1/serviceAccounts"
	id := call("POST "+all, all, `{"username":"robot","email":"robot@example.com"}`).at("serviceAccount", "idpId").(string)
	one := all + "/" + id
	assert.Equal(w.t, id, call("GET "+all+"/{id}", one, "").at("serviceAccount", "id"))
	w.as("root", "GET", all+"/"+w.users["alice"], "").must(404) // a person is none
	issued := call("POST "+all+"/{id}/tokens", one+"/tokens", `{"name":"ci"}`)
	w.tokens["robot"] = issued.at("token").(string)
	end, err := time.Parse(time.RFC3339, issued.at("expiresAt").(string))
	require.NoError(w.t, err)
	assert.WithinDuration(w.t, time.Now().AddDate(0, 4, 0), end, time.Minute)
	w.as("root", "POST", one+"/tokens", `{"name":"ci"}`).must(400) // the name is how it is invalidated
	w.as("root", "POST", one+"/tokens", `{"name":"x","expiresAt":"2020-01-01T00:00:00Z"}`).must(400)
	w.as("alice", "POST", one+"/tokens", `{"name":"mine"}`).must(404)
	assert.Equal(w.t, "robot", w.as("robot", "GET", "/v4/users/self", "").must(200).at("userName"))

	list := call("GET "+all+"/{id}/tokens", one+"/tokens", "")
	assert.NotContains(w.t, list.body, w.tokens["robot"])
	read := call("GET "+all+"/{id}/tokens/{token}", one+"/tokens/ci", "")
	assert.Equal(w.t, "", read.at("token", "token"))
	assert.Equal(w.t, true, read.at("token", "isValid"))

	call("POST "+all+"/{id}/deactivate", one+"/deactivate", "")
	w.as("robot", "GET", "/v4/users/self", "").must(401)
	assert.Empty(w.t, call("GET "+all, all, "").at("serviceAccounts"))
	assert.Len(w.t, w.as("root", "GET", all+"?includeDeactivated=true", "").must(200).at("serviceAccounts"), 1)
	call("POST "+all+"/{id}/activate", one+"/activate", "")
	w.as("robot", "GET", "/v4/users/self", "").must(200)
	call("POST "+all+"/{id}/tokens/{token}/invalidate", one+"/tokens/ci/invalidate", "")
	w.as("robot", "GET", "/v4/users/self", "").must(401)
	w.as("root", "GET", one+"/tokens/other", "").must(404)
	call("DELETE "+all+"/{id}", one, "")
	w.as("root", "GET", one, "").must(404)
}

func TestDownloadOfTheTrail(t *testing.T) {
	w := newWorld(t)
	old := time.Now().AddDate(0, -7, 0)
	require.NoError(t, w.trail.Event(&audit.Event{
		Time: old, Kind: audit.KindCreateEndpoint, TargetType: audit.TargetEndpoint, TargetID: "e", TargetName: "ancient",
	}))
	path := "/v4/aigateway/audit/download"
	empty := w.as("root", "GET", path, "").must(200)
	assert.Empty(t, empty.body)
	assert.Equal(t, "[]\n", w.as("root", "GET", path+"?useJson=true", "").must(200).body)

	w.create("a", nil)
	file := w.as("root", "GET", path+"?useJson=false", "").must(200)
	day := time.Now().UTC().Format("2006-01-02")
	assert.Equal(t, "application/octet-stream", file.header.Get("Content-Type"))
	assert.Equal(t, `attachment; filename="aigateway-audit-`+day+`.txt"`, file.header.Get("Content-Disposition"))
	assert.Regexp(t, `^\S+Z CreateEndpoint performedBy=`+w.users["root"]+` endpointId=[0-9a-f]{24} endpointType=llm/v1/chat changes=".*" clientAddress=192\.0\.2\.7 endpointName=a .*\n$`, file.body)
	assert.Equal(t, 1, strings.Count(file.body, "\n"))
	assert.NotContains(t, file.body, "ancient", "six months are enough")
	assert.NotContains(t, file.body, canary)

	asJSON := w.as("root", "GET", path+"?useJson=true", "").must(200)
	assert.Equal(t, `attachment; filename="aigateway-audit-`+day+`.json"`, asJSON.header.Get("Content-Disposition"))
	var list []map[string]any
	require.NoError(t, json.Unmarshal([]byte(asJSON.body), &list))
	assert.Len(t, list, 1)
	bad := w.as("root", "GET", path+"?useJson=maybe", "").must(400)
	assert.Contains(t, bad.at("message"), "useJson")
}

func TestEventsOfTheUnifiedTrail(t *testing.T) {
	w := newWorld(t)
	path := "/api/audittrail/v1/auditevents"
	w.create("a", nil)
	w.as("root", "PATCH", endpoints+"/a/permissions", text(map[string]any{"isEveryoneAllowed": true, "userIds": []string{w.users["bob"]}})).must(200)
	w.as("alice", "DELETE", endpoints+"/a", "", "X-Request-Id", "denied-one").must(403)
	w.as("root", "POST", "/api/sluice/v1/users", `{"userName":"new"}`).must(200)

	events := func(query string) []any { return w.as("root", "GET", path+query, "").must(200).at("events").([]any) }
	names := func(query string) (out []string) {
		for _, e := range events(query) {
			out = append(out, e.(map[string]any)["action"].(map[string]any)["eventName"].(string))
		}
		return out
	}
	all := []string{
		"Create User", "Deny Access to Gateway LLM Endpoint", "Change Gateway LLM Endpoint Permissions", "Create Gateway LLM Endpoint",
	}
	assert.Equal(t, all, names(""))
	assert.Equal(t, []string{all[3], all[2]}, names("?sort=timestamp&limit=2"))
	assert.Equal(t, []string{all[2]}, names("?limit=1&offset=2"))
	assert.Equal(t, float64(4), w.as("root", "GET", path+"?limit=1", "").must(200).at("estimatedMatches"))
	for query, want := range map[string]int{
		"?event=Create+Gateway+LLM+Endpoint": 1, "?event=CreateUser": 1, "?event=Create+User": 1, "?event=Nothing": 0,
		"?actorName=alice": 1, "?actorId=" + w.users["root"]: 3, "?targetType=user": 1, "?targetType=endpoint&targetName=a": 3,
		"?targetName=new": 1, "?withinProjectName=fraud": 0, "?startTimestamp=4102444800000": 0, "?endTimestamp=4102444800000": 4, "?column=event": 4,
	} {
		assert.Len(t, events(query), want, query)
	}
	changes := events("?event=Change+Gateway+LLM+Endpoint+Permissions")[0].(map[string]any)["targets"].([]any)[0].(map[string]any)["fieldChanges"].([]any)
	assert.Equal(t, []any{
		map[string]any{"fieldType": "scalar", "fieldName": "isEveryoneAllowed", "before": "false", "after": "true"},
		map[string]any{"fieldType": "sequence", "fieldName": "userIds", "removed": []any{}, "added": []any{
			map[string]any{"entityType": "user", "id": w.users["bob"], "tags": []any{}},
		}},
	}, changes)
	for _, query := range []string{"?sort=actor", "?limit=0", "?startTimestamp=yesterday", "?offset=-1"} {
		bad := w.as("root", "GET", path+query, "").must(400)
		assert.NotEmpty(t, bad.at("errors"), query)
	}
}
