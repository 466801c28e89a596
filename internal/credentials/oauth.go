package credentials

import (
	"net/url"
	"regexp"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	// entraAuthority is Microsoft Entra ID of the public cloud. Sovereign
	// clouds have others: login.microsoftonline.us, login.partner.microsoftonline.cn.
	entraAuthority = "https://login.microsoftonline.com"
	// entraScope is Azure OpenAI's and Azure AI's.
	entraScope = "https://cognitiveservices.azure.com/.default"
	// assumedLife is that of a token whose server does not say (RFC 6749,
	// section 5.1, leaves it open).
	assumedLife = time.Hour
	// maxToken is more than any real one, and fits into a header.
	maxToken = 32 << 10
)

var tenantName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.\-]{0,252}$`)

// entra reads the parameters that kit.EntraID documents, and "authority": the
// root of another cloud's Entra ID.
func (m *Manager) entra(p map[string]string) (recipe, error) {
	if !tenantName.MatchString(p["tenant_id"]) {
		return recipe{}, plainf("tenant_id is missing or is none: it is a GUID or a domain")
	}
	authority, scope := p["authority"], p["scope"]
	if authority == "" {
		authority = entraAuthority
	}
	if scope == "" {
		scope = entraScope
	}
	return m.clientCredentials("authority", strings.TrimSuffix(authority, "/")+"/"+p["tenant_id"]+"/oauth2/v2.0/token",
		p, scope, oauth2.AuthStyleInParams)
}

// oauth reads the parameters that kit.OAuth documents.
func (m *Manager) oauth(p map[string]string) (recipe, error) {
	style := oauth2.AuthStyleInHeader
	switch p["auth_style"] {
	case "", "header":
	case "body":
		style = oauth2.AuthStyleInParams
	default:
		return recipe{}, plainf(`auth_style is "header" or "body"`)
	}
	return m.clientCredentials("token_url", p["token_url"], p, p["scope"], style)
}

// clientCredentials is OAuth 2.0's grant for machines (RFC 6749, section 4.4).
func (m *Manager) clientCredentials(field, tokenURL string, p map[string]string, scope string, style oauth2.AuthStyle) (recipe, error) {
	if err := checkURL(field, tokenURL); err != nil {
		return recipe{}, err
	}
	if p["client_id"] == "" || p["client_secret"] == "" {
		return recipe{}, plainf("client_id or client_secret is missing")
	}
	fetch := func(t *trip) (*material, error) {
		cfg := clientcredentials.Config{
			ClientID: p["client_id"], ClientSecret: p["client_secret"], TokenURL: tokenURL,
			Scopes: strings.Fields(scope), AuthStyle: style,
		}
		token, err := cfg.Token(t.context(m.http))
		if err != nil {
			return nil, err
		}
		return m.bearer(token)
	}
	return recipe{fetch: fetch, apply: applyHeaders, secrets: []string{p["client_secret"]}}, nil
}

// checkURL takes https only: what goes there is a secret, and the token comes
// back. Whether the address may be reached, the client decides at connecting.
func checkURL(field, raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return plainf("%s is missing or is no URL", field)
	case u.Scheme != "https":
		return plainf("%s must begin with https://", field)
	case u.User != nil || u.Fragment != "":
		return plainf("%s must hold neither a password nor a fragment", field)
	}
	return nil
}

// bearer is the material of a token.
func (m *Manager) bearer(token *oauth2.Token, more ...[2]string) (*material, error) {
	if len(token.AccessToken) > maxToken || !isHeaderText(token.AccessToken) {
		return nil, plainf("the token server answered with a token that can't stand in a header")
	}
	ends := token.Expiry
	if ends.IsZero() {
		ends = m.now().Add(assumedLife)
	}
	return &material{ends: ends, headers: append([][2]string{{headerAuthorization, "Bearer " + token.AccessToken}}, more...)}, nil
}
