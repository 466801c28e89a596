package identity_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
)

func claims(subject, name string, change ...func(*identity.Claims)) *identity.Claims {
	c := &identity.Claims{Subject: "https://idp " + subject, UserName: name, Issued: start, Expires: start.Add(time.Hour)}
	for _, f := range change {
		f(c)
	}
	return c
}

func inGroups(groups ...string) func(*identity.Claims) {
	return func(c *identity.Claims) { c.Organizations = append([]string{}, groups...) }
}

func withRoles(roles ...string) func(*identity.Claims) {
	return func(c *identity.Claims) { c.Roles = append([]string{}, roles...) }
}

func issued(d time.Duration) func(*identity.Claims) {
	return func(c *identity.Claims) { c.Issued = start.Add(d) }
}

func (w *world) see(c *identity.Claims) identity.User {
	w.t.Helper()
	id, err := w.Seen(w.t.Context(), c)
	require.NoError(w.t, err)
	u, err := w.GetUser(w.t.Context(), id)
	require.NoError(w.t, err)
	return u
}

func (w *world) organizationNames(userID string) []string {
	out := []string{}
	for _, id := range w.OrganizationsOf(userID) {
		o, err := w.GetOrganization(w.t.Context(), id)
		require.NoError(w.t, err)
		out = append(out, o.Name)
	}
	return out
}

func TestFirstSightMakesUserAndOrganizations(t *testing.T) {
	w := newWorld(t)
	var sights []identity.Sight
	w.Trust(identity.Trust{Record: func(s identity.Sight) error { sights = append(sights, s); return nil }})
	u := w.see(claims("1", "ann", inGroups("science", "arts"), withRoles("auditor"), func(c *identity.Claims) {
		c.FullName, c.Email = "Ann Lee", "ann@corp.example"
	}))
	require.Equal(t, "ann", u.Name)
	require.Equal(t, "Ann Lee", u.FullName)
	require.Equal(t, "ann@corp.example", u.Email)
	require.Equal(t, identity.KindPerson, u.Kind)
	require.Equal(t, identity.SourceClaims, u.Source)
	require.Equal(t, []string{"auditor"}, u.Roles)
	require.ElementsMatch(t, []string{"science", "arts"}, w.organizationNames(u.ID))
	require.Len(t, sights, 1)
	require.True(t, sights[0].Created)
	require.Contains(t, sights[0].Changes, identity.SightChange{Field: "organizations", After: "arts,science"})

	require.Equal(t, u, w.see(claims("1", "ann", inGroups("science", "arts"), withRoles("auditor"), issued(time.Minute))))
	require.Len(t, sights, 1, "nothing changed, nothing is told")
	next := w.reopen()
	require.Equal(t, w.ListUsers(t.Context()), next.ListUsers(t.Context()))
	require.Equal(t, w.ListOrganizations(t.Context()), next.ListOrganizations(t.Context()))

	robot := w.see(claims("2", "service-account-x", func(c *identity.Claims) { c.Machine = true }))
	require.Equal(t, identity.KindServiceAccount, robot.Kind)
}

