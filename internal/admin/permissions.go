package admin

import (
	"errors"
	"slices"

	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/identity"
)

// readPermissions is GET /api/aigateway/v1/endpoints/{name}/permissions.
func (s *server) readPermissions(c *call) error {
	e, err := s.endpoint(c)
	if err != nil {
		return err
	}
	return c.replyPermissions(e)
}

// updatePermissions is PATCH /api/aigateway/v1/endpoints/{name}/permissions.
func (s *server) updatePermissions(c *call) error {
	var patch api.PermissionsPatch
	if err := c.decode(&patch); err != nil {
		return err
	}
	e, err := s.updateEndpoint(c, audit.KindChangeEndpointPermissions, func(before *catalog.Endpoint) (*catalog.Endpoint, error) {
		after := *before
		var err error
		after.Permissions, err = s.permit(c, before.Permissions, patch, "")
		return &after, err
	})
	if err != nil {
		return err
	}
	return c.replyPermissions(e)
}

func (c *call) replyPermissions(e *catalog.Endpoint) error {
	p := e.Permissions
	return c.replyVersioned(etag(e), api.Permissions{
		IsEveryoneAllowed: p.Everyone, UserIDs: distinct(p.Users), OrganizationIDs: distinct(p.Organizations),
		Roles: p.Roles, Projects: p.Projects,
	})
}

// permit lays a patch over permissions. Domino's clients know one list,
// userIds, in which ids of organizations stand beside those of users; they
// must read back what they wrote, and taking an id out of the list must take
// the permission away. So organizations named in userIds stay in it and are
// listed in organizationIds too, and replacing userIds replaces those of its
// organizations that the new list does not name.
func (s *server) permit(
	c *call, before catalog.Permissions, patch api.PermissionsPatch, prefix string,
) (catalog.Permissions, error) {
	after := before
	if patch.IsEveryoneAllowed != nil {
		after.Everyone = *patch.IsEveryoneAllowed
	}
	if patch.OrganizationIDs != nil {
		if err := s.knownOrganizations(c, *patch.OrganizationIDs, prefix+"organizationIds"); err != nil {
			return after, err
		}
		after.Organizations = distinct(*patch.OrganizationIDs)
		if patch.UserIDs == nil {
			after.Users = s.onlyUsers(c, before.Users, after.Organizations)
		}
	}
	if patch.UserIDs != nil {
		if err := s.permitUsers(c, before, &after, patch, prefix+"userIds"); err != nil {
			return after, err
		}
	}
	if patch.Roles != nil {
		after.Roles = distinct(*patch.Roles)
	}
	if patch.Projects != nil {
		after.Projects = distinct(*patch.Projects)
	}
	return after, nil
}

// permitUsers replaces userIds, which may name organizations too.
func (s *server) permitUsers(
	c *call, before catalog.Permissions, after *catalog.Permissions, patch api.PermissionsPatch, field string,
) error {
	ids, organizationsGiven := *patch.UserIDs, patch.OrganizationIDs != nil
	organizations := append([]string(nil), after.Organizations...)
	for _, old := range before.Users {
		if !organizationsGiven && !slices.Contains(ids, old) {
			organizations = without(organizations, old)
		}
	}
	for _, id := range ids {
		if _, err := s.Identity.GetUser(c.ctx(), id); err == nil {
			continue
		}
		if _, err := s.Identity.GetOrganization(c.ctx(), id); err != nil {
			return unknownID(err, field, id, "user or organization")
		}
		organizations = append(organizations, id)
	}
	after.Users, after.Organizations = distinct(ids), distinct(organizations)
	return nil
}

// onlyUsers keeps the users of a userIds list, and those of its organizations
// that are still permitted.
func (s *server) onlyUsers(c *call, ids, organizations []string) []string {
	var out []string
	for _, id := range ids {
		if _, err := s.Identity.GetUser(c.ctx(), id); err == nil || slices.Contains(organizations, id) {
			out = append(out, id)
		}
	}
	return distinct(out)
}

func (s *server) knownOrganizations(c *call, ids []string, field string) error {
	for _, id := range ids {
		if _, err := s.Identity.GetOrganization(c.ctx(), id); err != nil {
			return unknownID(err, field, id, "organization")
		}
	}
	return nil
}

func unknownID(err error, field, id, what string) error {
	if !errors.Is(err, identity.ErrNotFound) {
		return err
	}
	return badRequest("unknown_id", field, "The field %s names %q, and there is no %s with this id.", field, id, what)
}
