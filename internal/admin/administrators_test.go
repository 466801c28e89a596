package admin_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/identity"
	"sluice/policies"
)

// custom puts a bundle with a table of scopes beside the built-in one.
func (w *world) custom(table string) {
	w.t.Helper()
	dir := w.t.TempDir()
	require.NoError(w.t, os.WriteFile(filepath.Join(dir, "custom.rego"), []byte("package sluice.custom\n\napi := "+table+"\n"), 0o600))
	engine, err := policies.New(policies.Options{Sources: []policies.Source{{Name: "default"}, {Name: "custom", Dir: dir}}})
	require.NoError(w.t, err)
	w.policy.Engine = engine
}

// Whom a bundle lets keep all users and tokens does not become an
// administrator by it, nor act as one, nor shut them out.
func TestWhoKeepsUsersIsNoAdministrator(t *testing.T) {
	w := newWorld(t)
	all := `{"list": "all", "read": "all", "create": "all", "update": "all", "delete": "all"}`
	w.custom(`{"keeper": {"users": ` + all + `, "tokens": ` + all + `}}`)
	alice, root := w.users["alice"], w.users["root"]
	w.as("root", "PATCH", own+"/users/"+alice, `{"roles":["keeper"]}`).must(200)
	accounts := "/api/serviceAccounts/v1/serviceAccounts"
	robot := w.as("root", "POST", own+"/users", `{"userName":"robot","kind":"service-account","roles":["administrator"]}`).must(200).at("id").(string)
	w.as("root", "POST", accounts+"/"+robot+"/tokens", `{"name":"ci"}`).must(200)
	token := w.as("root", "GET", own+"/tokens?userId="+root, "").must(200).at("tokens", 0, "id").(string)
	for _, c := range [][3]string{
		{"PATCH", own + "/users/" + alice, `{"roles":["keeper","administrator"]}`},
		{"PATCH", own + "/users/" + w.users["bob"], `{"roles":["administrator"]}`},
		{"POST", own + "/users", `{"userName":"mallory","roles":["administrator"]}`},
		{"PATCH", own + "/users/" + root, `{"userName":"mallory"}`},
		{"PATCH", own + "/users/" + root, `{"disabled":true}`},
		{"PATCH", own + "/users/" + robot, `{"roles":[]}`},
		{"DELETE", own + "/users/" + robot, ""},
		{"DELETE", accounts + "/" + robot, ""},
		{"POST", accounts + "/" + robot + "/deactivate", ""},
		{"POST", accounts + "/" + robot + "/tokens", `{"name":"mine"}`},
		{"POST", accounts + "/" + robot + "/tokens/ci/invalidate", ""},
		{"POST", own + "/tokens", `{"name":"mine","userId":"` + root + `"}`},
		{"DELETE", own + "/tokens/" + token, ""},
	} {
		r := w.as("alice", c[0], c[1], c[2]).must(403)
		assert.Contains(t, r.body, "is an administrator", c)
	}
	w.as("alice", "PATCH", own+"/users/"+w.users["bob"], `{"roles":["auditor"],"fullName":"Bob"}`).must(200)
	w.as("alice", "POST", own+"/tokens", `{"name":"his","userId":"`+w.users["bob"]+`"}`).must(200)
	u, err := w.identity.GetUser(t.Context(), alice)
	require.NoError(t, err)
	assert.False(t, (&identity.Caller{Roles: u.Roles}).HasRole(identity.RoleAdministrator))
	w.as("root", "PATCH", own+"/users/"+robot, `{"disabled":true}`).must(200)
}

