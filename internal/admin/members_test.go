package admin_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"sluice/internal/identity"
)

func TestOrganizationAdminsChangeTheirMembers(t *testing.T) {
	w := newWorld(t)
	path := own + "/organizations/" + w.science
	member := func(name string) string { return path + "/members/" + w.users[name] }

	// bob is a plain member: he reads and changes nothing.
	w.as("bob", "PUT", member("alice"), "").must(403)
	w.as("alice", "PUT", member("alice"), "").must(404)

	made := w.as("root", "PUT", member("bob"), `{"role":"admin"}`).must(200)
	assert.Equal(t, map[string]any{"userId": w.users["bob"], "userName": "bob", "role": "admin", "source": "manual"}, made.at("memberDetails", 0))
	assert.Equal(t, map[string]string{"admins": " → " + w.users["bob"]}, changesOf(w.lastEvent("AddOrganizationMember")))

	w.as("bob", "PUT", path+"/members/Alice", "").must(200) // by name too
	assert.Equal(t, 2.0, w.as("alice", "GET", path, "").must(200).at("memberCount"))
	w.as("alice", "DELETE", member("bob"), "").must(403)
	w.as("bob", "PATCH", path, `{"name":"mine"}`).must(403) // the name is the administrators'
	w.as("bob", "DELETE", path, "").must(403)
	w.as("bob", "PUT", member("alice"), `{"role":"king"}`).must(400)
	assert.Equal(t, "admin", role(w.as("bob", "PUT", member("bob"), "").must(200), w.users["bob"]), "without a body a role stays")

	before := w.as("bob", "GET", path, "").must(200).header.Get("ETag")
	patched := w.as("bob", "PATCH", path+"/members", text(map[string]any{
		"set":    []any{map[string]any{"userId": w.users["eve"], "role": "admin"}, map[string]any{"userId": "root"}},
		"remove": []string{w.users["alice"]},
	}), "If-Match", before).must(200)
	assert.Equal(t, "admin", role(patched, w.users["eve"]))
	assert.Equal(t, "member", role(patched, w.users["root"]))
	assert.Empty(t, role(patched, w.users["alice"]))
	w.as("bob", "PATCH", path+"/members", `{"remove":["eve"]}`, "If-Match", before).must(412)
	assert.Equal(t, "remove", w.as("bob", "PATCH", path+"/members", `{"remove":["eve","alice"]}`).must(400).at("field"))
	assert.Equal(t, "admin", role(w.as("bob", "GET", path, "").must(200), w.users["eve"]), "all or nothing")
	w.as("alice", "GET", path, "").must(404)
	w.as("bob", "DELETE", member("eve"), "").must(200)
	w.as("bob", "DELETE", member("bob"), "").must(200)
}

// role is the role of a member in a reply, "" for none.
func role(r *reply, userID string) string {
	for _, m := range r.at("memberDetails").([]any) {
		if m := m.(map[string]any); m["userId"] == userID {
			return m["role"].(string)
		}
	}
	return ""
}

func TestServiceAccountsAndFilters(t *testing.T) {
	w := newWorld(t)
	made := w.as("root", "POST", own+"/users", `{"userName":"robot","kind":"service-account"}`).must(200)
	assert.Equal(t, "service-account", made.at("kind"))
	assert.Equal(t, "manual", made.at("source"))
	assert.Equal(t, "kind", w.as("root", "POST", own+"/users", `{"userName":"x","kind":"dog"}`).must(400).at("field"))
	names := func(query string) (out []any) {
		for _, u := range w.as("root", "GET", own+"/users?"+query, "").must(200).at("users").([]any) {
			out = append(out, u.(map[string]any)["userName"])
		}
		return out
	}
	assert.Equal(t, []any{"robot"}, names("kind=service-account"))
	assert.Equal(t, []any{"alice", "bob", "eve", "root"}, names("kind=person"))
	assert.Equal(t, []any{"bob"}, names("organizationId="+w.science))
	assert.Equal(t, []any{"eve"}, names("role=auditor"))
	assert.Equal(t, []any{"root", "robot", "eve", "bob", "alice"}, names("shouldSortAscending=false"))
	assert.Equal(t, "root", names("sortByField=lastSeen&shouldSortAscending=false")[0])
	w.as("root", "PATCH", own+"/users/"+w.users["bob"], `{"disabled":true}`).must(200)
	assert.Equal(t, []any{"bob"}, names("disabled=true"))
	assert.Len(t, names("disabled=false"), 4)
	w.as("root", "GET", own+"/users?kind=dog", "").must(400)
	assert.NotNil(t, w.as("root", "GET", own+"/users/"+w.users["root"], "").must(200).at("lastSeen"))
}

func TestUsersOfTheProviderAreChangedThere(t *testing.T) {
	w := newWorld(t)
	u, err := w.identity.CreateUser(t.Context(), identity.User{Name: "carol", Source: identity.SourceClaims, Subject: "https://idp 1"})
	if err != nil {
		t.Fatal(err)
	}
	path := own + "/users/" + u.ID
	for field, body := range map[string]string{"userName": `{"userName":"x"}`, "fullName": `{"fullName":"x"}`, "email": `{"email":"x"}`} {
		refused := w.as("root", "PATCH", path, body).must(400)
		assert.Equal(t, "managed_elsewhere", refused.at("code"))
		assert.Equal(t, field, refused.at("field"))
	}
	w.as("root", "PATCH", path, `{"userName":"carol","disabled":true,"roles":["auditor"]}`).must(200)
}

