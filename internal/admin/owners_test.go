package admin_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
)

// person adds a user with a token.
func (w *world) person(name string, roles ...string) {
	u, err := w.identity.CreateUser(context.Background(), identity.User{Name: name, Roles: roles})
	require.NoError(w.t, err)
	w.users[name] = u.ID
	w.tokens[name] = w.issue(identity.Token{Name: "test", UserID: u.ID})
}

const records = "/api/sluice/v1/audit"

func names(r *reply) []string {
	out := []string{}
	for _, e := range r.at("endpoints").([]any) {
		out = append(out, e.(map[string]any)["endpointName"].(string))
	}
	return out
}

func TestAnEndpointOwnerCreatesAndManages(t *testing.T) {
	w := newWorld(t)
	w.person("olga", identity.RoleEndpointOwner)
	w.create("other", nil)
	permissions := map[string]any{"isEveryoneAllowed": false, "userIds": []string{w.users["alice"]}}
	made := w.as("olga", "POST", endpoints, newEndpoint("mine", map[string]any{
		"endpointPermissions": permissions, "description": "For\nolga's team",
	})).must(200)
	assert.Equal(t, true, made.at("mayChange"))
	assert.Equal(t, false, made.at("mayInvoke"), "to own is not to use")
	assert.Equal(t, "For\nolga's team", made.at("description"))
	own := w.as("olga", "GET", endpoints+"/mine/permissions", "").must(200)
	assert.Equal(t, []any{w.users["olga"]}, own.at("ownerIds"))
	assert.Equal(t, w.users["olga"], changesOf(w.lastEvent("CreateEndpoint"))["ownerIds"][len(" → "):])

	assert.Equal(t, []string{"mine"}, names(w.as("olga", "GET", endpoints, "").must(200)))
	assert.Equal(t, []any{}, w.as("olga", "GET", "/api/2.0/endpoints/", "").must(200).at("endpoints"), "what may not be called is not listed there")
	w.as("olga", "GET", "/api/2.0/endpoints/mine", "").must(404)
	w.as("olga", "PATCH", endpoints+"/mine", `{"description":"x"}`).must(200)
	w.as("olga", "PATCH", "/api/sluice/v1/endpoints/mine/targets/default", `{"modelName":"gpt-4o"}`).must(200)
	w.as("olga", "GET", "/api/sluice/v1/endpoints/mine/targets", "").must(200)

	for method, path := range map[string]string{
		"PATCH": endpoints + "/other", "DELETE": endpoints + "/other", "GET": endpoints + "/other/permissions",
		"POST": "/api/sluice/v1/endpoints/other/targets",
	} {
		w.as("olga", method, path, "{}").must(403)
	}
	w.as("olga", "POST", "/api/sluice/v1/apply", "endpoints: []").must(403)
	w.as("alice", "PATCH", endpoints+"/mine", `{"description":"x"}`).must(403)
	assert.Equal(t, false, w.as("alice", "GET", endpoints+"/mine", "").must(200).at("mayChange"))
	w.as("olga", "DELETE", endpoints+"/mine", "").must(200)
	w.as("olga", "GET", records, "").must(403)
}

func TestOwnersAreNotLockedOutSilently(t *testing.T) {
	w := newWorld(t)
	w.person("olga", identity.RoleEndpointOwner)
	refused := w.as("olga", "POST", endpoints, newEndpoint("mine", map[string]any{"endpointPermissions": map[string]any{
		"isEveryoneAllowed": true, "userIds": []string{}, "ownerIds": []string{w.users["alice"]},
	}})).must(400)
	assert.Equal(t, "owner_lockout", refused.at("code"))
	assert.Equal(t, "endpointPermissions.ownerIds", refused.at("field"))

	w.as("olga", "POST", endpoints, newEndpoint("mine", nil)).must(200)
	at := endpoints + "/mine/permissions"
	for _, owners := range [][]string{{}, {w.users["alice"]}, {w.science}} {
		r := w.as("olga", "PATCH", at, text(map[string]any{"ownerIds": owners})).must(400)
		assert.Equal(t, "owner_lockout", r.at("code"))
	}
	unknown := w.as("olga", "PATCH", at, `{"ownerIds":["000000000000000000000000"]}`).must(400)
	assert.Equal(t, "ownerIds", unknown.at("field"))

	// An organization can own it, and then its members do.
	w.as("olga", "PATCH", at, text(map[string]any{"ownerIds": []string{w.users["olga"], w.science}})).must(200)
	w.as("bob", "PATCH", endpoints+"/mine", `{"description":"by bob"}`).must(200)
	w.as("bob", "PATCH", at, text(map[string]any{"ownerIds": []string{w.science}})).must(200)
	w.as("olga", "PATCH", endpoints+"/mine", `{"description":"by olga"}`).must(403)
	// An administrator is bound by none of it.
	w.as("root", "PATCH", at, `{"ownerIds":[]}`).must(200)
	w.as("bob", "PATCH", endpoints+"/mine", `{"description":"by bob"}`).must(403)
}

