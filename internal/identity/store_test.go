package identity_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
)

func TestAuthenticateNamesTheCaller(t *testing.T) {
	w := newWorld(t)
	ann := w.user("Ann", "auditor", "administrator", "auditor")
	b := w.organization("b", ann.ID)
	a := w.organization("a", ann.ID)
	w.organization("empty")
	plain, issued := w.token(identity.Token{UserID: ann.ID, Name: "laptop", Project: "fraud", Execution: "ws-1"})

	for name, s := range map[string]*identity.Store{"at once": w.Store, "after a start": w.reopen()} {
		t.Run(name, func(t *testing.T) {
			c, err := s.Authenticate(bare(plain))
			require.NoError(t, err)
			require.Equal(t, ann.ID, c.UserID)
			require.Equal(t, "Ann", c.UserName)
			require.Equal(t, []string{b.ID, a.ID}, c.Organizations, "sorted by id")
			require.Equal(t, []string{"administrator", "auditor"}, c.Roles)
			require.True(t, c.HasRole("auditor"))
			require.False(t, c.HasRole("ghost"))
			require.Equal(t, "fraud", c.Project)
			require.Equal(t, "ws-1", c.Execution)
			require.Equal(t, issued.ID, c.TokenID)
			require.Equal(t, "laptop", c.TokenName)
		})
	}
}

// TestAuthenticateFollowsChanges runs one change after another against one
// token and checks, after each, what presenting the token comes to, at once
// and after a start.
func TestAuthenticateFollowsChanges(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ann := w.user("ann")
	org := w.organization("org")
	plain, issued := w.token(identity.Token{UserID: ann.ID, Expires: new(start.Add(time.Hour))})
	caller := func(c identity.Caller) func(*testing.T, *identity.Caller, error) {
		return func(t *testing.T, got *identity.Caller, err error) {
			require.NoError(t, err)
			require.Equal(t, c.UserName, got.UserName)
			require.Equal(t, c.Roles, got.Roles)
			require.Equal(t, c.Organizations, got.Organizations)
		}
	}
	refused := func(want error) func(*testing.T, *identity.Caller, error) {
		return func(t *testing.T, got *identity.Caller, err error) {
			require.ErrorIs(t, err, want)
			require.NotContains(t, err.Error(), plain)
			require.Nil(t, got)
		}
	}
	disable := func(yes bool) func() error {
		return func() error {
			_, err := w.UpdateUser(ctx, ann.ID, func(u *identity.User) error { u.Disabled = yes; return nil })
			return err
		}
	}
	steps := []struct {
		name   string
		change func() error
		check  func(*testing.T, *identity.Caller, error)
	}{
		{"issued", func() error { return nil }, caller(identity.Caller{UserName: "ann", Roles: []string{}})},
		{"role given, renamed", func() error {
			_, err := w.UpdateUser(ctx, ann.ID, func(u *identity.User) error {
				u.Roles, u.Name = []string{"auditor"}, "anna"
				return nil
			})
			return err
		}, caller(identity.Caller{UserName: "anna", Roles: []string{"auditor"}})},
		{"joined", func() error { _, err := w.AddMember(ctx, org.ID, ann.ID); return err },
			caller(identity.Caller{UserName: "anna", Roles: []string{"auditor"}, Organizations: []string{org.ID}})},
		{"left", func() error { _, err := w.RemoveMember(ctx, org.ID, ann.ID); return err },
			caller(identity.Caller{UserName: "anna", Roles: []string{"auditor"}})},
		{"joined again", func() error { _, err := w.AddMember(ctx, org.ID, ann.ID); return err },
			caller(identity.Caller{UserName: "anna", Roles: []string{"auditor"}, Organizations: []string{org.ID}})},
		{"organization deleted", func() error { _, err := w.DeleteOrganization(ctx, org.ID); return err },
			caller(identity.Caller{UserName: "anna", Roles: []string{"auditor"}})},
		{"disabled", disable(true), refused(identity.ErrDisabledUser)},
		{"enabled", disable(false), caller(identity.Caller{UserName: "anna", Roles: []string{"auditor"}})},
		{"just before the expiry", func() error { w.advance(time.Hour - 1); return nil },
			caller(identity.Caller{UserName: "anna", Roles: []string{"auditor"}})},
		{"at the expiry", func() error { w.advance(1); return nil }, refused(identity.ErrExpiredToken)},
		{"revoked", func() error { _, err := w.RevokeToken(ctx, issued.ID); return err }, refused(identity.ErrRevokedToken)},
		{"revoked again", func() error { _, err := w.RevokeToken(ctx, issued.ID); return err }, refused(identity.ErrRevokedToken)},
		{"user deleted", func() error { _, err := w.DeleteUser(ctx, ann.ID); return err }, refused(identity.ErrRevokedToken)},
		{"purged too early", func() error { _, err := w.PurgeTokens(ctx, w.now()); return err }, refused(identity.ErrRevokedToken)},
		{"purged", func() error { _, err := w.PurgeTokens(ctx, w.now().Add(time.Second)); return err }, refused(identity.ErrUnknownToken)},
	}
	for _, step := range steps {
		require.NoError(t, step.change(), step.name)
		for when, s := range map[string]*identity.Store{"at once": w.Store, "after a start": w.reopen()} {
			t.Run(step.name+" "+when, func(t *testing.T) {
				got, err := s.Authenticate(bare(plain))
				step.check(t, got, err)
			})
		}
	}
}

