package signin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
	"sluice/internal/session"
	"sluice/internal/signin"
)

// begin sends the browser to the provider and returns the state it takes along.
func (b *browser) begin(target string) string {
	b.w.t.Helper()
	resp := b.send("GET", target, nil)
	require.Equal(b.w.t, http.StatusSeeOther, resp.StatusCode, b.w.page)
	to, err := url.Parse(resp.Header.Get("Location"))
	require.NoError(b.w.t, err)
	require.Equal(b.w.t, "idp.test", to.Host)
	return to.Query().Get("state")
}

func (b *browser) callback(state, code string) *http.Response {
	return b.send("GET", "/ui/sign-in/callback?"+url.Values{"state": {state}, "code": {code}}.Encode(), nil)
}

func TestSignInWithTheProvider(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.send("GET", "/ui/sign-in?return=%2Fui%2Fusage%3Fdays%3D7", nil)
	require.Equal(t, "/ui/sign-in/oidc?return=%2Fui%2Fusage%3Fdays%3D7", w.page.OIDC)
	state := b.begin(w.page.OIDC)
	require.Equal(t, "https://gateway.test/ui/sign-in/callback", w.provider.asked.Get("redirect_uri"))
	for _, secret := range []string{"nonce", "verifier"} {
		require.Len(t, w.provider.asked.Get(secret), 43)
		for _, c := range b.cookies {
			require.NotContains(t, c.Value, w.provider.asked.Get(secret), "sealed")
		}
	}
	b.headers["Sec-Fetch-Site"] = "cross-site" // as it comes from the provider
	resp := b.callback(state, "good")
	require.Equal(t, http.StatusSeeOther, resp.StatusCode, w.page)
	require.Equal(t, "/ui/usage?days=7", resp.Header.Get("Location"))
	delete(b.headers, "Sec-Fetch-Site")
	s := b.session()
	require.Equal(t, "alice", s.Caller.UserName)
	require.Equal(t, identity.CredentialSession, s.Caller.Credential)
	require.Equal(t, session.MethodOIDC, s.Method)
	require.Equal(t, []string{"SignIn alice alice oidc "}, w.events())
	for name := range b.cookies {
		require.NotContains(t, name, "flow", "the flow is gone")
	}

	w.provider.logout = "https://idp.test/logout"
	resp = b.send("POST", "/ui/sign-out", url.Values{"csrf": {s.CSRF}})
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "https://idp.test/logout?id_token_hint=the-id-token&post_logout_redirect_uri=https%3A%2F%2Fgateway.test%2Fui%2Fsign-in", w.page.Continue)
	require.Nil(t, b.session())
	require.NotContains(t, w.everything(), "the-id-token")
}

func TestTheWayBackIsBoundToTheBrowser(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *world, b *browser) *http.Response
		ok   bool
	}{
		{"as it should be", func(w *world, b *browser) *http.Response { return b.callback(b.begin("/ui/sign-in/oidc"), "good") }, true},
		{"two tabs, the first one comes back", func(w *world, b *browser) *http.Response {
			state, asked := b.begin("/ui/sign-in/oidc"), w.provider.asked
			b.begin("/ui/sign-in/oidc")
			w.provider.asked = asked
			return b.callback(state, "good")
		}, true},
		{"no state", func(w *world, b *browser) *http.Response { b.begin("/ui/sign-in/oidc"); return b.callback("", "good") }, false},
		{"a made-up state", func(w *world, b *browser) *http.Response {
			b.begin("/ui/sign-in/oidc")
			return b.callback(strings.Repeat("x", 43), "good")
		}, false},
		{"another browser's state", func(w *world, b *browser) *http.Response {
			return b.callback(w.browser().begin("/ui/sign-in/oidc"), "good")
		}, false},
		{"another browser's flow, planted", func(w *world, b *browser) *http.Response {
			mallory := w.browser()
			state := mallory.begin("/ui/sign-in/oidc")
			b.begin("/ui/sign-in/oidc")
			for name, cookie := range mallory.cookies {
				if strings.Contains(name, "flow") {
					b.cookies[name] = cookie
				}
			}
			return b.callback(state, "good")
		}, false},
		{"the flow of another state", func(w *world, b *browser) *http.Response {
			state := b.begin("/ui/sign-in/oidc")
			return b.callback(state[:42]+"x", "good")
		}, false},
		{"twice", func(w *world, b *browser) *http.Response {
			state := b.begin("/ui/sign-in/oidc")
			kept := map[string]*http.Cookie{}
			for k, v := range b.cookies {
				kept[k] = v
			}
			require.Equal(w.t, http.StatusSeeOther, b.callback(state, "good").StatusCode)
			b.cookies = kept
			return b.callback(state, "good")
		}, false},
		{"too late", func(w *world, b *browser) *http.Response {
			state := b.begin("/ui/sign-in/oidc")
			w.advance(10 * time.Minute)
			return b.callback(state, "good")
		}, false},
		{"after a restart", func(w *world, b *browser) *http.Response {
			state := b.begin("/ui/sign-in/oidc")
			w.options.Registerer = nil
			w.serve()
			return b.callback(state, "good")
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser()
			resp := c.do(w, b)
			if c.ok {
				require.Equal(t, http.StatusSeeOther, resp.StatusCode, w.page)
				return
			}
			require.Equal(t, http.StatusBadRequest, resp.StatusCode)
			require.Equal(t, "oidc_state", w.page.Code)
			require.Nil(t, b.session())
			events := w.events()
			require.Equal(t, "FailSignIn   oidc oidc_state", events[len(events)-1])
		})
	}
}

