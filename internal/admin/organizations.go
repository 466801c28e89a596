package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/identity"
)

// listOrganizations is GET /api/sluice/v1/organizations.
func (s *server) listOrganizations(c *call) error {
	list, p, total, err := s.organizationsPage(c, c.all())
	if err != nil {
		return err
	}
	shapes := []api.Organization{}
	for _, o := range list {
		shapes = append(shapes, organizationShape(o))
	}
	return c.reply(http.StatusOK, api.OrganizationList{Organizations: shapes, Metadata: c.metadata(p, total)})
}

// organizationsPage lists all organizations, or those the caller is in.
func (s *server) organizationsPage(c *call, all bool) (list []*identity.Organization, p page, total int, err error) {
	p, err = c.page()
	if err != nil {
		return nil, p, 0, err
	}
	mine := s.Identity.OrganizationsOf(c.caller.UserID)
	found := []*identity.Organization{}
	for _, o := range s.Identity.Organizations() {
		if (all || slices.Contains(mine, o.ID)) && p.matches(o.Name, o.ID) {
			found = append(found, o)
		}
	}
	switch {
	case p.sortBy == "created":
		order(found, p, func(o *identity.Organization) string { return sortable(&o.Created) })
	case p.sortBy == "memberCount":
		order(found, p, func(o *identity.Organization) string { return fmt.Sprintf("%09d", len(o.Members)) })
	case p.descending: // they are sorted by name
		slices.Reverse(found)
	}
	return cut(found, p), p, len(found), nil
}

func organizationShape(o *identity.Organization) api.Organization {
	return api.Organization{
		ID: o.ID, Name: o.Name, Source: o.Source, MemberCount: len(o.Members), Members: o.MemberIDs(), Created: shown(o.Created),
	}
}

// readOrganization is GET /api/sluice/v1/organizations/{id}.
func (s *server) readOrganization(c *call) error {
	o, err := s.organization(c)
	if err != nil {
		return err
	}
	return s.replyOrganization(c, o)
}

func (s *server) replyOrganization(c *call, o identity.Organization) error {
	shape := organizationShape(&o)
	shape.MemberDetails = []api.Member{}
	for _, m := range o.Members {
		shape.MemberDetails = append(shape.MemberDetails, api.Member{
			UserID: m.UserID, UserName: s.Identity.UserName(m.UserID), Role: m.Role, Source: m.Source,
		})
	}
	return c.replyVersioned(organizationETag(o), shape)
}

func organizationETag(o identity.Organization) string { return etagOf(o.ID, organizationFields(o)) }

// organization returns the one that the path names, as far as the caller's
// scope goes.
func (s *server) organization(c *call) (identity.Organization, error) {
	id := c.r.PathValue("id")
	o, err := s.Identity.GetOrganization(c.ctx(), id)
	if err != nil || !c.all() && !isMember(&o, c.caller.UserID) {
		return identity.Organization{}, notFound("organization", id)
	}
	return o, nil
}

// createOrganization is POST /api/sluice/v1/organizations.
func (s *server) createOrganization(c *call) error {
	var in api.NewOrganization
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Name == "" {
		return badRequest("missing_field", "name", "The field name is required.")
	}
	s.people.Lock()
	defer s.people.Unlock()
	if err := s.knownUsers(c, in.Members, "members"); err != nil {
		return err
	}
	o := identity.Organization{ID: catalog.NewID(), Name: in.Name, Members: identity.Members(distinct(in.Members)...)}
	if err := s.addOrganization(c, &o); err != nil {
		return err
	}
	return s.replyOrganization(c, o)
}

// addOrganization makes an organization whose name is free. The caller holds
// s.people.
func (s *server) addOrganization(c *call, o *identity.Organization) error {
	if err := s.freeOrganization(c, o.Name, ""); err != nil {
		return err
	}
	return s.change(c, func() (err error) {
		*o, err = s.Identity.CreateOrganization(c.ctx(), *o)
		return err
	}, c.event(kindCreateOrganization, "organization", o.ID, o.Name, diff(nil, organizationFields(*o))))
}

