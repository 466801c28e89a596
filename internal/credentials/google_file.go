package credentials

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"time"
)

// googleFile is what is taken from an endpoint's Google credentials. It is
// written anew for Google's library, so that the library sees nothing that was
// not checked: the JSON of an endpoint must not make the gateway run a program,
// read a file, or use its own identity
// (https://cloud.google.com/docs/authentication/external/externally-sourced-credentials).
type googleFile struct {
	Type           string `json:"type"`
	ClientEmail    string `json:"client_email,omitempty"`
	PrivateKeyID   string `json:"private_key_id,omitempty"`
	PrivateKey     string `json:"private_key,omitempty"`
	TokenURI       string `json:"token_uri,omitempty"`
	QuotaProjectID string `json:"quota_project_id,omitempty"`

	// Of people, and of workforces.
	ClientID     string `json:"client_id,omitempty"`
	ClientSecret string `json:"client_secret,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`

	// Of federated identities.
	Audience         string        `json:"audience,omitempty"`
	SubjectTokenType string        `json:"subject_token_type,omitempty"`
	TokenURL         string        `json:"token_url,omitempty"`
	WorkforceProject string        `json:"workforce_pool_user_project,omitempty"`
	Source           *googleSource `json:"credential_source,omitempty"`

	// Of one identity that acts as another.
	ImpersonationURL string         `json:"service_account_impersonation_url,omitempty"`
	Impersonation    *impersonation `json:"service_account_impersonation,omitempty"`
	Delegates        []string       `json:"delegates,omitempty"`
	Base             *googleFile    `json:"source_credentials,omitempty"`
}

type impersonation struct {
	Seconds int `json:"token_lifetime_seconds,omitempty"`
}

// googleSource is where a federated identity's own token is had. Only the form
// with a URL is taken; the other members are here to be refused.
type googleSource struct {
	URL     string            `json:"url,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Format  *sourceFormat     `json:"format,omitempty"`

	File        json.RawMessage `json:"file,omitempty"`
	Executable  json.RawMessage `json:"executable,omitempty"`
	Certificate json.RawMessage `json:"certificate,omitempty"`
	Environment json.RawMessage `json:"environment_id,omitempty"`
}

type sourceFormat struct {
	Type  string `json:"type,omitempty"`
	Field string `json:"subject_token_field_name,omitempty"`
}

// readGoogle reads and checks an endpoint's Google credentials.
func readGoogle(raw []byte) (*googleFile, error) {
	var g googleFile
	if err := json.Unmarshal(raw, &g); err != nil {
		return nil, plainf("the Google credentials are not the JSON that Google issues")
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	return &g, nil
}

func (g *googleFile) check() error {
	for field, value := range map[string]string{
		"token_uri": g.TokenURI, "token_url": g.TokenURL, "service_account_impersonation_url": g.ImpersonationURL,
	} {
		if value == "" {
			continue
		}
		if err := checkURL(field, value); err != nil {
			return err
		}
	}
	switch g.Type {
	case "service_account":
		return g.checkServiceAccount()
	case "authorized_user":
		return needs(g.Type, "client_id", g.ClientID, "client_secret", g.ClientSecret, "refresh_token", g.RefreshToken)
	case "external_account_authorized_user":
		return needs(g.Type, "client_id", g.ClientID, "client_secret", g.ClientSecret,
			"refresh_token", g.RefreshToken, "token_url", g.TokenURL)
	case "external_account":
		return g.checkExternal()
	case "impersonated_service_account":
		return g.checkImpersonated()
	}
	return plainf("Google credentials of this type are not taken: it must be service_account, authorized_user, " +
		"impersonated_service_account, external_account or external_account_authorized_user")
}

func needs(kind string, pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			return plainf("Google credentials of type %s need %s", kind, pairs[i])
		}
	}
	return nil
}

func (g *googleFile) checkServiceAccount() error {
	if err := needs(g.Type, "client_email", g.ClientEmail, "private_key", g.PrivateKey); err != nil {
		return err
	}
	block, _ := pem.Decode([]byte(g.PrivateKey))
	if block == nil {
		return plainf("private_key of the Google credentials is not a PEM key")
	}
	if _, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return nil
	}
	if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
		return plainf("private_key of the Google credentials is not an RSA key")
	}
	return nil
}

func (g *googleFile) checkExternal() error {
	s := g.Source
	switch {
	case s == nil || s.URL == "" || s.File != nil || s.Executable != nil || s.Certificate != nil || s.Environment != nil:
		return plainf("an endpoint's external_account credentials must have their token from a URL: " +
			"a file, a program, a certificate or the environment would be this machine's")
	case s.Format != nil && s.Format.Type != "" && s.Format.Type != "text" && s.Format.Type != "json":
		return plainf(`the format of a credential_source is "text" or "json"`)
	}
	if err := checkURL("credential_source.url", s.URL); err != nil {
		return err
	}
	return needs(g.Type, "audience", g.Audience, "subject_token_type", g.SubjectTokenType, "token_url", g.TokenURL)
}

func (g *googleFile) checkImpersonated() error {
	if err := needs(g.Type, "service_account_impersonation_url", g.ImpersonationURL); err != nil {
		return err
	}
	if g.Base == nil || g.Base.Type != "service_account" && g.Base.Type != "authorized_user" {
		return plainf("source_credentials of an impersonated_service_account must be a service_account or an authorized_user")
	}
	return g.Base.check()
}

// secrets are what must not be seen in an error.
func (g *googleFile) secrets() []string {
	out := []string{g.PrivateKey, g.ClientSecret, g.RefreshToken}
	if g.Source != nil {
		for _, v := range g.Source.Headers {
			out = append(out, v)
		}
	}
	if g.Base != nil {
		out = append(out, g.Base.secrets()...)
	}
	return out
}

// seconds is a life as servers tell it, bounded so that it is no overflow.
func seconds(n int64) time.Duration {
	const most = 10 * 365 * 24 * 3600
	return time.Duration(min(max(n, 0), most)) * time.Second
}
