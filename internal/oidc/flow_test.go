package oidc_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
)

const callback = "https://gw.example/ui/sign-in/callback"

func TestAuthURL(t *testing.T) {
	idp := newIDP(t)
	address, err := idp.provider(idp.options()).AuthURL("the-state", "the-nonce", "the-verifier", callback)
	require.NoError(t, err)
	u, err := url.Parse(address)
	require.NoError(t, err)
	require.Equal(t, idp.issuer()+"/auth", u.Scheme+"://"+u.Host+u.Path)
	require.Equal(t, url.Values{
		"client_id": {"web"}, "response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid profile"},
		"state": {"the-state"}, "nonce": {"the-nonce"}, "code_challenge": {challenge("the-verifier")}, "code_challenge_method": {"S256"},
	}, u.Query())

	o := idp.options()
	o.ClientID = ""
	_, err = idp.provider(o).AuthURL("s", "n", "v", callback)
	require.ErrorContains(t, err, "client_id")
}

func TestExchange(t *testing.T) {
	idp := newIDP(t)
	p := idp.provider(idp.options())
	id := map[string]any{"aud": "web", "nonce": "the-nonce", "groups": nil, "realm_access": nil}
	answer := func(idToken, access string) {
		idp.with(func() {
			idp.code = map[string]any{"access_token": access, "token_type": "Bearer", "id_token": idToken}
			idp.userinfo = map[string]any{"sub": "s-1", "groups": []any{"from-userinfo"}}
		})
	}
	answer(idp.sign(0, idp.claims(id)), idp.sign(0, idp.claims(map[string]any{"aud": "account"})))
	c, err := p.Exchange(t.Context(), "the-code", "the-verifier", "the-nonce", callback)
	require.NoError(t, err)
	require.Equal(t, "ann", c.UserName)
	require.Equal(t, []string{"science", "arts", "lab/deep"}, c.Organizations, "from the access token that came along")
	require.Equal(t, []string{"auditor", "reader"}, c.Roles)
	require.NotEmpty(t, c.IDToken)
	require.Equal(t, map[string]string{
		"grant_type": "authorization_code", "code": "the-code", "code_verifier": "the-verifier", "redirect_uri": callback,
	}, idp.form)
	require.Equal(t, "web:client-secret-canary", idp.basic)

	answer(idp.sign(0, idp.claims(id)), "access") // not a JWT
	c, err = p.Exchange(t.Context(), "the-code", "v", "the-nonce", callback)
	require.NoError(t, err)
	require.Equal(t, []string{"from-userinfo"}, c.Organizations)
	idp.with(func() { idp.userinfo["sub"] = "s-2" })
	c, err = p.Exchange(t.Context(), "the-code", "v", "the-nonce", callback)
	require.NoError(t, err)
	require.Nil(t, c.Organizations, "userinfo of somebody else counts for nothing")

	for name, token := range map[string]string{
		"another nonce":  idp.sign(0, idp.claims(map[string]any{"aud": "web", "nonce": "x"})),
		"no nonce":       idp.sign(0, idp.claims(map[string]any{"aud": "web"})),
		"another client": idp.sign(0, idp.claims(map[string]any{"aud": "other", "nonce": "the-nonce"})),
		"another party":  idp.sign(0, idp.claims(map[string]any{"aud": []any{"web", "x"}, "azp": "x", "nonce": "the-nonce"})),
		"another key":    idp.sign(2, idp.claims(map[string]any{"aud": "web", "nonce": "the-nonce"})),
	} {
		answer(token, "access")
		_, err = p.Exchange(t.Context(), "the-code", "v", "the-nonce", callback)
		require.ErrorIs(t, err, identity.ErrUntrustedToken, name)
	}
	answer(idp.sign(0, idp.claims(map[string]any{"aud": "web"})), "access")
	_, err = p.Exchange(t.Context(), "the-code", "v", "", callback)
	require.ErrorIs(t, err, identity.ErrUntrustedToken, "no nonce is no nonce")
	answer("", "access")
	_, err = p.Exchange(t.Context(), "the-code", "v", "n", callback)
	require.ErrorContains(t, err, "no ID token")

	idp.with(func() { idp.code = nil })
	_, err = p.Exchange(t.Context(), "code-canary", "verifier-canary", "n", callback)
	require.ErrorContains(t, err, "invalid_grant")
	require.NotContains(t, err.Error(), "canary")
	idp.with(func() { idp.down = true })
	_, err = p.Exchange(t.Context(), "code-canary", "verifier-canary", "n", callback)
	require.ErrorIs(t, err, identity.ErrProviderAway)
	idp.server.Close()
	_, err = p.Exchange(t.Context(), "code-canary", "verifier-canary", "n", callback)
	require.ErrorIs(t, err, identity.ErrProviderAway)
	require.NotContains(t, err.Error(), "canary")
}

func TestClientAuthentication(t *testing.T) {
	idp := newIDP(t)
	o := idp.options()
	idp.document["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
	_, err := idp.provider(o).Exchange(t.Context(), "c", "v", "n", callback)
	require.Error(t, err)
	require.Equal(t, "client-secret-canary", idp.form["client_secret"])
	require.Equal(t, ":", idp.basic)
	o.ClientSecret = ""
	_, err = idp.provider(o).Exchange(t.Context(), "c", "v", "n", callback)
	require.Error(t, err)
	require.Equal(t, "web", idp.form["client_id"], "a public client names itself")
	require.NotContains(t, idp.form, "client_secret")
}

func TestLogoutURL(t *testing.T) {
	idp := newIDP(t)
	u, err := url.Parse(idp.provider(idp.options()).LogoutURL("hint", "https://gw.example/ui/sign-in"))
	require.NoError(t, err)
	require.Equal(t, url.Values{
		"x": {"1"}, "client_id": {"web"}, "id_token_hint": {"hint"}, "post_logout_redirect_uri": {"https://gw.example/ui/sign-in"},
	}, u.Query())
	delete(idp.document, "end_session_endpoint")
	require.Empty(t, idp.provider(idp.options()).LogoutURL("hint", "x"))
}
