package admin_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Owners share their endpoints with people whom they could not list otherwise.
func TestOwnersFindWhomToShareWith(t *testing.T) {
	w := newWorld(t)
	w.create("mine", nil)
	w.as("root", "PATCH", endpoints+"/mine/permissions", text(map[string]any{"ownerIds": []string{w.users["bob"]}})).must(200)
	w.as("root", "PATCH", "/api/sluice/v1/users/"+w.users["eve"], `{"disabled": true}`).must(200)

	const mine = "/api/sluice/v1/endpoints/mine/candidates"
	found := func(query string) (out []string) {
		for _, x := range w.as("bob", "GET", mine+query, "").must(200).at("candidates").([]any) {
			c := x.(map[string]any)
			out = append(out, c["kind"].(string)+" "+c["name"].(string))
		}
		return out
	}
	require.Contains(t, found(""), "person alice")
	require.Contains(t, found(""), "organization science")
	require.NotContains(t, found(""), "person eve", "who is disabled is not offered")
	require.Equal(t, []string{"person eve"}, found("?ids="+w.users["eve"]), "but known where he is named already")
	require.Equal(t, []string{"person alice"}, found("?searchFilter=ALI"))
	require.Equal(t, []string{"organization science"}, found("?kind=organization"))

	w.as("bob", "GET", mine+"?kind=robot", "").must(400)
	w.as("root", "GET", "/api/sluice/v1/endpoints/none-such/candidates", "").must(404)
	w.as("alice", "GET", mine, "").must(403)
	w.as("bob", "GET", "/api/sluice/v1/candidates", "").must(403)
	w.as("root", "PATCH", "/api/sluice/v1/users/"+w.users["bob"], `{"roles": ["endpoint-owner"]}`).must(200)
	w.as("bob", "GET", "/api/sluice/v1/candidates?kind=person", "").must(200)
}
