package admin

import (
	"encoding/json"

	"sluice/internal/catalog"
	"sluice/internal/identity"
	"sluice/internal/scim"
)

// scimFields are the fields of an event about what SCIM says: those of REST,
// and what only SCIM knows.
func scimFields(f fields, source string, doc scim.Document, names []string) fields {
	f["source"] = source
	for _, name := range names {
		v, said := doc[name]
		switch {
		case !said, name == "displayName": // it is the full name
		case name == "active": // whether it is said; what it says is in "disabled"
			f["scim.active"] = "said"
		default:
			f["scim."+name] = valueText(v)
		}
	}
	return f
}

func valueText(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was JSON
	}
	return string(b)
}

// fill puts what a document says into a user.
func fill(u *identity.User, doc scim.Document) {
	u.Name, _ = doc["userName"].(string)
	u.FullName, u.Email, u.Source = scim.FullName(doc), scim.Email(doc), identity.SourceSCIM
	if active, said := doc["active"].(bool); said {
		u.Disabled = !active
	}
}

func (d *directory) createUser(doc scim.Document) (scim.Resource, error) {
	u := identity.User{ID: catalog.NewID(), Kind: identity.KindPerson}
	fill(&u, doc)
	if other, err := d.s.Identity.FindUser(d.c.ctx(), u.Name); err == nil {
		return scim.Resource{}, nameTaken("user", u.Name, other.Source)
	}
	err := d.keep(doc, scim.UserAttributes, func() (id string, err error) {
		u, err = d.s.Identity.CreateUser(d.c.ctx(), u)
		return u.ID, err
	}, d.c.event(kindCreateUser, "user", u.ID, u.Name, diff(nil, scimFields(userFields(u), u.Source, doc, scim.UserAttributes))))
	return d.user(&u), err
}

func (d *directory) changeUser(seen scim.Resource, doc scim.Document) (scim.Resource, error) {
	before, err := d.findUser(seen.ID)
	if err != nil {
		return scim.Resource{}, err
	}
	if err := d.s.mayTouch(d.c, before); err != nil {
		return scim.Resource{}, err
	}
	after := before
	fill(&after, doc)
	if other, err := d.s.Identity.FindUser(d.c.ctx(), after.Name); err == nil && other.ID != after.ID {
		return scim.Resource{}, nameTaken("user", after.Name, other.Source)
	}
	if !administers(after) && d.s.lastAdministrator(before) {
		return scim.Resource{}, errLastAdministrator
	}
	changes := diff(
		scimFields(userFields(before), before.Source, seen.Document(true), scim.UserAttributes),
		scimFields(userFields(after), after.Source, doc, scim.UserAttributes))
	if len(changes) == 0 {
		return seen, nil
	}
	err = d.keep(doc, scim.UserAttributes, func() (string, error) {
		after, err = d.s.Identity.UpdateUser(d.c.ctx(), before.ID, func(u *identity.User) error {
			fill(u, doc) // and not the whole: claims may have changed the rest meanwhile
			return nil
		})
		return before.ID, err
	}, d.c.event(kindUpdateUser, "user", before.ID, after.Name, changes))
	return d.user(&after), err
}

// members brings the members of an organization in line with a document: those
// that others made stay as they are.
func (d *directory) members(before []identity.Member, doc scim.Document) ([]identity.Member, error) {
	wanted := map[string]bool{}
	list, _ := doc["members"].([]any)
	for _, element := range list {
		m, _ := element.(scim.Document)
		id, _ := m["value"].(string)
		if m["type"] == "Group" {
			return nil, scim.Invalid("The member %q is a group; groups within groups are not kept here.", id)
		}
		if _, err := d.findUser(id); err != nil {
			return nil, scim.Invalid("The member %q is no user that SCIM keeps here.", id)
		}
		wanted[id] = true
	}
	var after []identity.Member
	for _, m := range before {
		switch {
		case wanted[m.UserID]:
			m.Source = identity.SourceSCIM
		case m.Source == identity.SourceSCIM:
			continue
		}
		delete(wanted, m.UserID)
		after = append(after, m)
	}
	for id := range wanted {
		after = append(after, identity.Member{UserID: id, Role: identity.MemberRoleMember, Source: identity.SourceSCIM})
	}
	identity.SortMembers(after)
	return after, nil
}

func (d *directory) createOrganization(doc scim.Document) (scim.Resource, error) {
	name, _ := doc["displayName"].(string)
	o := identity.Organization{ID: catalog.NewID(), Name: name, Source: identity.SourceSCIM}
	if other, err := d.s.Identity.FindOrganization(d.c.ctx(), name); err == nil {
		return scim.Resource{}, nameTaken("group", name, other.Source)
	}
	var err error
	if o.Members, err = d.members(nil, doc); err != nil {
		return scim.Resource{}, err
	}
	err = d.keep(doc, scim.GroupAttributes, func() (id string, err error) {
		o, err = d.s.Identity.CreateOrganization(d.c.ctx(), o)
		return o.ID, err
	}, d.c.event(kindCreateOrganization, "organization", o.ID, o.Name,
		diff(nil, scimFields(organizationFields(o), o.Source, doc, scim.GroupAttributes))))
	return d.organization(&o), err
}

func (d *directory) changeOrganization(seen scim.Resource, doc scim.Document) (scim.Resource, error) {
	before, err := d.findOrganization(seen.ID)
	if err != nil {
		return scim.Resource{}, err
	}
	after := before
	after.Name, _ = doc["displayName"].(string)
	after.Source = identity.SourceSCIM
	if other, err := d.s.Identity.FindOrganization(d.c.ctx(), after.Name); err == nil && other.ID != after.ID {
		return scim.Resource{}, nameTaken("group", after.Name, other.Source)
	}
	if after.Members, err = d.members(before.Members, doc); err != nil {
		return scim.Resource{}, err
	}
	changes := diff(
		scimFields(organizationFields(before), before.Source, seen.Document(true), scim.GroupAttributes),
		scimFields(organizationFields(after), after.Source, doc, scim.GroupAttributes))
	if len(changes) == 0 {
		return seen, nil
	}
	err = d.keep(doc, scim.GroupAttributes, func() (string, error) {
		after, err = d.s.Identity.UpdateOrganization(d.c.ctx(), before.ID, func(o *identity.Organization) (err error) {
			o.Name, o.Source = after.Name, after.Source
			o.Members, err = d.members(o.Members, doc) // those that claims have changed meanwhile stay so
			return err
		})
		return before.ID, err
	}, d.c.event(kindUpdateOrganization, "organization", before.ID, after.Name, changes))
	return d.organization(&after), err
}
