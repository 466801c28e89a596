package admin_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
)

const own = "/api/sluice/v1"

func TestTokens(t *testing.T) {
	w := newWorld(t)
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	made := w.as("root", "POST", own+"/tokens",
		text(map[string]any{"name": "batch", "userId": w.users["alice"], "project": "climate", "expires": expires})).must(200)
	token := made.at("token").(string)
	assert.Equal(t, expires.Format(time.RFC3339), made.at("expires"))
	assert.Equal(t, "alice", made.at("userName"))
	w.tokens["alice-batch"] = token

	self := w.as("alice-batch", "GET", own+"/users/self", "").must(200)
	assert.Equal(t, "alice", self.at("userName"))
	assert.Equal(t, "climate", self.at("project"))
	assert.Equal(t, "batch", self.at("tokenName"))

	list := w.as("alice", "GET", own+"/tokens", "").must(200)
	assert.NotContains(t, list.body, token)
	assert.Equal(t, 2.0, list.at("metadata", "totalCount"))
	w.as("alice", "GET", own+"/tokens?userId="+w.users["bob"], "").must(403)
	assert.Equal(t, 5.0, w.as("root", "GET", own+"/tokens", "").must(200).at("metadata", "totalCount"))
	assert.Equal(t, 2.0, w.as("root", "GET", own+"/tokens?userId="+w.users["alice"], "").must(200).at("metadata", "totalCount"))

	id := made.at("id").(string)
	assert.Equal(t, id, w.lastEvent("CreateToken").TargetID, "the record is about this token")
	w.as("bob", "DELETE", own+"/tokens/"+id, "").must(404)
	revoked := w.as("alice", "DELETE", own+"/tokens/"+id, "").must(200)
	assert.NotNil(t, revoked.at("revoked"))
	assert.Equal(t, "revoked_token", w.as("alice-batch", "GET", own+"/users/self", "").must(401).at("code"))
	w.as("alice", "DELETE", own+"/tokens/"+id, "").must(200)

	w.as("alice", "POST", own+"/tokens", text(map[string]any{"name": "x", "userId": w.users["bob"]})).must(403)
	other := w.as("root", "POST", own+"/tokens", text(map[string]any{"name": "x", "userId": w.users["bob"]})).must(200)
	assert.Equal(t, "bob", other.at("userName"))
	for field, body := range map[string]any{
		"name":    map[string]any{},
		"expires": map[string]any{"name": "x", "expires": "2001-01-01T00:00:00Z"},
		"userId":  map[string]any{"name": "x", "userId": "000000000000000000000000"},
	} {
		assert.Equal(t, field, w.as("root", "POST", own+"/tokens", text(body)).must(400).at("field"))
	}
	assert.Equal(t, "expires", w.as("root", "POST", own+"/tokens", `{"name":"x","expires":"soon"}`).must(400).at("field"))
}

// What the directory refuses names its field, as what the shape of a body refuses does.
func TestWrongValuesOfPeopleNameTheirField(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		path  string
		body  map[string]any
		field string
	}{
		{"/users", map[string]any{"userName": long}, "userName"},
		{"/users", map[string]any{"userName": " a"}, "userName"},
		{"/users", map[string]any{"userName": "a\nb"}, "userName"},
		{"/users", map[string]any{"userName": "\u202enimda"}, "userName"},
		{"/users", map[string]any{"userName": "a", "fullName": long}, "fullName"},
		{"/users", map[string]any{"userName": "a", "email": long}, "email"},
		{"/users", map[string]any{"userName": "a", "roles": []string{"a b"}}, "roles"},
		{"/organizations", map[string]any{"name": long}, "name"},
		{"/tokens", map[string]any{"name": long}, "name"},
		{"/tokens", map[string]any{"name": "a", "project": "a\nb"}, "project"},
		{"/tokens", map[string]any{"name": "a", "execution": long}, "execution"},
	} {
		reply := w.as("root", "POST", own+c.path, text(c.body)).must(400)
		assert.Equal(t, []any{"invalid_field", c.field}, []any{reply.at("code"), reply.at("field")}, "%s %v", c.path, c.body)
		assert.Contains(t, reply.at("error"), "The field "+c.field+" is wrong: ")
	}
}

