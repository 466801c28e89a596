package credentials_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/provider/kit"
	"sluice/internal/credentials"
	"sluice/internal/egress"
)

const (
	clientID     = "client-one"
	clientSecret = "s3cr+t/of:one client"
)

// grant is a token server that wants what a grant promises.
func grant(t *testing.T, want url.Values, token string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Method != http.MethodPost {
			http.Error(w, "no form", http.StatusBadRequest)
			return
		}
		if user, password, ok := r.BasicAuth(); ok { // RFC 6749, section 2.3.1
			user, _ = url.QueryUnescape(user)
			password, _ = url.QueryUnescape(password)
			r.PostForm.Set("basic", user+":"+password)
		}
		for name, values := range want {
			if r.PostForm.Get(name) != values[0] {
				t.Errorf("%s: %q", name, r.PostForm.Get(name))
			}
		}
		if len(r.PostForm) != len(want) {
			t.Errorf("unexpected: %v", r.PostForm)
		}
		answer(w, http.StatusOK, `{"token_type":"Bearer","expires_in":3599,"access_token":"`+token+`"}`)
	}
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprint(w, body)
}

func TestClientCredentials(t *testing.T) {
	form := func(pairs ...string) url.Values {
		v := url.Values{"grant_type": {"client_credentials"}}
		for i := 0; i+1 < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	basic := clientID + ":" + clientSecret
	entra := func(path string, want url.Values) http.HandlerFunc {
		next := grant(t, want, "eyJ.entra")
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != path {
				t.Errorf("path %s", r.URL.Path)
			}
			next(w, r)
		}
	}
	w := newWorld(t, hosts{
		"header.example": grant(t, form("basic", basic, "scope", "all a b"), "tok-header"),
		"body.example":   grant(t, form("client_id", clientID, "client_secret", clientSecret), "tok-body"),
		"login.microsoftonline.com": entra("/contoso.onmicrosoft.com/oauth2/v2.0/token", form("client_id", clientID,
			"client_secret", clientSecret, "scope", "https://cognitiveservices.azure.com/.default")),
		"login.microsoftonline.us": entra("/0000-11/oauth2/v2.0/token", form("client_id", clientID,
			"client_secret", clientSecret, "scope", "https://ml.azure.us/.default")),
	}, false)
	for want, c := range map[string]kit.Credential{
		"Bearer tok-header": secretly(kit.OAuth, "token_url", "https://header.example/t", "scope", "all a b"),
		"Bearer tok-body":   secretly(kit.OAuth, "token_url", "https://body.example/t?x=1", "auth_style", "body"),
		"Bearer eyJ.entra":  secretly(kit.EntraID, "tenant_id", "contoso.onmicrosoft.com"),
		"Bearer eyJ.entra ": secretly(kit.EntraID, "tenant_id", "0000-11", "scope", "https://ml.azure.us/.default",
			"authority", "https://login.microsoftonline.us/"),
	} {
		h, err := w.authorize(t, c)
		require.NoError(t, err)
		require.Equal(t, []string{strings.TrimSpace(want)}, h.Values("authorization"))
		require.Equal(t, "application/json", h.Get("content-type"))
	}
	w.hides(t, clientSecret, "tok-header", "tok-body", "eyJ.entra")
}

func secretly(kind kit.CredentialKind, pairs ...string) kit.Credential {
	return credential(kind, append(pairs, "client_id", clientID, "client_secret", clientSecret)...)
}

// TestRefusalsAreToldWithoutSecrets: token servers, which may be anyone's, send
// back what they were sent in every form.
func TestRefusalsAreToldWithoutSecrets(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) string {
		_ = r.ParseForm()
		return fmt.Sprintf("%v %v %v", r.PostForm, r.Header, clientSecret)
	}
	cases := map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"code": {func(w http.ResponseWriter, r *http.Request) {
			answer(w, 401, fmt.Sprintf(`{"error":"invalid_client","error_description":%q}`, echo(w, r)))
		}, "answered 401 invalid_client"},
		"entra": {func(w http.ResponseWriter, r *http.Request) {
			answer(w, 401, fmt.Sprintf(`{"error":"invalid_client","error_description":%q}`, "AADSTS7000215: Invalid client secret "+echo(w, r)))
		}, "answered 401 invalid_client (AADSTS7000215)"},
		"code-is-the-secret": {func(w http.ResponseWriter, r *http.Request) {
			answer(w, 400, `{"error":"x.plainsecret99"}`)
		}, "answered 400 x.[redacted]"},
		"html": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(503)
			_, _ = fmt.Fprint(w, "<html>"+echo(w, r))
		}, "answered 503"},
		"error-with-200": {func(w http.ResponseWriter, r *http.Request) {
			answer(w, 200, fmt.Sprintf(`{"error":%q}`, echo(w, r)))
		}, "answered with something that is no credential"},
		"not-json": {func(w http.ResponseWriter, r *http.Request) {
			answer(w, 200, echo(w, r))
		}, "something that is no credential"},
		"no-token": {func(w http.ResponseWriter, r *http.Request) { answer(w, 200, `{}`) }, "something that is no credential"},
		"header-injection": {func(w http.ResponseWriter, r *http.Request) {
			answer(w, 200, `{"access_token":"a\r\nhost: evil"}`)
		}, "can't stand in a header"},
		"huge-token": {func(w http.ResponseWriter, r *http.Request) {
			answer(w, 200, `{"access_token":"`+strings.Repeat("a", 40<<10)+`"}`)
		}, "can't stand in a header"},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			for range 64 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, "something that is no credential"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://no-token.example/", http.StatusTemporaryRedirect)
		}, "answered 307"},
		"hangs-up": {func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, "the connection broke"},
	}
	list := hosts{}
	for name, c := range cases {
		list[name+".example"] = c.answer
	}
	w := newWorld(t, list, false)
	for name, c := range cases {
		secret := clientSecret
		if name == "code-is-the-secret" {
			secret = "plainsecret99"
		}
		_, err := w.authorize(t, credential(kit.OAuth, "token_url", "https://"+name+".example/t?key=url-secret",
			"client_id", clientID, "client_secret", secret))
		require.ErrorIs(t, err, credentials.ErrUnavailable, name)
		require.ErrorContains(t, err, c.want)
		if name != "header-injection" && name != "huge-token" {
			require.ErrorContains(t, err, name+".example")
		}
		requireNoSecret(t, err.Error())
	}
	w.hides(t, clientSecret, url.QueryEscape(clientSecret), "plainsecret99", "url-secret")
}

