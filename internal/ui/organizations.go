package ui

import (
	"net/http"
	"net/url"

	"sluice/internal/admin/api"
)

// organizations is GET /ui/people/organizations.
func (s *UI) organizations(c *call) error {
	l := c.listing("name", "created")
	found, err := c.rest.ListOrganizations(c.ctx(), l.Query())
	if err != nil {
		return err
	}
	l.Total = found.Metadata.TotalCount
	return c.page("organizations", "Organizations", map[string]any{"List": l, "Rows": found.Organizations, "Tabs": c.peopleTabs()})
}

// memberRow is a member as the page of an organization shows it.
type memberRow struct {
	api.Member
	Link, Path, From string
	Admin            bool
}

// organization is GET /ui/people/organizations/{id}.
func (s *UI) organization(c *call) error {
	o, err := c.rest.Organization(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	here := organizationsPath + "/" + o.ID
	rows := []memberRow{}
	for _, m := range o.MemberDetails {
		rows = append(rows, memberRow{
			Member: m, Link: usersPath + "/" + m.UserID, Path: here + "/members/" + m.UserID, From: sourceName(m.Source),
			Admin: m.Role == api.MemberRoleAdmin,
		})
	}
	return c.page("organization", o.Name, map[string]any{"Organization": o, "Rows": rows, "Path": here, "Source": sourceName(o.Source)})
}

// newOrganization is GET and POST /ui/people/organizations/new.
func (s *UI) newOrganization(c *call) error {
	f := &form{
		Title: "New organization", Action: organizationsPath + "/new", Submit: "Create organization", Back: organizationsPath,
		Text:   "Endpoints can be shared with an organization; its members may use them as long as they are in it.",
		Fields: []*field{{Name: "name", Label: "Name", Required: true, Focus: true}},
	}
	if !c.post() {
		return c.form(f)
	}
	f.read(c.r)
	o, err := c.rest.CreateOrganization(c.ctx(), api.NewOrganization{Name: f.value("name")})
	return c.saved(f, err, organizationsPath+"/"+o.ID, "The organization "+o.Name+" was made.")
}

// editOrganization is GET and POST /ui/people/organizations/{id}/edit.
func (s *UI) editOrganization(c *call) error {
	o, err := c.rest.Organization(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	here := organizationsPath + "/" + o.ID
	f := &form{Title: "Rename " + o.Name, Action: here + "/edit", Submit: "Save", Back: here,
		Fields: []*field{{Name: "name", Label: "Name", Value: o.Name, Required: true, Focus: true}}}
	if !c.post() {
		return c.form(f)
	}
	f.read(c.r)
	name := f.value("name")
	_, err = c.rest.UpdateOrganization(c.ctx(), o.ID, api.OrganizationPatch{Name: &name})
	return c.saved(f, err, here, "The organization is called "+name+" now.")
}

// deleteOrganization is GET and POST /ui/people/organizations/{id}/delete.
func (s *UI) deleteOrganization(c *call) error {
	o, err := c.rest.Organization(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	here := organizationsPath + "/" + o.ID
	f := confirm("Delete "+o.Name+"?", "Its members lose what was shared with it. The members themselves stay. This can't be undone.",
		here+"/delete", "Delete", here)
	if !c.post() {
		return c.form(f)
	}
	if err := c.rest.DeleteOrganization(c.ctx(), o.ID); err != nil {
		return err
	}
	return c.done(organizationsPath, o.Name+" was deleted.")
}

var memberRoles = []option{
	{api.MemberRoleMember, "Member", "Uses what is shared with the organization"},
	{api.MemberRoleAdmin, "Admin", "Also adds and removes members"},
}

// addMember is GET and POST /ui/people/organizations/{id}/members/add. With
// ?find= it is asked again while one types a name.
func (s *UI) addMember(c *call) error {
	o, err := c.rest.Organization(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	here := organizationsPath + "/" + o.ID
	f := &form{Title: "Add a member to " + o.Name, Action: here + "/members/add", Submit: "Add member", Back: here, Fields: []*field{
		{Name: "user", Label: "User", Kind: kindSuggest, Required: true, Focus: true, Help: "Type the user name."},
		{Name: "role", Label: "Role", Kind: kindRadio, Value: api.MemberRoleMember, Options: memberRoles},
	}}
	// Suggestions for directories of a size at which they help.
	users, err := c.rest.ListUsers(c.ctx(), url.Values{"limit": {"500"}})
	if err != nil {
		return err
	}
	for _, u := range users.Users {
		f.field("user").Options = append(f.field("user").Options, option{u.UserName, u.FullName, ""})
	}
	if !c.post() {
		return c.form(f)
	}
	f.read(c.r)
	change := api.MemberChange{UserID: f.value("user"), Role: f.value("role")}
	if _, err := c.rest.UpdateMembers(c.ctx(), o.ID, api.MembersPatch{Set: []api.MemberChange{change}}); err != nil {
		if isStatus(err, http.StatusNotFound) {
			f.field("user").Error = "There is no user with this name."
			return c.form(f)
		}
		if f.refused(err) {
			f.field("user").Error, f.Error = f.field("user").Error+f.Error, ""
			return c.form(f)
		}
		return err
	}
	return c.done(here, change.UserID+" was added.")
}

// changeMember is GET and POST /ui/people/organizations/{id}/members/{user}.
func (s *UI) changeMember(c *call) error {
	o, m, err := c.member()
	if err != nil {
		return err
	}
	here := organizationsPath + "/" + o.ID
	f := &form{Title: m.UserName + " in " + o.Name, Action: here + "/members/" + m.UserID, Submit: "Save", Back: here,
		Fields: []*field{{Name: "role", Label: "Role", Kind: kindRadio, Value: m.Role, Options: memberRoles}}}
	if !c.post() {
		return c.form(f)
	}
	f.read(c.r)
	_, err = c.rest.SetMember(c.ctx(), o.ID, m.UserID, f.value("role"))
	return c.saved(f, err, here, m.UserName+" was changed.")
}

// removeMember is GET and POST /ui/people/organizations/{id}/members/{user}/out.
func (s *UI) removeMember(c *call) error {
	o, m, err := c.member()
	if err != nil {
		return err
	}
	here := organizationsPath + "/" + o.ID
	f := confirm("Take "+m.UserName+" out of "+o.Name+"?", "What is shared with the organization is closed to them from the next call on.",
		here+"/members/"+m.UserID+"/out", "Take out", here)
	if m.Source != api.SourceManual {
		f.Text += " Your directory made them a member, and may do so again."
	}
	if !c.post() {
		return c.form(f)
	}
	if _, err := c.rest.RemoveMember(c.ctx(), o.ID, m.UserID); err != nil {
		return err
	}
	return c.done(here, m.UserName+" was taken out.")
}

// member is the one that the path names.
func (c *call) member() (api.Organization, api.Member, error) {
	o, err := c.rest.Organization(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return o, api.Member{}, err
	}
	for _, m := range o.MemberDetails {
		if m.UserID == c.r.PathValue("user") {
			return o, m, nil
		}
	}
	return o, api.Member{}, errNotFound
}
