package admin_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"sluice/internal/admin"
	"sluice/internal/identity"
	"sluice/internal/scim"
)

// provisioner adds a service account with the role provisioner, as "entra".
func (w *world) provisioner() {
	w.t.Helper()
	u, err := w.identity.CreateUser(context.Background(),
		identity.User{Name: "entra", Kind: identity.KindServiceAccount, Roles: []string{identity.RoleProvisioner}})
	require.NoError(w.t, err)
	w.users["entra"], w.tokens["entra"] = u.ID, w.issue(identity.Token{Name: "scim", UserID: u.ID})
}

func (w *world) scimAs(user, method, path, body string, headers ...string) *reply {
	w.t.Helper()
	if at, query, ok := strings.Cut(path, "?"); ok {
		q, err := url.ParseQuery(query)
		require.NoError(w.t, err)
		path = at + "?" + q.Encode()
	}
	return w.as(user, method, scim.Base+path, body, append(headers, "X-Forwarded-Proto", "https", "Content-Type", "application/scim+json")...)
}

// exchange is one request of a conversation, and what is expected of its reply.
type exchange struct {
	line, body, status string
	expect             []string
}

// readConversation reads a file of exchanges: a request line, a body, "----"
// and a status, and lines of "path = JSON" (null: absent) or "let name = path".
func readConversation(t *testing.T, file string) []exchange {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	text := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(string(raw), "")
	var out []exchange
	for _, block := range regexp.MustCompile(`\n\n+`).Split(strings.TrimSpace(text), -1) {
		request, reply, ok := strings.Cut(block, "\n---- ")
		require.True(t, ok, block)
		line, body, _ := strings.Cut(strings.TrimSpace(request), "\n")
		lines := strings.Split(strings.TrimSpace(reply), "\n")
		out = append(out, exchange{line: line, body: body, status: lines[0], expect: lines[1:]})
	}
	return out
}

