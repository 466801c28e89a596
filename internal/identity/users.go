package identity

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// CreateUser adds a user. The id is made when it is empty; Created is set. A
// name that differs from another only in case is ErrExists.
func (s *Store) CreateUser(ctx context.Context, u User) (User, error) {
	if u.ID == "" {
		u.ID = s.newID()
	}
	u.Created = s.stamp()
	if err := u.normalize(); err != nil {
		return User{}, fmt.Errorf("creating user: %w", err)
	}
	err := s.mutate(ctx, func(tx *sql.Tx, draft *snapshot) error {
		return draft.createUser(ctx, tx, &u)
	})
	if err != nil {
		return User{}, fmt.Errorf("creating user: %w", err)
	}
	return u.clone(), nil
}

// UpdateUser changes what change changes of the user; the id and the moment of
// creation stay. Tokens of the user act under the new roles and name, or stop
// working when the user was disabled, from the return on.
func (s *Store) UpdateUser(ctx context.Context, id string, change func(*User) error) (User, error) {
	var u User
	err := s.mutate(ctx, func(tx *sql.Tx, draft *snapshot) error {
		old := draft.users.get(id)
		if old == nil {
			return fmt.Errorf("user %q %w", id, ErrNotFound)
		}
		u = old.clone()
		if err := change(&u); err != nil {
			return err
		}
		u.ID, u.Created = old.ID, old.Created
		return draft.updateUser(ctx, tx, old, &u)
	})
	if err != nil {
		return User{}, fmt.Errorf("updating user: %w", err)
	}
	return u.clone(), nil
}

