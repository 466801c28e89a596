package ui_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestThePagesThatWatch(t *testing.T) {
	w := newWorld(t)
	w.endpoint("shared", nil)
	for path, may := range map[string][]string{
		"/ui/policies":                  {"root"},
		"/ui/policies/roles":            {"root"},
		"/ui/policies/access":           {"root"},
		"/ui/policies/bundles/default":  {"root"},
		"/ui/policies/check":            {"root"},
		"/ui/status":                    {"root"},
		"/ui/usage":                     {"root", "eve", "alice"},
		"/ui/usage?span=24h&by=user":    {"root", "eve", "alice"},
		"/ui/usage?user=alice&by=model": {"root", "eve", "alice"},
		"/ui/api":                       {"root", "eve", "alice"},
	} {
		for _, user := range []string{"root", "eve", "alice"} {
			p := w.get(user, path)
			p.inert()
			switch {
			case strings.Contains(strings.Join(may, " "), user):
				p.must(200)
			case path == "/ui/policies/check":
				// The question is shown to everyone; its answer is not.
				w.post(user, path, nil).must(403)
			default:
				p.must(403)
			}
		}
	}
}

func TestPoliciesAreShownCheckedAndAsked(t *testing.T) {
	w := newWorld(t)
	w.endpoint("shared", nil)
	w.get("root", "/ui/policies").must(200).has("default", "built in", "Revision")
	w.get("root", "/ui/policies/bundles/default").must(200).has("package sluice.api", "endpoints.rego")
	w.get("root", "/ui/policies/bundles/none-such").must(404)
	w.post("root", "/ui/policies/check", nil).must(200).has("Tests passed")
	w.post("root", "/ui/policies/reload", nil).leads("/ui/policies")
	w.get("root", "/ui/policies/roles").must(200).has("administrator", "auditor", "built in")
	w.get("root", "/ui/policies/access?user=alice").must(200).has("shared", "allowed_everyone", "Yes")
	w.get("root", "/ui/policies/access?endpoint=shared").must(200).has("alice", "4 of 4 may")
	w.get("root", "/ui/policies/access?user=nobody-such").must(200).has("nobody-such")
	w.get("root", "/ui/policies/access?user="+url.QueryEscape(bold)).must(200).inert()
}

func TestTheAPIPageShowsEveryOperation(t *testing.T) {
	w := newWorld(t)
	p := w.get("alice", "/ui/api").must(200)
	p.has("/api/aigateway/v1/endpoints", "/api/sluice/v1/tokens", "Authorization: Bearer")
	shapes := map[string]bool{}
	for _, l := range p.links() {
		if name, ok := strings.CutPrefix(l, "#shape-"); ok {
			shapes[name] = true
		}
	}
	require.NotEmpty(t, shapes)
	for name := range shapes { // each link leads somewhere
		require.Contains(t, p.body, `id="shape-`+name+`"`)
	}
	require.Contains(t, w.get("alice", "/ui/api/openapi.json").must(200).body, `"openapi"`)
}