func requireNoSecret(t *testing.T, text string) {
	t.Helper()
	escaped := url.QueryEscape(clientSecret)
	for _, s := range []string{
		clientSecret, escaped, base64.StdEncoding.EncodeToString([]byte(clientID + ":" + escaped)), "plainsecret99", "url-secret", "evil",
	} {
		require.NotContains(t, text, s)
	}
}

func TestAddressesOfTokenServersAreChecked(t *testing.T) {
	w := gateway(t, egress.Options{}, true) // the machine's own client is no way around
	for address, want := range map[string]string{
		"http://token.example/t":                  "must begin with https://",
		"https://169.254.169.254/latest/":         "metadata service",
		"https://[::ffff:169.254.169.254]/":       "metadata service",
		"https://metadata.google.internal/":       "metadata service",
		"https://127.0.0.1:1/":                    "not on the public internet",
		"https://10.1.2.3/":                       "not on the public internet",
		"https://user:plainsecret99@host.example": "neither a password",
		"":              "token_url is missing",
		"file:///etc/x": "is no URL",
		"https:host":    "is no URL",
	} {
		_, err := w.authorize(t, secretly(kit.OAuth, "token_url", address))
		require.ErrorIs(t, err, credentials.ErrUnavailable)
		require.ErrorContains(t, err, want, address)
		requireNoSecret(t, err.Error())
	}
}

func TestParametersAreChecked(t *testing.T) {
	w := gateway(t, egress.Options{}, false)
	for want, c := range map[string]kit.Credential{
		`kind "kerberos" is not known`:      credential("kerberos"),
		"client_id or client_secret":        credential(kit.OAuth, "token_url", "https://a.example"),
		`auth_style is "header" or "body"`:  secretly(kit.OAuth, "token_url", "https://a.example", "auth_style", "jwt"),
		"tenant_id is missing":              secretly(kit.EntraID),
		"tenant_id is missing or is none":   secretly(kit.EntraID, "tenant_id", "a/../b?"),
		"authority must begin with https":   secretly(kit.EntraID, "tenant_id", "a", "authority", "http://a.example"),
		"AWS region is missing":             credential(kit.AWS, "service", "bedrock", "region", "evil.example/"),
		"AWS service is missing":            credential(kit.AWS, "region", "us-east-1"),
		"both its id and its secret":        aws("access_key_id", "AKID"),
		"needs both":                        aws("session_token", "x"),
		"holds what such a thing never has": aws("access_key_id", "AK\r\nhost: evil", "secret_access_key", "x"),
		"from 900 to 43200":                 aws("session_seconds", "60"),
		"does not allow":                    aws(),
		"gateway's own identity":            aws("role_arn", "arn:aws:iam::123456789012:role/x"),
		"own identity, which this gateway":  credential(kit.Google),
	} {
		source := w.manager.For(c)
		err := source.Ready()
		require.ErrorIs(t, err, credentials.ErrUnavailable)
		require.ErrorContains(t, err, want)
		require.Contains(t, source.Status().Error, want)
		require.False(t, source.Status().Ready)
		require.NoError(t, t.Context().Err())
		up := kit.Upstream{}
		require.Equal(t, err, source.Authorize(t.Context(), &up, "h"), "told at once, without waiting")
		require.Empty(t, up.Headers)
	}
	require.NotContains(t, w.shows(t), clientSecret)
}

func aws(pairs ...string) kit.Credential {
	return credential(kit.AWS, append(pairs, "region", "us-east-1", "service", "bedrock")...)
}
