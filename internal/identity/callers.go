package identity

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/decision"
)

// maxDerived bounds the callers that a snapshot remembers beside those of its
// tokens. Beyond it they are made anew each time.
const maxDerived = 20_000

// callers are those of a snapshot that no token of the database stands for:
// who has signed in with a session, a JWT or a certificate. Each is made once
// and shared, so that what the policy works out about it is remembered. They
// are dropped when any user or organization changes.
type callers struct {
	made  sync.Map // derivation → *Caller
	count atomic.Int64

	users atomic.Pointer[[]*User]         // by name, made on demand
	orgs  atomic.Pointer[[]*Organization] // by name, made on demand
}

// derivation is what such a caller is made of.
type derivation struct {
	userID, credential string
	project, execution string
}

// CallerOf returns the caller that a user is who has signed in with a browser,
// without any token. It belongs to the present snapshot: ask for each request,
// so that a changed role, organization or name shows at once. A user that is
// missing is ErrNotFound, a disabled one ErrDisabledUser.
func (s *Store) CallerOf(userID string) (*Caller, error) {
	c, err := s.snap.Load().derive(derivation{userID: userID, credential: CredentialSession}, s.now())
	if err != nil {
		return nil, fmt.Errorf("finding caller: %w", err)
	}
	return c, nil
}

// derive makes or remembers a caller, who is seen now.
func (d *snapshot) derive(from derivation, now time.Time) (*Caller, error) {
	u := d.users.get(from.userID)
	switch {
	case u == nil:
		return nil, fmt.Errorf("user %q %w", from.userID, ErrNotFound)
	case u.Disabled:
		return nil, ErrDisabledUser
	}
	d.seen.get(u.ID).touch(now)
	if c, known := d.derived.made.Load(from); known {
		return c.(*Caller), nil
	}
	c := &Caller{
		UserID: u.ID, UserName: u.Name, Organizations: d.memberOf.get(u.ID), Roles: u.Roles,
		Project: from.project, Execution: from.execution, Credential: from.credential,
	}
	c.memo = decision.NewMemo(c)
	if d.derived.count.Load() >= maxDerived {
		return c, nil
	}
	first, loaded := d.derived.made.LoadOrStore(from, c)
	if !loaded {
		d.derived.count.Add(1)
	}
	return first.(*Caller), nil
}
