package session_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"sluice/internal/identity"
	"sluice/internal/session"
	"sluice/internal/state"
)

// world is a manager over a database that can be opened again.
type world struct {
	*session.Manager
	t      *testing.T
	db     *sql.DB
	people *identity.Store
	limits session.Limits
	ids    atomic.Int64
	nano   atomic.Int64 // the clock, Unix nanoseconds
	alice  identity.User
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := state.Open(filepath.Join(t.TempDir(), "sluice.db"))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	w := &world{t: t, db: db, limits: session.Limits{Idle: 30 * time.Minute, Absolute: 12 * time.Hour, PerUser: 3}}
	w.nano.Store(start.UnixNano())
	w.people, err = identity.NewStore(db, w.now, w.newID)
	require.NoError(t, err)
	w.alice = w.user("alice")
	w.reopen()
	return w
}

// reopen loads the sessions anew, as the next start of the program would.
func (w *world) reopen() {
	w.t.Helper()
	var err error
	w.Manager, err = session.New(session.Options{
		DB: w.db, Callers: w.people, Limits: w.limits, Now: w.now, NewID: w.newID, Log: zap.NewNop(),
	})
	require.NoError(w.t, err)
}

func (w *world) now() time.Time          { return time.Unix(0, w.nano.Load()) }
func (w *world) advance(d time.Duration) { w.nano.Add(int64(d)) }
func (w *world) newID() string           { return fmt.Sprintf("%024x", w.ids.Add(1)) }

func (w *world) user(name string) identity.User {
	w.t.Helper()
	u, err := w.people.CreateUser(context.Background(), identity.User{Name: name})
	require.NoError(w.t, err)
	return u
}

// signIn begins a session and returns a browser that has its cookie.
func (w *world) signIn(in session.SignIn, b *browser) (*browser, *session.Session) {
	w.t.Helper()
	if b == nil {
		b = &browser{}
	}
	rec := httptest.NewRecorder()
	s, err := w.Start(context.Background(), rec, b.request("POST", "/ui/sign-in", nil), in)
	require.NoError(w.t, err)
	b.cookie = rec.Result().Cookies()[0]
	return b, s
}

func (w *world) alices() session.SignIn {
	return session.SignIn{UserID: w.alice.ID, Method: session.MethodOIDC}
}

// browser is one that keeps the session's cookie.
type browser struct{ cookie *http.Cookie }

func (b *browser) request(method, path string, form url.Values) *http.Request {
	r := httptest.NewRequest(method, "https://gateway.test"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Forwarded-For", "6.6.6.6, 192.0.2.7")
	r.Header.Set("User-Agent", "Firefox/150")
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	return r
}

func (b *browser) get() *http.Request { return b.request("GET", "/ui/", nil) }

func TestCookie(t *testing.T) {
	w := newWorld(t)
	b, s := w.signIn(w.alices(), nil)
	require.Regexp(t, `^__Host-sluice-session=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; Secure; SameSite=Lax$`, b.cookie.Raw)
	found, err := w.Of(b.get())
	require.NoError(t, err)
	require.Equal(t, "alice", found.Caller.UserName)
	require.Equal(t, "192.0.2.7", found.Address)
	require.Equal(t, "Firefox/150", found.Browser)
	require.Equal(t, s.CSRF, found.CSRF)
	require.NotContains(t, b.cookie.Value, found.CSRF)
	require.NotContains(t, found.CSRF, b.cookie.Value)

	t.Run("nothing that opens a session is in the database", func(t *testing.T) {
		var dump string
		require.NoError(t, w.db.QueryRow("SELECT group_concat(id || hex(hash) || user_id || token_id || method) FROM sessions").Scan(&dump))
		require.NotContains(t, dump, b.cookie.Value)
		require.NotContains(t, dump, s.CSRF)
	})
	for name, cookies := range map[string][]string{
		"none": nil, "empty": {""}, "another": {strings.Repeat("A", 43)}, "the id": {s.ID}, "two": {b.cookie.Value, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			r := (&browser{}).get()
			for _, c := range cookies {
				r.AddCookie(&http.Cookie{Name: session.CookieName, Value: c})
			}
			_, err := w.Of(r)
			require.Error(t, err)
		})
	}
}

