package identity

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// CredentialHeaders are the headers, in lower case, in which a client may
// present its token. None of them ever leaves towards a provider. Read only.
var CredentialHeaders = []string{"authorization", "x-domino-api-key", "x-api-key", "api-key", "x-goog-api-key"}

// maxCredential bounds a credential header, in bytes: far more than a token
// needs, enough for a JWT.
const maxCredential = 8 << 10

// CredentialFrom finds the bare credential of a request. get returns the
// values of a header given in lower case. The headers are CredentialHeaders;
// Authorization may be Bearer, or Basic with any user name and the token as
// password. An empty value counts as absent and the same credential may be
// given more than once; different ones are ErrAmbiguousCredential, none is
// ErrNoCredential, and one that can't be read is ErrMalformedToken.
func CredentialFrom(get func(header string) []string) (string, error) {
	found := ""
	for _, header := range CredentialHeaders {
		for _, value := range get(header) {
			credential, err := credentialIn(header, value)
			if err != nil {
				return "", fmt.Errorf("reading header %s: %w", header, err)
			}
			switch {
			case credential == "" || credential == found:
			case found == "":
				found = credential
			default:
				return "", ErrAmbiguousCredential
			}
		}
	}
	if found == "" {
		return "", ErrNoCredential
	}
	return found, nil
}

func credentialIn(header, value string) (string, error) {
	if len(value) > maxCredential {
		return "", fmt.Errorf("%w: it is longer than %d bytes", ErrMalformedToken, maxCredential)
	}
	value = strings.Trim(value, " \t")
	if header == "authorization" {
		return fromAuthorization(value)
	}
	return value, nil
}

func fromAuthorization(value string) (string, error) {
	scheme, rest := value, ""
	if i := strings.IndexAny(value, " \t"); i >= 0 {
		scheme, rest = value[:i], strings.Trim(value[i:], " \t")
	}
	switch {
	case value == "":
		return "", nil
	case strings.EqualFold(scheme, "Bearer"):
		return rest, nil
	case strings.EqualFold(scheme, "Basic"):
		return fromBasic(rest)
	}
	return "", fmt.Errorf("%w: its scheme is neither Bearer nor Basic", ErrMalformedToken)
}

func fromBasic(encoded string) (string, error) {
	plain, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if err != nil {
		return "", fmt.Errorf("%w: its Basic value is not base64", ErrMalformedToken)
	}
	_, password, ok := strings.Cut(string(plain), ":")
	if !ok && encoded != "" {
		return "", fmt.Errorf("%w: its Basic value has no password; give the token as the password", ErrMalformedToken)
	}
	return password, nil
}

// codes are the stable codes of authentication errors.
var codes = [...]struct {
	err  error
	code string
}{
	{ErrNoCredential, "no_credential"},
	{ErrAmbiguousCredential, "ambiguous_credential"},
	{ErrMalformedToken, "malformed_token"},
	{ErrUnknownToken, "unknown_token"},
	{ErrExpiredToken, "expired_token"},
	{ErrRevokedToken, "revoked_token"},
	{ErrWrongNetwork, "wrong_network"},
	{ErrDisabledUser, "disabled_user"},
	{ErrUntrustedToken, "untrusted_token"},
	{ErrProviderAway, "identity_provider_unavailable"},
	{ErrUnknownUser, "unknown_user"},
	{ErrNameTaken, "name_taken"},
	{ErrUnknownCertificate, "unknown_certificate"},
	{ErrExpiredCertificate, "expired_certificate"},
	{ErrMalformedCertificate, "malformed_certificate"},
}

// Code returns the stable code of an authentication error, e.g.
// "expired_token", and "unauthenticated" for any other error.
func Code(err error) string {
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return "unauthenticated"
}
