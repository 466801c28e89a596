package admin

import (
	"errors"
	"strings"
	"time"

	"sluice/internal/audit"
	"sluice/internal/identity"
	"sluice/internal/scim"
)

// directory is the gateway's users and organizations as SCIM sees them, for one
// request. What it changes takes the same way as a change by REST: checked,
// written to the trail, committed.
//
// SCIM sees persons that it made, and those whom claims of the same identity
// provider made. Those whom an administrator made by hand it sees where
// identity.scim.adopt says so: else whoever can name a user at the provider
// could take over one of the same name here. Service accounts it never sees.
// The same holds for organizations; of members it sees and changes those that it
// made.
type directory struct {
	s    *server
	c    *call
	orgs map[string]*identity.Organization // those that SCIM sees; nil: not read yet
}

var _ scim.Directory = (*directory)(nil)

func (d *directory) seesUser(u *identity.User) bool {
	return u.Kind == identity.KindPerson && (u.Source != identity.SourceManual || d.s.AdoptBySCIM)
}

func (d *directory) seesOrganization(o *identity.Organization) bool {
	return o.Source != identity.SourceManual || d.s.AdoptBySCIM
}

// List lists users by name, or organizations by name.
func (d *directory) List(k *scim.Kind) ([]scim.Resource, error) {
	var out []scim.Resource
	if k == scim.Users {
		for _, u := range d.s.Identity.Users() {
			if d.seesUser(u) {
				out = append(out, d.user(u))
			}
		}
		return out, nil
	}
	for _, o := range d.s.Identity.Organizations() {
		if d.seesOrganization(o) {
			out = append(out, d.organization(o))
		}
	}
	return out, nil
}

// Get finds a user or an organization.
func (d *directory) Get(k *scim.Kind, id string) (scim.Resource, error) {
	if k == scim.Users {
		u, err := d.findUser(id)
		return d.user(&u), err
	}
	o, err := d.findOrganization(id)
	return d.organization(&o), err
}

func (d *directory) findUser(id string) (identity.User, error) {
	u, err := d.s.Identity.GetUser(d.c.ctx(), id)
	if err != nil || !d.seesUser(&u) {
		return u, scim.NotFound(scim.Users, id)
	}
	return u, nil
}

func (d *directory) findOrganization(id string) (identity.Organization, error) {
	o, err := d.s.Identity.GetOrganization(d.c.ctx(), id)
	if err != nil || !d.seesOrganization(&o) {
		return o, scim.NotFound(scim.Groups, id)
	}
	return o, nil
}

// user is a user as SCIM sees him.
func (d *directory) user(u *identity.User) scim.Resource {
	kept, _ := d.s.SCIM.Get(u.ID)
	return resource(u.ID, u.Name, kept, u.Created, func(lists bool) scim.Document {
		doc := scim.Describe(kept.Attributes, u.Name, u.FullName, u.Email, !u.Disabled)
		if groups := d.groups(u.ID, lists); groups != nil {
			doc["groups"] = groups
		}
		return doc
	})
}

// groups are those organizations of a user that SCIM put him into; none unless
// they are asked for.
func (d *directory) groups(userID string, wanted bool) (groups []any) {
	if !wanted {
		return nil
	}
	for _, id := range d.s.Identity.OrganizationsOf(userID) {
		o := d.organizations()[id]
		if o == nil {
			continue
		}
		if m, _ := o.Member(userID); m.Source == identity.SourceSCIM {
			groups = append(groups, scim.Document{"value": o.ID, "display": o.Name, "type": "direct"})
		}
	}
	return groups
}

// organizations are those that SCIM sees, by id.
func (d *directory) organizations() map[string]*identity.Organization {
	if d.orgs == nil {
		d.orgs = map[string]*identity.Organization{}
		for _, o := range d.s.Identity.Organizations() {
			if d.seesOrganization(o) {
				d.orgs[o.ID] = o
			}
		}
	}
	return d.orgs
}

