package identity

import (
	"database/sql"
	"fmt"
	"time"

	"sluice/internal/state"
)

// load reads the whole database. Its order matters: credentials are built from
// the users and organizations before them.
func load(db *sql.DB) (*snapshot, error) {
	snap := emptySnapshot()
	var tokens []Token
	for _, part := range []struct {
		query string
		row   func(scan func(...any) error) error
	}{
		{"SELECT id, name, full_name, email, disabled, created FROM users", snap.loadUser},
		{"SELECT user_id, role FROM user_roles ORDER BY user_id, role", snap.loadRole},
		{"SELECT id, name, created FROM organizations", snap.loadOrganization},
		{"SELECT organization_id, user_id FROM organization_members ORDER BY organization_id, user_id", snap.loadMember},
		{"SELECT id, name, user_id, project, execution, created, expires, revoked, hash FROM tokens",
			func(scan func(...any) error) error {
				t, err := scanToken(scan)
				tokens = append(tokens, t)
				return err
			}},
	} {
		if err := state.Each(db, part.query, part.row); err != nil {
			return nil, fmt.Errorf("%q: %w", part.query, err)
		}
	}
	snap.setTokens(tokens...)
	return snap, nil
}

func (d *snapshot) loadUser(scan func(...any) error) error {
	var u User
	var created int64
	if err := scan(&u.ID, &u.Name, &u.FullName, &u.Email, &u.Disabled, &created); err != nil {
		return err
	}
	u.Created, u.Roles = time.UnixMilli(created).UTC(), []string{}
	d.users[u.ID], d.userNames[fold(u.Name)] = &u, &u
	return nil
}

func (d *snapshot) loadRole(scan func(...any) error) error {
	var userID, role string
	if err := scan(&userID, &role); err != nil {
		return err
	}
	u := d.users[userID]
	u.Roles = append(u.Roles, role)
	return nil
}

func (d *snapshot) loadOrganization(scan func(...any) error) error {
	var o Organization
	var created int64
	if err := scan(&o.ID, &o.Name, &created); err != nil {
		return err
	}
	o.Created, o.Members = time.UnixMilli(created).UTC(), []string{}
	d.orgs[o.ID], d.orgNames[fold(o.Name)] = &o, &o
	return nil
}

func (d *snapshot) loadMember(scan func(...any) error) error {
	var orgID, userID string
	if err := scan(&orgID, &userID); err != nil {
		return err
	}
	o := d.orgs[orgID]
	o.Members = append(o.Members, userID)
	return nil
}

func scanToken(scan func(...any) error) (Token, error) {
	var t Token
	var created int64
	var expires, revoked sql.NullInt64
	var hash []byte
	err := scan(&t.ID, &t.Name, &t.UserID, &t.Project, &t.Execution, &created, &expires, &revoked, &hash)
	t.Created, t.Expires, t.Revoked = time.UnixMilli(created).UTC(), moment(expires), moment(revoked)
	copy(t.Hash[:], hash)
	return t, err
}

func moment(ms sql.NullInt64) *time.Time {
	if !ms.Valid {
		return nil
	}
	t := time.UnixMilli(ms.Int64).UTC()
	return &t
}

// millis is what the database keeps of an optional moment.
func millis(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UnixMilli()
}
