package credentials

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

const (
	cloudPlatform   = "https://www.googleapis.com/auth/cloud-platform"
	googleMetadata  = "169.254.169.254"
	metadataTokens  = "/computeMetadata/v1/instance/service-accounts/default/token"
	maxGoogleFile   = 1 << 20
	googleFileInEnv = "GOOGLE_APPLICATION_CREDENTIALS"
)

// google reads the parameter that kit.Google documents.
func (m *Manager) google(p map[string]string) (recipe, error) {
	if p["credentials"] == "" {
		if m.ambient == nil {
			return recipe{}, errAmbient
		}
		return recipe{fetch: m.googleDefault, apply: applyHeaders}, nil
	}
	g, err := readGoogle([]byte(p["credentials"]))
	if err != nil {
		return recipe{}, err
	}
	checked, err := json.Marshal(g)
	if err != nil {
		return recipe{}, plainf("the Google credentials could not be read")
	}
	return recipe{
		fetch: func(t *trip) (*material, error) { return m.googleToken(t, m.http, checked) },
		apply: applyHeaders, secrets: g.secrets(),
	}, nil
}

// googleToken fetches a token by a credentials file.
func (m *Manager) googleToken(t *trip, client *http.Client, file []byte) (*material, error) {
	var head struct {
		Type  google.CredentialsType `json:"type"`
		Quota string                 `json:"quota_project_id"`
	}
	if err := json.Unmarshal(file, &head); err != nil {
		return nil, plainf("the Google credentials are not JSON")
	}
	c, err := google.CredentialsFromJSONWithType(t.context(client), file, head.Type, cloudPlatform)
	if err != nil {
		return nil, plainf("the Google credentials can't be used: their form %q is not known or not complete", head.Type)
	}
	token, err := c.TokenSource.Token()
	if err != nil {
		return nil, err
	}
	// A person's credentials name the project that pays.
	if isHeaderText(head.Quota) {
		return m.bearer(token, [2]string{"x-goog-user-project", head.Quota})
	}
	return m.bearer(token)
}

// googleDefault fetches a token by application default credentials: the file
// that the environment names, gcloud's own, the metadata server. The files are
// the operator's, so that any form of them is taken.
func (m *Manager) googleDefault(t *trip) (*material, error) {
	if name := os.Getenv(googleFileInEnv); name != "" {
		file, err := readBounded(name)
		if err != nil {
			return nil, plainf("the file that %s names could not be read", googleFileInEnv)
		}
		return m.googleToken(t, m.ambient, file)
	}
	if file, err := readBounded(gcloudFile()); err == nil {
		return m.googleToken(t, m.ambient, file)
	}
	return m.googleMachine(t)
}

// gcloudFile is where gcloud keeps application default credentials.
func gcloudFile() string {
	const name = "application_default_credentials.json"
	switch dir := os.Getenv("CLOUDSDK_CONFIG"); {
	case dir != "":
		return filepath.Join(dir, name)
	case runtime.GOOS == "windows":
		return filepath.Join(os.Getenv("APPDATA"), "gcloud", name)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".config", "gcloud", name)
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxGoogleFile))
}

// googleMachine asks the metadata server for a token of the machine's service
// account (https://cloud.google.com/compute/docs/access/authenticate-workloads).
func (m *Manager) googleMachine(t *trip) (*material, error) {
	host := os.Getenv("GCE_METADATA_HOST")
	if host == "" {
		host = googleMetadata
	}
	at := "http://" + host + metadataTokens + "?scopes=" + url.QueryEscape(cloudPlatform)
	req, err := http.NewRequestWithContext(t.ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, plainf("GCE_METADATA_HOST is no host")
	}
	req.Header.Set("Metadata-Flavor", "Google")
	resp, err := t.client(m.ambient).Do(req)
	if err != nil {
		return nil, plainf("there are no application default credentials: no file, and %s", t.explain(err, nil))
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Metadata-Flavor") != "Google" {
		return nil, plainf("there are no application default credentials: no file, "+
			"and the metadata server answered %d", resp.StatusCode)
	}
	var token oauth2.Token
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil {
		return nil, err
	}
	if token.ExpiresIn > 0 {
		token.Expiry = m.now().Add(seconds(token.ExpiresIn))
	}
	return m.bearer(&token)
}
