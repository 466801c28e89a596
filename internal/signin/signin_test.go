package signin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"sluice/internal/audit"
	"sluice/internal/identity"
	"sluice/internal/session"
	"sluice/internal/signin"
	"sluice/internal/state"
)

// world is a handler on real stores, with a provider that is scripted.
type world struct {
	t        *testing.T
	mux      *http.ServeMux
	people   *identity.Store
	sessions *session.Manager
	trail    *trail
	provider *provider
	metrics  *prometheus.Registry
	logs     *observer.ObservedLogs
	options  signin.Options
	ids      atomic.Int64
	nano     atomic.Int64
	alice    identity.User
	token    string
	page     signin.Page // the last that was shown
}

type trail struct {
	*audit.Trail
	broken bool
}

func (t *trail) Event(e *audit.Event) error {
	if t.broken {
		return errors.New("no space left on device")
	}
	return t.Trail.Event(e)
}

// provider is an identity provider that accepts the code "good" once.
type provider struct {
	asked    url.Values
	identify signin.Identified
	err      error
	logout   string
	away     bool
}

func (p *provider) Reach(context.Context) error {
	if p.away {
		return signin.ErrProviderAway
	}
	return nil
}

func (p *provider) AuthURL(state, nonce, verifier, redirectURI string) (string, error) {
	p.asked = url.Values{"state": {state}, "nonce": {nonce}, "verifier": {verifier}, "redirect_uri": {redirectURI}}
	return "https://idp.test/auth?" + url.Values{"state": {state}}.Encode(), p.err
}

func (p *provider) Exchange(_ context.Context, code, verifier, nonce, redirectURI string) (signin.Identified, error) {
	same := verifier == p.asked.Get("verifier") && nonce == p.asked.Get("nonce") && redirectURI == p.asked.Get("redirect_uri")
	switch {
	case p.err != nil:
		return signin.Identified{}, p.err
	case code != "good" || !same:
		return signin.Identified{}, errors.New("the code is not good: " + code)
	}
	return p.identify, nil
}

func (p *provider) LogoutURL(hint, after string) string {
	if p.logout == "" {
		return ""
	}
	return p.logout + "?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {after}}.Encode()
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	db, err := state.Open(filepath.Join(dir, "sluice.db"))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	w := &world{t: t, provider: &provider{}, metrics: prometheus.NewRegistry()}
	w.nano.Store(start.UnixNano())
	w.people, err = identity.NewStore(db, w.now, w.newID)
	require.NoError(t, err)
	w.alice, err = w.people.CreateUser(t.Context(), identity.User{Name: "alice"})
	require.NoError(t, err)
	w.token, _ = w.issue(identity.Token{})
	core, logs := observer.New(zap.DebugLevel)
	w.logs = logs
	w.sessions, err = session.New(session.Options{
		DB: db, Callers: w.people, Limits: session.Limits{Idle: 30 * time.Minute, Absolute: 12 * time.Hour, PerUser: 10},
		Now: w.now, NewID: w.newID, Log: zap.New(core),
	})
	require.NoError(t, err)
	opened, err := audit.Open(audit.Options{Dir: filepath.Join(dir, "audit"), Now: w.now, Log: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = opened.Close() })
	w.trail = &trail{Trail: opened}
	w.provider.identify = signin.Identified{UserID: w.alice.ID, IDToken: "the-id-token"}
	w.options = signin.Options{
		Sessions: w.sessions, Directory: w.people, Provider: w.provider, Trail: w.trail, Registerer: w.metrics,
		Render: func(rw http.ResponseWriter, _ *http.Request, p signin.Page) {
			w.page = p
			rw.WriteHeader(p.Status)
		},
		Now: w.now, NewID: w.newID, Log: zap.New(core),
	}
	w.serve()
	return w
}

func (w *world) serve() {
	w.mux = http.NewServeMux()
	signin.New(w.options).Register(w.mux)
}

