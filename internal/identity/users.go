package identity

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
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
		if draft.userNames[fold(u.Name)] != nil || draft.users[u.ID] != nil {
			return fmt.Errorf("user %q %w", u.Name, ErrExists)
		}
		draft.setUser(&u)
		_, err := tx.ExecContext(ctx, `INSERT INTO users (id, name, name_key, full_name, email, disabled, created)
			VALUES (?, ?, ?, ?, ?, ?, ?)`, u.ID, u.Name, fold(u.Name), u.FullName, u.Email, u.Disabled, u.Created.UnixMilli())
		return errors.Join(err, saveRoles(ctx, tx, &u))
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
		old := draft.users[id]
		if old == nil {
			return fmt.Errorf("user %q %w", id, ErrNotFound)
		}
		u = old.clone()
		if err := change(&u); err != nil {
			return err
		}
		u.ID, u.Created = old.ID, old.Created
		if err := u.normalize(); err != nil || reflect.DeepEqual(u, *old) {
			return err
		}
		if other := draft.userNames[fold(u.Name)]; other != nil && other.ID != id {
			return fmt.Errorf("user %q %w", u.Name, ErrExists)
		}
		draft.setUser(&u)
		draft.refresh(id)
		return saveUser(ctx, tx, &u)
	})
	if err != nil {
		return User{}, fmt.Errorf("updating user: %w", err)
	}
	return u.clone(), nil
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
		old := draft.users[id]
		if old == nil {
			return fmt.Errorf("user %q %w", id, ErrNotFound)
		}
		u = old.clone()
		draft.removeUser(old)
		var revoked []Token
		for _, c := range draft.tokens {
			if t := c.token; t.UserID == id && t.Revoked == nil {
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
	if u := s.snap.Load().users[id]; u != nil {
		return u.clone(), nil
	}
	return User{}, fmt.Errorf("user %q %w", id, ErrNotFound)
}

// FindUser returns the user with the name, in any case, or ErrNotFound.
func (s *Store) FindUser(_ context.Context, name string) (User, error) {
	if u := s.snap.Load().userNames[fold(name)]; u != nil {
		return u.clone(), nil
	}
	return User{}, fmt.Errorf("user %q %w", name, ErrNotFound)
}

// ListUsers lists all users by name.
func (s *Store) ListUsers(context.Context) []User {
	users := s.snap.Load().users
	out := make([]User, 0, len(users))
	for _, u := range users {
		out = append(out, u.clone())
	}
	slices.SortFunc(out, func(a, b User) int { return cmp.Compare(fold(a.Name), fold(b.Name)) })
	return out
}

func (u *User) clone() User {
	c := *u
	c.Roles = slices.Clone(u.Roles)
	return c
}

func saveUser(ctx context.Context, tx *sql.Tx, u *User) error {
	_, err := tx.ExecContext(ctx, "UPDATE users SET name = ?, name_key = ?, full_name = ?, email = ?, disabled = ? WHERE id = ?",
		u.Name, fold(u.Name), u.FullName, u.Email, u.Disabled, u.ID)
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
		if _, err := tx.ExecContext(ctx, "INSERT INTO user_roles (user_id, role) VALUES (?, ?)", u.ID, role); err != nil {
			return err
		}
	}
	return nil
}