func TestFixation(t *testing.T) {
	w := newWorld(t)
	mallory := w.user("mallory")
	planted, _ := w.signIn(session.SignIn{UserID: mallory.ID, Method: session.MethodToken}, nil)
	victim := &browser{cookie: &http.Cookie{Name: planted.cookie.Name, Value: planted.cookie.Value}}
	victim, _ = w.signIn(w.alices(), victim)
	require.NotEqual(t, planted.cookie.Value, victim.cookie.Value)
	_, err := w.Of(planted.get())
	require.ErrorIs(t, err, session.ErrUnknown, "the planted cookie opens nothing any more")
	s, err := w.Of(victim.get())
	require.NoError(t, err)
	require.Equal(t, "alice", s.Caller.UserName)

	made, _ := w.signIn(w.alices(), &browser{cookie: &http.Cookie{Name: session.CookieName, Value: "chosen-by-mallory"}})
	require.NotEqual(t, "chosen-by-mallory", made.cookie.Value)
}

func TestEnds(t *testing.T) {
	const use = 29 * time.Minute
	for _, c := range []struct {
		name string
		do   func(w *world, b *browser)
		want error
		word string
	}{
		{"in use", func(w *world, b *browser) { w.advance(use) }, nil, ""},
		{"idle", func(w *world, b *browser) { w.advance(30 * time.Minute) }, session.ErrIdle, "idle"},
		{"a peek is no use", func(w *world, b *browser) {
			w.advance(use)
			_, err := w.Peek(b.get())
			require.NoError(w.t, err)
			w.advance(use)
		}, session.ErrIdle, "idle"},
		{"used until its longest time", func(w *world, b *browser) {
			for range 24 {
				w.advance(use)
				_, err := w.Of(b.get())
				require.NoError(w.t, err)
			}
			w.advance(use)
		}, session.ErrExpired, "expired"},
		{"a clock that goes back", func(w *world, b *browser) { w.advance(-time.Hour) }, nil, ""},
		{"disabled user", func(w *world, b *browser) {
			_, err := w.people.UpdateUser(context.Background(), w.alice.ID, func(u *identity.User) error { u.Disabled = true; return nil })
			require.NoError(w.t, err)
		}, session.ErrRefused, "refused"},
		{"deleted user", func(w *world, b *browser) {
			_, err := w.people.DeleteUser(context.Background(), w.alice.ID)
			require.NoError(w.t, err)
		}, session.ErrRefused, "refused"},
		{"signed out", func(w *world, b *browser) {
			rec := httptest.NewRecorder()
			s, err := w.End(rec, b.get())
			require.NoError(w.t, err)
			require.Equal(w.t, w.alice.ID, s.UserID)
			require.Contains(w.t, rec.Header().Get("Set-Cookie"), session.CookieName+"=; Path=/; Max-Age=0")
		}, session.ErrUnknown, "ended"},
		{"ended by its id", func(w *world, b *browser) {
			require.NoError(w.t, w.EndOne(context.Background(), w.List("")[0].ID))
		}, session.ErrUnknown, "ended"},
		{"all of the user ended", func(w *world, b *browser) {
			n, err := w.EndUser(context.Background(), w.alice.ID)
			require.NoError(w.t, err)
			require.Equal(w.t, 1, n)
		}, session.ErrUnknown, "ended"},
		{"all of another user ended", func(w *world, b *browser) {
			n, err := w.EndUser(context.Background(), w.user("bob").ID)
			require.NoError(w.t, err)
			require.Zero(w.t, n)
		}, nil, ""},
		{"newer sessions than a user may have", func(w *world, b *browser) {
			for range 3 {
				w.advance(time.Second)
				w.signIn(w.alices(), nil)
			}
			require.Equal(w.t, 3, w.Count())
		}, session.ErrUnknown, "ended"},
		{"restart", func(w *world, b *browser) { w.reopen() }, nil, ""},
		{"restart with shorter sessions", func(w *world, b *browser) {
			w.limits.Absolute = time.Minute
			w.advance(time.Minute)
			w.reopen()
		}, session.ErrUnknown, "ended"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			b, _ := w.signIn(w.alices(), nil)
			c.do(w, b)
			_, err := w.Of(b.get())
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.word, session.Reason(err))
			if c.want == nil {
				return
			}
			_, err = w.Of(b.get())
			require.ErrorIs(t, err, session.ErrUnknown, "it has ended for good")
			w.reopen()
			_, err = w.Of(b.get())
			require.ErrorIs(t, err, session.ErrUnknown, "also after a restart")
		})
	}
}

