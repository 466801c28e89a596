package browser_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/e2e/browser"
	"sluice/e2e/rig"
)

// attacker is a page of another origin of the same site, whose requests carry
// the session's cookie: only what the gateway checks itself is left to hold.
const attacker = `<!doctype html><title>Win a prize</title><main id="main">Win a prize</main>
<form id="user" method="post" action="%[1]s/ui/people/users/new"><input name="userName" value="mallory"></form>
<form id="named" method="post" action="%[1]s/ui/people/users/new"><input name="userName" value="mallory"><input name="csrf" value="AAAA"></form>
<form id="text" method="post" enctype="text/plain" action="%[1]s/api/sluice/v1/users"><input name='{"userName": "mallory", "x": "' value='"}'></form>
<form id="out" method="post" action="%[1]s/ui/sign-out"></form>
<form id="in" method="post" action="%[1]s/ui/sign-in"><input name="token" value="%[2]s"></form>`

// TestASessionCannotBeRidden has somebody who has signed in visit a page of
// another origin, which tries to use the session.
func TestASessionCannotBeRidden(t *testing.T) {
	g := rig.Start(t, rig.Options{BareEndpoints: true})
	evil := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, attacker, g.URL, g.UserToken)
	}))
	defer evil.Close()
	plain := httptest.NewServer(evil.Config.Handler)
	defer plain.Close()
	b := browser.Open(t, g.URL, evil.URL)
	b.SignIn(g.AdminToken)
	session := b.Cookie("__Host-sluice-session")
	require.True(t, session.Secure)
	require.True(t, session.HTTPOnly)
	require.Equal(t, "Lax", session.SameSite.String())
	require.Equal(t, "/", session.Path)
	require.NotContains(t, browser.Eval[string](b, `document.cookie`), "session")
	nothingHappened := func(what string) {
		t.Helper()
		users := string(g.Admin("GET", "/api/sluice/v1/users?searchFilter=mallory", "").Body)
		require.Contains(t, users, `"totalCount":0`, what)
		require.Equal(t, session.Value, b.Cookies()["__Host-sluice-session"], what)
		b.Go("/ui/account")
		b.Await("administrator")
	}

	for _, page := range []string{evil.URL, plain.URL} {
		for _, form := range []string{"user", "named", "text", "out", "in"} {
			b.Visit(page)
			browser.Eval[any](b, `document.getElementById("`+form+`").submit()`)
			b.AwaitTrue("the gateway's answer", `location.origin === "`+g.URL+`" && document.readyState === "complete"`)
			text := b.Text()
			require.NotRegexp(t, "was made|mallory", text)
			if page == evil.URL && form == "user" || form == "named" {
				require.Contains(t, text, "The request came from another site.", "it came with the session's cookie")
			}
			b.Complaints() // a refusal may be logged
			nothingHappened(form + " of " + page)
		}
	}
	b.Visit(evil.URL)
	for _, what := range []string{
		// Nothing is read, of pages or of REST.
		`fetch(gateway + "/ui/people/users", {credentials: "include"})`,
		`fetch(gateway + "/ui/account", {credentials: "include", headers: {"X-Poll": "1"}})`,
		`fetch(gateway + "/api/sluice/v1/users", {credentials: "include"})`,
		`fetch(gateway + "/ui/people/users/new", {credentials: "include", method: "POST", headers: {"X-CSRF-Token": "x"}, body: "userName=mallory"})`,
		`fetch(gateway + "/ui/endpoints/practice/try", {credentials: "include", method: "POST", headers: {"Content-Type": "application/json"}, body: "{}"})`,
	} {
		require.Equal(t, "TypeError", browser.Eval[string](b, `(() => { const gateway = "`+g.URL+`"; return `+what+`.then((r) => r.status + "", (e) => e.name); })()`), what)
	}
	// What may be sent without asking does nothing.
	browser.Eval[any](b, `fetch("`+g.URL+`/ui/people/users/new", {credentials: "include", mode: "no-cors", method: "POST", body: new URLSearchParams({userName: "mallory"})}).then(() => {}, () => {})`)
	browser.Eval[any](b, `fetch("`+g.URL+`/ui/sign-out", {credentials: "include", mode: "no-cors"}).then(() => {}, () => {})`)
	browser.Eval[any](b, `navigator.sendBeacon("`+g.URL+`/api/sluice/v1/users", '{"userName": "mallory"}')`)

	// No page of it is shown in a frame, and no window keeps a handle on it.
	for _, path := range []string{"/ui/", "/ui/sign-in", "/ui/account", "/api/openapi.json"} {
		b.Complaints()
		browser.Eval[any](b, `new Promise((done) => { const f = document.createElement("iframe"); f.onload = done; f.src = "`+g.URL+path+`"; document.body.append(f); }).then(() => {})`)
		require.Eventually(t, func() bool { // the browser tells of it in its own time
			return regexp.MustCompile("frame-ancestors|X-Frame-Options").MatchString(strings.Join(b.Complaints(), "\n"))
		}, browser.Timeout, 20*time.Millisecond, path)
	}
	nothingHappened("fetch and frames")
	b.Complaints() // of frames, told a second time

	// After signing in one stays at the gateway, whatever the address says.
	for _, to := range []string{evil.URL, "//" + strings.TrimPrefix(evil.URL, "https://"), `/\` + strings.TrimPrefix(evil.URL, "https://"), "javascript:alert(1)"} {
		other := b.Another()
		other.Go("/ui/sign-in?return=" + strings.NewReplacer(":", "%3A", "/", "%2F", `\`, "%5C").Replace(to))
		other.Fill("Token", g.UserToken)
		other.Click("Sign in with the token")
		other.AwaitTrue("the first page", `document.querySelector(".shell")`)
		other.AwaitPath("/ui/")
	}
}

// stored are texts that would run in a page that does not write them as text:
// between tags, in an attribute, in a script, as a link.
const stored = `"'><img src=x onerror=window.stolen=1><script>window.stolen=1</script><svg onload=window.stolen=1>{{1234*5678}}`

// TestStoredScriptIsInert puts script into every text that people or machines
// can store, and opens every page, which must fit and be fit for everybody as
// well, whatever stands there. Chromium is told to ignore the pages'
// Content-Security-Policy: it would hide what is not written as text.
func TestStoredScriptIsInert(t *testing.T) {
	bundle := t.TempDir()
	require.NoError(t, os.CopyFS(bundle, os.DirFS("../../policies/bundle")))
	require.NoError(t, os.WriteFile(filepath.Join(bundle, "zz<img src=x onerror=window.stolen=1>.rego"), []byte("package sluice.extra\n\n# "+stored+"\n\nx := 1\n"), 0o600))
	g := rig.Start(t, rig.Options{Config: "policies: { bundles: [ { name: evil, source: \"dir:" + bundle + "\" } ] }\n"})
	text, err := json.Marshal(stored)
	require.NoError(t, err)
	put := func(method, path, body string) map[string]any {
		r := g.Call(method, path, g.AdminToken, strings.ReplaceAll(body, "EVIL", strings.Trim(string(text), `"`)))
		require.Less(t, r.Status, 300, "%s %s: %s", path, body, r.Body)
		return r.JSON(t)
	}
	user := put("POST", "/api/sluice/v1/users", `{"userName": "u EVIL", "fullName": "f EVIL", "email": "e EVIL"}`)["id"].(string)
	put("POST", "/api/sluice/v1/users", `{"userName": "s EVIL", "kind": "service-account"}`)
	organization := put("POST", "/api/sluice/v1/organizations", `{"name": "o EVIL", "members": ["`+user+`"]}`)["id"].(string)
	issued := put("POST", "/api/sluice/v1/tokens", `{"name": "t EVIL", "project": "p EVIL", "execution": "x EVIL", "userId": "`+user+`"}`)["token"].(string)
	put("POST", "/api/sluice/v1/credentials", `{"name": "c EVIL", "provider": "openai", "values": {"openai_api_key": "EVIL"}}`)
	put("PATCH", "/api/aigateway/v1/endpoints/chat-openai", `{"description": "d EVIL", "modelName": "m EVIL"}`)
	put("PATCH", "/api/aigateway/v1/endpoints/chat-openai/permissions", `{"isEveryoneAllowed": false, "userIds": ["`+user+`"], "organizationIds": ["`+organization+`"], "ownerIds": ["`+user+`"], "roles": ["EVIL"], "projects": ["EVIL"]}`)
	body := strings.ReplaceAll(`{"messages": [{"role": "user", "content": "EVIL"}]}`, "EVIL", strings.Trim(string(text), `"`))
	for _, endpoint := range []string{"chat-openai", "chat-anthropic"} { // the stand-ins quote the message
		require.Contains(t, []int{200, 403}, g.Call("POST", "/endpoints/"+endpoint+"/invocations", issued, body, "User-Agent", stored).Status)
	}

	b := browser.Open(t, g.URL)
	b.IgnoreCSP()
	b.UserAgent("Mozilla/5.0 " + stored)
	b.SignIn(g.AdminToken)
	inert := func(path string) {
		require.False(t, browser.Eval[bool](b, `"stolen" in window`), path)
		require.Equal(t, "", browser.Eval[string](b, `[...document.querySelectorAll("[src=x], [onerror], [onload], script:not([src])")].map((x) => x.outerHTML).join()`), path)
		require.NotContains(t, browser.Eval[string](b, `document.documentElement.outerHTML`), "7006652", path)
	}
	seen := 0
	visited := b.Walk(func(path string) {
		b.Go(path)
		inert(path)
		b.Fits(path)
		b.Axe()
		seen += strings.Count(browser.Eval[string](b, `document.documentElement.outerHTML`), "window.stolen")
	}, "/ui/endpoints/chat-openai", "/ui/admin/endpoints/chat-openai/log", "/ui/people/users/"+user, "/ui/people/organizations/"+organization, "/ui/audit?span=24h")
	require.Greater(t, seen, 30, "the texts are on the pages")
	t.Logf("%d pages: %s", len(visited), strings.Join(visited, " "))

	// What comes while one uses the pages: the answer of a model, the search in
	// the directory, messages of refusals.
	b.Go("/ui/endpoints/chat-anthropic")
	b.Fill("Message", stored)
	b.Click("Send")
	b.Await("tokens in")
	inert("the playground")
	b.Go("/ui/admin/endpoints/chat-openai/permissions/edit")
	b.Fill("Search users", "u ")
	b.AwaitTrue("the user", `document.querySelector("[role=option]")`)
	inert("the directory")
	b.Go("/ui/?search=" + "%22%27%3E%3Cimg%20src%3Dx%20onerror%3Dwindow.stolen%3D1%3E")
	b.Await("Nothing found")
	inert("the search")
	b.Go("/ui/people/users/new")
	b.Fill("User name", "u "+stored)
	b.Click("Create user")
	b.Await("exists already")
	inert("a refusal")
}
