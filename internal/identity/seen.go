package identity

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Seen brings the directory in step with the claims of a token that was
// verified, and returns the id of its user. At first sight the user is made, and
// so are his organizations; later the directory follows tokens that are newer
// than the newest it has followed. What was filled in by hand or by SCIM stays:
// names and addresses follow for users whom claims have made, and only those
// roles and memberships end that claims have given.
//
// The user is found by the claims' subject. A user of the same name who has no
// subject is taken for the same when SCIM has made him, or, where Trust says so,
// when he was made by hand and is no administrator; else the token is refused
// with ErrNameTaken.
// A user that is missing and is not to be made is ErrUnknownUser, a disabled one
// ErrDisabledUser.
func (s *Store) Seen(ctx context.Context, c *Claims) (userID string, err error) {
	snap := s.snap.Load()
	if u := snap.subjects.get(c.Subject); u != nil {
		if u.Disabled {
			return "", ErrDisabledUser
		}
		a := snap.seen.get(u.ID)
		if c.Issued.UnixMilli() < a.claimed.Load() {
			return u.ID, nil // newer claims were followed
		}
		draft := *snap
		if next := s.follow(&draft, u, c); !next.changes() {
			raise(&a.claimed, c.Issued.UnixMilli())
			return u.ID, nil
		}
	}
	err = s.mutate(ctx, func(tx *sql.Tx, draft *snapshot) error {
		userID, err = s.see(ctx, tx, draft, c)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("following the token of the identity provider: %w", err)
	}
	return userID, nil
}

// see makes or changes the user of the claims.
func (s *Store) see(ctx context.Context, tx *sql.Tx, draft *snapshot, c *Claims) (string, error) {
	u, err := s.whose(draft, c)
	switch {
	case err != nil:
		return "", err
	case u != nil && u.Disabled:
		return "", ErrDisabledUser
	}
	step := s.follow(draft, u, c)
	if err := step.user.normalize(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrUntrustedToken, err)
	}
	if sight := step.sight(draft); s.trust.Record != nil && (sight.Created || len(sight.Changes) > 0) {
		if err := s.trust.Record(sight); err != nil {
			return "", err
		}
	}
	if u == nil {
		err = draft.createUser(ctx, tx, &step.user)
	} else {
		err = draft.updateUser(ctx, tx, u, &step.user)
	}
	if err == nil {
		err = s.seeOrganizations(ctx, tx, draft, step)
	}
	if err != nil {
		return "", err
	}
	claimed := c.Issued.UnixMilli()
	if _, err := tx.ExecContext(ctx, "UPDATE users SET claimed = ? WHERE id = ?", claimed, step.user.ID); err != nil {
		return "", err
	}
	raise(&draft.seen.get(step.user.ID).claimed, claimed)
	return step.user.ID, nil
}

// whose finds the user of the claims; nil for one who is to be made.
func (s *Store) whose(d *snapshot, c *Claims) (*User, error) {
	if u := d.subjects.get(c.Subject); u != nil {
		return u, nil
	}
	u := d.userNames.get(fold(c.UserName))
	switch {
	case u == nil && s.trust.KnownOnly:
		return nil, fmt.Errorf("%w: %q; ask an administrator to add you", ErrUnknownUser, c.UserName)
	case u == nil:
		return nil, nil
	case u.Subject == "" && (u.Source == SourceSCIM || s.trust.Link && !slices.Contains(u.Roles, RoleAdministrator)):
		return u, nil
	case u.Subject == "" && s.trust.Link:
		return nil, fmt.Errorf("%w: %q is an administrator, and those are not linked by name; let another administrator take that role from "+
			"the user until you have signed in, or rename the user", ErrNameTaken, c.UserName)
	}
	return nil, fmt.Errorf("%w: %q; ask an administrator to rename that user, or to link users by name", ErrNameTaken, c.UserName)
}

// step is what claims change of a user.
type step struct {
	before *User // nil: he is new
	user   User
	join   []string        // names of organizations to be made, and joined
	enter  []*Organization // to be joined
	leave  []*Organization
}

// follow works out what claims change, without changing anything.
func (s *Store) follow(d *snapshot, u *User, c *Claims) step {
	next := step{before: u}
	if u == nil {
		next.user = User{ID: s.newID(), Name: c.UserName, Source: SourceClaims, Kind: KindPerson, Created: s.stamp(), Roles: []string{}}
		if c.Machine {
			next.user.Kind = KindServiceAccount
		}
	} else {
		next.user = u.clone()
	}
	n := &next.user
	n.Subject = c.Subject
	if n.Source == SourceClaims {
		if other := d.userNames.get(fold(c.UserName)); c.UserName != "" && (other == nil || other.ID == n.ID) {
			n.Name = c.UserName // a name that another has by now is not taken from him
		}
		if c.FullName != "" {
			n.FullName = c.FullName
		}
		if c.Email != "" {
			n.Email = c.Email
		}
	}
	if c.Roles != nil {
		n.giveRoles(c.Roles)
	}
	if c.Organizations != nil {
		next.organizations(d, s.trust, c.Organizations)
	}
	return next
}