func TestOwnersReadTheirPartOfTheTrail(t *testing.T) {
	w := newWorld(t)
	w.person("olga", identity.RoleEndpointOwner)
	w.create("other", nil)
	w.as("olga", "POST", endpoints, newEndpoint("mine", nil)).must(200)
	w.as("alice", "DELETE", endpoints+"/mine", "", "X-Request-Id", "on-mine").must(403)
	w.as("alice", "DELETE", endpoints+"/other", "", "X-Request-Id", "on-other").must(403)

	for query, want := range map[string]int{
		"": 2, "?endpointNames=mine": 2, "?endpointNames=other": 0, "?endpointNames=mine&endpointNames=other": 2, "?kinds=CreateUser": 0,
	} {
		list := w.as("olga", "GET", records+query, "").must(200).at("records").([]any)
		assert.Len(t, list, want, query)
	}
	w.as("olga", "GET", records+"/on-mine", "").must(200)
	w.as("olga", "GET", records+"/on-other", "").must(404)
	var all []any
	w.as("olga", "GET", "/api/aigateway/v1/audit?endpointNames=other", "").must(200).into(&all)
	assert.Empty(t, all)
	w.as("olga", "GET", "/api/aigateway/v1/audit", "").must(200).into(&all)
	w.as("olga", "GET", "/api/aigateway/v1/audit?"+strings.Repeat("endpointIds=x&", 201), "").must(400)
	assert.Len(t, all, 2)
	w.as("alice", "GET", records, "").must(403)
}

func TestADeletedOwnerIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.person("olga", identity.RoleEndpointOwner)
	w.as("olga", "POST", endpoints, newEndpoint("mine", nil)).must(200)
	w.as("root", "DELETE", "/api/sluice/v1/users/"+w.users["olga"], "").must(200)
	assert.Equal(t, w.users["olga"]+" → ", changesOf(w.lastEvent("ChangeEndpointPermissions"))["ownerIds"])
	assert.NotContains(t, w.as("root", "GET", endpoints+"/mine/permissions", "").must(200).json(), "ownerIds")
}

func TestDisabledEndpoints(t *testing.T) {
	w := newWorld(t)
	w.person("olga", identity.RoleEndpointOwner)
	w.as("olga", "POST", endpoints, newEndpoint("a", map[string]any{"endpointPermissions": map[string]any{
		"isEveryoneAllowed": true, "userIds": []string{},
	}})).must(200)
	require.Equal(t, []string{"a"}, names(w.as("alice", "GET", endpoints, "").must(200)))
	off := w.as("olga", "PATCH", endpoints+"/a", `{"disabled":true}`).must(200)
	assert.Equal(t, true, off.at("disabled"))
	assert.Equal(t, false, off.at("mayInvoke"))
	assert.Equal(t, map[string]string{"disabled": "false → true"}, changesOf(w.lastEvent("UpdateEndpoint")))

	assert.Empty(t, names(w.as("alice", "GET", endpoints, "").must(200)))
	gone := w.as("alice", "GET", endpoints+"/a", "").must(404)
	assert.Equal(t, "endpoint_disabled", gone.at("code"))
	for _, user := range []string{"alice", "olga", "root"} {
		assert.Equal(t, []any{}, w.as(user, "GET", "/api/2.0/endpoints/", "").must(200).at("endpoints"))
		assert.Equal(t, []any{}, w.as(user, "GET", "/v1/models", "").must(200).at("data"))
		w.as(user, "GET", "/api/2.0/endpoints/a", "").must(404)
		w.as(user, "GET", "/v1/models/a", "").must(404)
	}
	for _, user := range []string{"olga", "root"} {
		assert.Equal(t, []string{"a"}, names(w.as(user, "GET", endpoints, "").must(200)))
		assert.Equal(t, true, w.as(user, "GET", endpoints+"/a", "").must(200).at("disabled"))
	}
	w.as("olga", "PATCH", endpoints+"/a", `{"disabled":false}`).must(200)
	w.as("alice", "GET", "/api/2.0/endpoints/a", "").must(200)
}

func TestTheETagOfAnEndpoint(t *testing.T) {
	w := newWorld(t)
	w.create("a", map[string]any{"isEveryoneAllowed": true})
	r := w.as("alice", "GET", endpoints+"/a", "").must(200)
	tag := r.header.Get("ETag")
	w.as("alice", "GET", endpoints+"/a", "", "If-None-Match", tag).must(http.StatusNotModified)
	assert.NotEqual(t, tag, w.as("root", "GET", endpoints+"/a", "").must(200).header.Get("ETag"), "what is shown differs")
	w.as("root", "PATCH", endpoints+"/a", `{"description":"b"}`, "If-Match", tag).must(200)
	stale := w.as("root", "PATCH", endpoints+"/a", `{"description":"c"}`, "If-Match", tag).must(http.StatusPreconditionFailed)
	assert.Equal(t, "changed_meanwhile", stale.at("code"))
	long := w.as("root", "PATCH", endpoints+"/a", text(map[string]string{"description": string(make([]rune, 2001))})).must(400)
	assert.Equal(t, "description", long.at("field"))
}

func TestTheETagsOfPeople(t *testing.T) {
	w := newWorld(t)
	for path, change := range map[string]string{
		"/api/sluice/v1/users/" + w.users["alice"]: `{"fullName":"A"}`, "/api/sluice/v1/organizations/" + w.science: `{"name":"arts"}`,
	} {
		tag := w.as("root", "GET", path, "").must(200).header.Get("ETag")
		w.as("root", "GET", path, "", "If-None-Match", tag).must(http.StatusNotModified)
		w.as("root", "PATCH", path, change, "If-Match", `"old"`).must(http.StatusPreconditionFailed)
		now := w.as("root", "PATCH", path, change, "If-Match", tag).must(200).header.Get("ETag")
		assert.NotEqual(t, tag, now)
		w.as("root", "DELETE", path, "", "If-Match", tag).must(http.StatusPreconditionFailed)
		w.as("root", "DELETE", path, "", "If-Match", now).must(200)
	}
}
