package oidc_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
	"sluice/internal/oidc"
)

func TestRotation(t *testing.T) {
	idp := newIDP(t)
	p := idp.provider(idp.options())
	old := idp.sign(0, idp.claims(nil))
	idp.serves(0, 1)
	_, err := p.Verify(t.Context(), idp.sign(1, idp.claims(nil)))
	require.NoError(t, err, "a new key is asked for")
	require.Equal(t, 2, idp.fetches)
	require.Zero(t, p.Generation(), "no key was withdrawn")

	idp.serves(1)
	_, err = p.Verify(t.Context(), old)
	require.NoError(t, err, "nobody has told yet")
	require.NoError(t, oidc.Fetch(p, t.Context()))
	require.EqualValues(t, 1, p.Generation())
	_, err = p.Verify(t.Context(), old)
	require.ErrorIs(t, err, identity.ErrUntrustedToken)
}

func TestMadeUpKeyIDsDoNotFloodTheProvider(t *testing.T) {
	idp := newIDP(t)
	p := idp.provider(idp.options())
	bad := func() {
		_, err := p.Verify(t.Context(), idp.sign(2, idp.claims(nil), map[string]any{"kid": rawID()}))
		require.ErrorIs(t, err, identity.ErrUntrustedToken)
	}
	for range 50 {
		bad()
	}
	require.Equal(t, 2, idp.fetches, "one at the start, one for the first of them")
	idp.advance(5 * time.Second)
	var all sync.WaitGroup
	for range 20 {
		all.Go(bad)
	}
	all.Wait()
	require.Equal(t, 3, idp.fetches)
	_, err := p.Verify(t.Context(), idp.sign(0, idp.claims(nil)))
	require.NoError(t, err, "others go on")
}

var rawIDs = struct {
	sync.Mutex
	n int
}{}

func rawID() string {
	rawIDs.Lock()
	defer rawIDs.Unlock()
	rawIDs.n++
	return strings.Repeat("x", rawIDs.n)
}

func TestManyTokensOfANewKeyWaitForOneAnswer(t *testing.T) {
	idp := newIDP(t)
	p := idp.provider(idp.options())
	idp.serves(0, 1)
	token := idp.sign(1, idp.claims(nil))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := p.Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Equal(t, 2, idp.fetches)
}

func TestOutageIsSurvivedAlsoByAStart(t *testing.T) {
	idp := newIDP(t)
	o := idp.options()
	p := idp.provider(o)
	token := idp.sign(0, idp.claims(nil))
	idp.with(func() { idp.down = true })
	require.Error(t, oidc.Fetch(p, t.Context()))
	_, err := p.Verify(t.Context(), token)
	require.NoError(t, err)
	s := p.Status()
	require.True(t, s.Known)
	require.Contains(t, s.LastError, "answered 503")
	require.Equal(t, start, *s.Fetched)

	info, err := os.Stat(o.File)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	next, err := oidc.New(o)
	require.NoError(t, err)
	_, err = next.Verify(t.Context(), token)
	require.NoError(t, err, "after a start, with the provider away")
	_, err = next.AuthURL("s", "n", "v", "https://gw/cb")
	require.NoError(t, err)

	o.Issuer = "https://other.example"
	next, err = oidc.New(o)
	require.NoError(t, err)
	require.False(t, next.Status().Known, "what was kept is another's")
	require.NoError(t, os.WriteFile(o.File, []byte("{broken"), 0o600))
	o.Issuer = idp.issuer()
	next, err = oidc.New(o)
	require.NoError(t, err, "a broken file stops nothing")
	require.False(t, next.Status().Known)
}

func TestReach(t *testing.T) {
	idp := newIDP(t)
	p, err := oidc.New(idp.options())
	require.NoError(t, err)
	fetches := func() (n int) { idp.with(func() { n = idp.fetches }); return n }
	require.NoError(t, p.Reach(t.Context()), "it also fetches what was not known yet")
	require.NoError(t, p.Reach(t.Context()))
	require.Equal(t, 1, fetches(), "an answer holds for a while")
	_, err = p.AuthURL("s", "n", "v", "https://gw/cb")
	require.NoError(t, err)

	idp.with(func() { idp.down = true })
	require.NoError(t, p.Reach(t.Context()))
	idp.nano.Add(int64(time.Second))
	require.ErrorContains(t, p.Reach(t.Context()), "answered 503")
	idp.with(func() { idp.down = false })
	require.Error(t, p.Reach(t.Context()), "so does that there was none")
	idp.nano.Add(int64(time.Second))
	require.NoError(t, p.Reach(t.Context()))
}

