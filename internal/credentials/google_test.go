package credentials_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/extproc/provider/kit"
	"sluice/internal/credentials"
)

const googleScope = "https://www.googleapis.com/auth/cloud-platform"

func rsaKey(t *testing.T) (*rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// verifyAssertion holds a JWT bearer grant (RFC 7523) against what Google wants
// of a service account.
func verifyAssertion(assertion string, key *rsa.PublicKey, audience string) error {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return errors.New("not a JWT")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature); err != nil {
		return err
	}
	var claims struct {
		Iss, Scope, Aud string
		Iat, Exp        int64
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &claims); err != nil {
		return err
	}
	now := time.Now().Unix()
	if claims.Iss != "robot@project.iam.gserviceaccount.com" || claims.Scope != googleScope || claims.Aud != audience ||
		claims.Iat > now || claims.Exp < now || claims.Exp > now+3600 {
		return errors.New("wrong claims: " + string(b))
	}
	return nil
}

// googleWorld is Google's token servers.
func googleWorld(t *testing.T, key *rsa.PrivateKey, ambient bool) *world {
	t.Helper()
	return newWorld(t, hosts{
		"oauth2.googleapis.com": func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			switch r.PostForm.Get("grant_type") {
			case "urn:ietf:params:oauth:grant-type:jwt-bearer":
				if err := verifyAssertion(r.PostForm.Get("assertion"), &key.PublicKey, "https://oauth2.googleapis.com/token"); err != nil {
					t.Error(err)
				}
				answer(w, 200, `{"access_token":"ya29.robot","expires_in":3599,"token_type":"Bearer"}`)
			case "refresh_token":
				if r.PostForm.Get("refresh_token") != "1//refresh" || r.PostForm.Get("client_secret") != "person-secret" {
					t.Errorf("%v", r.PostForm)
				}
				answer(w, 200, `{"access_token":"ya29.person","expires_in":3599,"token_type":"Bearer"}`)
			default:
				answer(w, 400, `{"error":"unsupported_grant_type"}`)
			}
		},
		"iamcredentials.googleapis.com": func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			if got := r.Header.Get("Authorization"); got != "Bearer ya29.robot" || !strings.Contains(string(b), googleScope) {
				t.Errorf("%s %s", got, b)
			}
			answer(w, 200, `{"accessToken":"ya29.other","expireTime":"`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`)
		},
		"idp.example": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Idp") != "idp-secret" {
				t.Error("no header")
			}
			answer(w, 200, `{"id":"subject-token"}`)
		},
		"sts.googleapis.com": func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			if r.PostForm.Get("subject_token") != "subject-token" {
				t.Errorf("%v", r.PostForm)
			}
			answer(w, 200, `{"access_token":"ya29.federated","expires_in":3599,"token_type":"Bearer",
				"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`)
		},
	}, ambient)
}

