package ui_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"sluice/internal/catalog"
	"sluice/internal/identity"
	"sluice/internal/signin"
	"sluice/internal/ui"
)

var tokenPattern = regexp.MustCompile(`slu_[0-9A-Za-z]{49}`)

func TestMyTokens(t *testing.T) {
	w := newWorld(t)
	e := w.endpoint("talk", nil)
	w.get("bob", "/ui/account").must(200).has("bob", "science", "No tokens", "This one").inert()
	w.get("bob", "/ui/account/tokens/new?endpoint=talk&name=talk").must(200).has("New token", "talk").inert()

	// What can't be is told at its field, and what was typed is still there.
	p := w.post("bob", "/ui/account/tokens/new", url.Values{"name": {bold}, "expires": {"30"}, "networks": {"nowhere"}, "endpointNames": {"talk"}}).must(422)
	p.inert()
	require.Equal(t, bold, inputValue(p, "f-name"))
	require.Equal(t, "true", attrOf(p, "f-networks", "aria-invalid"))
	require.NotRegexp(t, tokenPattern, p.body)
	p = w.post("bob", "/ui/account/tokens/new", url.Values{"name": {"x"}, "endpointNames": {"no-such-endpoint"}, "expires": {"never"}}).must(422)
	require.Equal(t, "true", attrOf(p, "f-endpointNames", "aria-invalid"))

	p = w.post("bob", "/ui/account/tokens/new", url.Values{"name": {"x"}, "project": {"fraud"}, "expires": {"30"}}).must(422)
	require.Equal(t, "true", attrOf(p, "f-project", "aria-invalid"), "what may not be is told at its field, too")

	p = w.post("bob", "/ui/account/tokens/new", url.Values{"name": {"notebook"}, "expires": {"30"}, "networks": {"192.0.2.0/24"}, "endpointNames": {"talk"}}).must(200)
	p.inert()
	token := tokenPattern.FindString(p.body)
	caller, err := w.identity.Authenticate(identity.Presented{Credential: token, Address: "192.0.2.1"})
	require.NoError(t, err)
	require.Equal(t, "bob", caller.UserName)
	_, err = w.identity.Authenticate(identity.Presented{Credential: token, Address: "198.51.100.1"})
	require.Error(t, err)
	p = w.get("bob", "/ui/account").must(200).has("notebook", "1 endpoint", "192.0.2.0/24", "in 29 days")
	require.NotContains(t, p.body, token)
	require.NotContains(t, p.body, e.ID)

	revoke := linkTo(p, "/revoke")
	w.get("bob", revoke).must(200).has("Revoke this token?").inert()
	w.post("alice", revoke, nil).must(404)
	q := w.post("bob", revoke, nil).leads("/ui/account")
	r := w.request("bob", "GET", "/ui/account", nil)
	for _, k := range (&http.Response{Header: q.header}).Cookies() {
		r.AddCookie(k)
	}
	w.send(r).must(200).has("The token notebook was revoked.", "Show 1 that ended").hasNot("in 29 days")
	w.get("bob", "/ui/account?all").must(200).has("Revoked")
	_, err = w.identity.Authenticate(identity.Presented{Credential: token, Address: "192.0.2.1"})
	require.ErrorIs(t, err, identity.ErrRevokedToken)
}

func TestMySessions(t *testing.T) {
	w := newWorld(t)
	old := w.cookies["bob"]
	w.signIn("bob")
	p := w.get("bob", "/ui/account").must(200)
	end := linkTo(p, "/end")
	w.get("bob", end).must(200).has("Sign out of this browser?")
	w.post("alice", end, nil)
	now := w.cookies["bob"]
	w.cookies["bob"] = old
	w.get("bob", "/ui/").must(200)
	w.cookies["bob"] = now
	w.post("bob", end, nil).leads("/ui/account")
	w.cookies["bob"] = old
	w.get("bob", "/ui/").leads("/ui/sign-in?ended=ended")
	w.cookies["bob"] = now
	w.get("bob", "/ui/").must(200)
	w.post("bob", "/ui/account/sessions/end", nil).leads("/ui/sign-in?ended=out")
	w.get("bob", "/ui/").leads("/ui/sign-in?ended=ended")
}