func TestLaterClaimsAreFollowed(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	u := w.see(claims("1", "ann", inGroups("science", "arts"), withRoles("auditor", "x")))

	// What is filled in by hand stays.
	byHand := w.organization("by-hand", u.ID)
	_, err := w.UpdateUser(ctx, u.ID, func(u *identity.User) error { u.Roles = append(u.Roles, "hand"); return nil })
	require.NoError(t, err)

	u = w.see(claims("1", "anna", inGroups("arts", "new"), withRoles("y", "hand"), issued(time.Minute)))
	require.Equal(t, "anna", u.Name, "names may change, the subject is the key")
	require.Equal(t, []string{"hand", "y"}, u.Roles)
	require.Equal(t, map[string]string{"y": "claims"}, u.GivenRoles, "a role given by hand stays so")
	require.ElementsMatch(t, []string{"arts", "new", "by-hand"}, w.organizationNames(u.ID))

	// Claims that are older, or that do not tell, change nothing.
	require.Equal(t, u, w.see(claims("1", "old", inGroups(), withRoles(), issued(time.Second))))
	require.Equal(t, u, w.see(claims("1", "anna", issued(2*time.Minute))))
	s := w.reopen()
	id, err := s.Seen(ctx, claims("1", "old", inGroups(), issued(time.Second)))
	require.NoError(t, err)
	require.Len(t, s.OrganizationsOf(id), 3, "after a start too")

	u = w.see(claims("1", "anna", inGroups(), withRoles(), issued(3*time.Minute)))
	require.Equal(t, []string{"hand"}, u.Roles)
	require.Equal(t, []string{"by-hand"}, w.organizationNames(u.ID))
	m, _ := byHand.Member(u.ID)
	require.Equal(t, identity.SourceManual, m.Source)

	// A role in an organization is given by hand, and stays with the membership.
	u = w.see(claims("1", "anna", inGroups("arts"), issued(4*time.Minute)))
	arts, err := w.FindOrganization(ctx, "arts")
	require.NoError(t, err)
	_, err = w.UpdateOrganization(ctx, arts.ID, func(o *identity.Organization) error { o.Members[0].Role = "admin"; return nil })
	require.NoError(t, err)
	w.see(claims("1", "anna", inGroups("arts"), issued(5*time.Minute)))
	arts, err = w.GetOrganization(ctx, arts.ID)
	require.NoError(t, err)
	m, _ = arts.Member(u.ID)
	require.Equal(t, identity.MemberRoleAdmin, m.Role)
}

// Names are not identity: who chooses his name at the provider must not become
// somebody here.
func TestNamesOfOthersAreNotTaken(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	admin := w.user("admin", identity.RoleAdministrator)
	_, err := w.Seen(ctx, claims("1", "Admin"))
	require.ErrorIs(t, err, identity.ErrNameTaken)
	require.Equal(t, "name_taken", identity.Code(err))
	require.ErrorContains(t, err, "rename that user, or to link")
	require.Len(t, w.ListUsers(ctx), 1)

	ann := w.see(claims("2", "ann"))
	_, err = w.Seen(ctx, claims("3", "ann"))
	require.ErrorIs(t, err, identity.ErrNameTaken, "another subject of the same provider")
	require.Equal(t, ann.ID, w.see(claims("2", "admin", issued(time.Minute))).ID)
	u, err := w.GetUser(ctx, ann.ID)
	require.NoError(t, err)
	require.Equal(t, "ann", u.Name, "who takes another's name keeps his own here")

	// Linking is chosen, and happens once.
	w.Trust(identity.Trust{Link: true})
	_, err = w.Seen(ctx, claims("4", "admin"))
	require.ErrorIs(t, err, identity.ErrNameTaken, "a name alone makes no administrator")
	require.ErrorContains(t, err, "take that role from the user")
	give := func(roles ...string) {
		_, err := w.UpdateUser(ctx, admin.ID, func(u *identity.User) error { u.Roles = roles; return nil })
		require.NoError(t, err)
	}
	give(identity.RoleAuditor)
	require.Equal(t, admin.ID, w.see(claims("4", "admin")).ID)
	give(identity.RoleAdministrator)
	u, err = w.GetUser(ctx, admin.ID)
	require.NoError(t, err)
	require.Equal(t, identity.SourceManual, u.Source)
	require.Equal(t, "https://idp 4", u.Subject)
	_, err = w.Seen(ctx, claims("5", "admin"))
	require.ErrorIs(t, err, identity.ErrNameTaken)
	require.Equal(t, admin.ID, w.see(claims("4", "renamed", issued(time.Minute))).ID, "found by subject from now on")

	// SCIM fills the directory from the same provider: its users are linked.
	w.Trust(identity.Trust{})
	eve, err := w.CreateUser(ctx, identity.User{Name: "eve", FullName: "Eve", Source: identity.SourceSCIM})
	require.NoError(t, err)
	require.Equal(t, eve.ID, w.see(claims("6", "EVE", func(c *identity.Claims) { c.FullName = "Other" })).ID)
	u, err = w.GetUser(ctx, eve.ID)
	require.NoError(t, err)
	require.Equal(t, "Eve", u.FullName, "what SCIM gave stays")
}