func TestSessionOfAToken(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	expires := start.Add(20 * time.Minute)
	_, token, err := w.people.IssueToken(ctx, identity.Token{Name: "laptop", UserID: w.alice.ID, Project: "risk", Expires: &expires})
	require.NoError(t, err)
	in := session.SignIn{UserID: w.alice.ID, TokenID: token.ID, Method: session.MethodToken, Until: expires}
	b, s := w.signIn(in, nil)
	require.Equal(t, expires, s.Expires, "no longer than the token")
	s, err = w.Of(b.get())
	require.NoError(t, err)
	require.Equal(t, "risk", s.Caller.Project, "the bounds of the token hold")
	require.Equal(t, token.ID, s.Caller.TokenID)
	w.advance(20 * time.Minute)
	_, err = w.Of(b.get())
	require.ErrorIs(t, err, session.ErrExpired)

	_, token, err = w.people.IssueToken(ctx, identity.Token{Name: "other", UserID: w.alice.ID})
	require.NoError(t, err)
	b, _ = w.signIn(session.SignIn{UserID: w.alice.ID, TokenID: token.ID, Method: session.MethodToken}, nil)
	_, err = w.people.RevokeToken(ctx, token.ID)
	require.NoError(t, err)
	require.Empty(t, w.List(""), "not listed once its token is revoked")
	_, err = w.Of(b.get())
	require.ErrorIs(t, err, session.ErrRefused)
}

func TestSessionOfABoundToken(t *testing.T) {
	w := newWorld(t)
	endpoint := w.newID()
	_, token, err := w.people.IssueToken(context.Background(), identity.Token{
		Name: "desk", UserID: w.alice.ID, EndpointIDs: []string{endpoint}, Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
	})
	require.NoError(t, err)
	b, _ := w.signIn(session.SignIn{UserID: w.alice.ID, TokenID: token.ID, Method: session.MethodToken}, nil)
	s, err := w.Of(b.get())
	require.NoError(t, err)
	require.Equal(t, []string{endpoint}, s.Caller.EndpointIDs())
	require.True(t, s.Caller.Bound())

	elsewhere := b.get()
	elsewhere.Header.Set("X-Forwarded-For", "192.0.2.7, 198.51.100.1")
	_, err = w.Of(elsewhere)
	require.ErrorIs(t, err, session.ErrElsewhere)
	require.Equal(t, "elsewhere", session.Reason(err))
	_, err = w.Of(b.get())
	require.NoError(t, err, "it goes on where the token is let in")
	require.Len(t, w.List(""), 1)
}

func TestGuard(t *testing.T) {
	w := newWorld(t)
	b, s := w.signIn(w.alices(), nil)
	_, other := w.signIn(w.alices(), nil)
	for _, c := range []struct {
		name    string
		method  string
		form    string
		headers []string
		want    error
	}{
		{"reading", "GET", "", nil, nil},
		{"reading, linked from another site", "GET", "", []string{"Sec-Fetch-Site", "cross-site"}, nil},
		{"form field", "POST", s.CSRF, nil, nil},
		{"header", "DELETE", "", []string{"X-CSRF-Token", s.CSRF}, nil},
		{"of this host", "POST", s.CSRF, []string{"Sec-Fetch-Site", "same-origin", "Origin", "https://gateway.test"}, nil},
		{"missing", "POST", "", nil, session.ErrCSRF},
		{"missing, any unsafe method", "PATCH", "", nil, session.ErrCSRF},
		{"wrong", "POST", s.CSRF[:42] + "!", nil, session.ErrCSRF},
		{"of another session of the same user", "POST", other.CSRF, nil, session.ErrCSRF},
		{"a header that is wrong is not made good by the form", "POST", s.CSRF, []string{"X-CSRF-Token", other.CSRF}, session.ErrCSRF},
		{"from another site", "POST", s.CSRF, []string{"Sec-Fetch-Site", "cross-site"}, session.ErrCrossOrigin},
		{"from a neighbour of the same site", "POST", s.CSRF, []string{"Sec-Fetch-Site", "same-site"}, session.ErrCrossOrigin},
		{"from another origin, old browser", "POST", s.CSRF, []string{"Origin", "https://evil.test"}, session.ErrCrossOrigin},
		{"from nowhere that can be told", "POST", s.CSRF, []string{"Origin", "null"}, session.ErrCrossOrigin},
	} {
		t.Run(c.name, func(t *testing.T) {
			form := url.Values{}
			if c.form != "" {
				form.Set("csrf", c.form)
			}
			r := b.request(c.method, "/ui/x", form)
			for i := 0; i+1 < len(c.headers); i += 2 {
				r.Header.Set(c.headers[i], c.headers[i+1])
			}
			found, err := w.Guard(r)
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.want != nil, session.Forged(err))
			require.Equal(t, c.want == nil, found != nil)
		})
	}
	_, err := w.Guard((&browser{}).request("POST", "/ui/x", url.Values{"csrf": {s.CSRF}}))
	require.ErrorIs(t, err, session.ErrNone)
	require.False(t, session.Forged(err))
}

