package ui

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

// chips are users and organizations that were picked from the directory.
type chips struct {
	Name, Label, Help string
	Source            string // where the picker searches; "": it does not, and ids are typed
	Chosen            []option
	Typed             string // names that were typed and not picked
	Error             string
}

// grantsForm is the part of a form that says who may use an endpoint, and who
// looks after it.
type grantsForm struct {
	endpoint                     string
	Access                       *field
	Users, Organizations, Owners *chips
	Roles, Projects              *field
	Open                         bool // roles and projects are not folded
}

// Values of the field access.
const (
	accessSome     = "some"
	accessEveryone = "everyone"
)

// newGrantsForm makes the fields of an endpoint's permissions ("": of a new one's) with what is stored, or with what was typed
// where values is not nil.
func (c *call) newGrantsForm(endpoint string, p api.Permissions, values url.Values) (*grantsForm, error) {
	access := accessSome
	if p.IsEveryoneAllowed {
		access = accessEveryone
	}
	users := slices.DeleteFunc(slices.Clone(p.UserIDs), func(id string) bool { return contains(p.OrganizationIDs, id) })
	organizations, owners, roles, projects := p.OrganizationIDs, p.OwnerIDs, strings.Join(p.Roles, ", "), strings.Join(p.Projects, ", ")
	if values != nil {
		access, roles, projects = values.Get("access"), values.Get("roles"), values.Get("projects")
		users, organizations, owners = values["userIds"], values["organizationIds"], values["ownerIds"]
	}
	g := &grantsForm{
		endpoint: endpoint,
		Access: &field{Name: "access", Label: "Who may use it", Kind: kindRadio, Value: access, Options: []option{
			{accessSome, "Only these", "Users, organizations, roles and projects that you name."},
			{accessEveryone, "Everyone", "All who can sign in to this gateway."},
		}},
		Users:         &chips{Name: "userIds", Label: "Users"},
		Organizations: &chips{Name: "organizationIds", Label: "Organizations"},
		Owners:        &chips{Name: "ownerIds", Label: "Owners", Help: "They may change the endpoint and read its log. That alone does not let them use it."},
		Roles:         &field{Name: "roles", Label: "Roles", Value: roles, Placeholder: "data-scientist, reviewer", Help: "With commas between them."},
		Projects:      &field{Name: "projects", Label: "Projects", Value: projects, Help: "With commas between them."},
		Open:          roles != "" || projects != "",
	}
	known, err := c.names(endpoint, slices.Concat(users, organizations, owners))
	if err != nil {
		return nil, err
	}
	for _, x := range []struct {
		chips *chips
		ids   []string
		kind  string
	}{{g.Users, users, kindUsers}, {g.Organizations, organizations, kindOrganizations}, {g.Owners, owners, kindBoth}} {
		for _, id := range x.ids {
			o := option{Value: id, Label: known[id]}
			if o.Label == "" {
				o.Label = id
			}
			x.chips.Chosen = append(x.chips.Chosen, o)
		}
		if c.searches(endpoint) {
			x.chips.Source = endpointsPath + "/~directory?" + url.Values{"kind": {x.kind}, "endpoint": {endpoint}}.Encode()
		}
		if values != nil {
			x.chips.Typed = strings.TrimSpace(values.Get(x.chips.Name + ".typed"))
		}
	}
	return g, nil
}

func (g *grantsForm) failed() bool {
	return g != nil && g.wrong()
}

func (g *grantsForm) wrong() bool {
	return g.Users.Error != "" || g.Organizations.Error != "" || g.Owners.Error != "" || g.Roles.Error != "" || g.Projects.Error != ""
}

// refused puts an error of REST at the field that it names, if that is one of
// these.
func (g *grantsForm) refused(err error) bool {
	var e *client.Error
	if g == nil || !errors.As(err, &e) || e.Status != http.StatusBadRequest {
		return false
	}
	name := e.Field[strings.LastIndexByte(e.Field, '.')+1:]
	for at, text := range map[string]*string{
		"userIds": &g.Users.Error, "organizationIds": &g.Organizations.Error, "ownerIds": &g.Owners.Error,
		"roles": &g.Roles.Error, "projects": &g.Projects.Error,
	} {
		if at == name {
			*text = e.Error()
			return true
		}
	}
	return false
}

// grants is what the form asks for. Names that were typed become ids; one that
// nobody has is an error at its field.
func (c *call) grants(g *grantsForm) (api.PermissionsPatch, error) {
	everyone := g.Access.Value == accessEveryone
	out := api.PermissionsPatch{IsEveryoneAllowed: &everyone}
	words := func(text string) *[]string {
		list := []string{}
		for _, w := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' }) {
			if w = strings.TrimSpace(w); w != "" {
				list = append(list, w)
			}
		}
		return &list
	}
	out.Roles, out.Projects = words(g.Roles.Value), words(g.Projects.Value)
	for _, x := range []struct {
		chips *chips
		kind  string
		into  **[]string
	}{{g.Users, kindUsers, &out.UserIDs}, {g.Organizations, kindOrganizations, &out.OrganizationIDs}, {g.Owners, kindBoth, &out.OwnerIDs}} {
		ids := []string{}
		for _, o := range x.chips.Chosen {
			ids = append(ids, o.Value)
		}
		for _, name := range *words(x.chips.Typed) {
			found, err := c.find(g.endpoint, x.kind, name)
			switch {
			case err != nil:
				return out, err
			case len(found) == 0:
				x.chips.Error = "There is nobody named “" + name + "” in the directory. Search, and choose from the list."
			case len(found) > 1:
				x.chips.Error = "There are a user and an organization named “" + name + "”. Search, and choose from the list."
			default:
				ids = append(ids, found[0])
			}
		}
		*x.into = &ids
	}
	return out, nil
}
