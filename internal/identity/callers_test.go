package identity_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
)

func TestPresentedBy(t *testing.T) {
	header, certificate := clientCertificate(t, "trainer", []string{"spiffe://corp.example/sa/trainer"}, []string{"trainer.corp.example"})
	tests := map[string]struct {
		headers map[string][]string
		want    identity.Presented
		err     error
	}{
		"a token": {map[string][]string{"authorization": {"Bearer tok"}}, identity.Presented{Credential: "tok", Address: "192.0.2.1"}, nil},
		"a certificate": {map[string][]string{"x-forwarded-client-cert": {header}},
			identity.Presented{Address: "192.0.2.1", Certificate: certificate}, nil},
		"both": {map[string][]string{"x-forwarded-client-cert": {header}, "api-key": {"tok"}},
			identity.Presented{Credential: "tok", Address: "192.0.2.1", Certificate: certificate}, nil},
		"neither": {nil, identity.Presented{Address: "192.0.2.1"}, identity.ErrNoCredential},
		"two certificates, which Envoy never sends": {map[string][]string{"x-forwarded-client-cert": {header, header}},
			identity.Presented{Address: "192.0.2.1"}, identity.ErrMalformedCertificate},
		"a certificate that is none": {map[string][]string{"x-forwarded-client-cert": {`Hash=1;Cert="nonsense"`}, "api-key": {"tok"}},
			identity.Presented{Address: "192.0.2.1"}, identity.ErrMalformedCertificate},
		"names without the certificate": {map[string][]string{"x-forwarded-client-cert": {"Hash=1;URI=spiffe://a"}},
			identity.Presented{Address: "192.0.2.1"}, identity.ErrMalformedCertificate},
		"a certificate and a broken credential": {map[string][]string{"x-forwarded-client-cert": {header}, "authorization": {"Digest x"}},
			identity.Presented{Address: "192.0.2.1", Certificate: certificate}, identity.ErrMalformedToken},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := identity.PresentedBy(func(h string) []string { return tt.headers[h] }, "192.0.2.1")
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestCallerOf(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ann := w.user("ann", "auditor")
	org := w.organization("org", ann.ID)

	c, err := w.CallerOf(ann.ID)
	require.NoError(t, err)
	require.Equal(t, ann.ID, c.UserID)
	require.Equal(t, "ann", c.UserName)
	require.Equal(t, []string{"auditor"}, c.Roles)
	require.Equal(t, []string{org.ID}, c.Organizations)
	require.Equal(t, identity.CredentialSession, c.Credential)
	require.Empty(t, c.TokenID)
	require.True(t, c.Shared())
	again, err := w.CallerOf(ann.ID)
	require.NoError(t, err)
	require.Same(t, c, again, "made once in a snapshot")

	_, err = w.UpdateUser(ctx, ann.ID, func(u *identity.User) error { u.Roles = nil; return nil })
	require.NoError(t, err)
	_, err = w.RemoveMember(ctx, org.ID, ann.ID)
	require.NoError(t, err)
	c, err = w.CallerOf(ann.ID)
	require.NoError(t, err)
	require.Empty(t, c.Roles)
	require.Empty(t, c.Organizations)

	_, err = w.UpdateUser(ctx, ann.ID, func(u *identity.User) error { u.Disabled = true; return nil })
	require.NoError(t, err)
	_, err = w.CallerOf(ann.ID)
	require.ErrorIs(t, err, identity.ErrDisabledUser)
	_, err = w.CallerOf(w.newID())
	require.ErrorIs(t, err, identity.ErrNotFound)
}

func TestLend(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ann := w.user("ann")
	session, err := w.CallerOf(ann.ID)
	require.NoError(t, err)
	_, issued := w.token(identity.Token{UserID: ann.ID, Project: "fraud", Name: "laptop"})

	token := w.Lend(session, time.Minute)
	c, err := w.Authenticate(bare(token))
	require.NoError(t, err)
	require.Same(t, session, c)
	_, err = w.reopen().Authenticate(bare(token))
	require.ErrorIs(t, err, identity.ErrUnknownToken, "no database knows it")
	require.Len(t, w.ListTokens(ctx, ""), 1, "nor does any list")

	w.advance(time.Minute)
	_, err = w.Authenticate(bare(token))
	require.ErrorIs(t, err, identity.ErrExpiredToken)
	w.Lend(session, time.Minute) // takes out what has ended
	_, err = w.Authenticate(bare(token))
	require.ErrorIs(t, err, identity.ErrUnknownToken)

	token = w.Lend(session, time.Hour)
	mine, err := w.Authenticate(bare(token))
	require.NoError(t, err)
	ofToken := *mine
	ofToken.TokenID = issued.ID
	bound := w.Lend(&ofToken, time.Hour)
	c, err = w.Authenticate(bare(bound))
	require.NoError(t, err)
	require.Equal(t, "fraud", c.Project, "it is what the caller's own token is")
	_, err = w.RevokeToken(ctx, issued.ID)
	require.NoError(t, err)
	_, err = w.Authenticate(bare(bound))
	require.ErrorIs(t, err, identity.ErrRevokedToken)

	_, err = w.UpdateUser(ctx, ann.ID, func(u *identity.User) error { u.Disabled = true; return nil })
	require.NoError(t, err)
	_, err = w.Authenticate(bare(token))
	require.ErrorIs(t, err, identity.ErrDisabledUser)
	_, err = w.DeleteUser(ctx, ann.ID)
	require.NoError(t, err)
	_, err = w.Authenticate(bare(token))
	require.ErrorIs(t, err, identity.ErrRevokedToken)
}
