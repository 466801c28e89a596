package identity

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"slices"
)

// CreateOrganization adds an organization, with its members. The id is made
// when it is empty; Created is set. A member that is no user is ErrNotFound.
func (s *Store) CreateOrganization(ctx context.Context, o Organization) (Organization, error) {
	if o.ID == "" {
		o.ID = s.newID()
	}
	o.Created = s.stamp()
	if err := o.normalize(); err != nil {
		return Organization{}, fmt.Errorf("creating organization: %w", err)
	}
	err := s.mutate(ctx, func(tx *sql.Tx, draft *snapshot) error {
		if draft.orgNames[fold(o.Name)] != nil || draft.orgs[o.ID] != nil {
			return fmt.Errorf("organization %q %w", o.Name, ErrExists)
		}
		if err := draft.checkMembers(o.Members); err != nil {
			return err
		}
		draft.setOrganization(&o)
		draft.refresh(o.Members...)
		_, err := tx.ExecContext(ctx, "INSERT INTO organizations (id, name, name_key, created) VALUES (?, ?, ?, ?)",
			o.ID, o.Name, fold(o.Name), o.Created.UnixMilli())
		if err != nil {
			return err
		}
		return saveMembers(ctx, tx, &o)
	})
	if err != nil {
		return Organization{}, fmt.Errorf("creating organization: %w", err)
	}
	return o.clone(), nil
}

// UpdateOrganization changes what change changes: the name, the members. What
// members may do follows from the return on.
func (s *Store) UpdateOrganization(ctx context.Context, id string, change func(*Organization) error) (Organization, error) {
	var o Organization
	err := s.mutate(ctx, func(tx *sql.Tx, draft *snapshot) error {
		old := draft.orgs[id]
		if old == nil {
			return fmt.Errorf("organization %q %w", id, ErrNotFound)
		}
		o = old.clone()
		if err := change(&o); err != nil {
			return err
		}
		o.ID, o.Created = old.ID, old.Created
		if err := o.normalize(); err != nil || reflect.DeepEqual(o, *old) {
			return err
		}
		if other := draft.orgNames[fold(o.Name)]; other != nil && other.ID != id {
			return fmt.Errorf("organization %q %w", o.Name, ErrExists)
		}
		if err := draft.checkMembers(o.Members); err != nil {
			return err
		}
		draft.setOrganization(&o)
		draft.refresh(slices.Concat(old.Members, o.Members)...)
		return saveOrganization(ctx, tx, &o)
	})
	if err != nil {
		return Organization{}, fmt.Errorf("updating organization: %w", err)
	}
	return o.clone(), nil
}

// DeleteOrganization removes an organization and returns what it was.
func (s *Store) DeleteOrganization(ctx context.Context, id string) (Organization, error) {
	o, err := s.GetOrganization(ctx, id)
	if err == nil {
		err = s.beforeRemoval(ctx, id)
	}
	if err != nil {
		return Organization{}, fmt.Errorf("deleting organization: %w", err)
	}
	err = s.mutate(ctx, func(tx *sql.Tx, draft *snapshot) error {
		old := draft.orgs[id]
		if old == nil {
			return fmt.Errorf("organization %q %w", id, ErrNotFound)
		}
		o = old.clone()
		draft.removeOrganization(old)
		draft.refresh(old.Members...)
		_, err := tx.ExecContext(ctx, "DELETE FROM organizations WHERE id = ?", id)
		return err
	})
	if err != nil {
		return Organization{}, fmt.Errorf("deleting organization: %w", err)
	}
	return o, nil
}

// AddMember puts a user into an organization; one who is in it stays.
func (s *Store) AddMember(ctx context.Context, organizationID, userID string) (Organization, error) {
	return s.UpdateOrganization(ctx, organizationID, func(o *Organization) error {
		o.Members = append(o.Members, userID)
		return nil
	})
}

// RemoveMember takes a user out of an organization; one who is not in it is
// ErrNotFound.
func (s *Store) RemoveMember(ctx context.Context, organizationID, userID string) (Organization, error) {
	return s.UpdateOrganization(ctx, organizationID, func(o *Organization) error {
		i, found := slices.BinarySearch(o.Members, userID)
		if !found {
			return fmt.Errorf("member %q %w", userID, ErrNotFound)
		}
		o.Members = slices.Delete(o.Members, i, i+1)
		return nil
	})
}

// GetOrganization returns the organization with the id, or ErrNotFound.
func (s *Store) GetOrganization(_ context.Context, id string) (Organization, error) {
	if o := s.snap.Load().orgs[id]; o != nil {
		return o.clone(), nil
	}
	return Organization{}, fmt.Errorf("organization %q %w", id, ErrNotFound)
}

// FindOrganization returns the organization with the name, in any case, or
// ErrNotFound.
func (s *Store) FindOrganization(_ context.Context, name string) (Organization, error) {
	if o := s.snap.Load().orgNames[fold(name)]; o != nil {
		return o.clone(), nil
	}
	return Organization{}, fmt.Errorf("organization %q %w", name, ErrNotFound)
}

// ListOrganizations lists all organizations by name.
func (s *Store) ListOrganizations(context.Context) []Organization {
	orgs := s.snap.Load().orgs
	out := make([]Organization, 0, len(orgs))
	for _, o := range orgs {
		out = append(out, o.clone())
	}
	slices.SortFunc(out, func(a, b Organization) int { return cmp.Compare(fold(a.Name), fold(b.Name)) })
	return out
}

func (o *Organization) clone() Organization {
	c := *o
	c.Members = slices.Clone(o.Members)
	return c
}

func (d *snapshot) checkMembers(ids []string) error {
	for _, id := range ids {
		if d.users[id] == nil {
			return fmt.Errorf("member: user %q %w", id, ErrNotFound)
		}
	}
	return nil
}

func saveOrganization(ctx context.Context, tx *sql.Tx, o *Organization) error {
	_, err := tx.ExecContext(ctx, "UPDATE organizations SET name = ?, name_key = ? WHERE id = ?", o.Name, fold(o.Name), o.ID)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM organization_members WHERE organization_id = ?", o.ID); err != nil {
		return err
	}
	return saveMembers(ctx, tx, o)
}

func saveMembers(ctx context.Context, tx *sql.Tx, o *Organization) error {
	for _, userID := range o.Members {
		_, err := tx.ExecContext(ctx, "INSERT INTO organization_members (organization_id, user_id) VALUES (?, ?)", o.ID, userID)
		if err != nil {
			return err
		}
	}
	return nil
}
