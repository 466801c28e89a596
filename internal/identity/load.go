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
	for _, part := range []struct {
		query string
		row   func(scan func(...any) error) error
	}{
		{`SELECT id, name, full_name, email, kind, source, coalesce(subject, ''), disabled, created, last_seen, claimed
			FROM users`, snap.loadUser},
		{"SELECT user_id, role, source FROM user_roles ORDER BY user_id, role", snap.loadRole},
		{"SELECT id, name, source, created FROM organizations", snap.loadOrganization},
		{"SELECT organization_id, user_id, role, source FROM organization_members ORDER BY organization_id, user_id", snap.loadMember},
		{`SELECT id, name, user_id, project, execution, endpoints, networks, created, expires, revoked, last_used, hash
			FROM tokens`, snap.loadToken},
	} {
		if err := state.Each(db, part.query, part.row); err != nil {
			return nil, fmt.Errorf("%q: %w", part.query, err)
		}
	}
	snap.publish()
	return snap, nil
}

func (d *snapshot) loadUser(scan func(...any) error) error {
	var u User
	var created int64
	var seen, claimed sql.NullInt64
	err := scan(&u.ID, &u.Name, &u.FullName, &u.Email, &u.Kind, &u.Source, &u.Subject, &u.Disabled, &created, &seen, &claimed)
	if err != nil {
		return err
	}
	u.Created, u.Roles = time.UnixMilli(created).UTC(), []string{}
	d.setUser(&u)
	d.seen.put(u.ID, activityAt(seen))
	d.seen.get(u.ID).claimed.Store(claimed.Int64)
	return nil
}

func (d *snapshot) loadRole(scan func(...any) error) error {
	var userID, role, source string
	if err := scan(&userID, &role, &source); err != nil {
		return err
	}
	u := d.users.get(userID)
	u.Roles = append(u.Roles, role)
	if source != SourceManual {
		if u.GivenRoles == nil {
			u.GivenRoles = map[string]string{}
		}
		u.GivenRoles[role] = source
	}
	return nil
}

func (d *snapshot) loadOrganization(scan func(...any) error) error {
	var o Organization
	var created int64
	if err := scan(&o.ID, &o.Name, &o.Source, &created); err != nil {
		return err
	}
	o.Created, o.Members = time.UnixMilli(created).UTC(), []Member{}
	d.setOrganization(&o)
	return nil
}

func (d *snapshot) loadMember(scan func(...any) error) error {
	var orgID string
	var m Member
	if err := scan(&orgID, &m.UserID, &m.Role, &m.Source); err != nil {
		return err
	}
	o := d.orgs.get(orgID)
	o.Members = append(o.Members, m)
	d.memberOf.put(m.UserID, append(d.memberOf.get(m.UserID), orgID)) // sorted, as the rows are
	return nil
}

func (d *snapshot) loadToken(scan func(...any) error) error {
	var t Token
	var created int64
	var expires, revoked, used sql.NullInt64
	var endpoints, networks string
	var hash []byte
	err := scan(&t.ID, &t.Name, &t.UserID, &t.Project, &t.Execution, &endpoints, &networks, &created, &expires, &revoked, &used, &hash)
	if err != nil {
		return err
	}
	t.Created, t.Expires, t.Revoked = time.UnixMilli(created).UTC(), moment(expires), moment(revoked)
	t.EndpointIDs = split(endpoints)
	if t.Networks, err = splitNetworks(networks); err != nil {
		return fmt.Errorf("token %s: networks: %w", t.ID, err)
	}
	copy(t.Hash[:], hash)
	d.tokensOf.put(t.UserID, append(d.tokensOf.get(t.UserID), t.ID))
	d.setCredential(d.credential(t, activityAt(used)))
	return nil
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
