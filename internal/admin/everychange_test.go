package admin_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"sluice/internal/admin"
	"sluice/internal/audit"
	"sluice/internal/sink"
)

// step is one call of a route that changes something, and the event that it
// writes. Words in braces in path and body stand for what steps before kept.
type step struct {
	route, path, body string
	keep              string // "name=path": what of the reply is kept
	kind              string
	field             string // that the event has before and after of; "": there is none to compare
	change            string // "before → after"; "": both may be anything but equal
}

// harmless are routes with a method of change that change nothing of the gateway.
var harmless = map[string]bool{
	"POST /scim/v2/.search": true, "POST /scim/v2/Users/.search": true, "POST /scim/v2/Groups/.search": true,
	"POST /api/sluice/v1/policies/check": true, "POST /api/sluice/v1/policies/access": true,
	"POST /api/2.0/endpoints/limits/{$}": true, "POST /api/2.0/gateway/limits/{$}": true, // 501
}

const (
	targetRoute  = "/api/sluice/v1/endpoints/{name}/targets"
	accountRoute = "/api/serviceAccounts/v1/serviceAccounts"
	dominoOrgs   = "/api/organizations/v1/organizations"
	oneTarget    = `{"name":"second","modelProvider":"openai","modelName":"gpt-4","modelConfig":{"openai_api_key":"` + canary + `"}}`
)