func TestDeleteUserRevokesAndLeavesNothing(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ann, bob := w.user("ann"), w.user("bob")
	org := w.organization("org", ann.ID, bob.ID)
	annToken, _ := w.token(identity.Token{UserID: ann.ID})
	bobToken, _ := w.token(identity.Token{UserID: bob.ID})
	var removed []string
	w.OnRemove(func(_ context.Context, id string) error { removed = append(removed, id); return nil })

	gone, err := w.DeleteUser(ctx, ann.ID)
	require.NoError(t, err)
	require.Equal(t, ann, gone)
	require.Equal(t, []string{ann.ID}, removed)
	for _, s := range []*identity.Store{w.Store, w.reopen()} {
		_, err = s.Authenticate(bare(annToken))
		require.ErrorIs(t, err, identity.ErrRevokedToken)
		_, err = s.Authenticate(bare(bobToken))
		require.NoError(t, err)
		o, err := s.GetOrganization(ctx, org.ID)
		require.NoError(t, err)
		require.Equal(t, []string{bob.ID}, o.MemberIDs())
		_, err = s.GetUser(ctx, ann.ID)
		require.ErrorIs(t, err, identity.ErrNotFound)
		tokens := s.ListTokens(ctx, ann.ID)
		require.Len(t, tokens, 1)
		require.NotNil(t, tokens[0].Revoked)
	}
	w.user("ann") // the name is free again
}

func TestRemovalStopsWhenAHookFails(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	org := w.organization("org", ann.ID)
	boom := errors.New("boom")
	w.OnRemove(func(context.Context, string) error { return boom })
	_, err := w.DeleteUser(t.Context(), ann.ID)
	require.ErrorIs(t, err, boom)
	_, err = w.DeleteOrganization(t.Context(), org.ID)
	require.ErrorIs(t, err, boom)
	require.Len(t, w.ListUsers(t.Context()), 1)
	require.Len(t, w.ListOrganizations(t.Context()), 1)
}

func TestStoreRefuses(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ann := w.user("ann")
	bob := w.user("bob")
	org := w.organization("org", ann.ID)
	w.organization("other")
	adopted, _ := w.token(identity.Token{UserID: ann.ID})
	_, err := w.UpdateUser(ctx, bob.ID, func(u *identity.User) error { u.Disabled = true; return nil })
	require.NoError(t, err)
	create := func(u identity.User) error { _, err := w.CreateUser(ctx, u); return err }
	update := func(id string, f func(*identity.User)) error {
		_, err := w.UpdateUser(ctx, id, func(u *identity.User) error { f(u); return nil })
		return err
	}
	organization := func(id string, f func(*identity.Organization)) error {
		_, err := w.UpdateOrganization(ctx, id, func(o *identity.Organization) error { f(o); return nil })
		return err
	}
	issue := func(t identity.Token) error { _, _, err := w.IssueToken(ctx, t); return err }
	ghost := w.newID()
	tests := []struct {
		name string
		err  error
		is   error
		text string
	}{
		{"user without a name", create(identity.User{}), identity.ErrInvalid, "userName is wrong: it is missing"},
		{"user twice", create(identity.User{Name: "ann"}), identity.ErrExists, `user "ann" exists already`},
		{"user twice but for case", create(identity.User{Name: "ANN"}), identity.ErrExists, "exists already"},
		{"user id twice", create(identity.User{ID: ann.ID, Name: "x"}), identity.ErrExists, "exists already"},
		{"user id malformed", create(identity.User{ID: "1", Name: "x"}), identity.ErrInvalid, "24 hex digits"},
		{"user name with a line break", create(identity.User{Name: "a\nb"}), identity.ErrInvalid, "control characters"},
		{"user name that turns the writing", create(identity.User{Name: "\u202enimda"}), identity.ErrInvalid, "userName is wrong: it has characters that turn"},
		{"user name that looks like another", create(identity.User{Name: "ad\u200bmin"}), identity.ErrInvalid, "can't be seen"},
		{"user name with what joins letters", create(identity.User{Name: "ad\u200dmin"}), identity.ErrInvalid, "can't be seen"},
		{"user name with space around", create(identity.User{Name: " a"}), identity.ErrInvalid, "begins or ends with a space"},
		{"role malformed", create(identity.User{Name: "x", Roles: []string{"a b"}}), identity.ErrInvalid, `roles is wrong: "a b"`},
		{"rename to another's name", update(bob.ID, func(u *identity.User) { u.Name = "Ann" }), identity.ErrExists, "exists already"},
		{"update of nobody", update(ghost, func(*identity.User) {}), identity.ErrNotFound, "not found"},
		{"rename organization to another's", organization(org.ID, func(o *identity.Organization) { o.Name = "OTHER" }), identity.ErrExists, "exists already"},
		{"member that is no user", organization(org.ID, func(o *identity.Organization) { o.Members = identity.Members(ghost) }), identity.ErrNotFound, "member: user"},
		{"update of no organization", organization(ghost, func(*identity.Organization) {}), identity.ErrNotFound, "not found"},
		{"remove a stranger", second(w.RemoveMember(ctx, org.ID, bob.ID)), identity.ErrNotFound, "member"},
		{"token for nobody", issue(identity.Token{Name: "t", UserID: ghost}), identity.ErrNotFound, "user"},
		{"token for the disabled", issue(identity.Token{Name: "t", UserID: bob.ID}), identity.ErrInvalid, `userId is wrong: the user "bob" is disabled`},
		{"token without a name", issue(identity.Token{UserID: ann.ID}), identity.ErrInvalid, "name is wrong: it is missing"},
		{"token that is past", issue(identity.Token{Name: "t", UserID: ann.ID, Expires: new(start)}), identity.ErrInvalid, "expires is wrong: it is in the past"},
		{"adopt what is there", second(w.AdoptToken(ctx, adopted, identity.Token{Name: "t", UserID: ann.ID})), identity.ErrExists, "the token exists already"},
		{"adopt what is no token", second(w.AdoptToken(ctx, "canary", identity.Token{Name: "t", UserID: ann.ID})), identity.ErrMalformedToken, "malformed"},
		{"revoke nothing", second(w.RevokeToken(ctx, ghost)), identity.ErrNotFound, "token"},
		{"delete nobody", second(w.DeleteUser(ctx, ghost)), identity.ErrNotFound, "user"},
		{"delete no organization", second(w.DeleteOrganization(ctx, ghost)), identity.ErrNotFound, "organization"},
		{"find nobody", second(w.FindUser(ctx, "zoe")), identity.ErrNotFound, `user "zoe" not found`},
		{"find no organization", second(w.FindOrganization(ctx, "zoe")), identity.ErrNotFound, "not found"},
		{"get no token", second(w.GetToken(ctx, ghost)), identity.ErrNotFound, "not found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.ErrorIs(t, tt.err, tt.is)
			require.ErrorContains(t, tt.err, tt.text)
			require.NotContains(t, tt.err.Error(), adopted)
			require.NotContains(t, tt.err.Error(), "canary")
		})
	}
	require.Len(t, w.ListUsers(ctx), 2, "nothing of it stayed")
	require.Len(t, w.reopen().ListTokens(ctx, ""), 1)
}

