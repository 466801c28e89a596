package admin

import (
	"cmp"

	"sluice/internal/admin/api"
	"sluice/internal/identity"
)

// putMember is PUT /api/sluice/v1/organizations/{id}/members/{user}. The body
// may be left out: a new member is a plain one, a present one keeps his role.
func (s *server) putMember(c *call) error {
	var in api.MemberRole
	if err := c.decodeOptional(&in); err != nil {
		return err
	}
	return s.changeOrganization(c, kindAddMember, func(o *identity.Organization) error {
		return s.setMember(o, c.r.PathValue("user"), in.Role, "role")
	})
}

// removeMember is DELETE /api/sluice/v1/organizations/{id}/members/{user}.
func (s *server) removeMember(c *call) error {
	return s.changeOrganization(c, kindRemoveMember, func(o *identity.Organization) error {
		return s.dropMember(o, c.r.PathValue("user"))
	})
}

// patchMembers is PATCH /api/sluice/v1/organizations/{id}/members: several
// changes, of which all are made or none.
func (s *server) patchMembers(c *call) error {
	var patch api.MembersPatch
	if err := c.decode(&patch); err != nil {
		return err
	}
	return s.changeOrganization(c, kindUpdateOrganization, func(o *identity.Organization) error {
		for _, user := range patch.Remove {
			if err := s.dropMember(o, user); err != nil {
				return badRequest("member_not_found", "remove", "The field remove names %q, who is no member.", user)
			}
		}
		for _, m := range patch.Set {
			if err := s.setMember(o, m.UserID, m.Role, "set"); err != nil {
				return err
			}
		}
		return nil
	})
}

// setMember makes a user, given by id or name, a member with a role.
func (s *server) setMember(o *identity.Organization, user, role, field string) error {
	if role != "" && role != api.MemberRoleMember && role != api.MemberRoleAdmin {
		return badRequest("invalid_field", field, "The role of a member must be one of %s, %s.", api.MemberRoleMember, api.MemberRoleAdmin)
	}
	id, known := s.Identity.UserID(user)
	if !known {
		return notFound("user", user)
	}
	for i := range o.Members {
		if m := &o.Members[i]; m.UserID == id {
			m.Role = cmp.Or(role, m.Role)
			return nil
		}
	}
	o.Members = append(o.Members, identity.Member{
		UserID: id, Role: cmp.Or(role, identity.MemberRoleMember), Source: identity.SourceManual,
	})
	identity.SortMembers(o.Members)
	return nil
}

func (s *server) dropMember(o *identity.Organization, user string) error {
	id, _ := s.Identity.UserID(user)
	for i, m := range o.Members {
		if m.UserID == id {
			o.Members = append(o.Members[:i], o.Members[i+1:]...)
			return nil
		}
	}
	return notFound("member", user)
}