func TestAPersonWhoIsDisabledIsOut(t *testing.T) {
	w := newWorld(t)
	_, err := w.identity.UpdateUser(context.Background(), w.users["bob"], func(u *identity.User) error {
		u.Disabled = true
		return nil
	})
	require.NoError(t, err)
	w.get("bob", "/ui/").leads("/ui/sign-in?ended=refused")
}

func TestEndpointPage(t *testing.T) {
	w := newWorld(t, func(d *ui.Deps) {
		d.CA = func() ([]byte, error) { return []byte("-----BEGIN CERTIFICATE-----\n"), nil }
	})
	for name, kind := range map[string]catalog.EndpointType{"talk": catalog.TypeChat, "complete": catalog.TypeCompletions, "embed": catalog.TypeEmbeddings} {
		w.endpoint(name, func(e *catalog.Endpoint) {
			e.Type, e.Targets[0].Model, e.Description = kind, bold, bold
			e.Limit = &catalog.Limit{Calls: 1200, Period: "minute"}
		})
		p := w.get("alice", "/ui/endpoints/"+name).must(200)
		p.inert()
		p.has("https://gateway.test:8443", bold, "1,200 calls each minute", "sluice-ca.pem", "get_deploy_client", "Try it", `"`+name+`"`)
		p.hasNot("Manage")
		w.get("root", "/ui/endpoints/"+name).must(200).has("Manage")
	}
	w.endpoint("science", func(e *catalog.Endpoint) { e.Permissions = catalog.Permissions{Organizations: []string{w.science}} })
	w.get("alice", "/ui/endpoints/science").must(403).has("You may not see this", "Ask an administrator").inert()
	w.get("bob", "/ui/endpoints/science").must(200).has("Try it")
	w.get("root", "/ui/endpoints/science").must(200).has("not call it").hasNot("Try it")
	w.get("root", "/ui/").must(200).hasNot("science")
	w.get("alice", "/ui/endpoints/none").must(404).inert()
	p := w.get("", "/ui/ca.pem").must(200)
	require.Equal(t, `attachment; filename="sluice-ca.pem"`, p.header.Get("Content-Disposition"))
	size := w.firstLoad("alice", "/ui/endpoints/talk")
	t.Log(size)
	require.Less(t, size, 100<<10)
	newWorld(t).get("alice", "/ui/ca.pem").must(404)
}

func TestSignInPage(t *testing.T) {
	w := newWorld(t)
	rec := httptest.NewRecorder()
	pages := ui.New(ui.Deps{REST: w.rest, Sessions: w.sessions, Provider: bold, Now: time.Now, NewID: catalog.NewID})
	show := func(p signin.Page) *page {
		rec = httptest.NewRecorder()
		pages.SignInPage(rec, w.request("", "GET", "/ui/sign-in", nil), p)
		root, err := html.Parse(strings.NewReader(rec.Body.String()))
		require.NoError(t, err)
		return &page{t: t, status: rec.Code, header: rec.Header(), body: rec.Body.String(), root: root}
	}
	p := show(signin.Page{Status: 401, Problem: bold, Return: "/ui/?search=" + bold, CSRF: "secret", RequestID: "x-1", OIDC: signin.OIDCPath})
	p.must(401).inert()
	p.has(bold, "Sign in with", "x-1")
	require.Equal(t, "secret", hidden(p, "csrf"))
	require.Contains(t, p.links(), signin.OIDCPath)
	show(signin.Page{Status: 200, Notice: "You have signed out."}).must(200).has("You have signed out.").hasNot("single sign-on", "Sign in with "+bold)
	p = show(signin.Page{Status: 200, Continue: "https://issuer.test/logout"}).must(200)
	require.Contains(t, p.body, `content="0; url=https://issuer.test/logout"`)
	require.Contains(t, p.links(), "https://issuer.test/logout")
}

func attrOf(p *page, id, name string) (value string) {
	p.each(func(n *html.Node) {
		if attr(n, "id") == id {
			value = attr(n, name)
		}
	})
	return value
}

func inputValue(p *page, id string) string { return attrOf(p, id, "value") }

// linkTo is the first link that ends so.
func linkTo(p *page, end string) string {
	p.t.Helper()
	for _, l := range p.links() {
		if strings.HasSuffix(l, end) && l != "/ui/account/sessions/end" {
			return l
		}
	}
	p.t.Fatalf("no link ends in %s", end)
	return ""
}
