package admin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/admin"
	"sluice/internal/audit"
	"sluice/internal/client"
	"sluice/internal/identity"
	"sluice/internal/session"
)

const sessionsPath = "/api/sluice/v1/sessions"

// browser signs a user in and returns the session and a request of its browser.
func (w *world) browser(user, agent string) (*session.Session, *http.Request) {
	w.t.Helper()
	r := httptest.NewRequest("GET", "https://gateway.test/ui/", nil)
	r.Header.Set("User-Agent", agent)
	r.Header.Set("X-Forwarded-For", "192.0.2.9")
	rec := httptest.NewRecorder()
	s, err := w.sessions.Start(context.Background(), rec, r, session.SignIn{UserID: w.users[user], Method: session.MethodOIDC})
	require.NoError(w.t, err)
	for _, c := range rec.Result().Cookies() {
		r.AddCookie(c)
	}
	return s, r
}

func TestSessions(t *testing.T) {
	w := newWorld(t)
	phone, phoneRequest := w.browser("alice", "phone")
	laptop, laptopRequest := w.browser("alice", "laptop")
	roots, _ := w.browser("root", "desk")

	mine := w.as("alice", "GET", sessionsPath, "").must(200)
	require.EqualValues(t, 2, mine.at("metadata", "totalCount"))
	for field, want := range map[string]any{
		"id": phone.ID, "userId": w.users["alice"], "userName": "alice", "method": "oidc", "address": "192.0.2.9",
		"browser": "phone", "current": false,
	} {
		require.Equal(t, want, mine.at("sessions", 0, field), field)
	}
	require.NotContains(t, mine.body, phone.CSRF)
	w.as("alice", "GET", sessionsPath+"?userId="+w.users["root"], "").must(403)
	w.as("eve", "GET", sessionsPath+"?userId="+w.users["alice"], "").must(403)
	require.EqualValues(t, 3, w.as("root", "GET", sessionsPath, "").must(200).at("metadata", "totalCount"))
	searched := w.as("root", "GET", sessionsPath+"?searchFilter=LAP&sortByField=userName&userId="+w.users["alice"], "").must(200)
	require.EqualValues(t, 1, searched.at("metadata", "totalCount"))

	w.as("alice", "DELETE", sessionsPath+"/"+roots.ID, "").must(404)
	w.as("alice", "DELETE", sessionsPath+"/"+phone.ID, "").must(200)
	_, err := w.sessions.Of(phoneRequest)
	require.ErrorIs(t, err, session.ErrUnknown)
	_, err = w.sessions.Of(laptopRequest)
	require.NoError(t, err)
	e := w.lastEvent("EndSession")
	assert.Equal(t, phone.ID, e.TargetID)
	assert.Equal(t, "alice", e.By.UserName)
	assert.Equal(t, map[string]string{"userId": w.users["alice"], "userName": "alice", "method": "oidc", "address": "192.0.2.9"}, e.Metadata)
	w.as("alice", "DELETE", sessionsPath+"/"+phone.ID, "").must(404)

	require.Equal(t, "userId", w.as("root", "DELETE", sessionsPath, "").must(400).at("field"))
	w.as("root", "DELETE", sessionsPath+"?userId=nobody", "").must(404)
	w.as("alice", "DELETE", sessionsPath+"?userId="+w.users["root"], "").must(403)
	require.EqualValues(t, 1, w.as("root", "DELETE", sessionsPath+"?userId="+w.users["alice"], "").must(200).at("ended"))
	_, err = w.sessions.Of(laptopRequest)
	require.ErrorIs(t, err, session.ErrUnknown)
	require.Equal(t, laptop.ID, w.lastEvent("EndSession").TargetID)
	require.Equal(t, 1, w.sessions.Count())

	w.trail.broken.Store(true)
	w.as("root", "DELETE", sessionsPath+"/"+roots.ID, "").must(503)
	require.Equal(t, 1, w.sessions.Count(), "nothing ends that the trail does not know of")
}