// everyChange is a story in which each route that changes something is called.
// When a route is new, add the call here, or to harmless.
func everyChange(w *world) []step {
	secret := `{"openai_api_key":"` + canary + `"}`
	return []step{
		{"POST " + endpoints, endpoints, newEndpoint("a", nil), "", "CreateEndpoint", "endpointName", " → a"},
		{"PATCH " + endpoints + "/{name}", endpoints + "/a", `{"modelConfig":` + strings.Replace(secret, canary, canary+"2", 1) + `}`, "",
			"UpdateEndpoint", "modelConfig.openai_api_key", "set → changed"},
		{"PATCH " + endpoints + "/{name}/permissions", endpoints + "/a/permissions", `{"isEveryoneAllowed":true}`, "",
			"ChangeEndpointPermissions", "isEveryoneAllowed", "false → true"},
		{"POST " + targetRoute, "/api/sluice/v1/endpoints/a/targets", oneTarget, "", "UpdateEndpoint", "targets.second.modelConfig.openai_api_key", " → set"},
		{"PATCH " + targetRoute + "/{target}", "/api/sluice/v1/endpoints/a/targets/second", `{"weight":7}`, "",
			"UpdateEndpoint", "targets.second.weight", "1 → 7"},
		{"DELETE " + targetRoute + "/{target}", "/api/sluice/v1/endpoints/a/targets/second", "", "",
			"UpdateEndpoint", "targets.second.modelConfig.openai_api_key", "set → "},
		{"PUT " + targetRoute, "/api/sluice/v1/endpoints/a/targets", `{"headTimeout":"20s"}`, "", "UpdateEndpoint", "headTimeout", " → 20s"},
		{"DELETE " + endpoints + "/{name}", endpoints + "/a", "", "", "DeleteEndpoint", "endpointName", "a → "},
		{"POST /api/sluice/v1/apply", own + "/apply", `{"endpoints":[{"name":"b","endpoint_type":"llm/v1/chat",` +
			`"model":{"provider":"openai","name":"gpt-4","config":` + secret + `}}]}`, "", "CreateEndpoint", "endpointName", " → b"},
		{"POST /api/sluice/v1/targets/test", own + "/targets/test", `{"endpointName":"b","targetName":"default","endpointType":"llm/v1/chat","modelProvider":"openai","modelName":"gpt-4"}`, "", "TestTarget", "", ""},

		{"POST /api/sluice/v1/users", own + "/users", `{"userName":"carol"}`, "carol=id", "CreateUser", "userName", " → carol"},
		{"PATCH /api/sluice/v1/users/{id}", own + "/users/{carol}", `{"roles":["auditor"]}`, "", "UpdateUser", "roles", " → auditor"},
		{"POST /api/sluice/v1/organizations", own + "/organizations", `{"name":"arts"}`, "arts=id", "CreateOrganization", "name", " → arts"},
		{"PATCH /api/sluice/v1/organizations/{id}", own + "/organizations/{arts}", `{"name":"crafts"}`, "", "UpdateOrganization", "name", "arts → crafts"},
		{"PUT /api/sluice/v1/organizations/{id}/members/{user}", own + "/organizations/{arts}/members/{carol}", "", "",
			"AddOrganizationMember", "members", ""},
		{"PATCH /api/sluice/v1/organizations/{id}/members", own + "/organizations/{arts}/members", `{"remove":["{carol}"]}`, "",
			"UpdateOrganization", "members", ""},
		{"PUT " + dominoOrgs + "/{id}/user", dominoOrgs + "/{arts}/user", `{"userId":"{carol}","organizationRole":"member"}`, "",
			"AddOrganizationMember", "members", ""},
		{"DELETE " + dominoOrgs + "/{id}/user", dominoOrgs + "/{arts}/user?memberToRemoveId={carol}", "", "",
			"RemoveOrganizationMember", "members", ""},
		{"PUT /api/sluice/v1/organizations/{id}/members/{user}", own + "/organizations/{arts}/members/{carol}", "", "",
			"AddOrganizationMember", "members", ""},
		{"DELETE /api/sluice/v1/organizations/{id}/members/{user}", own + "/organizations/{arts}/members/{carol}", "", "",
			"RemoveOrganizationMember", "members", ""},
		{"DELETE /api/sluice/v1/organizations/{id}", own + "/organizations/{arts}", "", "", "DeleteOrganization", "name", "crafts → "},
		{"POST " + dominoOrgs, dominoOrgs, `{"name":"maths","members":[]}`, "", "CreateOrganization", "name", " → maths"},
		{"POST /api/sluice/v1/tokens", own + "/tokens", `{"name":"batch"}`, "token=id", "CreateToken", "name", " → batch"},
		{"DELETE /api/sluice/v1/tokens/{id}", own + "/tokens/{token}", "", "", "RevokeToken", "name", "batch → "},
		{"DELETE /api/sluice/v1/users/{id}", own + "/users/{carol}", "", "", "DeleteUser", "userName", "carol → "},

		{"POST " + accountRoute, accountRoute, `{"username":"robot","email":"r@example.com"}`, "robot=serviceAccount.idpId", "CreateUser", "userName", " → robot"},
		{"POST " + accountRoute + "/{id}/deactivate", accountRoute + "/{robot}/deactivate", "", "", "UpdateUser", "disabled", "false → true"},
		{"POST " + accountRoute + "/{id}/activate", accountRoute + "/{robot}/activate", "", "", "UpdateUser", "disabled", "true → false"},
		{"POST " + accountRoute + "/{id}/tokens", accountRoute + "/{robot}/tokens", `{"name":"night"}`, "", "CreateToken", "name", " → night"},
		{"POST " + accountRoute + "/{id}/tokens/{token}/invalidate", accountRoute + "/{robot}/tokens/night/invalidate", "", "",
			"RevokeToken", "name", "night → "},
		{"DELETE " + accountRoute + "/{id}", accountRoute + "/{robot}", "", "", "DeleteUser", "userName", "robot → "},

		{"POST /api/sluice/v1/credentials", own + "/credentials", `{"name":"all","provider":"openai","values":` + secret + `}`, "credential=id",
			"CreateCredential", "values.openai_api_key", " → set"},
		{"PATCH /api/sluice/v1/credentials/{id}", own + "/credentials/{credential}", `{"values":` + strings.Replace(secret, canary, canary+"2", 1) + `}`, "",
			"RotateCredential", "values.openai_api_key", "set → changed"},
		{"DELETE /api/sluice/v1/credentials/{id}", own + "/credentials/{credential}", "", "", "DeleteCredential", "values.openai_api_key", "set → "},
		{"POST /api/sluice/v1/vault/rotate", own + "/vault/rotate", "", "", "RotateVault", "", ""},
		{"POST /api/sluice/v1/vault/migrate", own + "/vault/migrate", `{"to":"local"}`, "", "MigrateVault", "", ""},
		{"POST /api/sluice/v1/audit/keys/rotate", own + "/audit/keys/rotate", "", "", "RotateTrailKey", "id", ""},

		{"POST /scim/v2/Users", "/scim/v2/Users", `{` + userSchema + `,"userName":"dora"}`, "dora=id", "CreateUser", "userName", " → dora"},
		{"PUT /scim/v2/Users/{id}", "/scim/v2/Users/{dora}", `{` + userSchema + `,"userName":"dora2"}`, "", "UpdateUser", "userName", "dora → dora2"},
		{"PATCH /scim/v2/Users/{id}", "/scim/v2/Users/{dora}", patchOf(`{"op":"replace","path":"active","value":false}`), "",
			"UpdateUser", "disabled", "false → true"},
		{"POST /scim/v2/Groups", "/scim/v2/Groups", `{` + groupSchema + `,"displayName":"quants"}`, "quants=id", "CreateOrganization", "name", " → quants"},
		{"PUT /scim/v2/Groups/{id}", "/scim/v2/Groups/{quants}", `{` + groupSchema + `,"displayName":"quants2"}`, "",
			"UpdateOrganization", "name", "quants → quants2"},
		{"PATCH /scim/v2/Groups/{id}", "/scim/v2/Groups/{quants}", patchOf(`{"op":"replace","path":"displayName","value":"q3"}`), "",
			"UpdateOrganization", "name", "quants2 → q3"},
		{"DELETE /scim/v2/Groups/{id}", "/scim/v2/Groups/{quants}", "", "", "DeleteOrganization", "name", "q3 → "},
		{"DELETE /scim/v2/Users/{id}", "/scim/v2/Users/{dora}", "", "", "DeleteUser", "userName", "dora2 → "},

		{"DELETE /api/sluice/v1/sessions/{id}", own + "/sessions/{session}", "", "", "EndSession", "", ""},
		{"DELETE /api/sluice/v1/sessions", own + "/sessions?userId=" + w.users["alice"], "", "", "EndSession", "", ""},
		{"POST /api/sluice/v1/usage/rebuild", own + "/usage/rebuild", "", "", "RebuildUsage", "", ""},
		{"POST /api/sluice/v1/policies/reload", own + "/policies/reload", "", "", "ReloadPolicies", "", ""},
		{"POST /api/sluice/v1/audit/sinks/{name}/replay", own + "/audit/sinks/siem/replay", `{"firstSequence":1,"lastSequence":2}`, "",
			sink.KindReplay, "", ""},
		{"DELETE /api/sluice/v1/audit/sinks/{name}/replay", own + "/audit/sinks/siem/replay", "", "", sink.KindCancelReplay, "", ""},
		{"POST /api/sluice/v1/audit/sinks/{name}/dead-letters/retry", own + "/audit/sinks/siem/dead-letters/retry", "", "",
			sink.KindRetryLetters, "", ""},
		{"POST /api/sluice/v1/audit/holds", own + "/audit/holds", `{"name":"case","from":"2026-03-10","reason":"4711"}`, "", "CreateHold", "", ""},
		{"POST /api/sluice/v1/audit/verify", own + "/audit/verify", "", "", "VerifyTrail", "", ""},
		{"DELETE /api/sluice/v1/audit/verify", own + "/audit/verify", "", "", "VerifyTrail", "", ""},
		{"PUT /api/sluice/v1/audit/holds", own + "/audit/holds", `{"holds":[{"name":"case","from":"2026-03-10","to":"2026-03-11","reason":"4711"}]}`, "",
			"SetHolds", "case", "2026-03-10 to open: 4711 → 2026-03-10 to 2026-03-11: 4711"},
		{"DELETE /api/sluice/v1/audit/holds/{name}", own + "/audit/holds/case", "", "", "DeleteHold", "", ""},
	}
}

