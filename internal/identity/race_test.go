package identity_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
)

// TestReadersWhileMutating checks under -race that reads need no lock, and
// that a caller is never seen half-changed: name and role change together.
func TestReadersWhileMutating(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ann := w.user("ann-0", "r0")
	plain, _ := w.token(identity.Token{UserID: ann.ID})
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := w.Authenticate(bare(plain))
				if err != nil || c.UserName[4:] != c.Roles[0][1:] {
					t.Errorf("Authenticate = %+v, %v", c, err)
					return
				}
				w.ListUsers(ctx)
				w.ListTokens(ctx, ann.ID)
			}
		})
	}
	for i := range 30 {
		_, err := w.UpdateUser(ctx, ann.ID, func(u *identity.User) error {
			u.Name, u.Roles = fmt.Sprintf("ann-%d", i), []string{fmt.Sprintf("r%d", i)}
			return nil
		})
		require.NoError(t, err)
		org := w.organization(fmt.Sprintf("org-%d", i), ann.ID)
		if i%2 == 0 {
			_, err = w.DeleteOrganization(ctx, org.ID)
			require.NoError(t, err)
		}
		_, issued := w.token(identity.Token{UserID: ann.ID})
		_, err = w.RevokeToken(ctx, issued.ID)
		require.NoError(t, err)
	}
	close(stop)
	readers.Wait()
}

// TestMutationsTogether checks that changes made at the same time all stay.
func TestMutationsTogether(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 10 {
				if _, err := w.CreateUser(t.Context(), identity.User{Name: fmt.Sprintf("u-%d-%d", i, j)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.Len(t, w.ListUsers(t.Context()), 80)
	require.Equal(t, w.ListUsers(t.Context()), w.reopen().ListUsers(t.Context()))
}
