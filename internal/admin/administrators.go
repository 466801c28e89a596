package admin

import (
	"net/http"
	"slices"

	"sluice/extproc/dialect"
	"sluice/internal/identity"
)

// mayTouch keeps administrators out of reach of whoever is none: who may keep
// users, by a role of a bundle or by SCIM, must not thereby become an
// administrator, act as one, or shut them out. It is asked with what a user was
// and with what he is to be.
func (s *server) mayTouch(c *call, users ...identity.User) error {
	if c.caller.HasRole(identity.RoleAdministrator) {
		return nil
	}
	for _, u := range users {
		if slices.Contains(u.Roles, identity.RoleAdministrator) {
			return &dialect.Error{
				Status: http.StatusForbidden, Code: "not_permitted",
				Message: "The user " + u.Name + " is an administrator, or would be: only another administrator may do this.",
			}
		}
	}
	return nil
}

// mayTouchOwner is mayTouch for what belongs to a user, such as his tokens.
func (s *server) mayTouchOwner(c *call, userID string) error {
	u, err := s.Identity.GetUser(c.ctx(), userID)
	if err != nil {
		return nil // what a deleted user leaves is nobody's
	}
	return s.mayTouch(c, u)
}
