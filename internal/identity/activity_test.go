package identity_test

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
)

func TestLastUseIsSeenAndKept(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ann := w.user("ann")
	plain, issued := w.token(identity.Token{UserID: ann.ID})
	require.Nil(t, w.LastSeen(ann.ID))
	require.Nil(t, w.LastUsed(issued.ID))
	require.Nil(t, w.LastSeen("nobody"))
	require.Nil(t, w.LastUsed("nothing"))

	w.advance(90 * time.Second)
	_, err := w.Authenticate(bare(plain))
	require.NoError(t, err)
	minute := start.Add(time.Minute)
	require.Equal(t, minute, *w.LastSeen(ann.ID), "to the minute")
	require.Equal(t, minute, *w.LastUsed(issued.ID))

	// A change of the user makes a new snapshot; the use goes on in it.
	_, err = w.UpdateUser(ctx, ann.ID, func(u *identity.User) error { u.Name = "anna"; return nil })
	require.NoError(t, err)
	require.Equal(t, minute, *w.LastSeen(ann.ID))
	require.Equal(t, minute, *w.LastUsed(issued.ID))
	require.Nil(t, w.reopen().LastSeen(ann.ID), "it is written in batches")
	require.NoError(t, w.WriteActivity(ctx))
	next := w.reopen()
	require.Equal(t, minute, *next.LastSeen(ann.ID))
	require.Equal(t, minute, *next.LastUsed(issued.ID))

	// Who has signed in with a browser is seen, and uses no token.
	w.advance(time.Hour)
	_, err = w.CallerOf(ann.ID)
	require.NoError(t, err)
	require.Equal(t, minute.Add(time.Hour), *w.LastSeen(ann.ID))
	require.Equal(t, minute, *w.LastUsed(issued.ID))
}

func TestRefusedTokensAreNotUsed(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	plain, issued := w.token(identity.Token{UserID: ann.ID, Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	_, err := w.Authenticate(identity.Presented{Credential: plain, Address: "198.51.100.1"})
	require.ErrorIs(t, err, identity.ErrWrongNetwork)
	require.Nil(t, w.LastUsed(issued.ID))
	require.Nil(t, w.LastSeen(ann.ID))
}

// An orderly stop loses nothing.
func TestRunWritesAtTheEnd(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	plain, issued := w.token(identity.Token{UserID: ann.ID})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx, func(err error) { t.Error(err) })
	}()
	_, err := w.Authenticate(bare(plain))
	require.NoError(t, err)
	cancel()
	<-done
	require.Equal(t, start, *w.reopen().LastUsed(issued.ID))
}