func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/scim/*.conversation")
	require.NoError(t, err)
	require.Len(t, files, 3)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			w := newWorld(t)
			w.provisioner()
			var pairs []string
			for _, x := range readConversation(t, file) {
				fill := strings.NewReplacer(pairs...).Replace
				method, path, _ := strings.Cut(fill(x.line), " ")
				r := w.scimAs("entra", method, path, fill(x.body))
				require.Equal(t, x.status, jsonNumber(r.status), "%s: %s", x.line, r.body)
				if r.status != 204 {
					require.Equal(t, scim.MediaType, r.header.Get("Content-Type"), x.line)
				}
				for _, line := range x.expect {
					left, right, ok := strings.Cut(line, " = ")
					require.True(t, ok, line)
					if name, found := strings.CutPrefix(left, "let "); found {
						pairs = append(pairs, "{"+name+"}", gjson.Get(r.body, right).String())
						fill = strings.NewReplacer(pairs...).Replace
						continue
					}
					got := gjson.Get(r.body, left).Raw
					if got == "" {
						got = "null"
					}
					require.JSONEq(t, fill(right), got, "%s: %s of %s", x.line, left, r.body)
				}
			}
		})
	}
}

const userSchema, groupSchema, patchSchema = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`,
	`"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]`, `"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]`

func patchOf(operations string) string {
	return "{" + patchSchema + `,"Operations":[` + operations + "]}"
}

func TestProvisionedUsersAreUsers(t *testing.T) {
	w := newWorld(t)
	w.provisioner()
	id := w.scimAs("entra", "POST", "/Users", `{`+userSchema+`,"userName":"carol","name":{"givenName":"Carol","familyName":"Jones"},
		"externalId":"x1","emails":[{"value":"c@home.test","type":"home"},{"value":"c@work.test","type":"work"}]}`).must(201).at("id").(string)
	u, err := w.identity.GetUser(context.Background(), id)
	require.NoError(t, err)
	assert.Equal(t, "Carol Jones", u.FullName)
	assert.Equal(t, "c@work.test", u.Email)
	assert.Equal(t, identity.SourceSCIM, u.Source)
	assert.Empty(t, u.Roles)
	e := w.lastEvent("CreateUser")
	assert.Equal(t, "entra", e.By.UserName)
	assert.Equal(t, " → x1", changesOf(e)["scim.externalId"])
	assert.Equal(t, " → scim", changesOf(e)["source"])

	_, plain := "", w.issue(identity.Token{Name: "carol", UserID: id})
	w.tokens["carol"] = plain
	w.as("carol", "GET", "/api/sluice/v1/users/self", "").must(200)
	before := len(w.records())
	w.scimAs("entra", "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"userName","value":"carol"}`)).must(200)
	assert.Len(t, w.records(), before, "what changes nothing is no event")
	w.scimAs("entra", "PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"active","value":false}`)).must(200)
	assert.Equal(t, map[string]string{"disabled": "false → true"}, changesOf(w.lastEvent("UpdateUser")))
	w.as("carol", "GET", "/api/sluice/v1/users/self", "").must(401)

	group := w.scimAs("entra", "POST", "/Groups", `{`+groupSchema+`,"displayName":"quants","members":[{"value":"`+id+`"}]}`).must(201).at("id").(string)
	o, err := w.identity.GetOrganization(context.Background(), group)
	require.NoError(t, err)
	assert.Equal(t, []identity.Member{{UserID: id, Role: identity.MemberRoleMember, Source: identity.SourceSCIM}}, o.Members)

	w.create("shared", map[string]any{"isEveryoneAllowed": false, "userIds": []string{}, "organizationIds": []string{group}})
	w.scimAs("entra", "DELETE", "/Groups/"+group, "").must(204)
	assert.Equal(t, group+" → ", changesOf(w.lastEvent("ChangeEndpointPermissions"))["organizationIds"])
	w.scimAs("entra", "DELETE", "/Users/"+id, "").must(204)
	_, kept := w.scim.Get(id)
	assert.False(t, kept, "nothing is left of a deleted user")
	w.as("carol", "GET", "/api/sluice/v1/users/self", "").must(401)
}

func TestProvisioningLeavesAloneWhatWasMadeByHand(t *testing.T) {
	w := newWorld(t)
	w.provisioner()
	alice, bob := w.users["alice"], w.users["bob"]
	require.EqualValues(t, 0, w.scimAs("entra", "GET", "/Users", "").must(200).at("totalResults"))
	require.EqualValues(t, 0, w.scimAs("entra", "GET", "/Groups", "").must(200).at("totalResults"))
	for _, path := range []string{"/Users/" + alice, "/Users/" + w.users["entra"], "/Groups/" + w.science} {
		w.scimAs("entra", "GET", path, "").must(404)
		w.scimAs("entra", "DELETE", path, "").must(404)
	}
	r := w.scimAs("entra", "POST", "/Users", `{`+userSchema+`,"userName":"ALICE"}`).must(409)
	assert.Equal(t, "There is a user named \"ALICE\" already. It was made by hand; identity.scim.adopt lets SCIM take it over.", r.at("detail"))
	w.scimAs("entra", "POST", "/Groups", `{`+groupSchema+`,"displayName":"science"}`).must(409)
	w.scimAs("entra", "POST", "/Groups", `{`+groupSchema+`,"displayName":"mine","members":[{"value":"`+alice+`"}]}`).must(400)

	w.serve(func(d *admin.Deps) { d.AdoptBySCIM = true })
	require.EqualValues(t, 4, w.scimAs("entra", "GET", "/Users", "").must(200).at("totalResults"), "no service account")
	r = w.scimAs("entra", "PATCH", "/Groups/"+w.science, patchOf(`{"op":"add","path":"members","value":[{"value":"`+alice+`"}]}`)).must(200)
	require.Len(t, r.at("members"), 1, "members made by hand are not SCIM's")
	o, err := w.identity.GetOrganization(context.Background(), w.science)
	require.NoError(t, err)
	assert.Equal(t, identity.SourceSCIM, o.Source)
	w.scimAs("entra", "PUT", "/Groups/"+w.science, `{`+groupSchema+`,"displayName":"science"}`).must(200)
	o, err = w.identity.GetOrganization(context.Background(), w.science)
	require.NoError(t, err)
	assert.Equal(t, identity.Members(bob), o.Members, "and they stay")
	w.scimAs("entra", "PATCH", "/Users/"+alice, patchOf(`{"op":"add","value":{"externalId":"a1","displayName":"Alice A."}}`)).must(200)
	u, err := w.identity.GetUser(context.Background(), alice)
	require.NoError(t, err)
	assert.Equal(t, identity.SourceSCIM, u.Source)
	assert.Equal(t, "Alice A.", u.FullName)
}

func TestProvisioningDoesNotReachAdministrators(t *testing.T) {
	w := newWorld(t)
	w.provisioner()
	w.serve(func(d *admin.Deps) { d.AdoptBySCIM = true })
	root := w.users["root"]
	for _, c := range [][3]string{
		{"PATCH", "/Users/" + root, patchOf(`{"op":"replace","path":"active","value":false}`)},
		{"PUT", "/Users/" + root, `{` + userSchema + `,"userName":"mallory"}`},
		{"DELETE", "/Users/" + root, ""},
	} {
		r := w.scimAs("entra", c[0], c[1], c[2]).must(403)
		assert.Equal(t, "403", r.at("status"))
	}
	w.scimAs("root", "PATCH", "/Users/"+root, patchOf(`{"op":"replace","path":"active","value":false}`)).must(400)
	w.scimAs("root", "PATCH", "/Users/"+root, patchOf(`{"op":"replace","path":"displayName","value":"The Root"}`)).must(200)

	// No role comes by SCIM, and a provisioner reaches people in no other way.
	id := w.scimAs("entra", "POST", "/Users", `{`+userSchema+`,"userName":"mallory","roles":[{"value":"administrator"}]}`).must(201).at("id").(string)
	u, err := w.identity.GetUser(context.Background(), id)
	require.NoError(t, err)
	assert.Empty(t, u.Roles)
	w.as("entra", "PATCH", "/api/sluice/v1/users/"+id, `{"roles":["administrator"]}`).must(403)
	w.as("entra", "GET", "/api/sluice/v1/users", "").must(403)
	w.as("entra", "POST", "/api/sluice/v1/organizations", `{"name":"x"}`).must(403)
	w.as("entra", "POST", "/api/sluice/v1/tokens", `{"name":"x","userId":"`+root+`"}`).must(403)
}

func TestProvisioningVersions(t *testing.T) {
	w := newWorld(t)
	w.provisioner()
	created := w.scimAs("entra", "POST", "/Users", `{`+userSchema+`,"userName":"carol"}`).must(201)
	path := "/Users/" + created.at("id").(string)
	etag := created.header.Get("ETag")
	require.Equal(t, created.at("meta", "version"), etag)
	require.Equal(t, created.at("meta", "location"), created.header.Get("Location"))
	w.scimAs("entra", "GET", path, "", "If-None-Match", etag).must(304)
	rename := patchOf(`{"op":"replace","path":"displayName","value":"Carol"}`)
	r := w.scimAs("entra", "PATCH", path, rename, "If-Match", `"other"`).must(412)
	require.Equal(t, "412", r.at("status"))
	changed := w.scimAs("entra", "PATCH", path, rename, "If-Match", etag).must(200)
	require.NotEqual(t, etag, changed.header.Get("ETag"))
	w.scimAs("entra", "PUT", path, `{`+userSchema+`,"userName":"carol"}`, "If-Match", etag).must(412)
	w.scimAs("entra", "DELETE", path, "", "If-Match", etag).must(412)
	w.scimAs("entra", "DELETE", path, "", "If-Match", `W/`+changed.header.Get("ETag")).must(204)
}

func TestProvisioningTakesTheUsualSteps(t *testing.T) {
	w := newWorld(t)
	w.provisioner()
	for user, status := range map[string]int{"": 401, "alice": 403} {
		r := w.scimAs(user, "GET", "/Users", "").must(status)
		require.Equal(t, scim.MediaType, r.header.Get("Content-Type"))
		require.Equal(t, jsonNumber(status), r.at("status"))
	}
	w.serve(func(d *admin.Deps) { d.BodyBytes = 100 })
	require.Equal(t, "413", w.scimAs("entra", "POST", "/Users", strings.Repeat(" ", 200)).must(413).at("status"))
	w.serve(func(*admin.Deps) {})
	w.trail.broken.Store(true)
	w.scimAs("entra", "POST", "/Users", `{`+userSchema+`,"userName":"carol"}`).must(503)
	w.trail.broken.Store(false)
	require.EqualValues(t, 0, w.scimAs("entra", "GET", "/Users", "").must(200).at("totalResults"))
	require.Equal(t, "405", w.scimAs("entra", "POST", "/Schemas", "{}").must(405).at("status"))
}

func TestWhatSCIMSaidSurvives(t *testing.T) {
	w := newWorld(t)
	w.provisioner()
	id := w.scimAs("entra", "POST", "/Users", `{`+userSchema+`,"userName":"carol","externalId":"x1","name":{"givenName":"Carol"}}`).must(201).at("id").(string)
	store, err := scim.NewStore(w.db, ticking())
	require.NoError(t, err)
	w.serve(func(d *admin.Deps) { d.SCIM = store })
	r := w.scimAs("entra", "GET", "/Users/"+id, "").must(200)
	require.Equal(t, "x1", r.at("externalId"))
	require.Equal(t, "Carol", r.at("name", "givenName"))
}