// patchOrganization is PATCH /api/sluice/v1/organizations/{id}.
func (s *server) patchOrganization(c *call) error {
	var patch api.OrganizationPatch
	if err := c.decode(&patch); err != nil {
		return err
	}
	return s.changeOrganization(c, kindUpdateOrganization, func(o *identity.Organization) error {
		set(&o.Name, patch.Name)
		return s.freeOrganization(c, o.Name, o.ID)
	})
}

// changeOrganization works out a change of the organization that the path
// names, makes it, and replies with what it is now.
func (s *server) changeOrganization(c *call, kind string, work func(*identity.Organization) error) error {
	return s.changeOrganizationAnd(c, kind, work, func(o *identity.Organization) error { return s.replyOrganization(c, *o) })
}

func (s *server) changeOrganizationAnd(
	c *call, kind string, work func(*identity.Organization) error, reply func(*identity.Organization) error,
) error {
	s.people.Lock()
	defer s.people.Unlock()
	before, err := s.organization(c)
	if err != nil {
		return err
	}
	if err := c.ifMatch("organization", organizationETag(before)); err != nil {
		return err
	}
	if !c.all() && !manages(&before, c.caller.UserID) {
		return s.beyond(c)
	}
	after := before
	after.Members = slices.Clone(before.Members)
	if err := work(&after); err != nil {
		return err
	}
	changes := diff(organizationFields(before), organizationFields(after))
	if len(changes) == 0 {
		return reply(&before)
	}
	err = s.change(c, func() (err error) {
		// On what it is now: claims may have changed its members meanwhile.
		after, err = s.Identity.UpdateOrganization(c.ctx(), before.ID, work)
		return err
	}, c.event(kind, "organization", before.ID, after.Name, changes))
	if err != nil {
		return err
	}
	return reply(&after)
}

// deleteOrganization is DELETE /api/sluice/v1/organizations/{id}: its id goes
// out of all permissions.
func (s *server) deleteOrganization(c *call) error {
	s.people.Lock()
	defer s.people.Unlock()
	o, err := s.organization(c)
	if err != nil {
		return err
	}
	if err := c.ifMatch("organization", organizationETag(o)); err != nil {
		return err
	}
	if err := s.removeOrganization(c, o); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// removeOrganization deletes an organization. The caller holds people.
func (s *server) removeOrganization(c *call, o identity.Organization) error {
	s.endpoints.Lock() // permissions change too
	defer s.endpoints.Unlock()
	events := append([]*audit.Event{
		c.event(kindDeleteOrganization, "organization", o.ID, o.Name, diff(organizationFields(o), nil)),
	}, s.forgotten(c, o.ID)...)
	return s.change(c, func() error {
		_, err := s.Identity.DeleteOrganization(c.ctx(), o.ID)
		return err
	}, events...)
}

func isMember(o *identity.Organization, userID string) bool {
	_, member := o.Member(userID)
	return member
}

// manages reports whether the user is an admin of the organization, and so may
// change its members.
func manages(o *identity.Organization, userID string) bool {
	m, _ := o.Member(userID)
	return m.Role == identity.MemberRoleAdmin
}

func (s *server) knownUsers(c *call, ids []string, field string) error {
	for _, id := range ids {
		if _, err := s.Identity.GetUser(c.ctx(), id); err != nil {
			return unknownID(err, field, id, "user")
		}
	}
	return nil
}

func (s *server) freeOrganization(c *call, name, id string) error {
	if o, err := s.Identity.FindOrganization(c.ctx(), name); err == nil && o.ID != id {
		return badRequest("exists", "name", "An organization named %q exists already.", name)
	}
	return nil
}

func organizationFields(o identity.Organization) fields {
	f := fields{"name": o.Name, "members": strings.Join(o.MemberIDs(), ","), "admins": ""}
	var admins []string
	for _, m := range o.Members {
		if m.Role == identity.MemberRoleAdmin {
			admins = append(admins, m.UserID)
		}
	}
	f["admins"] = strings.Join(admins, ",")
	return f
}
