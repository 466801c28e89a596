package admin

import (
	"net/http"
	"strings"

	"sluice/internal/admin/api"
)

// dominoUser is Domino's UserV1.
type dominoUser struct {
	ID        string   `json:"id"`
	UserName  string   `json:"userName"`
	FirstName string   `json:"firstName"`
	LastName  string   `json:"lastName"`
	FullName  string   `json:"fullName"`
	Email     string   `json:"email"`
	AvatarURL string   `json:"avatarUrl"` // none is kept
	Roles     []string `json:"roles"`
}

// dominoMember and dominoOrganization are Domino's OrganizationV1.
type dominoMember struct {
	UserID string `json:"userId"`
	Role   string `json:"organizationRole"`
}

type dominoOrganization struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"`
	Members []dominoMember `json:"members"`
}

type (
	dominoUserEnvelope struct {
		User     dominoUser     `json:"user"`
		Metadata dominoMetadata `json:"metadata"`
	}
	dominoUserList struct {
		Users    []dominoUser `json:"users"`
		Metadata api.Metadata `json:"metadata"`
	}
	dominoOrganizationList struct {
		Organizations []dominoOrganization `json:"orgs"`
		Metadata      api.Metadata         `json:"metadata"`
	}
	// dominoMetadata is Domino's MetadataV1.
	dominoMetadata struct {
		RequestID string   `json:"requestId"`
		Notices   []string `json:"notices"`
	}
)

func dominoUserShape(u api.User) dominoUser {
	first, last, _ := strings.Cut(u.FullName, " ")
	return dominoUser{
		ID: u.ID, UserName: u.UserName, FirstName: first, LastName: last,
		FullName: u.FullName, Email: u.Email, Roles: u.Roles,
	}
}

func (c *call) dominoMetadata() dominoMetadata {
	return dominoMetadata{RequestID: c.id, Notices: []string{}}
}

// dominoSelf is GET /api/users/v1/self.
func (s *server) dominoSelf(c *call) error {
	u, err := s.Identity.GetUser(c.ctx(), c.caller.UserID)
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, dominoUserEnvelope{dominoUserShape(s.userShape(&u)), c.dominoMetadata()})
}

// dominoUsers is GET /api/users/v1/users.
func (s *server) dominoUsers(c *call) error {
	users, p, total, err := s.usersPage(c)
	if err != nil {
		return err
	}
	list := []dominoUser{}
	for _, u := range users {
		list = append(list, dominoUserShape(u))
	}
	return c.reply(http.StatusOK, dominoUserList{list, c.metadata(p, total)})
}

// dominoOrganizations is GET /api/organizations/v1/organizations: the
// caller's own.
func (s *server) dominoOrganizations(c *call) error { return s.dominoOrganizationList(c, false) }

// dominoAllOrganizations is GET /api/organizations/v1/organizations/all.
func (s *server) dominoAllOrganizations(c *call) error { return s.dominoOrganizationList(c, c.all()) }

func (s *server) dominoOrganizationList(c *call, all bool) error {
	organizations, p, total, err := s.organizationsPage(c, all)
	if err != nil {
		return err
	}
	list := []dominoOrganization{}
	for _, o := range organizations {
		list = append(list, dominoOrganizationShape(o))
	}
	return c.reply(http.StatusOK, dominoOrganizationList{list, c.metadata(p, total)})
}