func TestManyTabsDoNotFillTheBrowser(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for range 50 {
		b.begin("/ui/sign-in/oidc")
	}
	require.LessOrEqual(t, len(b.cookies), 7)
}

func TestTheProviderSaysNo(t *testing.T) {
	for _, c := range []struct {
		query   string
		err     error
		status  int
		code    string
		says    string
		failure bool
	}{
		{"error=access_denied&error_description=%3Cscript%3E", nil, 401, "oidc_refused", "You cancelled, or the identity provider does not let you", true},
		{"error=login_required", nil, 401, "oidc_refused", "wants you to sign in there first", true},
		{"error=temporarily_unavailable", nil, 502, "oidc_refused", "has a problem", true},
		{"error=unauthorized_client", nil, 401, "oidc_refused", "not set up for each other (unauthorized_client)", true},
		{"error=something_new", nil, 401, "oidc_refused", "(something_new)", true},
		{"error=%3Cscript%3E", nil, 401, "oidc_refused", "(unknown)", true},
		{"code=bad", nil, 401, "oidc_refused", "was not accepted", true},
		{"", nil, 401, "oidc_refused", "was not accepted", true},
		{"code=good", fmt.Errorf("following: %w", identity.ErrDisabledUser), 403, "disabled_user", "Your user is disabled", true},
		{"code=good", fmt.Errorf("following: %w", identity.ErrUnknownUser), 403, "unknown_user", "this gateway does not yet", true},
		{"code=good", fmt.Errorf("following: %w", identity.ErrNameTaken), 403, "name_taken", "has your name", true},
		{"code=good", fmt.Errorf("%w: disk", signin.ErrDirectory), 503, "directory_unavailable", "Try again later", false},
		{"code=good", fmt.Errorf("asking: %w", signin.ErrProviderAway), 502, "oidc_unavailable", "does not answer", false},
	} {
		t.Run(c.query, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser()
			state := b.begin("/ui/sign-in/oidc?return=/ui/x")
			w.provider.err = c.err
			resp := b.send("GET", "/ui/sign-in/callback?state="+state+"&"+c.query, nil)
			require.Equal(t, c.status, resp.StatusCode)
			require.Equal(t, c.code, w.page.Code)
			require.Contains(t, w.page.Problem, c.says)
			require.NotContains(t, w.page.Problem, "script")
			require.Equal(t, "/ui/x", w.page.Return)
			require.Nil(t, b.session())
			require.Equal(t, c.failure, len(w.events()) == 1)
		})
	}
	w := newWorld(t)
	w.provider.err = errors.New("no discovery document")
	require.Equal(t, http.StatusBadGateway, w.browser().send("GET", "/ui/sign-in/oidc", nil).StatusCode)
	w = newWorld(t)
	w.provider.away = true
	require.Equal(t, http.StatusBadGateway, w.browser().send("GET", "/ui/sign-in/oidc?return=/ui/x", nil).StatusCode)
	require.Contains(t, w.page.Problem, "sign in with a token")
	require.Equal(t, "/ui/x", w.page.Return)
	require.Nil(t, w.provider.asked, "nobody is sent to a provider that is away")
}