func TestProviderThatWasNeverReached(t *testing.T) {
	idp := newIDP(t)
	idp.with(func() { idp.down = true })
	p, err := oidc.New(idp.options())
	require.NoError(t, err)
	token := idp.sign(0, idp.claims(nil))
	_, err = p.Verify(t.Context(), token)
	require.ErrorIs(t, err, identity.ErrProviderAway)
	require.Equal(t, 503, identity.Status(err))
	_, err = p.AuthURL("s", "n", "v", "https://gw/cb")
	require.ErrorIs(t, err, oidc.ErrAway)
	require.Empty(t, p.LogoutURL("", ""))

	// Run tries again by itself.
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	idp.with(func() { idp.down = false })
	require.Eventually(t, func() bool { return p.Status().Known }, time.Minute, 10*time.Millisecond)
	_, err = p.Verify(t.Context(), token)
	require.NoError(t, err)
	cancel()
	<-done
}

func TestDiscoveryIsHeldToItsIssuer(t *testing.T) {
	for text, change := range map[string]func(*idp){
		"write the issuer as the provider does":  func(p *idp) { p.document["issuer"] = p.issuer() + "/" },
		"names no jwks_uri":                      func(p *idp) { delete(p.document, "jwks_uri") },
		"jwks_uri: want an https address":        func(p *idp) { p.document["jwks_uri"] = "http://keys.example/keys" },
		"token_endpoint: want an https address":  func(p *idp) { p.document["token_endpoint"] = "ftp://x" },
		"no key that signatures can be verified": func(p *idp) { p.public = nil },
		"answered 404":                           func(p *idp) { p.document["jwks_uri"] = p.issuer() + "/nothing" },
	} {
		t.Run(text, func(t *testing.T) {
			idp := newIDP(t)
			idp.with(func() { change(idp) })
			p, err := oidc.New(idp.options())
			require.NoError(t, err)
			require.ErrorContains(t, oidc.Fetch(p, t.Context()), text)
			require.False(t, p.Status().Known)
		})
	}
}

func TestOptions(t *testing.T) {
	idp := newIDP(t)
	o := idp.options()
	o.Audience, o.ClientID = "", ""
	_, err := oidc.New(o)
	require.ErrorContains(t, err, "audience")
	o.ClientID = "web"
	p := idp.provider(o)
	_, err = p.Verify(t.Context(), idp.sign(0, idp.claims(map[string]any{"aud": "web"})))
	require.NoError(t, err, "the audience is the client's id where there is none")
	o.Issuer = ""
	_, err = oidc.New(o)
	require.ErrorContains(t, err, "issuer")
}

func TestCheckURL(t *testing.T) {
	for address, good := range map[string]bool{
		"https://idp.example/realm": true, "http://127.0.0.1:8080": true, "http://localhost/x": true, "http://[::1]:1": true,
		"http://idp.example": false, "ftp://127.0.0.1": false, "https://": false, "https://u:p@idp.example": false, "idp.example": false, ":": false,
	} {
		require.Equal(t, good, oidc.CheckURL(address) == nil, address)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("a.b.c")
	p, err := oidc.New(oidc.Options{Issuer: "https://idp.example", Audience: "sluice", Claims: oidc.DefaultClaims(), Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := p.Verify(t.Context(), token); err == nil {
			t.Fatalf("%q was taken", token)
		}
	})
}

func TestFileHoldsPublicThingsOnly(t *testing.T) {
	idp := newIDP(t)
	o := idp.options()
	idp.provider(o)
	raw, err := os.ReadFile(o.File)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "client-secret-canary")
	var file struct {
		Keys jose.JSONWebKeySet `json:"keys"`
	}
	require.NoError(t, json.Unmarshal(raw, &file))
	require.True(t, file.Keys.Keys[0].IsPublic())
}