// TestEveryRouteThatChangesWritesAnEvent with before and after, who did it, from
// where and by which request; and never a secret.
func TestEveryRouteThatChangesWritesAnEvent(t *testing.T) {
	w := newWorld(t)
	w.serve(func(d *admin.Deps) { d.Sinks = oneSink{} })
	w.trail.verifying = make(chan struct{}) // until it is stopped
	phone, _ := w.browser("alice", "phone")
	w.browser("alice", "laptop")
	kept := []string{"{session}", phone.ID}
	called := map[string]bool{}
	for i, c := range everyChange(w) {
		called[c.route] = true
		fill := strings.NewReplacer(kept...).Replace
		method, _, _ := strings.Cut(c.route, " ")
		id := fmt.Sprint("step-", i)
		mark := len(w.records())
		require.Eventually(t, func() bool { return !w.keeper.Busy() }, time.Minute, time.Millisecond)
		r := w.as("root", method, fill(c.path), fill(c.body), "X-Request-Id", id, "Content-Type", "application/json")
		if !assert.Less(t, r.status, 300, "%s: %s", c.route, r.body) {
			continue
		}
		if name, at, found := strings.Cut(c.keep, "="); found {
			value := gjson.Get(r.body, at).String()
			if !assert.NotEmpty(t, value, "%s: %s", c.route, r.body) {
				continue
			}
			kept = append(kept, "{"+name+"}", value)
		}
		e := w.eventOf(id, c.kind)
		if !assert.NotNil(t, e, "%s wrote no %s; it wrote %d records", c.route, c.kind, len(w.records())-mark) {
			continue
		}
		assert.Equal(t, w.users["root"], e.By.UserID, c.route)
		assert.Equal(t, "192.0.2.7", e.ClientAddr, c.route)
		assert.NotEmpty(t, e.TargetType, c.route)
		if c.field == "" {
			continue
		}
		if got, has := changesOf(e)[c.field]; c.change != "" {
			assert.Equal(t, c.change, got, "%s: %v", c.route, changesOf(e))
		} else {
			assert.True(t, has, "%s: %v", c.route, changesOf(e))
		}
	}
	for _, route := range admin.Routes() {
		method, _, _ := strings.Cut(route.Pattern, " ")
		pattern := strings.Replace(route.Pattern, " /mlflow-deployments/", " /", 1)
		if method == "GET" || harmless[pattern] {
			continue
		}
		assert.True(t, called[pattern], "%s is in no step of everyChange", route.Pattern)
	}
	records, err := json.Marshal(w.records())
	require.NoError(t, err)
	assert.NotContains(t, string(records), canary)
	for name, token := range w.tokens {
		assert.NotContains(t, string(records), token, "the token of "+name)
	}
}