func TestADisabledUserOfTheProvider(t *testing.T) {
	w := newWorld(t)
	_, err := w.people.UpdateUser(context.Background(), w.alice.ID, func(u *identity.User) error { u.Disabled = true; return nil })
	require.NoError(t, err)
	b := w.browser()
	require.Equal(t, http.StatusForbidden, b.callback(b.begin("/ui/sign-in/oidc"), "good").StatusCode)
	require.Nil(t, b.session())
	require.Equal(t, []string{"FailSignIn   oidc disabled_user"}, w.events())
}

func TestWithoutAProvider(t *testing.T) {
	w := newWorld(t)
	w.options.Provider, w.options.Registerer = nil, nil
	w.serve()
	b := w.browser()
	b.send("GET", "/ui/sign-in", nil)
	require.Empty(t, w.page.OIDC)
	for _, path := range []string{"/ui/sign-in/oidc", "/ui/sign-in/callback?state=x&code=y"} {
		require.Equal(t, http.StatusNotFound, b.send("GET", path, nil).StatusCode)
	}
}

func TestNoOpenRedirect(t *testing.T) {
	w := newWorld(t)
	for given, want := range map[string]string{
		"":                                   "/ui/",
		"/ui/":                               "/ui/",
		"/ui/endpoints/":                     "/ui/endpoints/",
		"/ui/a?b=c&d=%2F":                    "/ui/a?b=c&d=%2F",
		"/ui/a%20b":                          "/ui/a%20b",
		"/ui/a#fragment":                     "/ui/a",
		"/ui/x?u=https://evil.test":          "/ui/x?u=https://evil.test",
		"https://evil.test/ui/":              "/ui/",
		"//evil.test/ui/":                    "/ui/",
		"///evil.test":                       "/ui/",
		"/\\evil.test":                       "/ui/",
		"\\\\evil.test":                      "/ui/",
		"/ui/\\..\\evil":                     "/ui/",
		"/ui//evil.test":                     "/ui/",
		"/ui/../..//evil.test":               "/ui/",
		"/ui/%2e%2e/api/":                    "/ui/",
		"/ui/%2E%2E%2F%2Fevil.test":          "/ui/",
		"/ui/%5cevil":                        "/ui/",
		"/ui/%252e%252e/":                    "/ui/",
		"/ui/\r\nLocation: https://evil":     "/ui/",
		"/ui/%0d%0aX":                        "/ui/",
		"/ui/\t/evil":                        "/ui/",
		"/api/sluice/v1/users":               "/ui/",
		"/uix":                               "/ui/",
		"javascript:alert(1)":                "/ui/",
		" /ui/a":                             "/ui/",
		"ui/a":                               "/ui/",
		"/ui/sign-in":                        "/ui/",
		"/ui/sign-in/callback?code=x":        "/ui/",
		"/ui/sign-out":                       "/ui/",
		"/ui/" + strings.Repeat("a", 3000):   "/ui/",
		"/ui/%zz":                            "/ui/",
		"https:/ui/":                         "/ui/",
		"/ui/@evil.test":                     "/ui/@evil.test",
		"http://gateway.test@evil.test/ui/x": "/ui/",
	} {
		t.Run(given, func(t *testing.T) {
			b := w.browser()
			resp := b.signIn(w.token, func(f url.Values) { f.Set("return", given) })
			require.Equal(t, want, resp.Header.Get("Location"))
			b = w.browser()
			state := b.begin("/ui/sign-in/oidc?" + url.Values{"return": {given}}.Encode())
			require.Equal(t, want, b.callback(state, "good").Header.Get("Location"))
		})
	}
}

func TestPagePath(t *testing.T) {
	for _, c := range []struct {
		target string
		err    error
		want   string
	}{
		{"/ui/", session.ErrNone, "/ui/sign-in"},
		{"/ui/usage?days=7", session.ErrNone, "/ui/sign-in?return=%2Fui%2Fusage%3Fdays%3D7"},
		{"/ui/usage", session.ErrIdle, "/ui/sign-in?ended=idle&return=%2Fui%2Fusage"},
		{"//evil.test", session.ErrUnknown, "/ui/sign-in?ended=ended"},
	} {
		u, err := url.Parse(c.target)
		require.NoError(t, err)
		require.Equal(t, c.want, signin.PagePath(u, c.err))
	}
	w := newWorld(t)
	for _, err := range []error{session.ErrIdle, session.ErrExpired, session.ErrRefused, session.ErrElsewhere, session.ErrUnknown} {
		w.browser().send("GET", signin.PagePath(&url.URL{Path: "/ui/"}, err), nil)
		require.NotEmpty(t, w.page.Notice, err)
	}
}
