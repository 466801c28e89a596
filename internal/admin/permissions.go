package admin

import (
	"errors"
	"slices"

	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/identity"
	"sluice/policies"
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
		if after.Permissions, err = s.permit(c, before.Permissions, patch, ""); err != nil {
			return nil, err
		}
		if patch.OwnerIDs != nil {
			err = s.keeps(c, &after, "ownerIds")
		}
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
		Roles: p.Roles, Projects: p.Projects, OwnerIDs: p.Owners,
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
	if patch.OwnerIDs != nil {
		for _, id := range *patch.OwnerIDs {
			if _, err := s.userOrOrganization(c, prefix+"ownerIds", id); err != nil {
				return after, err
			}
		}
		after.Owners = distinct(*patch.OwnerIDs)
	}
	return after, nil
}

// keeps refuses permissions by which a caller who changes an endpoint as its
// owner would lose it: he would not get it back by himself.
func (s *server) keeps(c *call, after *catalog.Endpoint, field string) error {
	if c.all() {
		return nil
	}
	ok, err := s.may(c, policies.ResourcePermissions, policies.VerbUpdate, after)
	if err != nil || ok {
		return err
	}
	return badRequest("owner_lockout", field,
		"With this list you would no longer own the endpoint. Keep your own id in %s; another owner or an administrator can take it out.", field)
}

// userOrOrganization reports whether an id is that of an organization; one that
// is nobody's is an error.
func (s *server) userOrOrganization(c *call, field, id string) (organization bool, err error) {
	if _, err := s.Identity.GetUser(c.ctx(), id); err == nil {
		return false, nil
	}
	if _, err := s.Identity.GetOrganization(c.ctx(), id); err != nil {
		return false, unknownID(err, field, id, "user or organization")
	}
	return true, nil
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
		organization, err := s.userOrOrganization(c, field, id)
		if err != nil {
			return err
		}
		if organization {
			organizations = append(organizations, id)
		}
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
