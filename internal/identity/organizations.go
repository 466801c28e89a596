package identity

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
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
		return draft.createOrganization(ctx, tx, &o)
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
		old := draft.orgs.get(id)
		if old == nil {
			return fmt.Errorf("organization %q %w", id, ErrNotFound)
		}
		o = old.clone()
		if err := change(&o); err != nil {
			return err
		}
		o.ID, o.Created = old.ID, old.Created
		return draft.updateOrganization(ctx, tx, old, &o)
	})
	if err != nil {
		return Organization{}, fmt.Errorf("updating organization: %w", err)
	}
	return o.clone(), nil
}

func (d *snapshot) createOrganization(ctx context.Context, tx *sql.Tx, o *Organization) error {
	if d.orgNames.get(fold(o.Name)) != nil || d.orgs.get(o.ID) != nil {
		return fmt.Errorf("organization %q %w", o.Name, ErrExists)
	}
	if err := d.checkMembers(o.Members); err != nil {
		return err
	}
	d.setOrganization(o)
	_, err := tx.ExecContext(ctx, "INSERT INTO organizations (id, name, name_key, source, created) VALUES (?, ?, ?, ?, ?)",
		o.ID, o.Name, fold(o.Name), o.Source, o.Created.UnixMilli())
	if err != nil {
		return err
	}
	return saveMembers(ctx, tx, nil, o)
}

func (d *snapshot) updateOrganization(ctx context.Context, tx *sql.Tx, old, o *Organization) error {
	if err := o.normalize(); err != nil || reflect.DeepEqual(*o, *old) {
		return err
	}
	if other := d.orgNames.get(fold(o.Name)); other != nil && other.ID != o.ID {
		return fmt.Errorf("organization %q %w", o.Name, ErrExists)
	}
	if err := d.checkMembers(o.Members); err != nil {
		return err
	}
	d.setOrganization(o)
	_, err := tx.ExecContext(ctx, "UPDATE organizations SET name = ?, name_key = ?, source = ? WHERE id = ?",
		o.Name, fold(o.Name), o.Source, o.ID)
	if err != nil {
		return err
	}
	return saveMembers(ctx, tx, old.Members, o)
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
		old := draft.orgs.get(id)
		if old == nil {
			return fmt.Errorf("organization %q %w", id, ErrNotFound)
		}
		o = old.clone()
		draft.removeOrganization(old)
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
		o.Members = append(o.Members, Member{UserID: userID})
		return nil
	})
}

// RemoveMember takes a user out of an organization; one who is not in it is
// ErrNotFound.
func (s *Store) RemoveMember(ctx context.Context, organizationID, userID string) (Organization, error) {
	return s.UpdateOrganization(ctx, organizationID, func(o *Organization) error {
		i, found := findMember(o.Members, userID)
		if !found {
			return fmt.Errorf("member %q %w", userID, ErrNotFound)
		}
		o.Members = slices.Delete(o.Members, i, i+1)
		return nil
	})
}

// GetOrganization returns the organization with the id, or ErrNotFound.
func (s *Store) GetOrganization(_ context.Context, id string) (Organization, error) {
	if o := s.snap.Load().orgs.get(id); o != nil {
		return o.clone(), nil
	}
	return Organization{}, fmt.Errorf("organization %q %w", id, ErrNotFound)
}

// FindOrganization returns the organization with the name, in any case, or
// ErrNotFound.
func (s *Store) FindOrganization(_ context.Context, name string) (Organization, error) {
	if o := s.snap.Load().orgNames.get(fold(name)); o != nil {
		return o.clone(), nil
	}
	return Organization{}, fmt.Errorf("organization %q %w", name, ErrNotFound)
}

// ListOrganizations lists all organizations by name.
func (s *Store) ListOrganizations(context.Context) []Organization {
	shared := s.Organizations()
	out := make([]Organization, len(shared))
	for i, o := range shared {
		out[i] = o.clone()
	}
	return out
}

// Organizations lists all organizations by name, without copies: nothing of it
// may be changed.
func (s *Store) Organizations() []*Organization {
	snap := s.snap.Load()
	if made := snap.derived.orgs.Load(); made != nil {
		return *made
	}
	all := slices.AppendSeq(make([]*Organization, 0, len(snap.orgs.m)), maps.Values(snap.orgs.m))
	slices.SortFunc(all, func(a, b *Organization) int { return cmp.Compare(fold(a.Name), fold(b.Name)) })
	snap.derived.orgs.Store(&all)
	return all
}

// SortMembers puts members into the order of an organization.
func SortMembers(members []Member) {
	slices.SortStableFunc(members, func(a, b Member) int { return cmp.Compare(a.UserID, b.UserID) })
}

func (o *Organization) clone() Organization {
	c := *o
	c.Members = slices.Clone(o.Members)
	return c
}

func (d *snapshot) checkMembers(members []Member) error {
	for _, m := range members {
		if d.users.get(m.UserID) == nil {
			return fmt.Errorf("member: user %q %w", m.UserID, ErrNotFound)
		}
	}
	return nil
}

// saveMembers writes what differs from before: most organizations are large and
// most changes small.
func saveMembers(ctx context.Context, tx *sql.Tx, before []Member, o *Organization) error {
	for _, m := range before {
		if _, stays := findMember(o.Members, m.UserID); !stays {
			_, err := tx.ExecContext(ctx, "DELETE FROM organization_members WHERE organization_id = ? AND user_id = ?", o.ID, m.UserID)
			if err != nil {
				return err
			}
		}
	}
	for _, m := range o.Members {
		if i, was := findMember(before, m.UserID); was && before[i] == m {
			continue
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO organization_members (organization_id, user_id, role, source)
			VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET role = excluded.role, source = excluded.source`,
			o.ID, m.UserID, m.Role, m.Source)
		if err != nil {
			return err
		}
	}
	return nil
}