func robot(key string, more ...string) map[string]any {
	m := map[string]any{
		"type": "service_account", "project_id": "project", "private_key_id": "kid", "private_key": key, "client_id": "123",
		"client_email": "robot@project.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token",
		"auth_uri": "https://accounts.google.com/o/oauth2/auth", "universe_domain": "googleapis.com",
	}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

func person() map[string]any {
	return map[string]any{
		"type": "authorized_user", "client_id": "c", "client_secret": "person-secret", "refresh_token": "1//refresh",
		"quota_project_id": "payer", "account": "",
	}
}

func federated(source map[string]any) map[string]any {
	return map[string]any{
		"type": "external_account", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
		"audience":  "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
		"token_url": "https://sts.googleapis.com/v1/token", "credential_source": source,
	}
}

func impersonated(base map[string]any) map[string]any {
	return map[string]any{
		"type": "impersonated_service_account", "source_credentials": base, "delegates": []string{},
		"service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/o@p:generateAccessToken",
	}
}

func googleJSON(t *testing.T, v any) kit.Credential {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return credential(kit.Google, "credentials", string(b))
}

func TestGoogle(t *testing.T) {
	key, text := rsaKey(t)
	w := googleWorld(t, key, false)
	idp := map[string]any{
		"url": "https://idp.example/token", "headers": map[string]string{"X-Idp": "idp-secret"},
		"format": map[string]string{"type": "json", "subject_token_field_name": "id"},
	}
	for want, v := range map[string]any{
		"ya29.robot": robot(text), "ya29.person": person(), "ya29.other": impersonated(robot(text)), "ya29.federated": federated(idp),
	} {
		h, err := w.authorize(t, googleJSON(t, v))
		require.NoError(t, err, want)
		require.Equal(t, []string{"Bearer " + want}, h.Values("authorization"))
		payer := ""
		if want == "ya29.person" {
			payer = "payer"
		}
		require.Equal(t, payer, h.Get("x-goog-user-project"))
	}
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	_, err := w.authorize(t, googleJSON(t, robot(string(pkcs1))))
	require.NoError(t, err)
	w.hides(t, "ya29", "person-secret", "refresh", "idp-secret", "PRIVATE KEY", text[40:80])
}

// TestGoogleCredentialsOfAnEndpointReachNothingOfTheMachine: who may edit an
// endpoint must not make the gateway run programs, read files or use its own
// identity.
func TestGoogleCredentialsOfAnEndpointReachNothingOfTheMachine(t *testing.T) {
	key, text := rsaKey(t)
	w := googleWorld(t, key, true)
	marker := filepath.Join(t.TempDir(), "ran")
	t.Setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
	program := map[string]any{"executable": map[string]any{"command": "touch " + marker, "timeout_millis": 5000}}
	file := map[string]any{"file": "/etc/passwd"}
	both := map[string]any{"url": "https://idp.example/", "executable": program["executable"]}
	amazon := map[string]any{"environment_id": "aws1", "url": "https://idp.example/",
		"regional_cred_verification_url": "https://sts.{region}.amazonaws.com"}
	certificate := map[string]any{"certificate": map[string]any{"use_default_certificate_config": true}}
	upper := map[string]any{"URL": "https://idp.example/", "Executable": program["executable"]}
	twice := `{"type":"external_account","audience":"a","subject_token_type":"b","token_url":"https://sts.googleapis.com/v1/token",
		"credential_source":{"executable":{"command":"touch ` + marker + `"}},"credential_source":{"url":"https://idp.example/"}}`
	const mustBeURL = "must have their token from a URL"
	cases := []struct {
		what any
		want string
	}{
		{federated(program), mustBeURL},
		{federated(file), mustBeURL},
		{federated(both), mustBeURL},
		{federated(amazon), mustBeURL},
		{federated(certificate), mustBeURL},
		{federated(upper), mustBeURL},
		{federated(nil), mustBeURL},
		{json.RawMessage(twice), mustBeURL},
		{federated(map[string]any{"url": "http://169.254.169.254/latest"}), "credential_source.url must begin with https"},
		{federated(map[string]any{"url": "https://169.254.169.254/latest"}), "metadata service"},
		{federated(map[string]any{"url": "https://127.0.0.1:1/"}), "not on the public internet"},
		{impersonated(federated(program)), "must be a service_account or an authorized_user"},
		{impersonated(nil), "must be a service_account or an authorized_user"},
		{impersonated(robot(text, "token_uri", "http://a.example")), "token_uri must begin with https"},
		{robot(text, "token_uri", "https://169.254.169.254/token"), "metadata service"},
		{robot(text, "token_uri", "http://oauth2.googleapis.com/token"), "token_uri must begin with https"},
		{robot("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"), "not an RSA key"},
		{robot("my-private-text"), "not a PEM key"},
		{robot(""), "need private_key"},
		{map[string]any{"type": "authorized_user", "client_id": "x"}, "need client_secret"},
		{map[string]any{"type": "gdch_service_account"}, "of this type are not taken"},
		{map[string]any{"installed": map[string]any{"client_id": "x", "redirect_uris": []string{"x"}}}, "of this type are not taken"},
		{[]int{1}, "not the JSON that Google issues"},
		{map[string]any{"type": 5}, "not the JSON that Google issues"},
	}
	for _, c := range cases {
		_, err := w.authorize(t, googleJSON(t, c.what))
		require.ErrorIs(t, err, credentials.ErrUnavailable)
		require.ErrorContains(t, err, c.want)
		require.NotContains(t, err.Error(), "my-private-text")
	}
	require.NoFileExists(t, marker)
}

func TestGoogleDefaultCredentials(t *testing.T) {
	key, text := rsaKey(t)
	w := googleWorld(t, key, true)
	write := func(v any) string {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		name := filepath.Join(t.TempDir(), "application_default_credentials.json")
		require.NoError(t, os.WriteFile(name, b, 0o600))
		return name
	}
	// As an operator's own file any form is taken, one that reads files too.
	subject := filepath.Join(t.TempDir(), "subject")
	require.NoError(t, os.WriteFile(subject, []byte("subject-token"), 0o600))
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Metadata-Flavor") != "Google" || r.URL.Query().Get("scopes") != googleScope ||
			r.URL.Path != "/computeMetadata/v1/instance/service-accounts/default/token" {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		w.Header().Set("Metadata-Flavor", "Google")
		answer(w, 200, `{"access_token":"ya29.machine","expires_in":3599,"token_type":"Bearer"}`)
	}))
	t.Cleanup(metadata.Close)
	stranger := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(stranger.Close)

	cases := []struct{ want, named, gcloud, metadata string }{
		{"ya29.robot", write(robot(text)), write(person()), metadata.URL},
		{"ya29.federated", write(federated(map[string]any{"file": subject})), "", ""},
		{"ya29.person", "", write(person()), metadata.URL},
		{"ya29.machine", "", "", metadata.URL},
		{"!could not be read", filepath.Join(t.TempDir(), "none"), write(person()), metadata.URL},
		{"!are not JSON", subject, "", ""},
		{"!is not known or not complete", write(map[string]any{"type": "x"}), "", ""},
		{"!the metadata server answered 404", "", "", stranger.URL},
		{"!could not be reached", "", "", "http://127.0.0.1:1"},
	}
	for _, c := range cases {
		gcloud := t.TempDir()
		if c.gcloud != "" {
			gcloud = filepath.Dir(c.gcloud)
		}
		t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", c.named)
		t.Setenv("CLOUDSDK_CONFIG", gcloud)
		t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(c.metadata, "http://"))
		w.manager.Retain(nil) // what was read before counts no more
		h, err := w.authorize(t, credential(kit.Google))
		if why, bad := strings.CutPrefix(c.want, "!"); bad {
			require.ErrorContains(t, err, why)
			continue
		}
		require.NoError(t, err, c.want)
		require.Equal(t, "Bearer "+c.want, h.Get("authorization"))
	}
	w.hides(t, "ya29", "subject-token")
}

// FuzzGoogleCredentials: the JSON of an endpoint is anything, and none of it
// makes a program run or a file be read.
func FuzzGoogleCredentials(f *testing.F) {
	for _, v := range []any{
		robot("k"), person(), impersonated(person()), federated(map[string]any{"file": "/etc/passwd"}),
		federated(map[string]any{"url": "https://idp.example/", "format": map[string]any{"type": "json"}}),
	} {
		b, err := json.Marshal(v)
		require.NoError(f, err)
		f.Add(string(b))
	}
	m := credentials.New(credentials.Options{HTTP: &http.Client{Transport: oneAnswer(`{"access_token":"t","expires_in":3600}`)}})
	f.Cleanup(m.Close)
	f.Fuzz(func(t *testing.T, text string) {
		source := m.For(credential(kit.Google, "credentials", text))
		up := kit.Upstream{}
		if err := source.Authorize(t.Context(), &up, "h"); err != nil {
			require.ErrorIs(t, err, credentials.ErrUnavailable)
		}
		m.Retain(nil)
	})
}
