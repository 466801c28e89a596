package admin

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"sluice/extproc/dialect"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/identity"
)

// errLastAdministrator keeps the gateway administrable.
var errLastAdministrator = &dialect.Error{
	Status: http.StatusBadRequest, Code: "last_administrator",
	Message: "This is the last user with the role administrator. Give the role to another user first.",
}

// self is GET /api/sluice/v1/users/self.
func (s *server) self(c *call) error {
	u, err := s.Identity.GetUser(c.ctx(), c.caller.UserID)
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, api.Self{
		User: s.userShape(&u), Credential: c.caller.Credential,
		TokenID: c.caller.TokenID, TokenName: c.caller.TokenName,
		Project: c.caller.Project, Execution: c.caller.Execution,
	})
}

// listUsers is GET /api/sluice/v1/users.
func (s *server) listUsers(c *call) error {
	users, p, total, err := s.usersPage(c)
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, api.UserList{Users: users, Metadata: c.metadata(p, total)})
}

func (s *server) usersPage(c *call) (users []api.User, p page, total int, err error) {
	p, err = c.page()
	if err != nil {
		return nil, p, 0, err
	}
	chosen, err := s.chooseUsers(c)
	if err != nil {
		return nil, p, 0, err
	}
	found := []*identity.User{}
	for _, u := range s.Identity.Users() {
		if chosen(u) && p.matches(u.Name, u.FullName, u.Email, u.ID) {
			found = append(found, u)
		}
	}
	switch p.sortBy {
	case "fullName":
		order(found, p, func(u *identity.User) string { return strings.ToLower(u.FullName) })
	case "email":
		order(found, p, func(u *identity.User) string { return strings.ToLower(u.Email) })
	case "created":
		order(found, p, func(u *identity.User) string { return sortable(&u.Created) })
	case "lastSeen":
		seen := map[string]string{} // so that the order holds while users are seen
		for _, u := range found {
			seen[u.ID] = sortable(s.Identity.LastSeen(u.ID))
		}
		order(found, p, func(u *identity.User) string { return seen[u.ID] })
	default: // userName, by which they are sorted
		if p.descending {
			slices.Reverse(found)
		}
	}
	users = []api.User{}
	for _, u := range cut(found, p) {
		users = append(users, s.userShape(u))
	}
	return users, p, len(found), nil
}

// chooseUsers reads the filters of the list of users, and holds it to the
// caller's scope.
func (s *server) chooseUsers(c *call) (func(*identity.User) bool, error) {
	q := c.r.URL.Query()
	kind, organizationID, role := q.Get("kind"), q.Get("organizationId"), q.Get("role")
	if kind != "" && kind != api.KindPerson && kind != api.KindServiceAccount {
		return nil, badRequest("invalid_parameter", "kind",
			"The parameter kind must be one of %s, %s.", api.KindPerson, api.KindServiceAccount)
	}
	disabled, err := readBool(q, "disabled", false)
	if err != nil {
		return nil, err
	}
	return func(u *identity.User) bool {
		switch {
		case !c.all() && u.ID != c.caller.UserID,
			kind != "" && u.Kind != kind,
			q.Get("disabled") != "" && u.Disabled != disabled,
			role != "" && !slices.Contains(u.Roles, role),
			organizationID != "" && !slices.Contains(s.Identity.OrganizationsOf(u.ID), organizationID):
			return false
		}
		return true
	}, nil
}

// sortable is a moment as a text that sorts as moments do; never comes first.
func sortable(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("20060102150405.000")
}

func (s *server) userShape(u *identity.User) api.User {
	return api.User{
		ID: u.ID, UserName: u.Name, FullName: u.FullName, Email: u.Email, Kind: u.Kind, Source: u.Source,
		Roles: distinct(u.Roles), OrganizationIDs: distinct(s.Identity.OrganizationsOf(u.ID)),
		Disabled: u.Disabled, Created: shown(u.Created), LastSeen: s.Identity.LastSeen(u.ID),
	}
}

// readUser is GET /api/sluice/v1/users/{id}.
func (s *server) readUser(c *call) error {
	u, err := s.user(c)
	if err != nil {
		return err
	}
	return s.replyUser(c, u)
}

func (s *server) replyUser(c *call, u identity.User) error {
	return c.replyVersioned(s.userETag(u), s.userShape(&u))
}

func (s *server) userETag(u identity.User) string {
	return etagOf(u.ID, userFields(u), s.Identity.OrganizationsOf(u.ID))
}

// user returns the user that the path names, as far as the caller's scope goes.
func (s *server) user(c *call) (identity.User, error) {
	id := c.r.PathValue("id")
	u, err := s.Identity.GetUser(c.ctx(), id)
	if err != nil || !c.all() && id != c.caller.UserID {
		return identity.User{}, notFound("user", id)
	}
	return u, nil
}

// createUser is POST /api/sluice/v1/users.
func (s *server) createUser(c *call) error {
	var in api.NewUser
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.UserName == "" {
		return badRequest("missing_field", "userName", "The field userName is required.")
	}
	if in.Kind != "" && in.Kind != api.KindPerson && in.Kind != api.KindServiceAccount {
		return badRequest("invalid_field", "kind", "The field kind must be one of %s, %s.", api.KindPerson, api.KindServiceAccount)
	}
	u := identity.User{
		ID: catalog.NewID(), Name: in.UserName, FullName: in.FullName, Email: in.Email,
		Kind: in.Kind, Roles: distinct(in.Roles),
	}
	if err := s.mayTouch(c, u); err != nil {
		return err
	}
	s.people.Lock()
	defer s.people.Unlock()
	if _, err := s.Identity.FindUser(c.ctx(), u.Name); err == nil {
		return badRequest("exists", "userName", "A user named %q exists already.", u.Name)
	}
	var created identity.User
	err := s.change(c, func() (err error) {
		created, err = s.Identity.CreateUser(c.ctx(), u)
		return err
	}, c.event(kindCreateUser, "user", u.ID, u.Name, diff(nil, userFields(u))))
	if err != nil {
		return err
	}
	return s.replyUser(c, created)
}