// A file changes no more than its sender may: every endpoint, and who may call
// it.
func TestApplyHoldsToTheScopes(t *testing.T) {
	w := newWorld(t)
	w.create("chat", nil)
	file := func(name, permissions string) string {
		return "endpoints: [{name: " + name + ", endpoint_type: llm/v1/chat, " + permissions +
			"model: {provider: openai, name: m, config: {openai_api_key: k}}}]"
	}
	shared := file("chat", "permissions: {everyone: true}, ")
	for table, wanted := range map[string][3]int{ // a new one, a changed one, one that is shared
		`{"maker": {"endpoints": {"create": "all"}}}`:                                                          {403, 403, 403},
		`{"maker": {"endpoints": {"create": "all", "update": "owned"}}}`:                                       {403, 403, 403},
		`{"maker": {"endpoints": {"create": "all", "update": "permitted"}}}`:                                   {403, 403, 403},
		`{"maker": {"endpoints": {"create": "all", "update": "all"}}}`:                                         {200, 200, 403},
		`{"maker": {"endpoints": {"create": "all", "update": "all"}, "permissions": {"update": "permitted"}}}`: {200, 200, 403},
		`{"maker": {"endpoints": {"create": "all", "update": "all"}, "permissions": {"update": "all"}}}`:       {200, 200, 200},
		`{"maker": {"endpoints": {"create": "owned", "update": "all"}, "permissions": {"update": "all"}}}`:     {403, 403, 403},
	} {
		w.custom(table)
		w.as("root", "PATCH", own+"/users/"+w.users["alice"], `{"roles":["maker"]}`).must(200)
		w.as("root", "PATCH", endpoints+"/chat/permissions", `{"isEveryoneAllowed":false}`).must(200)
		for i, body := range []string{file("new", ""), file("chat", ""), shared} {
			r := w.as("alice", "POST", own+"/apply", body)
			assert.Equal(t, wanted[i], r.status, "%s %s: %s", table, body, r.body)
		}
	}
}

// Lists of many thousands cost little, and nobody waits for them.
func TestHugeListsAreCheap(t *testing.T) {
	w := newWorld(t)
	w.create("chat", map[string]any{"isEveryoneAllowed": true, "ownerIds": []string{w.users["alice"]}})
	asked := w.asked.Load()
	r := w.as("alice", "POST", own+"/tokens", text(map[string]any{
		"name": "x", "endpointNames": strings.Split(strings.Repeat("chat ", 200_000)+"chat", " "),
	})).must(400)
	assert.Equal(t, "endpointIds", r.at("field"))
	assert.Less(t, w.asked.Load()-asked, int64(10), "the policy is not asked about each")

	roles := make([]string, 150_000)
	for i := range roles {
		roles[i] = fmt.Sprintf("r%d", i)
	}
	began := time.Now()
	w.as("alice", "PATCH", endpoints+"/chat/permissions", text(map[string]any{"roles": roles})).must(400)
	assert.Less(t, time.Since(began), 2*time.Minute, "what takes a fraction of a second must not take its square")
}

// What a stranger sends is not kept at its full length.
func TestRecordsOfStrangersAreSmall(t *testing.T) {
	w := newWorld(t)
	w.as("", "GET", own+"/tokens/"+strings.Repeat("x", 50_000), "").must(401)
	var longest int
	require.NoError(t, w.trail.Query(t.Context(), audit.Filter{Results: []string{audit.ResultUnauthenticated}}, func(r *audit.Record) error {
		longest = max(longest, len(r.Exchange.Path))
		return nil
	}))
	assert.Equal(t, 1024, longest)
}

// A user who calls himself as an organization is called does not come in by its
// name.
func TestAnAmbiguousOwnerIsRefused(t *testing.T) {
	w := newWorld(t)
	mallory := w.as("root", "POST", own+"/users", `{"userName":"Science"}`).must(200).at("id").(string)
	file := func(owner string) string {
		return "endpoints: [{name: chat, endpoint_type: llm/v1/chat, permissions: {owners: [" + owner + "]}, " +
			"model: {provider: openai, name: m, config: {openai_api_key: k}}}]"
	}
	r := w.as("root", "POST", own+"/apply", file("science")).must(400)
	assert.Equal(t, "ambiguous_name", r.at("code"))
	for _, id := range []string{w.science, mallory} {
		w.as("root", "POST", own+"/apply", file(id)).must(200)
		e, _ := w.catalog.Snapshot().Get("chat")
		assert.Equal(t, []string{id}, e.Permissions.Owners)
	}
	w.as("root", "POST", own+"/apply", file("nobody")).must(400)
}

// Who makes a token for each run does not fill the memory.
func TestTokensOfOneUserAreBounded(t *testing.T) {
	w := newWorld(t)
	for i := range 999 { // and the one that he signs in with
		w.issue(identity.Token{Name: fmt.Sprint(i), UserID: w.users["alice"]})
	}
	r := w.as("alice", "POST", own+"/tokens", `{"name":"x"}`).must(403)
	assert.Equal(t, "too_many_tokens", r.at("code"))
	assert.Contains(t, r.body, "1000 tokens that are good")
	id := w.as("alice", "GET", own+"/tokens", "").must(200).at("tokens", 5, "id").(string)
	w.as("alice", "DELETE", own+"/tokens/"+id, "").must(200)
	w.as("alice", "POST", own+"/tokens", `{"name":"x"}`).must(200)
	w.as("root", "POST", own+"/tokens", `{"name":"x","userId":"`+w.users["alice"]+`"}`).must(200)
}