func TestBoundTokens(t *testing.T) {
	w := newWorld(t)
	w.create("a", nil)
	w.create("b", nil)
	w.as("root", "PATCH", endpoints+"/a/permissions", `{"isEveryoneAllowed":true}`).must(200)
	w.as("root", "PATCH", endpoints+"/b/permissions", `{"isEveryoneAllowed":true}`).must(200)
	a := w.as("root", "GET", endpoints+"/a", "").must(200).at("endpointId")

	// Made by an administrator, for himself: it shows and does as little as another's.
	made := w.as("root", "POST", own+"/tokens", `{"name":"x","endpointNames":["a"]}`).must(200)
	assert.Equal(t, []any{a}, made.at("endpointIds"))
	w.tokens["bound"] = made.at("token").(string)
	assert.Equal(t, 1.0, w.as("bound", "GET", endpoints, "").must(200).at("metadata", "totalCount"))
	w.as("bound", "GET", endpoints+"/a", "").must(200)
	assert.Equal(t, "a", w.as("bound", "GET", "/v1/models", "").must(200).at("data", 0, "id"))
	w.as("bound", "GET", own+"/users/self", "").must(200)
	w.as("bound", "GET", own+"/users/"+w.users["root"], "").must(200)
	for _, path := range []string{
		endpoints + "/b", own + "/users", own + "/users/" + w.users["bob"], own + "/tokens", own + "/audit", own + "/status",
		own + "/organizations", "/api/organizations/v1/organizations", endpoints + "/a/permissions",
	} {
		assert.Contains(t, w.as("bound", "GET", path, "").must(403).body, "token", path)
	}
	assert.Equal(t, "token_endpoint", w.as("bound", "POST", own+"/tokens", `{"name":"y"}`).must(403).at("code"))
	w.as("bound", "PATCH", endpoints+"/a", `{"modelName":"x"}`).must(403)
	w.as("bound", "DELETE", endpoints+"/a", "").must(403)

	// A user binds to what he sees, and an endpoint that he doesn't see is not there.
	w.as("root", "PATCH", endpoints+"/b/permissions", `{"isEveryoneAllowed":false}`).must(200)
	w.as("alice", "POST", own+"/tokens", text(map[string]any{"name": "x", "endpointIds": []any{a}})).must(200)
	assert.Equal(t, "endpointNames", w.as("alice", "POST", own+"/tokens", `{"name":"x","endpointNames":["b"]}`).must(400).at("field"))
	assert.Equal(t, "endpointIds", w.as("alice", "POST", own+"/tokens", `{"name":"x","endpointIds":["000000000000000000000000"]}`).must(400).at("field"))
}

func TestTokensOfNetworks(t *testing.T) {
	w := newWorld(t) // all requests come from 192.0.2.7
	made := w.as("alice", "POST", own+"/tokens", `{"name":"n","networks":["192.0.2.7","192.0.2.0/25"]}`).must(200)
	assert.Equal(t, []any{"192.0.2.0/25", "192.0.2.7/32"}, made.at("networks"))
	w.tokens["here"] = made.at("token").(string)
	path := own + "/tokens/" + made.at("id").(string)
	assert.Nil(t, w.as("alice", "GET", path, "").must(200).at("lastUsed"))
	w.as("here", "GET", own+"/users/self", "").must(200)
	shown := w.as("alice", "GET", path, "").must(200)
	assert.NotNil(t, shown.at("lastUsed"))
	w.as("bob", "GET", path, "").must(404)

	w.tokens["away"] = w.as("alice", "POST", own+"/tokens", `{"name":"n","networks":["198.51.100.0/24"]}`).must(200).at("token").(string)
	assert.Equal(t, "wrong_network", w.as("away", "GET", own+"/users/self", "").must(401).at("code"))

	// What is made with a bound token is bound at least as much.
	same := w.as("here", "POST", own+"/tokens", `{"name":"child"}`).must(200)
	assert.Equal(t, []any{"192.0.2.0/25", "192.0.2.7/32"}, same.at("networks"))
	w.as("here", "POST", own+"/tokens", `{"name":"child","networks":["192.0.2.64/26"]}`).must(200)
	for _, wider := range []string{"192.0.2.0/24", "0.0.0.0/0", "::/0", "198.51.100.7"} {
		refused := w.as("here", "POST", own+"/tokens", `{"name":"child","networks":["`+wider+`"]}`).must(403)
		assert.Equal(t, "token_too_wide", refused.at("code"))
		assert.Contains(t, refused.body, "bound to networks 192.0.2.0/25, 192.0.2.7/32")
	}
	for _, wrong := range []string{"", "here", "192.0.2.0/33", "::ffff:192.0.2.0/120", "fe80::1%eth0"} {
		refused := w.as("alice", "POST", own+"/tokens", `{"name":"x","networks":["`+wrong+`"]}`).must(400)
		assert.Equal(t, "networks", refused.at("field"), refused.body)
	}

	tag := shown.header.Get("ETag")
	w.as("alice", "DELETE", path, "", "If-Match", `"x"`).must(412)
	w.as("alice", "DELETE", path, "", "If-Match", tag).must(200)
	list := w.as("alice", "GET", own+"/tokens?limit=100", "").must(200).at("metadata", "totalCount").(float64)
	assert.Equal(t, list-1, w.as("alice", "GET", own+"/tokens?active=true", "").must(200).at("metadata", "totalCount"))
}
