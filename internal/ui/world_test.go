package ui_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"golang.org/x/net/html"

	"sluice/extproc/provider"
	"sluice/internal/admin"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/identity"
	"sluice/internal/session"
	"sluice/internal/state"
	"sluice/internal/ui"
	"sluice/internal/usage"
	"sluice/internal/vault"
	"sluice/policies"
)

// canary is the key that no page may show.
const canary = "sk-canary-5b21d0e9"

// world is the UI on real stores, with one person of each kind: root
// (administrator), eve (auditor), alice and bob (neither; bob is in science).
type world struct {
	t        testing.TB
	handler  http.Handler
	rest     http.Handler
	identity *identity.Store
	catalog  *catalog.Store
	trail    *audit.Trail
	sessions *session.Manager
	users    map[string]string       // user name → id
	cookies  map[string]*http.Cookie // user name → session
	csrf     map[string]string       // user name → secret of the pages
	science  string                  // id of the organization
	probed   []provider.Target       // what was tried
	sinks    sinks
}

func newWorld(t testing.TB, change ...func(*ui.Deps)) *world {
	t.Helper()
	w := &world{t: t, users: map[string]string{}, cookies: map[string]*http.Cookie{}, csrf: map[string]string{}}
	dir, log, ctx := t.TempDir(), zap.NewNop(), context.Background()
	db, err := state.Open(filepath.Join(dir, "sluice.db"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	keys, err := vault.OpenLocal(filepath.Join(dir, "vault.keyset"))
	require.NoError(t, err)
	w.identity, err = identity.NewStore(db, time.Now, catalog.NewID)
	require.NoError(t, err)
	w.catalog, err = catalog.NewStore(db, keys, time.Now, catalog.NewID)
	require.NoError(t, err)
	trail, err := audit.Open(audit.Options{Dir: filepath.Join(dir, "audit"), Now: time.Now, Log: log})
	require.NoError(t, err)
	t.Cleanup(func() { _ = trail.Close() })
	w.trail = trail
	counts, err := usage.Open(usage.Options{Path: filepath.Join(dir, "usage.db"), Trail: trail, Now: time.Now, Log: log})
	require.NoError(t, err)
	t.Cleanup(func() { _ = counts.Close() })
	policy, err := policies.New(policies.Options{Sources: []policies.Source{{Name: "default"}}, Log: log, Now: time.Now, Timeout: time.Minute})
	require.NoError(t, err)
	w.sessions, err = session.New(session.Options{
		DB: db, Callers: w.identity, Limits: session.Limits{Idle: time.Hour, Absolute: 24 * time.Hour, PerUser: 10},
		Now: time.Now, NewID: catalog.NewID, Log: log,
	})
	require.NoError(t, err)
	var ids atomic.Int64
	newID := func() string { return fmt.Sprintf("exchange-%d", ids.Add(1)) }
	w.rest = admin.New(admin.Deps{
		Identity: w.identity, Catalog: w.catalog, Policy: policy, Trail: trail, Usage: counts, Sinks: &w.sinks,
		Activate: func(context.Context, *catalog.Endpoint) error { return nil }, CheckHost: func(context.Context, string) error { return nil },
		Components: func() []admin.Component { return nil }, Sessions: w.sessions, Probe: w.onProbe, Version: "1.2.3", Now: time.Now, NewID: newID, Log: log,
	})
	d := ui.Deps{
		REST: w.rest, Sessions: w.sessions, Tokens: w.identity, Policy: policy, Version: "1.2.3", Now: time.Now, NewID: newID, Log: log,
	}
	for _, f := range change {
		f(&d)
	}
	w.handler = ui.Mount(w.rest, ui.New(d))
	for name, roles := range map[string][]string{
		"root": {identity.RoleAdministrator}, "eve": {identity.RoleAuditor}, "alice": nil, "bob": nil,
	} {
		u, err := w.identity.CreateUser(ctx, identity.User{Name: name, Roles: roles})
		require.NoError(t, err)
		w.users[name] = u.ID
		w.signIn(name)
	}
	o, err := w.identity.CreateOrganization(ctx, identity.Organization{Name: "science", Members: identity.Members(w.users["bob"])})
	require.NoError(t, err)
	w.science = o.ID
	return w
}

// onProbe stands in for the provider of a target that is tried: it takes the
// canary and no other key.
func (w *world) onProbe(_ context.Context, t provider.Target, _ string) api.TargetTestResult {
	w.probed = append(w.probed, t)
	for _, v := range t.Config {
		if v == canary {
			return api.TargetTestResult{OK: true, Message: "OpenAI answered.", Status: 200, DurationMillis: 412}
		}
	}
	return api.TargetTestResult{Code: "provider_credential_rejected", Message: "OpenAI refused the key. Give another.", Status: 401, DurationMillis: 98}
}

// signIn begins a session.
func (w *world) signIn(name string) {
	w.t.Helper()
	rec := httptest.NewRecorder()
	s, err := w.sessions.Start(context.Background(), rec, httptest.NewRequest("GET", "/ui/", nil), session.SignIn{UserID: w.users[name], Method: session.MethodToken})
	require.NoError(w.t, err)
	w.cookies[name], w.csrf[name] = rec.Result().Cookies()[0], s.CSRF
}

// endpoint makes an endpoint that some may use: everyone where nobody is named.
func (w *world) endpoint(name string, more func(*catalog.Endpoint)) catalog.Endpoint {
	w.t.Helper()
	e := catalog.Endpoint{
		Name: name, Type: catalog.TypeChat, Permissions: catalog.Permissions{Everyone: true},
		Targets: []catalog.Target{{
			Name: catalog.DefaultTarget, Weight: 1, Provider: "openai", Model: "gpt-4o", Config: map[string]string{},
			Secrets: map[string]string{"openai_api_key": canary},
		}},
	}
	if more != nil {
		more(&e)
	}
	made, err := w.catalog.Create(context.Background(), e)
	require.NoError(w.t, err)
	return *made
}

// page is a reply, parsed.
type page struct {
	t      testing.TB
	status int
	header http.Header
	body   string
	root   *html.Node
}

// request makes one as a browser would; user "" has not signed in.
func (w *world) request(user, method, path string, form url.Values) *http.Request {
	var r *http.Request
	if form == nil {
		r = httptest.NewRequest(method, "https://gateway.test:8443"+path, nil)
	} else {
		r = httptest.NewRequest(method, "https://gateway.test:8443"+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Set("X-Forwarded-For", "6.6.6.6, 192.0.2.7")
	if user != "" {
		require.NotNil(w.t, w.cookies[user], user)
		r.AddCookie(w.cookies[user])
	}
	return r
}

func (w *world) send(r *http.Request) *page {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	p := &page{t: w.t, status: rec.Code, header: rec.Header(), body: rec.Body.String()}
	require.NotContains(w.t, p.body, canary)
	var err error
	p.root, err = html.Parse(strings.NewReader(p.body))
	require.NoError(w.t, err)
	return p
}

func (w *world) get(user, path string) *page {
	w.t.Helper()
	return w.send(w.request(user, "GET", path, nil))
}

// post sends a form with the secret of the person's pages.
func (w *world) post(user, path string, form url.Values) *page {
	w.t.Helper()
	if form == nil {
		form = url.Values{}
	}
	if user != "" && form.Get("csrf") == "" {
		form.Set("csrf", w.csrf[user])
	}
	return w.send(w.request(user, "POST", path, form))
}

func (p *page) must(status int) *page {
	p.t.Helper()
	require.Equal(p.t, status, p.status, p.text())
	return p
}

// leads checks for a redirect.
func (p *page) leads(to string) *page {
	p.t.Helper()
	p.must(http.StatusSeeOther)
	require.Equal(p.t, to, p.header.Get("Location"))
	return p
}

func (p *page) has(texts ...string) *page {
	p.t.Helper()
	shown := p.text()
	for _, t := range texts {
		require.Contains(p.t, shown, t)
	}
	return p
}

func (p *page) hasNot(texts ...string) *page {
	p.t.Helper()
	for _, t := range texts {
		require.NotContains(p.t, p.text(), t)
	}
	return p
}

// each calls fn for each element.
func (p *page) each(fn func(n *html.Node)) {
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode {
			fn(n)
		}
	}
}

// text is what the page shows, with single spaces.
func (p *page) text() string {
	var b strings.Builder
	for n := range p.root.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// links are the addresses of all links.
func (p *page) links() []string {
	var out []string
	p.each(func(n *html.Node) {
		if n.Data == "a" {
			out = append(out, attr(n, "href"))
		}
	})
	return out
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