func TestSCIMTakesFewNamesOfAttributes(t *testing.T) {
	w := newWorld(t)
	list := strings.Repeat(`"userName",`, 50_000) + `"id"`
	for _, name := range []string{"attributes", "excludedAttributes"} {
		r := w.scimAs("root", "POST", "/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"`+name+`":[`+list+`]}`).must(400)
		assert.Contains(t, r.at("detail"), "at most 200 names")
	}
}

// A role that the identity provider gives is taken away there: here it would
// come back with the next token. Disabling works at once, and what claims have
// said stays through other changes.
func TestRolesThatClaimsHaveGiven(t *testing.T) {
	w := newWorld(t)
	claims := &identity.Claims{Subject: "https://idp 1", UserName: "ann", Roles: []string{"administrator"}, Issued: time.Now(), Expires: time.Now().Add(time.Hour)}
	id, err := w.identity.Seen(t.Context(), claims)
	require.NoError(t, err)
	for _, roles := range []string{`[]`, `["auditor"]`} {
		r := w.as("root", "PATCH", own+"/users/"+id, `{"roles":`+roles+`}`).must(400)
		assert.Equal(t, "managed_elsewhere", r.at("code"))
		assert.Equal(t, "roles", r.at("field"))
	}
	w.as("root", "PATCH", own+"/users/"+id, `{"roles":["administrator","auditor"]}`).must(200)
	w.as("root", "PATCH", own+"/users/"+id, `{"roles":["administrator"],"disabled":true}`).must(200)
	u, err := w.identity.GetUser(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, claims.Subject, u.Subject)
	assert.Equal(t, map[string]string{"administrator": identity.SourceClaims}, u.GivenRoles)
	_, err = w.identity.Seen(t.Context(), claims)
	require.ErrorIs(t, err, identity.ErrDisabledUser)
}

// Claims that come while an organization or a user is changed are not undone by
// the change.
func TestChangesKeepWhatClaimsChangeMeanwhile(t *testing.T) {
	w := newWorld(t)
	claims := func(subject string, n int, groups ...string) {
		_, err := w.identity.Seen(t.Context(), &identity.Claims{
			Subject: "https://idp " + subject, UserName: subject, FullName: fmt.Sprint(n), Organizations: groups,
			Issued: time.Now().Add(time.Duration(n) * time.Millisecond), Expires: time.Now().Add(time.Hour),
		})
		require.NoError(t, err)
	}
	claims("ann", 0, "lab")
	o, err := w.identity.FindOrganization(t.Context(), "lab")
	require.NoError(t, err)
	ann, err := w.identity.FindUser(t.Context(), "ann")
	require.NoError(t, err)
	var group sync.WaitGroup
	group.Go(func() {
		for i := range 60 {
			w.as("root", "PATCH", own+"/organizations/"+o.ID, fmt.Sprintf(`{"name":"lab %d"}`, i)).must(200)
			w.as("root", "PATCH", own+"/users/"+ann.ID, fmt.Sprintf(`{"roles":["r%d"]}`, i)).must(200)
		}
	})
	for i := range 60 { // others come; each is once in what nobody may undo
		_, err := w.identity.AddMember(t.Context(), o.ID, w.userNamed(fmt.Sprintf("u%d", i)))
		require.NoError(t, err)
		claims("ann", i+1)
	}
	group.Wait()
	o, err = w.identity.GetOrganization(t.Context(), o.ID)
	require.NoError(t, err)
	assert.Len(t, o.Members, 61, "all who came")
	ann, err = w.identity.GetUser(t.Context(), ann.ID)
	require.NoError(t, err)
	assert.Equal(t, []string{"r59"}, ann.Roles)
	assert.Equal(t, "60", ann.FullName)
}

func (w *world) userNamed(name string) string {
	u, err := w.identity.CreateUser(w.t.Context(), identity.User{Name: name})
	require.NoError(w.t, err)
	return u.ID
}
