package identity_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
)

func basic(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }

func TestCredentialFrom(t *testing.T) {
	type headers map[string][]string
	tests := []struct {
		name    string
		headers headers
		want    string
		err     error
		text    string
	}{
		{name: "none", err: identity.ErrNoCredential},
		{name: "bearer", headers: headers{"authorization": {"Bearer tok"}}, want: "tok"},
		{name: "bearer in lower case", headers: headers{"authorization": {"bearer tok"}}, want: "tok"},
		{name: "bearer in upper case", headers: headers{"authorization": {"BEARER tok"}}, want: "tok"},
		{name: "bearer with much space", headers: headers{"authorization": {"  Bearer \t tok\t "}}, want: "tok"},
		{name: "bearer with a tab", headers: headers{"authorization": {"Bearer\ttok"}}, want: "tok"},
		{name: "basic", headers: headers{"authorization": {basic("me:tok")}}, want: "tok"},
		{name: "basic without a user", headers: headers{"authorization": {basic(":tok")}}, want: "tok"},
		{name: "basic with a colon in the password", headers: headers{"authorization": {basic("me:a:b")}}, want: "a:b"},
		{name: "basic in lower case, no padding", headers: headers{"authorization": {strings.TrimRight("basic "+basic("m:toke")[6:], "=")}}, want: "toke"},
		{name: "domino", headers: headers{"x-domino-api-key": {"tok"}}, want: "tok"},
		{name: "anthropic", headers: headers{"x-api-key": {" tok "}}, want: "tok"},
		{name: "azure", headers: headers{"api-key": {"tok"}}, want: "tok"},
		{name: "gemini", headers: headers{"x-goog-api-key": {"tok"}}, want: "tok"},
		{name: "the same twice", headers: headers{"x-api-key": {"tok", "tok"}}, want: "tok"},
		{name: "the same in two headers", headers: headers{"authorization": {"Bearer tok"}, "x-api-key": {"tok"}}, want: "tok"},
		{name: "the same as basic and bearer", headers: headers{"authorization": {"Bearer tok", basic("u:tok")}}, want: "tok"},
		{name: "an empty one beside", headers: headers{"authorization": {"Bearer "}, "x-api-key": {"tok"}}, want: "tok"},
		{name: "an empty header", headers: headers{"authorization": {""}}, err: identity.ErrNoCredential},
		{name: "an empty bearer", headers: headers{"authorization": {"Bearer"}}, err: identity.ErrNoCredential},
		{name: "an empty basic", headers: headers{"authorization": {"Basic "}}, err: identity.ErrNoCredential},
		{name: "an empty password", headers: headers{"authorization": {basic("canary:")}}, err: identity.ErrNoCredential},
		{name: "two in one header", headers: headers{"x-api-key": {"canary", "canary2"}}, err: identity.ErrAmbiguousCredential},
		{name: "two in two headers", headers: headers{"authorization": {"Bearer canary"}, "api-key": {"canary2"}}, err: identity.ErrAmbiguousCredential},
		{name: "another scheme", headers: headers{"authorization": {"Digest canary"}}, err: identity.ErrMalformedToken, text: "neither Bearer nor Basic"},
		{name: "no scheme", headers: headers{"authorization": {"canary"}}, err: identity.ErrMalformedToken, text: "reading header authorization"},
		{name: "basic that is no base64", headers: headers{"authorization": {"Basic canary!"}}, err: identity.ErrMalformedToken, text: "not base64"},
		{name: "basic without a password", headers: headers{"authorization": {basic("canary")}}, err: identity.ErrMalformedToken, text: "give the token as the password"},
		{name: "too long", headers: headers{"x-api-key": {strings.Repeat("canary", 1366)}}, err: identity.ErrMalformedToken, text: "longer than 8192 bytes"},
		{name: "a bad one beside a good one", headers: headers{"authorization": {"Negotiate canary"}, "x-api-key": {"tok"}}, err: identity.ErrMalformedToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := identity.CredentialFrom(func(h string) []string { return tt.headers[h] })
			if tt.err == nil {
				require.NoError(t, err)
				require.Equal(t, tt.want, got)
				return
			}
			require.ErrorIs(t, err, tt.err)
			require.ErrorContains(t, err, tt.text)
			require.NotContains(t, err.Error(), "canary")
			require.Empty(t, got)
		})
	}
}

func TestCredentialHeadersAreAllRead(t *testing.T) {
	var asked []string
	_, err := identity.CredentialFrom(func(h string) []string {
		asked = append(asked, h)
		return nil
	})
	require.ErrorIs(t, err, identity.ErrNoCredential)
	require.Equal(t, identity.CredentialHeaders, asked)
	for _, h := range asked {
		require.Equal(t, strings.ToLower(h), h)
	}
}

func TestCode(t *testing.T) {
	tests := map[string]error{
		"no_credential":        identity.ErrNoCredential,
		"ambiguous_credential": identity.ErrAmbiguousCredential,
		"malformed_token":      identity.ErrMalformedToken,
		"unknown_token":        identity.ErrUnknownToken,
		"expired_token":        identity.ErrExpiredToken,
		"revoked_token":        identity.ErrRevokedToken,
		"disabled_user":        identity.ErrDisabledUser,
		"unauthenticated":      identity.ErrNotFound,
	}
	for code, err := range tests {
		require.Equal(t, code, identity.Code(fmt.Errorf("wrapped: %w", err)))
	}
}