// organization is an organization as SCIM sees it.
func (d *directory) organization(o *identity.Organization) scim.Resource {
	kept, _ := d.s.SCIM.Get(o.ID)
	return resource(o.ID, o.Name, kept, o.Created, func(lists bool) scim.Document {
		doc := scim.Document{"displayName": o.Name}
		if id, ok := kept.Attributes["externalId"]; ok {
			doc["externalId"] = id
		}
		var members []any
		for _, m := range o.Members {
			if lists && m.Source == identity.SourceSCIM {
				members = append(members, scim.Document{"value": m.UserID, "type": "User"})
			}
		}
		if members != nil {
			doc["members"] = members
		}
		return doc
	})
}

func resource(id, name string, kept scim.Kept, created time.Time, document func(lists bool) scim.Document) scim.Resource {
	modified := kept.Modified
	if modified.Before(created) {
		modified = created
	}
	externalID, _ := kept.Attributes["externalId"].(string)
	return scim.Resource{
		ID: id, Name: name, ExternalID: externalID, Document: document, Created: created, Modified: modified,
		Version: func() string { return etagOf(id, document(true)) },
	}
}

// Create makes a user or an organization.
func (d *directory) Create(k *scim.Kind, doc scim.Document) (scim.Resource, error) {
	d.s.people.Lock()
	defer d.s.people.Unlock()
	if k == scim.Users {
		return d.createUser(doc)
	}
	return d.createOrganization(doc)
}

// Change changes a user or an organization.
func (d *directory) Change(k *scim.Kind, id string, change func(scim.Document) (scim.Document, error)) (scim.Resource, error) {
	d.s.people.Lock()
	defer d.s.people.Unlock()
	before, err := d.Get(k, id)
	if err != nil {
		return scim.Resource{}, err
	}
	if err := d.c.ifMatch(strings.ToLower(k.Name), before.Version()); err != nil {
		return scim.Resource{}, err
	}
	doc, err := change(before.Document(true))
	if err != nil {
		return scim.Resource{}, err
	}
	d.orgs = nil // what comes after shows what has changed
	if k == scim.Users {
		return d.changeUser(before, doc)
	}
	return d.changeOrganization(before, doc)
}

// Delete deletes a user or an organization.
func (d *directory) Delete(k *scim.Kind, id string) error {
	d.s.people.Lock()
	defer d.s.people.Unlock()
	before, err := d.Get(k, id)
	if err != nil {
		return err
	}
	if err := d.c.ifMatch(strings.ToLower(k.Name), before.Version()); err != nil {
		return err
	}
	if k == scim.Groups {
		o, err := d.findOrganization(id)
		if err != nil {
			return err
		}
		return d.s.removeOrganization(d.c, o)
	}
	u, err := d.findUser(id)
	if err != nil {
		return err
	}
	return d.s.removeUser(d.c, u)
}

// told turns an error of the store into one of SCIM.
func told(err error) error {
	var field *identity.FieldError
	switch {
	case errors.Is(err, identity.ErrExists):
		return scim.Taken("%s.", sentence(err))
	case errors.As(err, &field):
		return scim.Invalid("%s.", sentence(field))
	}
	return err
}

// nameTaken says why a name can't be had.
func nameTaken(what, name, source string) error {
	hint := ""
	if source == identity.SourceManual {
		hint = " It was made by hand; identity.scim.adopt lets SCIM take it over."
	}
	return scim.Taken("There is a %s named %q already.%s", what, name, hint)
}

// keep commits a change and then what SCIM alone knows of it. Where the second
// fails the client is told so, and its next try finds what the first made.
func (d *directory) keep(doc scim.Document, names []string, commit func() (id string, err error), events ...*audit.Event) error {
	var id string
	err := d.s.change(d.c, func() (err error) {
		id, err = commit()
		return err
	}, events...)
	if err != nil {
		return told(err)
	}
	return d.s.SCIM.Put(d.c.ctx(), id, doc, names...)
}
