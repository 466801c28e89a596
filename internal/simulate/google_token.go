package simulate

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// ServiceAccount is a Google service account with a key of its own.
type ServiceAccount struct {
	Email, KeyID string
	key          *rsa.PrivateKey
}

// NewServiceAccount makes an account and its key.
func NewServiceAccount() (*ServiceAccount, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("generating the service account's key: %w", err)
	}
	return &ServiceAccount{Email: "stand-in@my-project.iam.gserviceaccount.com", KeyID: "0123456789abcdef", key: key}, nil
}

// JSON returns the account's credentials as Google hands them out, a secret.
// Without a tokenURI it names Google's own, https://oauth2.googleapis.com/token.
func (a *ServiceAccount) JSON(tokenURI string) []byte {
	if tokenURI == "" {
		tokenURI = googleAudience
	}
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		panic(fmt.Sprintf("simulate: rendering an RSA key: %v", err)) // any RSA key can be rendered
	}
	return marshal(map[string]string{"type": "service_account", "project_id": "my-project", "private_key_id": a.KeyID,
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email": a.Email, "client_id": "100000000000000000001", "token_uri": tokenURI,
		"auth_uri": "https://accounts.google.com/o/oauth2/auth", "universe_domain": "googleapis.com"})
}

const (
	googleAudience  = "https://oauth2.googleapis.com/token"
	googleScope     = "https://www.googleapis.com/auth/cloud-platform"
	jwtBearer       = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	metadataAccount = "/computeMetadata/v1/instance/service-accounts/{account}/token"
)

// NewGoogleToken returns a stand-in for oauth2.googleapis.com, which trades a
// JWT that the account signed for a token (RFC 7523), and for the metadata
// server of a machine in Google's cloud. Tokens are put into Options.Tokens.
func NewGoogleToken(a *ServiceAccount, o Options) *Provider {
	trade := func(c *call) (reply, *problem) { return a.trade(c), nil }
	return newProvider(&api{render: oauthProblem, failure: plainFailure,
		broken: func(*call) []byte { return nil },
		routes: []apiRoute{
			{method: "POST", pattern: "/token", serve: trade},
			{method: "GET", pattern: metadataAccount, serve: metadataToken},
		}}, o)
}

func oauthProblem(p *problem) reply { return oauthError(p.status, "invalid_request", p.message) }

// trade checks an assertion and issues a token.
func (a *ServiceAccount) trade(c *call) reply {
	form, ok := oauthForm(c.Received)
	if !ok || form.Get("grant_type") != jwtBearer {
		return oauthError(http.StatusBadRequest, "unsupported_grant_type", "Invalid grant_type: "+form.Get("grant_type"))
	}
	if wrong := a.check(form.Get("assertion"), c.env.now); wrong != "" {
		return oauthError(http.StatusBadRequest, "invalid_grant", wrong)
	}
	return accessToken(c, "ya29.")
}

// accessToken issues a token for an hour, less the second that passed.
func accessToken(c *call, prefix string) reply {
	if c.env.tokens == nil {
		return oauthError(http.StatusInternalServerError, "server_error", "This stand-in was started without Tokens.")
	}
	return jsonReply(map[string]any{"access_token": c.env.tokens.issue(prefix, c.env.now.Add(tokenLife)),
		"expires_in": int(tokenLife/time.Second) - 1, "token_type": "Bearer"})
}

// check says what is wrong with an assertion, empty if nothing.
func (a *ServiceAccount) check(assertion string, now time.Time) string {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return "Invalid JWT: not three parts."
	}
	var head struct{ Alg, Kid string }
	var claims struct {
		Iss, Scope, Aud string
		Iat, Exp        int64
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !jwtPart(parts[0], &head) || !jwtPart(parts[1], &claims) {
		return "Invalid JWT: can't be read."
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	switch {
	case head.Alg != "RS256", head.Kid != "" && head.Kid != a.KeyID:
		return "Invalid JWT: the key is not one of the account's."
	case rsa.VerifyPKCS1v15(&a.key.PublicKey, crypto.SHA256, sum[:], signature) != nil:
		return "Invalid JWT Signature."
	case claims.Iss != a.Email:
		return "Invalid grant: account not found"
	case claims.Aud != googleAudience && !strings.HasPrefix(claims.Aud, "https://127.0.0.1"):
		return "Invalid JWT: the audience is not this endpoint."
	case !strings.Contains(" "+claims.Scope+" ", " "+googleScope+" "):
		return "Invalid OAuth scope or ID token audience provided."
	case now.Before(time.Unix(claims.Iat, 0).Add(-time.Minute)), now.After(time.Unix(claims.Exp, 0)), claims.Exp-claims.Iat > 3600:
		return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
	}
	return ""
}

func jwtPart(part string, v any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(raw, v) == nil
}

func metadataToken(c *call) (reply, *problem) {
	if c.Header.Get("Metadata-Flavor") != "Google" {
		return reply{}, &problem{status: http.StatusForbidden, message: "Missing required header: Metadata-Flavor"}
	}
	out := accessToken(c, "ya29.c.")
	out.header.Set("Metadata-Flavor", "Google")
	return out, nil
}