// giveRoles makes those the roles that claims have given.
func (u *User) giveRoles(roles []string) {
	kept := slices.DeleteFunc(slices.Clone(u.Roles), func(r string) bool { return u.GivenRoles[r] == SourceClaims })
	given := maps.Clone(u.GivenRoles)
	if given == nil {
		given = map[string]string{}
	}
	maps.DeleteFunc(given, func(_, source string) bool { return source == SourceClaims })
	for _, r := range roles {
		if !slices.Contains(kept, r) {
			given[r] = SourceClaims
		}
	}
	if len(given) == 0 {
		given = nil
	}
	u.Roles, u.GivenRoles = set(append(kept, roles...)), given
}

func (n *step) organizations(d *snapshot, t Trust, names []string) {
	wanted, joined := map[string]bool{}, map[string]bool{}
	for _, name := range names {
		o := d.orgs.get(idOf(d, name))
		switch {
		case o == nil && t.KnownOnly, o != nil && o.Source == SourceManual && !t.LinkOrganizations:
		case o == nil:
			if !joined[fold(name)] {
				joined[fold(name)] = true
				n.join = append(n.join, name)
			}
		default:
			if _, is := o.Member(n.user.ID); !is && !wanted[o.ID] {
				n.enter = append(n.enter, o)
			}
			wanted[o.ID] = true
		}
	}
	for _, id := range d.memberOf.get(n.user.ID) {
		o := d.orgs.get(id)
		if m, _ := o.Member(n.user.ID); m.Source == SourceClaims && !wanted[id] {
			n.leave = append(n.leave, o)
		}
	}
}

func idOf(d *snapshot, organization string) string {
	if o := d.orgNames.get(fold(organization)); o != nil {
		return o.ID
	}
	return ""
}

func (n *step) changes() bool {
	return n.before == nil || len(n.sightFields()) > 0 || len(n.join)+len(n.enter)+len(n.leave) > 0
}

func (n *step) sightFields() (out []SightChange) {
	before := User{}
	if n.before != nil {
		before = *n.before
	}
	for _, f := range []SightChange{
		{"userName", before.Name, n.user.Name}, {"fullName", before.FullName, n.user.FullName}, {"email", before.Email, n.user.Email},
		{"kind", before.Kind, n.user.Kind}, {"subject", before.Subject, n.user.Subject},
		{"roles", strings.Join(before.Roles, ","), strings.Join(n.user.Roles, ",")},
		{"givenRoles", givenText(before.GivenRoles), givenText(n.user.GivenRoles)},
	} {
		if f.Before != f.After {
			out = append(out, f)
		}
	}
	return out
}

func givenText(given map[string]string) string {
	var out []string
	for _, role := range slices.Sorted(maps.Keys(given)) {
		out = append(out, role+":"+given[role])
	}
	return strings.Join(out, ",")
}

// sight tells of the step.
func (n *step) sight(d *snapshot) Sight {
	out := Sight{UserID: n.user.ID, UserName: n.user.Name, Created: n.before == nil, Changes: n.sightFields()}
	var before, after []string
	for _, id := range d.memberOf.get(n.user.ID) {
		before = append(before, d.orgs.get(id).Name)
		if !slices.Contains(n.leave, d.orgs.get(id)) {
			after = append(after, d.orgs.get(id).Name)
		}
	}
	for _, o := range n.enter {
		after = append(after, o.Name)
	}
	after = append(after, n.join...)
	if b, a := strings.Join(set(before), ","), strings.Join(set(after), ","); b != a {
		out.Changes = append(out.Changes, SightChange{"organizations", b, a})
	}
	return out
}

// seeOrganizations makes the changes of memberships.
func (s *Store) seeOrganizations(ctx context.Context, tx *sql.Tx, draft *snapshot, n step) error {
	member := Member{UserID: n.user.ID, Role: MemberRoleMember, Source: SourceClaims}
	for _, name := range n.join {
		o := Organization{ID: s.newID(), Name: name, Source: SourceClaims, Created: s.stamp(), Members: []Member{member}}
		if err := o.normalize(); err != nil {
			return fmt.Errorf("%w: %w", ErrUntrustedToken, err)
		}
		if err := draft.createOrganization(ctx, tx, &o); err != nil {
			return err
		}
	}
	for _, old := range n.enter {
		o := old.clone()
		o.Members = append(o.Members, member)
		if err := draft.updateOrganization(ctx, tx, old, &o); err != nil {
			return err
		}
	}
	for _, old := range n.leave {
		o := old.clone()
		o.Members = slices.DeleteFunc(o.Members, func(m Member) bool { return m.UserID == n.user.ID })
		if err := draft.updateOrganization(ctx, tx, old, &o); err != nil {
			return err
		}
	}
	return nil
}
