package admin

import (
	"net/http"

	"sluice/internal/catalog"
	"sluice/internal/identity"
)

type (
	// dominoOrganizationEnvelope is Domino's OrganizationEnvelopeV1.
	dominoOrganizationEnvelope struct {
		Organization dominoOrganization `json:"org"`
		Metadata     dominoMetadata     `json:"metadata"`
	}
	// dominoNewOrganization is Domino's NewOrganizationV1.
	dominoNewOrganization struct {
		Name    string         `json:"name"`
		Members []dominoMember `json:"members"`
	}
)

func dominoOrganizationShape(o *identity.Organization) dominoOrganization {
	out := dominoOrganization{ID: o.ID, Name: o.Name, Members: []dominoMember{}}
	for _, m := range o.Members {
		out.Members = append(out.Members, dominoMember{UserID: m.UserID, Role: m.Role})
	}
	return out
}

func (c *call) replyDominoOrganization(o *identity.Organization) error {
	return c.reply(http.StatusOK, dominoOrganizationEnvelope{dominoOrganizationShape(o), c.dominoMetadata()})
}

// dominoOrganization is GET /api/organizations/v1/organizations/{id}.
func (s *server) dominoOrganization(c *call) error {
	o, err := s.organization(c)
	if err != nil {
		return err
	}
	return c.replyDominoOrganization(&o)
}

// dominoCreateOrganization is POST /api/organizations/v1/organizations.
func (s *server) dominoCreateOrganization(c *call) error {
	var in dominoNewOrganization
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Name == "" {
		return badRequest("missing_field", "name", "The field name is required.")
	}
	s.people.Lock()
	defer s.people.Unlock()
	o := identity.Organization{ID: catalog.NewID(), Name: in.Name}
	for _, m := range in.Members {
		if _, err := s.Identity.GetUser(c.ctx(), m.UserID); err != nil {
			return unknownID(err, "members", m.UserID, "user")
		}
		if err := s.setMember(&o, m.UserID, m.Role, "members"); err != nil {
			return err
		}
	}
	if err := s.addOrganization(c, &o); err != nil {
		return err
	}
	return c.replyDominoOrganization(&o)
}

// dominoAddUser is PUT /api/organizations/v1/organizations/{id}/user.
func (s *server) dominoAddUser(c *call) error {
	var in dominoMember
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.UserID == "" {
		return badRequest("missing_field", "userId", "The field userId is required.")
	}
	return s.changeOrganizationAnd(c, kindAddMember, func(o *identity.Organization) error {
		return s.setMember(o, in.UserID, in.Role, "organizationRole")
	}, c.replyDominoOrganization)
}

// dominoRemoveUser is DELETE
// /api/organizations/v1/organizations/{id}/user?memberToRemoveId=….
func (s *server) dominoRemoveUser(c *call) error {
	user := c.r.URL.Query().Get("memberToRemoveId")
	if user == "" {
		return badRequest("invalid_parameter", "memberToRemoveId", "The parameter memberToRemoveId is required.")
	}
	return s.changeOrganizationAnd(c, kindRemoveMember, func(o *identity.Organization) error {
		return s.dropMember(o, user)
	}, c.replyDominoOrganization)
}
