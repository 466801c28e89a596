package admin_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPermissions(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.users["alice"], w.users["bob"]
	path := endpoints + "/a/permissions"
	w.create("a", map[string]any{"isEveryoneAllowed": false, "userIds": []string{alice}})
	for _, c := range []struct {
		name, patch          string
		everyone             bool
		users, organizations []any
	}{
		{"as created", ``, false, []any{alice}, []any{}},
		{"a list replaces, the rest stays", text(map[string]any{"organizationIds": []string{w.science}}), false, []any{alice}, []any{w.science}},
		{"users alone", text(map[string]any{"userIds": []string{bob}}), false, []any{bob}, []any{w.science}},
		{"everyone alone", `{"isEveryoneAllowed":true}`, true, []any{bob}, []any{w.science}},
		{"empty lists", `{"isEveryoneAllowed":false,"userIds":[],"organizationIds":[]}`, false, []any{}, []any{}},
		{"an organization among the users, as Domino sends it", text(map[string]any{"userIds": []string{w.science}}),
			false, []any{w.science}, []any{w.science}},
		{"and taken out in the same way", `{"userIds":[]}`, false, []any{}, []any{}},
		{"again", text(map[string]any{"userIds": []string{w.science}}), false, []any{w.science}, []any{w.science}},
		{"and taken out by its own list", `{"organizationIds":[]}`, false, []any{}, []any{}},
		{"given twice", text(map[string]any{"organizationIds": []string{w.science, w.science}}), false, []any{}, []any{w.science}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.patch != "" {
				w.as("root", "PATCH", path, c.patch).must(200)
			}
			r := w.as("root", "GET", path, "").must(200)
			assert.Equal(t, c.everyone, r.at("isEveryoneAllowed"))
			assert.ElementsMatch(t, c.users, r.at("userIds"))
			assert.ElementsMatch(t, c.organizations, r.at("organizationIds"))
		})
	}
	e := w.lastEvent("ChangeEndpointPermissions")
	assert.Equal(t, " → "+w.science, changesOf(e)["organizationIds"])
	assert.Equal(t, "root", e.By.UserName)
	assert.Equal(t, "192.0.2.7", e.ClientAddr, "the address that Envoy added, not the one the client made up")
}

func TestPermissionHoldsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.create("a", nil)
	w.as("bob", "GET", endpoints+"/a", "").must(403)
	w.as("root", "PATCH", endpoints+"/a/permissions", text(map[string]any{"userIds": []string{w.science}})).must(200)
	w.as("bob", "GET", endpoints+"/a", "").must(200)
	w.as("root", "DELETE", "/api/sluice/v1/organizations/"+w.science, "").must(200)
	w.as("bob", "GET", endpoints+"/a", "").must(403)
	assert.Equal(t, w.science+" → ", changesOf(w.lastEvent("ChangeEndpointPermissions"))["organizationIds"])
}

func TestPermissionsAreForAdministrators(t *testing.T) {
	w := newWorld(t)
	w.create("a", map[string]any{"isEveryoneAllowed": true})
	w.as("alice", "GET", endpoints+"/a/permissions", "").must(403)
	w.as("alice", "PATCH", endpoints+"/a/permissions", `{"isEveryoneAllowed":false}`).must(403)
}