func TestUseIsWrittenInBatches(t *testing.T) {
	w := newWorld(t)
	b, s := w.signIn(w.alices(), nil)
	seen := func() (ms int64) {
		require.NoError(t, w.db.QueryRow("SELECT last_seen FROM sessions WHERE id = ?", s.ID).Scan(&ms))
		return ms
	}
	w.advance(20 * time.Minute)
	_, err := w.Of(b.get())
	require.NoError(t, err)
	require.Equal(t, start.UnixMilli(), seen(), "using a session writes nothing")
	require.NoError(t, w.Tidy(context.Background()))
	require.Equal(t, w.now().UnixMilli(), seen())

	ctx, cancel := context.WithCancel(context.Background())
	w.advance(time.Minute)
	_, err = w.Of(b.get())
	require.NoError(t, err)
	cancel()
	require.NoError(t, w.Run(ctx), "the last use is written at the end")
	require.Equal(t, w.now().UnixMilli(), seen())

	w.advance(time.Hour)
	require.NoError(t, w.Tidy(context.Background()))
	require.Zero(t, w.Count())
	var rows int
	require.NoError(t, w.db.QueryRow("SELECT count(*) FROM sessions").Scan(&rows))
	require.Zero(t, rows, "ended sessions are purged")
}

func TestAnEndHoldsWhenTheDatabaseFails(t *testing.T) {
	w := newWorld(t)
	b, s := w.signIn(w.alices(), nil)
	_, err := w.db.Exec("CREATE TRIGGER keep BEFORE DELETE ON sessions BEGIN SELECT RAISE(ABORT, 'disk'); END")
	require.NoError(t, err)
	require.ErrorContains(t, w.EndOne(context.Background(), s.ID), "disk")
	_, err = w.Of(b.get())
	require.ErrorIs(t, err, session.ErrUnknown)
	require.ErrorIs(t, w.EndOne(context.Background(), s.ID), session.ErrNotFound)
	_, err = w.db.Exec("DROP TRIGGER keep")
	require.NoError(t, err)
	require.NoError(t, w.Tidy(context.Background()))
	w.reopen()
	_, err = w.Of(b.get())
	require.ErrorIs(t, err, session.ErrUnknown, "the row went as soon as it could")
}

func TestConcurrentUse(t *testing.T) {
	w := newWorld(t)
	b, s := w.signIn(w.alices(), nil)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				_, _ = w.Of(b.get())
				_ = w.Tidy(context.Background())
				_ = w.List("")
			}
		})
		group.Go(func() {
			rec := httptest.NewRecorder()
			_, err := w.Start(context.Background(), rec, (&browser{}).get(), w.alices())
			require.NoError(t, err)
		})
	}
	group.Wait()
	_ = w.EndOne(context.Background(), s.ID)
	_, err := w.Of(b.get())
	require.ErrorIs(t, err, session.ErrUnknown)
	require.LessOrEqual(t, w.Count(), 3)
}