// A token can't be used to make a wider one.
func TestTokensCannotWiden(t *testing.T) {
	w := newWorld(t)
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	w.tokens["bound"] = w.issue(identity.Token{Name: "bound", UserID: w.users["alice"], Project: "climate", Execution: "run", Expires: &expires})

	same := w.as("bound", "POST", own+"/tokens", `{"name":"child"}`).must(200)
	assert.Equal(t, "climate", same.at("project"))
	assert.Equal(t, "run", same.at("execution"))
	assert.Equal(t, expires.Format(time.RFC3339), same.at("expires"))
	for _, body := range []map[string]any{
		{"name": "x", "project": "other"},
		{"name": "x", "execution": "other"},
		{"name": "x", "expires": expires.Add(time.Hour)},
	} {
		assert.Equal(t, "token_too_wide", w.as("bound", "POST", own+"/tokens", text(body)).must(403).at("code"))
	}
	// A project opens endpoints: nobody gives himself one.
	for _, body := range []string{`{"name":"x","project":"climate"}`, `{"name":"x","execution":"run"}`} {
		assert.Equal(t, "token_too_wide", w.as("alice", "POST", own+"/tokens", body).must(403).at("code"))
	}
	w.as("alice", "POST", own+"/tokens", `{"name":"x"}`).must(200)
	shorter := expires.Add(-time.Minute)
	w.as("bound", "POST", own+"/tokens", text(map[string]any{"name": "x", "expires": shorter})).must(200)
}

func TestUsers(t *testing.T) {
	w := newWorld(t)
	made := w.as("root", "POST", own+"/users",
		`{"userName":"carol","fullName":"Carol Jones","email":"carol@example.com","roles":["auditor"]}`).must(200)
	id := made.at("id").(string)
	assert.Equal(t, []string{"created", "disabled", "email", "fullName", "id", "kind", "organizationIds", "roles", "source", "userName"}, keys(made.json()))
	w.as("root", "POST", own+"/users", `{"userName":"CAROL"}`).must(400)
	w.as("root", "POST", own+"/users", `{}`).must(400)

	list := w.as("root", "GET", own+"/users?searchFilter=jones", "").must(200)
	assert.Equal(t, "carol", list.at("users", 0, "userName"))
	assert.Equal(t, 1.0, list.at("metadata", "totalCount"))
	assert.Equal(t, "alice", w.as("root", "GET", own+"/users?limit=1", "").must(200).at("users", 0, "userName"))

	w.as("alice", "GET", own+"/users/"+id, "").must(404)
	w.as("alice", "GET", own+"/users/"+w.users["alice"], "").must(200)

	patched := w.as("root", "PATCH", own+"/users/"+id, `{"roles":[],"disabled":true}`).must(200)
	assert.Equal(t, true, patched.at("disabled"))
	assert.Equal(t, map[string]string{"roles": "auditor → ", "disabled": "false → true"}, changesOf(w.lastEvent("UpdateUser")))
	w.as("root", "DELETE", own+"/users/"+id, "").must(200)
	w.as("root", "GET", own+"/users/"+id, "").must(404)
}

func TestLastAdministrator(t *testing.T) {
	w := newWorld(t)
	root := own + "/users/" + w.users["root"]
	for _, patch := range []string{`{"roles":[]}`, `{"disabled":true}`} {
		assert.Equal(t, "last_administrator", w.as("root", "PATCH", root, patch).must(400).at("code"))
	}
	w.as("root", "DELETE", root, "").must(400)
	w.as("root", "PATCH", root, `{"fullName":"Root"}`).must(200)
	w.as("root", "PATCH", own+"/users/"+w.users["eve"], `{"roles":["administrator"]}`).must(200)
	w.as("root", "PATCH", root, `{"roles":[]}`).must(200)
	w.as("root", "GET", own+"/status", "").must(403)
}

func TestDisabledUser(t *testing.T) {
	w := newWorld(t)
	w.as("root", "PATCH", own+"/users/"+w.users["alice"], `{"disabled":true}`).must(200)
	assert.Equal(t, "disabled_user", w.as("alice", "GET", endpoints, "").must(401).at("code"))
}