func TestNetworkBinding(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	plain, issued := w.token(identity.Token{UserID: ann.ID, Networks: []netip.Prefix{
		netip.MustParsePrefix("192.0.2.7/24"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("192.0.2.0/24"),
	}})
	require.Equal(t, "[192.0.2.0/24 2001:db8::/32]", fmt.Sprint(issued.Networks), "masked, sorted, each once")
	for address, taken := range map[string]bool{
		"192.0.2.1": true, "192.0.2.255": true, "::ffff:192.0.2.9": true, "2001:db8:1::1": true,
		"192.0.3.1": false, "2001:db9::1": false, "": false, "nonsense": false, "192.0.2.1:80": false,
	} {
		for when, s := range map[string]*identity.Store{"at once": w.Store, "after a start": w.reopen()} {
			c, err := s.Authenticate(identity.Presented{Credential: plain, Address: address})
			if taken {
				require.NoError(t, err, "%s %s", address, when)
				require.True(t, c.Bound())
				continue
			}
			require.ErrorIs(t, err, identity.ErrWrongNetwork, "%s %s", address, when)
			require.Equal(t, "wrong_network", identity.Code(err))
			require.Nil(t, c)
		}
	}
	free, _ := w.token(identity.Token{UserID: ann.ID})
	c, err := w.Authenticate(bare(free))
	require.NoError(t, err, "a token that is not bound needs no address")
	require.False(t, c.Bound())
}

func TestEndpointBinding(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	a, b := w.newID(), w.newID()
	plain, _ := w.token(identity.Token{UserID: ann.ID, EndpointIDs: []string{b, a, b}})
	for _, s := range []*identity.Store{w.Store, w.reopen()} {
		c, err := s.Authenticate(bare(plain))
		require.NoError(t, err)
		require.Equal(t, []string{a, b}, c.EndpointIDs())
		require.True(t, c.Bound())
	}
	_, _, err := w.IssueToken(t.Context(), identity.Token{Name: "x", UserID: ann.ID, EndpointIDs: []string{"chat"}})
	require.ErrorIs(t, err, identity.ErrInvalid)
}

func TestKindsSourcesAndMemberRoles(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	person := w.user("ann")
	require.Equal(t, identity.KindPerson, person.Kind)
	require.Equal(t, identity.SourceManual, person.Source)
	robot, err := w.CreateUser(ctx, identity.User{
		Name: "robot", Kind: identity.KindServiceAccount, Source: identity.SourceSCIM, Subject: "https://idp x",
		Roles: []string{"a", "b"}, GivenRoles: map[string]string{"a": identity.SourceSCIM},
	})
	require.NoError(t, err)
	org, err := w.CreateOrganization(ctx, identity.Organization{Name: "org", Source: identity.SourceClaims, Members: []identity.Member{
		{UserID: robot.ID, Role: identity.MemberRoleAdmin, Source: identity.SourceClaims}, {UserID: person.ID}, {UserID: person.ID, Role: "admin"},
	}})
	require.NoError(t, err)
	require.Equal(t, []identity.Member{
		{UserID: person.ID, Role: identity.MemberRoleMember, Source: identity.SourceManual},
		{UserID: robot.ID, Role: identity.MemberRoleAdmin, Source: identity.SourceClaims},
	}, org.Members)
	m, is := org.Member(robot.ID)
	require.True(t, is)
	require.Equal(t, identity.MemberRoleAdmin, m.Role)
	org, err = w.UpdateOrganization(ctx, org.ID, func(o *identity.Organization) error {
		o.Members[0].Role = identity.MemberRoleAdmin
		return nil
	})
	require.NoError(t, err)

	next := w.reopen()
	require.Equal(t, w.ListUsers(ctx), next.ListUsers(ctx))
	require.Equal(t, w.ListOrganizations(ctx), next.ListOrganizations(ctx))
	require.Equal(t, identity.MemberRoleAdmin, org.Members[0].Role)
	require.Equal(t, []string{org.ID}, next.OrganizationsOf(robot.ID))

	for name, err := range map[string]error{
		"kind":        second(w.CreateUser(ctx, identity.User{Name: "x", Kind: "dog"})),
		"source":      second(w.CreateUser(ctx, identity.User{Name: "x", Source: "rumour"})),
		"given roles": second(w.CreateUser(ctx, identity.User{Name: "x", GivenRoles: map[string]string{"a": "claims"}})),
		"member role": second(w.CreateOrganization(ctx, identity.Organization{Name: "x", Members: []identity.Member{{UserID: person.ID, Role: "king"}}})),
	} {
		require.ErrorIs(t, err, identity.ErrInvalid, name)
	}
	_, err = w.CreateUser(ctx, identity.User{Name: "x", Subject: "https://idp x"})
	require.ErrorIs(t, err, identity.ErrExists)
}

// TestManyPeople holds changes and reads to what a large company has.
func TestManyPeople(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	tx, err := w.db.Begin()
	require.NoError(t, err)
	id := func(kind, i int) string { return fmt.Sprintf("%d%023x", kind, i) }
	exec := func(query string, args ...any) {
		_, err := tx.Exec(query, args...)
		require.NoError(t, err)
	}
	for i := range 5000 {
		exec("INSERT INTO users (id, name, name_key, full_name, email, disabled, created) VALUES (?, ?, ?, '', '', 0, 0)",
			id(1, i), fmt.Sprint("user-", i), fmt.Sprint("user-", i))
	}
	for i := range 500 {
		exec("INSERT INTO organizations (id, name, name_key, created) VALUES (?, ?, ?, 0)", id(2, i), fmt.Sprint("org-", i), fmt.Sprint("org-", i))
		for j := range 50 {
			exec("INSERT INTO organization_members (organization_id, user_id) VALUES (?, ?)", id(2, i), id(1, (i*7+j*101)%5000))
		}
	}
	for i := range 20_000 {
		hash := make([]byte, 32)
		copy(hash, fmt.Sprint(i))
		exec("INSERT INTO tokens (id, name, user_id, project, execution, created, hash) VALUES (?, 't', ?, '', '', 0, ?)", id(3, i), id(1, i%5000), hash)
	}
	require.NoError(t, tx.Commit())
	w.Store = w.reopen()

	// A change costs what it changes and the tables of ids, not a copy of everything.
	const changes = 20
	before := allocated()
	for i := range changes {
		_, err := w.UpdateUser(ctx, id(1, i), func(u *identity.User) error { u.FullName = "Full Name"; return nil })
		require.NoError(t, err)
		_, err = w.AddMember(ctx, id(2, i), id(1, 4999-i))
		require.NoError(t, err)
		w.token(identity.Token{UserID: id(1, i)})
		_, err = w.DeleteUser(ctx, id(1, 1000+i))
		require.NoError(t, err)
	}
	each := (allocated() - before) / (4 * changes)
	t.Logf("%d kB are allocated for a change", each>>10)
	require.Less(t, each, uint64(8<<20), "a change")

	// A list is made once after a change, and then handed out.
	lists := func() {
		require.Len(t, w.Users(), 5000-changes)
		require.Len(t, w.Organizations(), 500)
		require.Len(t, w.Tokens(""), 20_000+changes)
	}
	lists()
	before = allocated()
	lists()
	t.Logf("%d kB are allocated for the lists", (allocated()-before)>>10)
	require.Less(t, allocated()-before, uint64(64<<10), "the lists")
}

// allocated is how many bytes were taken from the heap until now.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
