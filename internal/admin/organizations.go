package admin

import (
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
	return c.reply(http.StatusOK, api.OrganizationList{Organizations: list, Metadata: c.metadata(p, total)})
}

// organizationsPage lists all organizations, or those the caller is in.
func (s *server) organizationsPage(c *call, all bool) (list []api.Organization, p page, total int, err error) {
	p, err = c.page()
	if err != nil {
		return nil, p, 0, err
	}
	found := []api.Organization{}
	for _, o := range s.Identity.ListOrganizations(c.ctx()) {
		if (all || slices.Contains(o.Members, c.caller.UserID)) && p.matches(o.Name, o.ID) {
			found = append(found, organizationShape(o))
		}
	}
	order(found, p, func(o api.Organization) string {
		if p.sortBy == "created" {
			return o.Created.Format("20060102150405.000")
		}
		return strings.ToLower(o.Name)
	})
	return cut(found, p), p, len(found), nil
}

func organizationShape(o identity.Organization) api.Organization {
	return api.Organization{ID: o.ID, Name: o.Name, Members: distinct(o.Members), Created: shown(o.Created)}
}

// readOrganization is GET /api/sluice/v1/organizations/{id}.
func (s *server) readOrganization(c *call) error {
	o, err := s.organization(c)
	if err != nil {
		return err
	}
	return c.replyOrganization(o)
}

func (c *call) replyOrganization(o identity.Organization) error {
	return c.replyVersioned(organizationETag(o), organizationShape(o))
}

func organizationETag(o identity.Organization) string { return etagOf(o.ID, organizationFields(o)) }

// organization returns the one that the path names, as far as the caller's
// scope goes.
func (s *server) organization(c *call) (identity.Organization, error) {
	id := c.r.PathValue("id")
	o, err := s.Identity.GetOrganization(c.ctx(), id)
	if err != nil || !c.all() && !slices.Contains(o.Members, c.caller.UserID) {
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
	if err := s.freeOrganization(c, in.Name, ""); err != nil {
		return err
	}
	o := identity.Organization{ID: catalog.NewID(), Name: in.Name, Members: distinct(in.Members)}
	err := s.change(c, func() (err error) {
		o, err = s.Identity.CreateOrganization(c.ctx(), o)
		return err
	}, c.event(kindCreateOrganization, "organization", o.ID, o.Name, diff(nil, organizationFields(o))))
	if err != nil {
		return err
	}
	return c.replyOrganization(o)
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

// addMember is PUT /api/sluice/v1/organizations/{id}/members/{user}.
func (s *server) addMember(c *call) error {
	user := c.r.PathValue("user")
	return s.changeOrganization(c, kindAddMember, func(o *identity.Organization) error {
		if _, err := s.Identity.GetUser(c.ctx(), user); err != nil {
			return notFound("user", user)
		}
		o.Members = distinct(append(o.Members, user))
		return nil
	})
}

// removeMember is DELETE /api/sluice/v1/organizations/{id}/members/{user}.
func (s *server) removeMember(c *call) error {
	user := c.r.PathValue("user")
	return s.changeOrganization(c, kindRemoveMember, func(o *identity.Organization) error {
		if !slices.Contains(o.Members, user) {
			return notFound("member", user)
		}
		o.Members = without(o.Members, user)
		return nil
	})
}

// changeOrganization works out a change of the organization that the path
// names, makes it, and replies with what it is now.
func (s *server) changeOrganization(c *call, kind string, work func(*identity.Organization) error) error {
	s.people.Lock()
	defer s.people.Unlock()
	before, err := s.organization(c)
	if err != nil {
		return err
	}
	if err := c.ifMatch("organization", organizationETag(before)); err != nil {
		return err
	}
	after := before
	if err := work(&after); err != nil {
		return err
	}
	changes := diff(organizationFields(before), organizationFields(after))
	if len(changes) == 0 {
		return c.replyOrganization(before)
	}
	err = s.change(c, func() (err error) {
		after, err = s.Identity.UpdateOrganization(c.ctx(), before.ID, func(o *identity.Organization) error {
			*o = after
			return nil
		})
		return err
	}, c.event(kind, "organization", before.ID, after.Name, changes))
	if err != nil {
		return err
	}
	return c.replyOrganization(after)
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
	s.endpoints.Lock() // permissions change too
	defer s.endpoints.Unlock()
	events := append([]*audit.Event{
		c.event(kindDeleteOrganization, "organization", o.ID, o.Name, diff(organizationFields(o), nil)),
	}, s.forgotten(c, o.ID)...)
	err = s.change(c, func() error {
		_, err := s.Identity.DeleteOrganization(c.ctx(), o.ID)
		return err
	}, events...)
	if err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
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
	return fields{"name": o.Name, "members": strings.Join(distinct(o.Members), ",")}
}