func (d *snapshot) createUser(ctx context.Context, tx *sql.Tx, u *User) error {
	if d.userNames.get(fold(u.Name)) != nil || d.users.get(u.ID) != nil {
		return fmt.Errorf("user %q %w", u.Name, ErrExists)
	}
	if u.Subject != "" && d.subjects.get(u.Subject) != nil {
		return fmt.Errorf("a user with this subject %w", ErrExists)
	}
	d.setUser(u)
	_, err := tx.ExecContext(ctx, `INSERT INTO users (id, name, name_key, full_name, email, kind, source, subject, disabled, created)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		u.ID, u.Name, fold(u.Name), u.FullName, u.Email, u.Kind, u.Source, optional(u.Subject), u.Disabled, u.Created.UnixMilli())
	return errors.Join(err, saveRoles(ctx, tx, u))
}

func (d *snapshot) updateUser(ctx context.Context, tx *sql.Tx, old, u *User) error {
	if err := u.normalize(); err != nil || reflect.DeepEqual(*u, *old) {
		return err
	}
	if other := d.userNames.get(fold(u.Name)); other != nil && other.ID != u.ID {
		return fmt.Errorf("user %q %w", u.Name, ErrExists)
	}
	if other := d.subjects.get(u.Subject); u.Subject != "" && other != nil && other.ID != u.ID {
		return fmt.Errorf("a user with this subject %w", ErrExists)
	}
	d.setUser(u)
	return saveUser(ctx, tx, u)
}

// optional is what the database keeps of a text that may be missing.
func optional(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// DeleteUser removes a user, from its organizations too, revokes its tokens,
// and returns what it was.
func (s *Store) DeleteUser(ctx context.Context, id string) (User, error) {
	u, err := s.GetUser(ctx, id)
	if err == nil {
		err = s.beforeRemoval(ctx, id)
	}
	if err != nil {
		return User{}, fmt.Errorf("deleting user: %w", err)
	}
	now := s.stamp()
	err = s.mutate(ctx, func(tx *sql.Tx, draft *snapshot) error {
		old := draft.users.get(id)
		if old == nil {
			return fmt.Errorf("user %q %w", id, ErrNotFound)
		}
		u = old.clone()
		draft.removeUser(old)
		var revoked []Token
		for _, tokenID := range draft.tokensOf.get(id) {
			if t := draft.tokens.get(tokenID).token; t.Revoked == nil {
				t.Revoked = &now
				revoked = append(revoked, t)
			}
		}
		draft.setTokens(revoked...)
		_, err := tx.ExecContext(ctx, "UPDATE tokens SET revoked = ? WHERE user_id = ? AND revoked IS NULL", now.UnixMilli(), id)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM users WHERE id = ?", id)
		return err
	})
	if err != nil {
		return User{}, fmt.Errorf("deleting user: %w", err)
	}
	return u, nil
}

// GetUser returns the user with the id, or ErrNotFound.
func (s *Store) GetUser(_ context.Context, id string) (User, error) {
	if u := s.snap.Load().users.get(id); u != nil {
		return u.clone(), nil
	}
	return User{}, fmt.Errorf("user %q %w", id, ErrNotFound)
}

// FindUser returns the user with the name, in any case, or ErrNotFound.
func (s *Store) FindUser(_ context.Context, name string) (User, error) {
	if u := s.snap.Load().userNames.get(fold(name)); u != nil {
		return u.clone(), nil
	}
	return User{}, fmt.Errorf("user %q %w", name, ErrNotFound)
}

// ListUsers lists all users by name.
func (s *Store) ListUsers(context.Context) []User {
	shared := s.Users()
	out := make([]User, len(shared))
	for i, u := range shared {
		out[i] = u.clone()
	}
	return out
}

// Users lists all users by name, without copies: nothing of it may be changed.
func (s *Store) Users() []*User {
	snap := s.snap.Load()
	if made := snap.derived.users.Load(); made != nil {
		return *made
	}
	all := slices.AppendSeq(make([]*User, 0, len(snap.users.m)), maps.Values(snap.users.m))
	slices.SortFunc(all, func(a, b *User) int { return cmp.Compare(fold(a.Name), fold(b.Name)) })
	snap.derived.users.Store(&all)
	return all
}

// UserName returns the name of the user with the id; "" where there is none.
func (s *Store) UserName(id string) string {
	if u := s.snap.Load().users.get(id); u != nil {
		return u.Name
	}
	return ""
}

// UserID finds a user by id, or by name in any case, and returns the id.
func (s *Store) UserID(idOrName string) (id string, known bool) {
	snap := s.snap.Load()
	u := snap.users.get(idOrName)
	if u == nil {
		u = snap.userNames.get(fold(idOrName))
	}
	if u == nil {
		return "", false
	}
	return u.ID, true
}

// OrganizationsOf lists the ids of the organizations that a user is in, sorted.
// It must not be changed.
func (s *Store) OrganizationsOf(userID string) []string { return s.snap.Load().memberOf.get(userID) }

func (u *User) clone() User {
	c := *u
	c.Roles, c.GivenRoles = slices.Clone(u.Roles), maps.Clone(u.GivenRoles)
	return c
}

func saveUser(ctx context.Context, tx *sql.Tx, u *User) error {
	_, err := tx.ExecContext(ctx, `UPDATE users SET name = ?, name_key = ?, full_name = ?, email = ?, kind = ?, source = ?,
		subject = ?, disabled = ? WHERE id = ?`,
		u.Name, fold(u.Name), u.FullName, u.Email, u.Kind, u.Source, optional(u.Subject), u.Disabled, u.ID)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM user_roles WHERE user_id = ?", u.ID); err != nil {
		return err
	}
	return saveRoles(ctx, tx, u)
}

func saveRoles(ctx context.Context, tx *sql.Tx, u *User) error {
	for _, role := range u.Roles {
		_, err := tx.ExecContext(ctx, "INSERT INTO user_roles (user_id, role, source) VALUES (?, ?, ?)",
			u.ID, role, cmp.Or(u.GivenRoles[role], SourceManual))
		if err != nil {
			return err
		}
	}
	return nil
}