func TestOrganizations(t *testing.T) {
	w := newWorld(t)
	made := w.as("root", "POST", own+"/organizations", text(map[string]any{"name": "arts", "members": []string{w.users["alice"]}})).must(200)
	path := own + "/organizations/" + made.at("id").(string)
	assert.Equal(t, []any{w.users["alice"]}, made.at("members"))
	w.as("root", "POST", own+"/organizations", `{"name":"Arts"}`).must(400)
	w.as("root", "POST", own+"/organizations", `{"name":"x","members":["000000000000000000000000"]}`).must(400)

	assert.Equal(t, 2.0, w.as("root", "GET", own+"/organizations", "").must(200).at("metadata", "totalCount"))
	assert.Equal(t, "arts", w.as("alice", "GET", own+"/organizations", "").must(200).at("organizations", 0, "name"))
	assert.Empty(t, w.as("eve", "GET", own+"/organizations", "").must(200).at("organizations"))
	w.as("bob", "GET", path, "").must(404)

	assert.Len(t, w.as("root", "PUT", path+"/members/"+w.users["bob"], "").must(200).at("members"), 2)
	w.as("bob", "GET", path, "").must(200)
	w.as("root", "PUT", path+"/members/"+w.users["bob"], "").must(200)
	w.as("root", "PUT", path+"/members/000000000000000000000000", "").must(404)
	assert.Len(t, w.as("root", "DELETE", path+"/members/"+w.users["bob"], "").must(200).at("members"), 1)
	w.as("root", "DELETE", path+"/members/"+w.users["bob"], "").must(404)
	assert.Equal(t, "humanities", w.as("root", "PATCH", path, `{"name":"humanities"}`).must(200).at("name"))
	w.as("root", "DELETE", path, "").must(200)
	w.as("root", "GET", path, "").must(404)
}

func TestDominosPeople(t *testing.T) {
	w := newWorld(t)
	w.as("root", "PATCH", own+"/users/"+w.users["bob"], `{"fullName":"Bob Miller"}`).must(200)
	self := w.as("bob", "GET", "/api/users/v1/self", "").must(200)
	assert.Equal(t, map[string]any{
		"id": w.users["bob"], "userName": "bob", "avatarUrl": "", "firstName": "Bob", "lastName": "Miller", "fullName": "Bob Miller", "email": "", "roles": []any{},
	}, self.at("user"))
	assert.Equal(t, []string{"notices", "requestId"}, keys(self.at("metadata").(map[string]any)))
	users := w.as("root", "GET", "/api/users/v1/users", "").must(200)
	assert.Len(t, users.at("users"), 4)
	assert.Equal(t, 10.0, users.at("metadata", "limit"))
	orgs := w.as("bob", "GET", "/api/organizations/v1/organizations", "").must(200)
	assert.Equal(t, []any{map[string]any{"userId": w.users["bob"], "organizationRole": "member"}}, orgs.at("orgs", 0, "members"))
	assert.Empty(t, w.as("alice", "GET", "/api/organizations/v1/organizations", "").must(200).at("orgs"))
	assert.Len(t, w.as("root", "GET", "/api/organizations/v1/organizations/all", "").must(200).at("orgs"), 1)
}

// Many changes at once: none is lost, each is recorded, and every state that
// the events tell of follows from the one before.
func TestChangesAtTheSameTime(t *testing.T) {
	w := newWorld(t)
	w.create("a", nil)
	var group sync.WaitGroup
	for i := range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := range 10 {
				w.as("root", "PATCH", endpoints+"/a", fmt.Sprintf(`{"modelName":"m-%d-%d"}`, i, j)).must(200)
				w.as("root", "GET", endpoints, "").must(200)
			}
		}()
	}
	group.Wait()
	model, changes := "gpt-4", 0
	for _, r := range w.records() {
		if r.Event == nil || r.Event.Kind != "UpdateEndpoint" {
			continue
		}
		changes++
		require.Len(t, r.Event.Changes, 1)
		assert.Equal(t, model, r.Event.Changes[0].Before)
		model = r.Event.Changes[0].After
	}
	assert.Equal(t, 80, changes)
	e, _ := w.catalog.Snapshot().Get("a")
	assert.Equal(t, model, e.First().Model)
}