func (w *world) now() time.Time          { return time.Unix(0, w.nano.Load()) }
func (w *world) advance(d time.Duration) { w.nano.Add(int64(d)) }
func (w *world) newID() string           { return fmt.Sprintf("%024x", w.ids.Add(1)) }

func (w *world) issue(t identity.Token) (string, identity.Token) {
	w.t.Helper()
	t.Name, t.UserID = "laptop", w.alice.ID
	plain, issued, err := w.people.IssueToken(context.Background(), t)
	require.NoError(w.t, err)
	return plain, issued
}

// events are the events of the trail, as their kinds and what tells them apart.
func (w *world) events() (out []string) {
	w.t.Helper()
	require.NoError(w.t, w.trail.Query(context.Background(), audit.Filter{}, func(r *audit.Record) error {
		e := r.Event
		by := ""
		if e.By != nil {
			by = e.By.UserName
		}
		require.Equal(w.t, "192.0.2.7", e.ClientAddr)
		out = append(out, strings.Join([]string{e.Kind, by, e.TargetName, e.Metadata["method"], e.Metadata["code"]}, " "))
		return nil
	}))
	return out
}

// everything is all that is kept or told of what happened.
func (w *world) everything() string {
	w.t.Helper()
	var out strings.Builder
	require.NoError(w.t, w.trail.Query(context.Background(), audit.Filter{}, func(r *audit.Record) error {
		b, err := json.Marshal(r)
		out.Write(b)
		return err
	}))
	for _, l := range w.logs.All() {
		fmt.Fprintln(&out, l.Message, l.ContextMap())
	}
	return out.String()
}

// browser keeps cookies.
type browser struct {
	w       *world
	cookies map[string]*http.Cookie
	headers map[string]string
}

func (w *world) browser() *browser {
	return &browser{w: w, cookies: map[string]*http.Cookie{}, headers: map[string]string{"X-Forwarded-For": "6.6.6.6, 192.0.2.7"}}
}

func (b *browser) send(method, target string, form url.Values) *http.Response {
	r := httptest.NewRequest(method, "https://gateway.test"+target, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, v := range b.headers {
		r.Header.Set(k, v)
	}
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	b.w.page = signin.Page{}
	rec := httptest.NewRecorder()
	b.w.mux.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		require.True(b.w.t, c.Secure && c.HttpOnly && c.Path == "/" && c.SameSite == http.SameSiteLaxMode, c.Raw)
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c
		}
	}
	return rec.Result()
}

// signIn opens the page and posts the token, with what change changes.
func (b *browser) signIn(token string, change func(url.Values)) *http.Response {
	b.send("GET", "/ui/sign-in", nil)
	form := url.Values{"token": {token}, "csrf": {b.w.page.CSRF}}
	if change != nil {
		change(form)
	}
	return b.send("POST", "/ui/sign-in", form)
}

// session is the browser's session, nil for none.
func (b *browser) session() *session.Session {
	r := httptest.NewRequest("GET", "https://gateway.test/ui/", nil)
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	s, _ := b.w.sessions.Of(r)
	return s
}

func TestSignInWithAToken(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	resp := b.signIn("  Bearer "+w.token+"\n", func(f url.Values) { f.Set("return", "/ui/endpoints/a?tab=code") })
	require.Equal(t, http.StatusSeeOther, resp.StatusCode, w.page)
	require.Equal(t, "/ui/endpoints/a?tab=code", resp.Header.Get("Location"))
	s := b.session()
	require.NotNil(t, s)
	require.Equal(t, "alice", s.Caller.UserName)
	require.Equal(t, identity.CredentialToken, s.Caller.Credential)
	require.Equal(t, []string{"SignIn alice alice token "}, w.events())

	resp = b.send("GET", "/ui/sign-in?return=/ui/x", nil)
	require.Equal(t, "/ui/x", resp.Header.Get("Location"), "who has signed in sees no page for it")

	resp = b.send("POST", "/ui/sign-out", url.Values{"csrf": {"wrong"}})
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
	require.NotNil(t, b.session())
	kept := b.cookies[session.CookieName]
	resp = b.send("POST", "/ui/sign-out", url.Values{"csrf": {s.CSRF}})
	require.Equal(t, "/ui/sign-in?ended=out", resp.Header.Get("Location"))
	b.cookies[session.CookieName] = kept
	require.Nil(t, b.session(), "the server has ended it, whatever the browser keeps")
	require.Equal(t, []string{"SignIn alice alice token ", "SignOut alice alice token "}, w.events())
	b.send("GET", "/ui/sign-in?ended=out", nil)
	require.Equal(t, "You have signed out.", w.page.Notice)
	require.NotContains(t, w.everything(), w.token)
	require.NotContains(t, w.everything(), kept.Value)
	require.Equal(t, http.StatusSeeOther, b.send("POST", "/ui/sign-out", nil).StatusCode, "nobody to sign out")
}