// oneSink takes what is asked of it, under any name.
type oneSink struct{}

func (oneSink) Status() []sink.Status {
	return []sink.Status{{Name: "siem", Replays: []sink.Replay{{ID: "r", State: sink.ReplayRunning}}}}
}
func (oneSink) Forgotten() []string                            { return nil }
func (oneSink) Letters(string) ([]sink.Letter, error)          { return nil, nil }
func (oneSink) RetryLetters(_, by string) (sink.Replay, error) { return sink.Replay{By: by}, nil }
func (oneSink) Replay(_ string, _ audit.Range, by string) (sink.Replay, error) {
	return sink.Replay{By: by}, nil
}

func (oneSink) CancelReplays(string) ([]sink.Replay, error) { return []sink.Replay{{ID: "r"}}, nil }

// eventOf is the event of a kind that a request wrote.
func (w *world) eventOf(request, kind string) *audit.Event {
	for _, r := range w.records() {
		if r.Event != nil && r.Event.RequestID == request && r.Event.Kind == kind {
			return r.Event
		}
	}
	return nil
}

// TestSequencesAreNumbers: those of a replay are whole and not negative.
func TestSequencesAreNumbers(t *testing.T) {
	w := newWorld(t)
	w.serve(func(d *admin.Deps) { d.Sinks = oneSink{} })
	for body, field := range map[string]string{
		`{"firstSequence":-1}`: "firstSequence", `{"lastSequence":1.5}`: "lastSequence", `{"firstSequence":"1"}`: "firstSequence",
	} {
		r := w.as("root", "POST", own+"/audit/sinks/siem/replay", body).must(400)
		assert.Equal(t, field, r.at("field"), body)
	}
}