func TestSessionsOfWhoIsLetInNoMore(t *testing.T) {
	w := newWorld(t)
	_, alices := w.browser("alice", "phone")
	_, bobs := w.browser("bob", "phone")
	w.as("root", "PATCH", "/api/sluice/v1/users/"+w.users["alice"], `{"disabled":true}`).must(200)
	w.as("root", "DELETE", "/api/sluice/v1/users/"+w.users["bob"], "").must(200)
	require.EqualValues(t, 0, w.as("root", "GET", sessionsPath, "").must(200).at("metadata", "totalCount"))
	for _, r := range []*http.Request{alices, bobs} {
		_, err := w.sessions.Of(r)
		require.ErrorIs(t, err, session.ErrRefused)
	}
}

func TestTheUIAsksAsItsSession(t *testing.T) {
	w := newWorld(t)
	_, r := w.browser("alice", "phone")
	w.browser("alice", "laptop")
	s, err := w.sessions.Of(r)
	require.NoError(t, err)
	c := client.NewLocal(w.handler)
	ctx := admin.AsSession(context.Background(), s, "192.0.2.9")
	list, err := c.AllSessions(ctx, "")
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, []bool{true, false}, []bool{list[0].Current, list[1].Current})
	require.NoError(t, c.EndSession(ctx, list[1].ID))
	n, err := c.EndSessions(ctx, w.users["alice"])
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestACookieOpensNothingOfREST(t *testing.T) {
	w := newWorld(t)
	_, r := w.browser("root", "phone")
	for _, path := range []string{sessionsPath, "/api/sluice/v1/users/self", "/v1/models"} {
		r := r.Clone(context.Background())
		r.URL.Path, r.RequestURI = path, path
		require.Equal(t, http.StatusUnauthorized, w.send(r).status, path)
	}
}

func TestGuessedTokensAreSlowed(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	w.serve(func(d *admin.Deps) { d.Now = func() time.Time { return now } })
	stranger := newWorldToken(t)
	guess := func(token, address string) *reply {
		return w.as("", "GET", "/api/sluice/v1/users/self", "", "Authorization", "Bearer "+token, "X-Forwarded-For", "10.0.0.1, "+address)
	}
	for i := range 21 {
		guess([]string{stranger, "slu_x"}[i%2], "198.51.100.1").must(401)
	}
	slowed := guess(stranger, "198.51.100.1").must(429)
	require.Equal(t, "1", slowed.header.Get("Retry-After"))
	require.Equal(t, "too_many_failures", slowed.at("code"))
	guess(w.tokens["alice"], "198.51.100.1").must(200)
	guess(stranger, "198.51.100.2").must(401)
	w.as("", "GET", "/api/sluice/v1/users/self", "", "X-Forwarded-For", "198.51.100.1").must(401)
	expires := time.Now().Add(time.Hour)
	old := w.issue(identity.Token{Name: "old", UserID: w.users["alice"], Expires: &expires})
	require.NoError(t, func() error { _, err := w.identity.DeleteUser(context.Background(), w.users["alice"]); return err }())
	guess(old, "198.51.100.1").must(401)
	now = now.Add(time.Second)
	guess(stranger, "198.51.100.1").must(401)
	require.Equal(t, "2", guess(stranger, "198.51.100.1").must(429).header.Get("Retry-After"))
	records := 0
	for _, r := range w.records() {
		if r.Exchange != nil && r.Outcome.Result == audit.ResultUnauthenticated {
			records++
		}
	}
	require.Equal(t, 21+4, records, "what is turned away leaves no record")
	require.NotContains(t, fmt.Sprint(w.replies.String()), stranger)
}

// Strangers can't fill the trail: of one address only so many of their requests
// are recorded, whatever they lack. Who is known is served beside them.
func TestStrangersDoNotFillTheTrail(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	w.serve(func(d *admin.Deps) { d.Now = func() time.Time { return now } })
	get := func(user, address string) *reply {
		return w.as(user, "GET", "/api/sluice/v1/users/self", "", "X-Forwarded-For", address)
	}
	for range 1001 {
		get("", "198.51.100.1").must(401)
	}
	records := len(w.records())
	slowed := get("", "198.51.100.1").must(429)
	require.Equal(t, "too_many_failures", slowed.at("code"))
	require.Len(t, w.records(), records)
	get("alice", "198.51.100.1").must(200)
	get("", "198.51.100.2").must(401)
	now = now.Add(time.Second)
	get("", "198.51.100.1").must(401)
}
