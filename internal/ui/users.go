package ui

import (
	"slices"
	"strconv"
	"strings"

	"sluice/internal/admin/api"
	"sluice/internal/client"
	"sluice/internal/identity"
)

// userKind is one of the two kinds of user, which have the same pages.
type userKind struct {
	kind, path        string
	one, many, create string
	about, empty      string
	icon              string
}

var (
	people = userKind{
		kind: api.KindPerson, path: usersPath, one: "user", many: "Users", create: "New user",
		about: "The people who use the gateway. They come by hand, at their first sign-in, or from your directory by SCIM.",
		empty: "Make the first user, or let your identity provider bring them.", icon: "users",
	}
	machines = userKind{
		kind: api.KindServiceAccount, path: serviceAccounts, one: "service account", many: "Service accounts", create: "New service account",
		about: "Programs that call models or manage the gateway with tokens of their own.",
		empty: "Make one for each program, so that its calls can be told apart and its token revoked alone.", icon: "bot",
	}
)

// knownRoles are those that the built-in policy knows; a bundle may know more.
var knownRoles = []option{
	{identity.RoleAdministrator, "Administrator", "May do everything but call models that are not shared with them"},
	{identity.RoleAuditor, "Auditor", "Reads the audit trail and all usage"},
	{"endpoint-owner", "Endpoint owner", "Makes endpoints and looks after their own"},
	{"provisioner", "Provisioner", "Keeps users and organizations, as a directory does by SCIM"},
}

// usersOf is GET /ui/people/users and …/service-accounts.
func (s *UI) usersOf(k userKind) func(*call) error {
	return func(c *call) error {
		l := c.listing("userName", "fullName", "email", "created")
		q := l.Query()
		q.Set("kind", k.kind)
		found, err := c.rest.ListUsers(c.ctx(), q)
		if err != nil {
			return err
		}
		l.Total = found.Metadata.TotalCount
		return c.page("users", k.many, map[string]any{
			"List": l, "Rows": found.Users, "Tabs": c.peopleTabs(), "Path": k.path, "Create": k.create, "About": k.about,
			"Empty": k.empty, "Icon": k.icon, "Many": k.many, "Machines": k.kind == api.KindServiceAccount,
		})
	}
}

// userOf is the page of one user.
func (s *UI) userOf(k userKind) func(*call) error {
	return func(c *call) error {
		u, err := c.rest.GetUser(c.ctx(), c.r.PathValue("id"))
		if err != nil {
			return err
		}
		if u.Kind != k.kind {
			other := people
			if u.Kind == api.KindServiceAccount {
				other = machines
			}
			return c.redirect(other.path + "/" + u.ID)
		}
		organizations, err := c.organizationNames(u.OrganizationIDs)
		if err != nil {
			return err
		}
		tokens, err := c.rest.AllTokens(c.ctx(), u.ID)
		if err != nil {
			return err
		}
		rows := []tokenRow{}
		for _, t := range slices.Backward(tokens) {
			rows = append(rows, tokenRowOf(t, s.Now()))
		}
		sessions, err := c.rest.AllSessions(c.ctx(), u.ID)
		if err != nil {
			return err
		}
		for i := range sessions {
			sessions[i].Browser = browserName(sessions[i].Browser)
		}
		return c.page("user", u.UserName, map[string]any{
			"User": u, "Path": k.path + "/" + u.ID, "Kind": k.one, "List": k.path, "ListTitle": k.many, "Source": sourceName(u.Source),
			"Organizations": organizations, "Tokens": rows, "Sessions": sessions,
		})
	}
}

func userFields(u api.User) []*field {
	known, others := []string{}, []string{}
	for _, role := range u.Roles {
		if slices.ContainsFunc(knownRoles, func(o option) bool { return o.Value == role }) {
			known = append(known, role)
		} else {
			others = append(others, role)
		}
	}
	return []*field{
		{Name: "userName", Label: "User name", Value: u.UserName, Required: true, Focus: true},
		{Name: "fullName", Label: "Full name", Value: u.FullName},
		{Name: "email", Label: "E-mail", Value: u.Email},
		{Name: "roles", Label: "Roles", Kind: kindMany, Values: known, Options: knownRoles},
		{Name: "otherRoles", Label: "Other roles", Value: strings.Join(others, ", "), Help: "Roles that your own policy bundle knows, with commas between."},
	}
}

func rolesOf(f *form) []string { return append(f.values("roles"), f.list("otherRoles")...) }

// newUserOf is GET and POST …/new.
func (s *UI) newUserOf(k userKind) func(*call) error {
	return func(c *call) error {
		f := &form{Title: k.create, Action: k.path + "/new", Submit: "Create " + k.one, Back: k.path, Fields: userFields(api.User{})}
		if !c.post() {
			return c.form(f)
		}
		f.read(c.r)
		u, err := c.rest.CreateUser(c.ctx(), api.NewUser{
			UserName: f.value("userName"), FullName: f.value("fullName"), Email: f.value("email"), Kind: k.kind, Roles: rolesOf(f),
		})
		return c.saved(f, err, k.path+"/"+u.ID, "The "+k.one+" "+u.UserName+" was made.")
	}
}

