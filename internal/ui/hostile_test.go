package ui_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"sluice/internal/catalog"
	"sluice/internal/identity"
)

// hostile is a name that would run, or leave its place, where a page does not
// escape it.
const hostile = `x"'><script>alert(1)</script><img src=x onerror=alert(1)><a hx-get=/ui/evil hx-trigger=load href=javascript:alert(1)>`

// A crawl of every page that links lead to, where everything that somebody can
// name has a hostile name: nothing of it becomes a part of a page, no page has
// what its policy forbids, and looking changes nothing.
func TestHostileNamesAreInertOnEveryPage(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	mallory, err := w.identity.CreateUser(ctx, identity.User{Name: hostile, FullName: hostile, Email: "javascript:alert(1)"})
	require.NoError(t, err)
	robot, err := w.identity.CreateUser(ctx, identity.User{Name: "robot " + hostile, Kind: identity.KindServiceAccount})
	require.NoError(t, err)
	_, err = w.identity.CreateOrganization(ctx, identity.Organization{Name: hostile, Members: identity.Members(mallory.ID, w.users["root"])})
	require.NoError(t, err)
	plain, _, err := w.identity.IssueToken(ctx, identity.Token{Name: hostile, UserID: w.users["root"]})
	require.NoError(t, err)
	for _, u := range []string{w.users["root"], mallory.ID, robot.ID} {
		_, _, err := w.identity.IssueToken(ctx, identity.Token{Name: hostile, UserID: u, Project: hostile, Execution: hostile})
		require.NoError(t, err)
	}
	k, err := w.catalog.CreateCredential(ctx, catalog.Credential{ID: catalog.NewID(), Name: hostile, Provider: "openai", Secrets: catalog.Secrets{"openai_api_key": canary}})
	require.NoError(t, err)
	w.endpoint("evil", func(e *catalog.Endpoint) {
		e.Description = hostile
		e.Targets[0].Model, e.Targets[0].CredentialID, e.Targets[0].Secrets = hostile, k.ID, nil
		e.Targets[0].Config = map[string]string{"openai_organization": hostile}
		e.Permissions.Users, e.Permissions.Projects = []string{mallory.ID}, []string{hostile}
		e.Permissions.Owners = []string{mallory.ID}
	})
	// Events with such names, and refused calls with such paths.
	w.post("root", "/ui/people/users/"+mallory.ID+"/edit", url.Values{"userName": {hostile + "2"}, "fullName": {hostile}})
	events := func() (kinds []string) {
		r := httptest.NewRequest("GET", "/api/sluice/v1/audit?limit=1000", nil)
		r.Header.Set("Authorization", "Bearer "+plain)
		rec := httptest.NewRecorder()
		w.rest.ServeHTTP(rec, r)
		require.Equal(t, 200, rec.Code)
		var page struct {
			Records []struct{ Event *struct{ Kind string } }
		}
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &page))
		for _, x := range page.Records {
			if x.Event != nil && x.Event.Kind != "ReadAuditRecord" {
				kinds = append(kinds, x.Event.Kind)
			}
		}
		return kinds
	}
	before := events()
	require.NotEmpty(t, before)

	seen, queue := map[string]bool{}, []string{"/ui/"}
	shown := 0
	for len(queue) > 0 && len(seen) < 400 {
		path := queue[0]
		queue = queue[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		p := w.get("root", path)
		require.Less(t, p.status, 500, path)
		if !strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
			assert.Contains(t, p.header.Get("Content-Disposition")+p.header.Get("X-Content-Type-Options"), "nosniff", path)
			continue
		}
		if strings.Contains(p.text(), "alert(1)") {
			shown++
		}
		inert(t, p, path)
		queue = append(queue, ownLinks(p)...)
	}
	assert.Greater(t, shown, 15, "the hostile names are shown on many pages: %v", seen)
	assert.Equal(t, before, events(), "looking at pages changes nothing")
}

// inert holds a page to what its own policy allows, and looks for anything of
// the hostile name in it.
func inert(t *testing.T, p *page, path string) {
	t.Helper()
	policy := p.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		assert.Contains(t, policy+";", want, path)
	}
	assert.Equal(t, "no-store", p.header.Get("Cache-Control"), path)
	p.each(func(n *html.Node) {
		switch n.Data {
		case "script":
			assert.True(t, strings.HasPrefix(attr(n, "src"), "/ui/assets/") && n.FirstChild == nil, path)
		case "img", "iframe", "object", "embed", "style", "base", "link":
			assert.True(t, n.Data == "link" && strings.HasPrefix(attr(n, "href"), "/ui/assets/"), "%s: <%s>", path, n.Data)
		case "form":
			if attr(n, "id") != "play-form" { // which a script sends
				assert.Regexp(t, `^/ui/`, attr(n, "action"), path)
			}
			assert.Equal(t, strings.EqualFold(attr(n, "method"), "post"), hasCSRF(n), "%s: a form that changes something has the session's secret, no other has", path)
		}
		for _, a := range n.Attr {
			assert.False(t, strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc", "%s: %s has %s", path, n.Data, a.Key)
			switch a.Key {
			case "href", "src", "action", "formaction", "hx-get", "hx-post", "data-try", "data-source", "xlink:href":
				assert.Regexp(t, `^(/ui/|/api/|#|\?|https://gateway\.test)`, a.Val, "%s: %s of %s", path, a.Key, n.Data)
				assert.NotEqual(t, "/ui/evil", a.Val, path)
			}
		}
	})
}

func ownLinks(p *page) (out []string) {
	for _, link := range p.links() {
		u, err := url.Parse(link)
		if err == nil && u.Host == "" && strings.HasPrefix(u.Path, "/ui/") && len(u.RawQuery) < 60 {
			u.Fragment = ""
			out = append(out, u.String())
		}
	}
	return out
}

func hasCSRF(form *html.Node) bool {
	for n := range form.Descendants() {
		if n.Type == html.ElementNode && attr(n, "name") == "csrf" && attr(n, "value") != "" {
			return true
		}
	}
	return false
}
