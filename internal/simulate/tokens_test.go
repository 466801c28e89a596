package simulate_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/oauth2/google"

	"sluice/internal/simulate"
)

// served is the address of a provider that runs until the test ends.
func served(t *testing.T, p *simulate.Provider) string {
	server, err := simulate.Start(p)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	return server.URL
}

// TestGoogleTokens: Google's own library trades the account's credentials for a
// token that Vertex AI takes until it ends.
func TestGoogleTokens(t *testing.T) {
	account, err := simulate.NewServiceAccount()
	require.NoError(t, err)
	tokens := simulate.NewTokens()
	issuer := simulate.NewGoogleToken(account, simulate.Options{Tokens: tokens})
	config, err := google.JWTConfigFromJSON(account.JSON(""), "https://www.googleapis.com/auth/cloud-platform")
	require.NoError(t, err)
	config.TokenURL = served(t, issuer) + "/token"
	config.Audience = "https://oauth2.googleapis.com/token"
	token, err := config.TokenSource(t.Context()).Token()
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Hour), token.Expiry, 10*time.Second)

	vertex := func(bearer string) int {
		r := httptest.NewRequest(http.MethodPost, "/v1/projects/p/locations/global/publishers/google/models/gemini-2.5-flash:generateContent",
			strings.NewReader(`{"contents":[{"parts":[{"text":"hi"}]}]}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+bearer)
		w := httptest.NewRecorder()
		simulate.NewGemini(simulate.Options{Tokens: tokens}).ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, http.StatusOK, vertex(token.AccessToken))
	require.Equal(t, http.StatusUnauthorized, vertex("ya29.other"))
	tokens.Revoke()
	require.Equal(t, http.StatusUnauthorized, vertex(token.AccessToken))

	other, err := simulate.NewServiceAccount()
	require.NoError(t, err)
	config, err = google.JWTConfigFromJSON(other.JSON(""), "https://www.googleapis.com/auth/cloud-platform")
	require.NoError(t, err)
	config.TokenURL, config.Audience = served(t, issuer)+"/token", "https://oauth2.googleapis.com/token"
	_, err = config.TokenSource(t.Context()).Token()
	require.ErrorContains(t, err, "Invalid JWT Signature")
	require.Equal(t, 1, tokens.Issued())
}

// TestMetadataToken: only who names the flavor gets one.
func TestMetadataToken(t *testing.T) {
	account, err := simulate.NewServiceAccount()
	require.NoError(t, err)
	p := simulate.NewGoogleToken(account, simulate.Options{Tokens: simulate.NewTokens()})
	for flavor, want := range map[string]int{"Google": http.StatusOK, "": http.StatusForbidden} {
		r := httptest.NewRequest(http.MethodGet, "/computeMetadata/v1/instance/service-accounts/default/token?scopes=x", nil)
		r.Header.Set("Metadata-Flavor", flavor)
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		require.Equal(t, want, w.Code)
	}
}

// TestClientCredentials: the library's requests are taken, in the form or by
// Basic as the provider wants it, and a token opens the API beside it.
func TestClientCredentials(t *testing.T) {
	client := simulate.OAuthClient{ID: "client", Secret: "secret/with+signs"}
	databricks, sap, azure := simulate.NewTokens(), simulate.NewTokens(), simulate.NewTokens()
	now := time.Now()
	clock := func() time.Time { return now }
	cases := map[string]struct {
		issuer, api *simulate.Provider
		path, scope string
		style       oauth2.AuthStyle
		call        string
		body        string
	}{
		"databricks": {issuer: simulate.NewDatabricks(client, simulate.Options{Tokens: databricks, Now: clock}),
			path:  "/oidc/v1/token",
			scope: "all-apis", style: oauth2.AuthStyleInHeader, call: "/serving-endpoints/chat/completions", body: chatBody},
		"sap": {issuer: simulate.NewSAP(client, simulate.Options{Tokens: sap, Now: clock}), path: "/oauth/token",
			style: oauth2.AuthStyleInHeader, call: "/v2/completion", body: `{"config":{"modules":{"prompt_templating":{"prompt":` +
				`{"template":[{"role":"user","content":"hi"}]},"model":{"name":"gpt-4o"}}}}}`},
		"entra": {issuer: simulate.NewEntra("tenant-1", client, simulate.Options{Tokens: azure, Now: clock}),
			path:  "/tenant-1/oauth2/v2.0/token",
			scope: "https://cognitiveservices.azure.com/.default", style: oauth2.AuthStyleInParams,
			api:  simulate.NewOpenAI(simulate.Options{Tokens: azure, Now: clock}),
			call: "/openai/deployments/d/chat/completions?api-version=1", body: chatBody},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.api == nil {
				c.api = c.issuer
			}
			config := clientcredentials.Config{ClientID: client.ID, ClientSecret: client.Secret, TokenURL: served(t, c.issuer) +
				c.path,
				AuthStyle: c.style}
			if c.scope != "" {
				config.Scopes = []string{c.scope}
			}
			token, err := config.Token(context.Background())
			require.NoError(t, err)
			code := func() int {
				r := httptest.NewRequest(http.MethodPost, c.call, strings.NewReader(c.body))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Authorization", "Bearer "+token.AccessToken)
				w := httptest.NewRecorder()
				c.api.ServeHTTP(w, r)
				return w.Code
			}
			require.Equal(t, http.StatusOK, code())
			now = now.Add(2 * time.Hour)
			require.Equal(t, http.StatusUnauthorized, code(), "the token has ended")
			config.ClientSecret = "wrong"
			_, err = config.Token(context.Background())
			require.ErrorContains(t, err, "invalid_client")
		})
	}
}

const chatBody = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`