// patchUser is PATCH /api/sluice/v1/users/{id}.
func (s *server) patchUser(c *call) error {
	var patch api.UserPatch
	if err := c.decode(&patch); err != nil {
		return err
	}
	s.people.Lock()
	defer s.people.Unlock()
	before, err := s.user(c)
	if err != nil {
		return err
	}
	if err := c.ifMatch("user", s.userETag(before)); err != nil {
		return err
	}
	after := before
	layUser(&after, patch)
	if err := s.mayTouch(c, before, after); err != nil {
		return err
	}
	if err := s.checkUserPatch(c, before, after); err != nil {
		return err
	}
	changes := diff(userFields(before), userFields(after))
	if len(changes) == 0 {
		return s.replyUser(c, before)
	}
	if !administers(after) && s.lastAdministrator(before) {
		return errLastAdministrator
	}
	err = s.change(c, func() (err error) {
		after, err = s.Identity.UpdateUser(c.ctx(), before.ID, func(u *identity.User) error {
			layUser(u, patch) // and not the whole: claims may have changed the rest meanwhile
			return nil
		})
		return err
	}, c.event(kindUpdateUser, "user", before.ID, after.Name, changes))
	if err != nil {
		return err
	}
	return s.replyUser(c, after)
}

// layUser lays a patch over a user.
func layUser(u *identity.User, patch api.UserPatch) {
	set(&u.Name, patch.UserName)
	set(&u.FullName, patch.FullName)
	set(&u.Email, patch.Email)
	set(&u.Disabled, patch.Disabled)
	if patch.Roles != nil {
		u.Roles = distinct(*patch.Roles)
		given := maps.Clone(u.GivenRoles)
		maps.DeleteFunc(given, func(role, _ string) bool { return !slices.Contains(u.Roles, role) })
		u.GivenRoles = given
	}
}

// checkUserPatch refuses a name that another user has, and a change of what is
// filled in by claims or SCIM, which would not last.
func (s *server) checkUserPatch(c *call, before, after identity.User) error {
	if other, err := s.Identity.FindUser(c.ctx(), after.Name); err == nil && other.ID != before.ID {
		return badRequest("exists", "userName", "A user named %q exists already.", after.Name)
	}
	for role := range before.GivenRoles {
		if !slices.Contains(after.Roles, role) {
			return badRequest("managed_elsewhere", "roles",
				"The identity provider gives this user the role %s, and would give it again. Take it away there, or disable the user.", role)
		}
	}
	if before.Source == identity.SourceManual {
		return nil
	}
	for field, changed := range map[string]bool{
		"userName": before.Name != after.Name, "fullName": before.FullName != after.FullName, "email": before.Email != after.Email,
	} {
		if changed {
			return badRequest("managed_elsewhere", field,
				"The field %s of this user follows the identity provider (%s). Change it there.", field, before.Source)
		}
	}
	return nil
}

// deleteUser is DELETE /api/sluice/v1/users/{id}: the tokens are revoked, and
// the id goes out of organizations and permissions.
func (s *server) deleteUser(c *call) error {
	s.people.Lock()
	defer s.people.Unlock()
	u, err := s.user(c)
	if err != nil {
		return err
	}
	if err := c.ifMatch("user", s.userETag(u)); err != nil {
		return err
	}
	if err := s.removeUser(c, u); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// removeUser deletes a user, unless nobody would be left to administer. The
// caller holds people.
func (s *server) removeUser(c *call, u identity.User) error {
	if err := s.mayTouch(c, u); err != nil {
		return err
	}
	if s.lastAdministrator(u) {
		return errLastAdministrator
	}
	s.endpoints.Lock() // permissions change too
	defer s.endpoints.Unlock()
	events := append(
		[]*audit.Event{c.event(kindDeleteUser, "user", u.ID, u.Name, diff(userFields(u), nil))}, s.forgotten(c, u.ID)...)
	return s.change(c, func() error {
		_, err := s.Identity.DeleteUser(c.ctx(), u.ID)
		return err
	}, events...)
}

// forgotten are the events about permissions that end because the user or
// organization that they name is deleted.
func (s *server) forgotten(c *call, id string) []*audit.Event {
	var events []*audit.Event
	for _, e := range s.Catalog.Snapshot().All() {
		p := &e.Permissions
		if !slices.Contains(p.Users, id) && !slices.Contains(p.Organizations, id) && !slices.Contains(p.Owners, id) {
			continue
		}
		after := *e
		after.Permissions.Users = without(e.Permissions.Users, id)
		after.Permissions.Organizations = without(e.Permissions.Organizations, id)
		after.Permissions.Owners = without(e.Permissions.Owners, id)
		events = append(events, c.endpointEvent(audit.KindChangeEndpointPermissions, e, endpointChanges(e, &after)))
	}
	return events
}

func (s *server) lastAdministrator(u identity.User) bool {
	if !administers(u) {
		return false
	}
	for _, other := range s.Identity.Users() {
		if other.ID != u.ID && administers(*other) {
			return false
		}
	}
	return true
}

func administers(u identity.User) bool {
	return !u.Disabled && slices.Contains(u.Roles, identity.RoleAdministrator)
}

func userFields(u identity.User) fields {
	return fields{
		"kind": u.Kind, "userName": u.Name, "fullName": u.FullName, "email": u.Email,
		"roles": strings.Join(distinct(u.Roles), ","), "disabled": fmt.Sprint(u.Disabled),
	}
}