func second[T any](_ T, err error) error { return err }

func TestReadsAreCopies(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ann := w.user("ann", "auditor")
	org := w.organization("org", ann.ID)
	_, issued := w.token(identity.Token{UserID: ann.ID, Expires: new(start.Add(time.Hour))})

	u, err := w.FindUser(ctx, "ANN")
	require.NoError(t, err)
	u.Roles[0] = "administrator"
	o, err := w.FindOrganization(ctx, "ORG")
	require.NoError(t, err)
	o.Members[0].UserID = "x"
	tok, err := w.GetToken(ctx, issued.ID)
	require.NoError(t, err)
	*tok.Expires = start.Add(1000 * time.Hour)

	require.Equal(t, []string{"auditor"}, w.ListUsers(ctx)[0].Roles)
	require.Equal(t, []string{ann.ID}, w.ListOrganizations(ctx)[0].MemberIDs())
	require.Equal(t, start.Add(time.Hour), *w.ListTokens(ctx, ann.ID)[0].Expires)
	require.Equal(t, org, w.ListOrganizations(ctx)[0])
}

func TestAdoptedTokenAuthenticates(t *testing.T) {
	elsewhere, here := newWorld(t), newWorld(t)
	plain, _ := elsewhere.token(identity.Token{UserID: elsewhere.user("ann").ID})
	ann := here.user("ann")
	_, err := here.Authenticate(bare(plain))
	require.ErrorIs(t, err, identity.ErrUnknownToken)
	_, err = here.AdoptToken(t.Context(), plain, identity.Token{Name: "file", UserID: ann.ID})
	require.NoError(t, err)
	c, err := here.reopen().Authenticate(bare(plain))
	require.NoError(t, err)
	require.Equal(t, ann.ID, c.UserID)
}

func TestCancelledMutationChangesNothing(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.CreateUser(ctx, identity.User{Name: "ann"})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, w.ListUsers(t.Context()))
	require.Empty(t, w.reopen().ListUsers(t.Context()))
	w.user("ann")
}

func TestDatabaseKeepsNoToken(t *testing.T) {
	w := newWorld(t)
	plain, _ := w.token(identity.Token{UserID: w.user("ann").ID})
	var dump string
	require.NoError(t, w.db.QueryRow("SELECT group_concat(id || name || user_id || project || execution || hash) FROM tokens").Scan(&dump))
	require.NotContains(t, dump, plain[4:47])
}