func TestNamesThatLookLikeOthersAreNotTaken(t *testing.T) {
	w := newWorld(t)
	w.user("admin", identity.RoleAdministrator)
	for _, name := range []string{"admin\u200b", "ad\u00admin", "\u202eadmin", "admin ", "admin\x00"} {
		_, err := w.Seen(t.Context(), claims("1", name))
		require.ErrorIs(t, err, identity.ErrUntrustedToken, "%q", name)
	}
	require.Len(t, w.ListUsers(t.Context()), 1)
}

func TestOrganizationsMadeByHand(t *testing.T) {
	w := newWorld(t)
	w.organization("finance")
	u := w.see(claims("1", "ann", inGroups("Finance", "arts")))
	require.Equal(t, []string{"arts"}, w.organizationNames(u.ID), "a group that happens to have the name opens nothing")
	w.Trust(identity.Trust{LinkOrganizations: true})
	w.see(claims("1", "ann", inGroups("Finance", "arts"), issued(time.Minute)))
	require.ElementsMatch(t, []string{"arts", "finance"}, w.organizationNames(u.ID))
	w.see(claims("1", "ann", inGroups("arts"), issued(2*time.Minute)))
	require.Equal(t, []string{"arts"}, w.organizationNames(u.ID))
}

func TestUnknownUsersCanBeRefused(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.Trust(identity.Trust{KnownOnly: true})
	_, err := w.Seen(ctx, claims("1", "ann"))
	require.ErrorIs(t, err, identity.ErrUnknownUser)
	_, err = w.CreateUser(ctx, identity.User{Name: "ann", Source: identity.SourceSCIM})
	require.NoError(t, err)
	u := w.see(claims("1", "ann", inGroups("made-up")))
	require.Empty(t, w.organizationNames(u.ID))
}

func TestSightsThatCannotBe(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	boom := errors.New("the trail is full")
	w.Trust(identity.Trust{Record: func(identity.Sight) error { return boom }})
	_, err := w.Seen(ctx, claims("1", "ann", inGroups("arts")))
	require.ErrorIs(t, err, boom)
	require.Empty(t, w.ListUsers(ctx), "what is not recorded does not happen")
	require.Empty(t, w.ListOrganizations(ctx))
	w.Trust(identity.Trust{})
	_, err = w.Seen(ctx, claims("1", "ann\n"))
	require.ErrorIs(t, err, identity.ErrUntrustedToken)
	u := w.see(claims("1", "ann"))
	_, err = w.UpdateUser(ctx, u.ID, func(u *identity.User) error { u.Disabled = true; return nil })
	require.NoError(t, err)
	_, err = w.Seen(ctx, claims("1", "ann", issued(time.Hour)))
	require.ErrorIs(t, err, identity.ErrDisabledUser)
}