// editUserOf is GET and POST …/{id}/edit.
func (s *UI) editUserOf(k userKind) func(*call) error {
	return func(c *call) error {
		version := ""
		u, err := c.rest.GetUser(client.At(c.ctx(), &version), c.r.PathValue("id"))
		if err != nil {
			return err
		}
		if v := c.r.PostFormValue("version"); c.post() && v != "" {
			version = v // roles that somebody else took meanwhile don't come back
		}
		here := k.path + "/" + u.ID
		f := &form{
			Title: "Change " + u.UserName, Action: here + "/edit", Submit: "Save", Back: here, Fields: userFields(u),
			Hidden: []option{{Value: "version", Label: version}},
		}
		if u.Source != api.SourceManual {
			f.Text = "This " + k.one + " comes from your directory, which may change these values again."
		}
		if !c.post() {
			return c.form(f)
		}
		f.read(c.r)
		name, full, mail, roles := f.value("userName"), f.value("fullName"), f.value("email"), rolesOf(f)
		if roles == nil {
			roles = []string{}
		}
		u, err = c.rest.UpdateUser(client.At(c.ctx(), &version), u.ID, api.UserPatch{UserName: &name, FullName: &full, Email: &mail, Roles: &roles})
		return c.saved(f, err, here, u.UserName+" was changed.")
	}
}

// switchUserOf is GET and POST …/{id}/switch: it disables, or enables again.
func (s *UI) switchUserOf(k userKind) func(*call) error {
	return func(c *call) error {
		u, err := c.rest.GetUser(c.ctx(), c.r.PathValue("id"))
		if err != nil {
			return err
		}
		here, disable := k.path+"/"+u.ID, !u.Disabled
		if asked := c.r.PostFormValue("disabled"); c.post() && asked != "" {
			disable = asked == "true" // what the page said, and not the opposite where somebody else was faster
		}
		f := confirm("Disable "+u.UserName+"?", "Tokens and browsers of this "+k.one+" are refused from the next call on. You can enable it again.",
			here+"/switch", "Disable", here)
		if !disable {
			f = confirm("Enable "+u.UserName+"?", "Tokens of this "+k.one+" that have not ended work again.", here+"/switch", "Enable", here)
			f.Danger = false
		}
		f.Hidden = []option{{Value: "disabled", Label: strconv.FormatBool(disable)}}
		if !c.post() {
			return c.form(f)
		}
		if _, err := c.rest.UpdateUser(c.ctx(), u.ID, api.UserPatch{Disabled: &disable}); err != nil {
			return c.again(f, err)
		}
		if disable {
			return c.done(here, u.UserName+" is disabled.")
		}
		return c.done(here, u.UserName+" is enabled.")
	}
}

// deleteUserOf is GET and POST …/{id}/delete.
func (s *UI) deleteUserOf(k userKind) func(*call) error {
	return func(c *call) error {
		u, err := c.rest.GetUser(c.ctx(), c.r.PathValue("id"))
		if err != nil {
			return err
		}
		here := k.path + "/" + u.ID
		f := confirm("Delete "+u.UserName+"?",
			"All tokens are revoked, and permissions of endpoints lose this "+k.one+". The audit trail keeps the calls. This can't be undone.",
			here+"/delete", "Delete", here)
		if !c.post() {
			return c.form(f)
		}
		err = c.rest.DeleteUser(c.ctx(), u.ID)
		return c.saved(f, err, k.path, u.UserName+" was deleted.")
	}
}

// newTokenOf is GET and POST …/{id}/tokens/new.
func (s *UI) newTokenOf(k userKind) func(*call) error {
	return func(c *call) error {
		u, err := c.rest.GetUser(c.ctx(), c.r.PathValue("id"))
		if err != nil {
			return err
		}
		here := k.path + "/" + u.ID
		f := &form{Title: "New token of " + u.UserName, Action: here + "/tokens/new", Submit: "Create token", Back: here, Fields: tokenFields()}
		if !c.post() {
			return c.form(f)
		}
		f.read(c.r)
		in := tokenOf(f, s.Now())
		in.UserID = u.ID
		made, err := c.rest.CreateToken(c.ctx(), in)
		if err != nil {
			return c.again(f, err)
		}
		return c.issued(made, here)
	}
}

// endSessionsOf is GET and POST …/{id}/sessions/end.
func (s *UI) endSessionsOf(k userKind) func(*call) error {
	return func(c *call) error {
		u, err := c.rest.GetUser(c.ctx(), c.r.PathValue("id"))
		if err != nil {
			return err
		}
		here := k.path + "/" + u.ID
		f := confirm("Sign "+u.UserName+" out of all browsers?", "Tokens go on working.", here+"/sessions/end", "Sign out", here)
		if !c.post() {
			return c.form(f)
		}
		if _, err := c.rest.EndSessions(c.ctx(), u.ID); err != nil {
			return err
		}
		return c.done(here, u.UserName+" was signed out of all browsers.")
	}
}