func TestRefusedTokens(t *testing.T) {
	for _, c := range []struct {
		name   string
		token  func(w *world) string
		status int
		code   string
		events []string
	}{
		{"empty", func(*world) string { return " " }, 400, "no_credential", nil},
		{"malformed", func(w *world) string { return w.token[:40] }, 401, "malformed_token", []string{"FailSignIn   token malformed_token"}},
		{"of another gateway", func(*world) string { return newWorld(t).token }, 401, "unknown_token", []string{"FailSignIn   token unknown_token"}},
		{"lent", func(w *world) string {
			caller, err := w.people.CallerOf(w.alice.ID)
			require.NoError(w.t, err)
			return w.people.Lend(caller, time.Hour)
		}, 401, "unknown_token", []string{"FailSignIn   token unknown_token"}},
		{"expired", func(w *world) string {
			soon := start.Add(time.Minute)
			plain, _ := w.issue(identity.Token{Expires: &soon})
			w.advance(time.Minute)
			return plain
		}, 401, "expired_token", []string{"FailSignIn  alice token expired_token"}},
		{"revoked", func(w *world) string {
			plain, issued := w.issue(identity.Token{})
			_, err := w.people.RevokeToken(context.Background(), issued.ID)
			require.NoError(w.t, err)
			return plain
		}, 401, "revoked_token", []string{"FailSignIn  alice token revoked_token"}},
		{"of another network", func(w *world) string {
			plain, _ := w.issue(identity.Token{Networks: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}})
			return plain
		}, 401, "wrong_network", []string{"FailSignIn  alice token wrong_network"}},
		{"of a disabled user", func(w *world) string {
			_, err := w.people.UpdateUser(context.Background(), w.alice.ID, func(u *identity.User) error { u.Disabled = true; return nil })
			require.NoError(w.t, err)
			return w.token
		}, 401, "disabled_user", []string{"FailSignIn   token disabled_user"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			token := c.token(w)
			b := w.browser()
			resp := b.signIn(token, func(f url.Values) { f.Set("return", "/ui/x") })
			require.Equal(t, c.status, resp.StatusCode)
			require.Equal(t, c.code, w.page.Code)
			require.NotEmpty(t, w.page.Problem)
			require.Equal(t, "/ui/x", w.page.Return, "the next attempt still leads there")
			require.Nil(t, b.session())
			require.Equal(t, c.events, w.events())
			if strings.TrimSpace(token) != "" {
				require.NotContains(t, w.everything(), token)
			}
		})
	}
}

func TestForgedSignIn(t *testing.T) {
	w := newWorld(t)
	for name, do := range map[string]func(b *browser) *http.Response{
		"no secret": func(b *browser) *http.Response { return b.signIn(w.token, func(f url.Values) { f.Del("csrf") }) },
		"another's secret": func(b *browser) *http.Response {
			return b.signIn(w.token, func(f url.Values) { f.Set("csrf", otherSecret(w)) })
		},
		"no cookie": func(b *browser) *http.Response {
			b.send("GET", "/ui/sign-in", nil)
			b.cookies = map[string]*http.Cookie{}
			return b.send("POST", "/ui/sign-in", url.Values{"token": {w.token}, "csrf": {w.page.CSRF}})
		},
		"from another site": func(b *browser) *http.Response {
			b.headers["Sec-Fetch-Site"] = "cross-site"
			return b.signIn(w.token, nil)
		},
		"from another origin": func(b *browser) *http.Response {
			b.headers["Origin"] = "https://evil.test"
			return b.signIn(w.token, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			require.Equal(t, http.StatusForbidden, do(b).StatusCode)
			require.Nil(t, b.session())
		})
	}
	require.Empty(t, w.events(), "nothing was tried")
}