func TestManyFirstSightsAtOnce(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if _, err := w.Seen(t.Context(), claims(fmt.Sprint(i%4), fmt.Sprint("u", i%4), inGroups("arts"))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Len(t, w.ListUsers(t.Context()), 4)
	require.Len(t, w.ListOrganizations(t.Context())[0].Members, 4)
}

// scripted verifies tokens by a table.
type scripted struct {
	claims     map[string]*identity.Claims
	asked      atomic.Int64
	generation atomic.Uint64
}

func (s *scripted) Generation() uint64 { return s.generation.Load() }

func (s *scripted) Verify(_ context.Context, token string) (*identity.Claims, error) {
	s.asked.Add(1)
	if c := s.claims[token]; c != nil {
		return c, nil
	}
	return nil, identity.ErrUntrustedToken
}

func TestJWTsAreCallers(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	v := &scripted{claims: map[string]*identity.Claims{"eyA.b.c": claims("1", "ann", inGroups("arts"), func(c *identity.Claims) { c.Project = "fraud" })}}
	_, err := w.Authenticate(bare("eyA.b.c"))
	require.ErrorIs(t, err, identity.ErrMalformedToken, "nobody is trusted")
	w.Trust(identity.Trust{Verifier: v})

	c, err := w.Authenticate(bare("eyA.b.c"))
	require.NoError(t, err)
	require.Equal(t, "ann", c.UserName)
	require.Equal(t, "fraud", c.Project)
	require.Equal(t, identity.CredentialJWT, c.Credential)
	require.Len(t, c.Organizations, 1)
	again, err := w.Authenticate(bare("eyA.b.c"))
	require.NoError(t, err)
	require.Same(t, c, again)
	require.EqualValues(t, 1, v.asked.Load(), "a good token is verified once")
	require.NotNil(t, w.LastSeen(c.UserID))
	_, err = w.Authenticate(bare("eyX.b.c"))
	require.ErrorIs(t, err, identity.ErrUntrustedToken)

	// The directory counts at once, whatever is remembered.
	_, err = w.UpdateUser(ctx, c.UserID, func(u *identity.User) error { u.Roles = []string{"r"}; return nil })
	require.NoError(t, err)
	c, err = w.Authenticate(bare("eyA.b.c"))
	require.NoError(t, err)
	require.Equal(t, []string{"r"}, c.Roles)
	_, err = w.UpdateUser(ctx, c.UserID, func(u *identity.User) error { u.Disabled = true; return nil })
	require.NoError(t, err)
	_, err = w.Authenticate(bare("eyA.b.c"))
	require.ErrorIs(t, err, identity.ErrDisabledUser)
	require.EqualValues(t, 2, v.asked.Load())
	_, err = w.DeleteUser(ctx, c.UserID)
	require.NoError(t, err)
	c, err = w.Authenticate(bare("eyA.b.c"))
	require.NoError(t, err, "who was deleted is new")
	require.Empty(t, c.Roles)

	// A key that is withdrawn has what is remembered verified again.
	asked := v.asked.Load()
	v.generation.Add(1)
	delete(v.claims, "eyA.b.c")
	_, err = w.Authenticate(bare("eyA.b.c"))
	require.ErrorIs(t, err, identity.ErrUntrustedToken)
	require.Equal(t, asked+1, v.asked.Load())
}

func TestRememberedJWTsExpire(t *testing.T) {
	w := newWorld(t)
	v := &scripted{claims: map[string]*identity.Claims{"eyA.b.c": claims("1", "ann")}}
	w.Trust(identity.Trust{Verifier: v})
	for range 3 {
		_, err := w.Authenticate(bare("eyA.b.c"))
		require.NoError(t, err)
	}
	w.advance(time.Hour)
	_, err := w.Authenticate(bare("eyA.b.c"))
	require.NoError(t, err, "the verifier is asked, and knows no better here")
	require.EqualValues(t, 2, v.asked.Load())
}

func TestMemoryOfJWTsIsBounded(t *testing.T) {
	w := newWorld(t)
	v := &scripted{claims: map[string]*identity.Claims{}}
	w.Trust(identity.Trust{Verifier: v})
	token := func(i int) string { return fmt.Sprintf("ey%d.b.c", i) }
	const many = 25_000
	for i := range many {
		v.claims[token(i)] = claims("1", "ann")
	}
	for i := range many {
		_, err := w.Authenticate(bare(token(i)))
		require.NoError(t, err)
	}
	asked := v.asked.Load()
	_, err := w.Authenticate(bare(token(many - 1)))
	require.NoError(t, err)
	require.Equal(t, asked, v.asked.Load())
	_, err = w.Authenticate(bare(token(0)))
	require.NoError(t, err)
	require.Equal(t, asked+1, v.asked.Load(), "the oldest are forgotten")
}

func TestStatus(t *testing.T) {
	require.Equal(t, 401, identity.Status(identity.ErrUntrustedToken))
	require.Equal(t, 503, identity.Status(fmt.Errorf("x: %w", identity.ErrProviderAway)))
}