func otherSecret(w *world) string {
	w.browser().send("GET", "/ui/sign-in", nil)
	return w.page.CSRF
}

func TestThrottling(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for range 6 {
		require.Equal(t, http.StatusUnauthorized, b.signIn("slu_wrong", nil).StatusCode)
	}
	for range 3 {
		resp := b.signIn(w.token, nil)
		require.Equal(t, http.StatusTooManyRequests, resp.StatusCode, "the right token too: nobody can try on meanwhile")
		require.Equal(t, "1", resp.Header.Get("Retry-After"))
		require.Equal(t, "Too many attempts to sign in have failed. Wait 1 second and try again.", w.page.Problem)
	}
	require.Len(t, w.events(), 6)
	elsewhere := w.browser()
	elsewhere.headers["X-Forwarded-For"] = "192.0.2.7, 198.51.100.1"
	require.Equal(t, http.StatusSeeOther, elsewhere.signIn(w.token, nil).StatusCode, "another address is not slowed")
	w.advance(time.Second)
	require.Equal(t, http.StatusUnauthorized, b.signIn("slu_wrong", nil).StatusCode)
	require.Equal(t, "2", b.signIn(w.token, nil).Header.Get("Retry-After"))
	w.advance(2 * time.Second)
	require.Equal(t, http.StatusSeeOther, b.signIn(w.token, nil).StatusCode)
	require.Equal(t, map[string]float64{"failed": 7, "ok": 2, "throttled": 4}, w.counted())
}

// counted are the attempts with tokens, by outcome.
func (w *world) counted() map[string]float64 {
	w.t.Helper()
	families, err := w.metrics.Gather()
	require.NoError(w.t, err)
	out := map[string]float64{}
	for _, m := range families[0].GetMetric() {
		require.Equal(w.t, "method=token", m.GetLabel()[0].GetName()+"="+m.GetLabel()[0].GetValue())
		out[m.GetLabel()[1].GetValue()] = m.GetCounter().GetValue()
	}
	return out
}

func TestThrottlingOfAnAccount(t *testing.T) {
	w := newWorld(t)
	plain, issued := w.issue(identity.Token{})
	_, err := w.people.RevokeToken(t.Context(), issued.ID)
	require.NoError(t, err)
	from := func(i int) *browser {
		b := w.browser()
		b.headers["X-Forwarded-For"] = fmt.Sprintf("198.51.100.%d", i)
		return b
	}
	for i := range 6 {
		require.Equal(t, http.StatusUnauthorized, from(i).signIn(plain, nil).StatusCode)
	}
	require.Equal(t, http.StatusTooManyRequests, from(100).signIn(plain, nil).StatusCode, "from any address")
}

func TestNoSignInWithoutARecord(t *testing.T) {
	w := newWorld(t)
	w.trail.broken = true
	b := w.browser()
	require.Equal(t, http.StatusServiceUnavailable, b.signIn(w.token, nil).StatusCode)
	require.Equal(t, "audit_unavailable", w.page.Code)
	require.Nil(t, b.session())
	w.options.ServeUnrecorded, w.options.Registerer = true, nil
	w.serve()
	require.Equal(t, http.StatusSeeOther, b.signIn(w.token, nil).StatusCode)
	s := b.session()
	require.NotNil(t, s)
	b.send("POST", "/ui/sign-out", url.Values{"csrf": {s.CSRF}})
	require.Nil(t, b.session(), "who wants to leave can")
}
