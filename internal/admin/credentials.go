package admin

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"sluice/extproc/provider"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/policies"
)

// maxUsedBy is how many endpoints a credential's shape names.
const maxUsedBy = 100

// listCredentials is GET /api/sluice/v1/credentials.
func (s *server) listCredentials(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	snap := s.Catalog.Snapshot()
	found := slices.DeleteFunc(snap.Credentials(), func(k *catalog.Credential) bool { return !p.matches(k.Name, k.ID, k.Provider) })
	users := snap.Users()
	order(found, p, func(k *catalog.Credential) string {
		switch p.sortBy {
		case "provider":
			return k.Provider
		case "created":
			return sortable(&k.Created)
		case "rotated":
			return sortable(&k.Rotated)
		case "usedByCount":
			return fmt.Sprintf("%09d", len(users[k.ID]))
		}
		return strings.ToLower(k.Name)
	})
	list := api.CredentialList{Credentials: []api.Credential{}, Metadata: c.metadata(p, len(found))}
	for _, k := range cut(found, p) {
		list.Credentials = append(list.Credentials, credentialShape(k, users[k.ID]))
	}
	return c.reply(http.StatusOK, list)
}

func credentialShape(k *catalog.Credential, users []*catalog.Endpoint) api.Credential {
	t := catalog.Target{Secrets: k.Secrets, Unreadable: k.Unreadable}
	out := api.Credential{
		ID: k.ID, Name: k.Name, Provider: k.Provider, Secrets: secretNames(&t), UsedBy: []string{}, UsedByCount: len(users),
		Created: shown(k.Created), Rotated: shown(k.Rotated), Problem: k.Problem,
	}
	for _, e := range users[:min(len(users), maxUsedBy)] {
		out.UsedBy = append(out.UsedBy, e.Name)
	}
	return out
}

func credentialETag(k *catalog.Credential) string { return etagOf(k.ID, k.Updated.UnixNano()) }

func (s *server) replyCredential(c *call, id string) error {
	snap := s.Catalog.Snapshot()
	k, ok := snap.Credential(id)
	if !ok {
		return notFound("credential", id)
	}
	return c.replyVersioned(credentialETag(k), credentialShape(k, snap.Users()[id]))
}

// readCredential is GET /api/sluice/v1/credentials/{id}.
func (s *server) readCredential(c *call) error { return s.replyCredential(c, c.r.PathValue("id")) }

// createCredential is POST /api/sluice/v1/credentials.
func (s *server) createCredential(c *call) error {
	var in api.NewCredential
	if err := c.decode(&in); err != nil {
		return err
	}
	for _, f := range [][2]string{{"name", in.Name}, {"provider", in.Provider}} {
		if f[1] == "" {
			return badRequest("missing_field", f[0], "The field %s is required.", f[0])
		}
	}
	if len(in.Values) == 0 {
		return badRequest("missing_field", "values", "The field values is required: at least one of the provider's secret fields.")
	}
	p, known := provider.Lookup(in.Provider)
	if !known {
		return badRequest("invalid_field", "provider", "The field provider names no provider that is known here; known are %s.",
			strings.Join(providerIDs(), ", "))
	}
	k := catalog.Credential{ID: catalog.NewID(), Name: in.Name, Provider: p.ID, Secrets: catalog.Secrets{}}
	if err := setValues(p, &k, in.Values); err != nil {
		return err
	}
	s.endpoints.Lock()
	defer s.endpoints.Unlock()
	if err := s.freeCredential(k); err != nil {
		return err
	}
	err := s.change(c, func() error {
		_, err := s.Catalog.CreateCredential(c.ctx(), k)
		return err
	}, c.credentialEvent(kindCreateCredential, &k, credentialChanges(&catalog.Credential{}, &k)))
	if err != nil {
		return err
	}
	return s.replyCredential(c, k.ID)
}

// setValues lays values over those of a credential; an empty one takes one away.
func setValues(p *provider.Provider, k *catalog.Credential, values map[string]string) error {
	var secret []string
	for _, f := range p.Fields {
		if f.Secret {
			secret = append(secret, f.Name)
		}
	}
	for _, key := range sortedKeys(values) {
		name := configName(p, key)
		if !p.IsSecret(name) {
			return badRequest("invalid_field", "values."+key,
				"The field values.%s is not a secret of the provider %s, and belongs to the modelConfig of targets; secrets are %s.",
				key, p.ID, strings.Join(secret, ", "))
		}
		k.Unreadable = without(k.Unreadable, name)
		if delete(k.Secrets, name); values[key] != "" {
			k.Secrets[name] = values[key]
		}
	}
	if len(k.Secrets)+len(k.Unreadable) == 0 {
		return badRequest("invalid_field", "values", "A credential has at least one value. Delete it, if it is needed no more.")
	}
	return nil
}

func (s *server) freeCredential(k catalog.Credential) error {
	if other, taken := s.Catalog.Snapshot().CredentialNamed(k.Name); taken && other.ID != k.ID {
		return badRequest("exists", "name", "A credential named %q exists already; choose another name.", k.Name)
	}
	return nil
}

// patchCredential is PATCH /api/sluice/v1/credentials/{id}: a new name, or new
// values, which are in force for every target at once.
func (s *server) patchCredential(c *call) error {
	var patch api.CredentialPatch
	if err := c.decode(&patch); err != nil {
		return err
	}
	s.endpoints.Lock()
	defer s.endpoints.Unlock()
	before, err := s.credential(c)
	if err != nil {
		return err
	}
	after := *before
	after.Secrets, after.Unreadable = maps.Clone(before.Secrets), slices.Clone(before.Unreadable)
	set(&after.Name, patch.Name)
	kind := kindUpdateCredential
	if patch.Values != nil {
		p, _ := provider.Lookup(before.Provider)
		if err := setValues(p, &after, *patch.Values); err != nil {
			return err
		}
		if err := s.stillServes(&after); err != nil {
			return err
		}
		kind = kindRotateCredential
	}
	changes := credentialChanges(before, &after)
	if len(changes) == 0 {
		return s.replyCredential(c, before.ID)
	}
	if err := s.freeCredential(after); err != nil {
		return err
	}
	err = s.change(c, func() error {
		_, err := s.Catalog.UpdateCredential(c.ctx(), before.ID, func(k *catalog.Credential) error {
			k.Name, k.Secrets, k.Unreadable = after.Name, after.Secrets, after.Unreadable
			return nil
		})
		return err
	}, c.credentialEvent(kind, &after, changes))
	if err != nil {
		return err
	}
	return s.replyCredential(c, before.ID)
}

// credential returns the one that the path names, for a change.
func (s *server) credential(c *call) (*catalog.Credential, error) {
	id := c.r.PathValue("id")
	k, ok := s.Catalog.Snapshot().Credential(id)
	if !ok {
		return nil, notFound("credential", id)
	}
	return k, c.ifMatch("credential", credentialETag(k))
}

// stillServes refuses values with which an endpoint that uses the credential
// could not be called any more.
func (s *server) stillServes(k *catalog.Credential) error {
	if len(k.Unreadable) > 0 {
		return nil
	}
	for _, e := range s.Catalog.Snapshot().Users()[k.ID] {
		for i := range e.Targets {
			t := e.Targets[i]
			if t.CredentialID != k.ID {
				continue
			}
			t.Secrets = k.Secrets
			if wrong := provider.Check(providerTarget(&t), string(e.Type)); len(wrong) > 0 {
				return badRequest("invalid_field", "values", "The endpoint %q, which uses the credential, could not be called with these values: %s",
					e.Name, wrong[0].Message)
			}
		}
	}
	return nil
}

// deleteCredential is DELETE /api/sluice/v1/credentials/{id}; the reply has no
// body.
func (s *server) deleteCredential(c *call) error {
	s.endpoints.Lock()
	defer s.endpoints.Unlock()
	k, err := s.credential(c)
	if err != nil {
		return err
	}
	if users := s.Catalog.Snapshot().Users()[k.ID]; len(users) > 0 {
		shape := credentialShape(k, users)
		names := strings.Join(shape.UsedBy[:min(len(users), 10)], ", ")
		if len(users) > 10 {
			names += fmt.Sprintf(" and %d more", len(users)-10)
		}
		return badRequest("in_use", "", "The credential %q is used by %s. Give these endpoints another one first.", k.Name, names)
	}
	err = s.change(c, func() error { return s.Catalog.DeleteCredential(c.ctx(), k.ID) },
		c.credentialEvent(kindDeleteCredential, k, credentialChanges(k, &catalog.Credential{})))
	if err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (c *call) credentialEvent(kind string, k *catalog.Credential, changes []audit.Change) *audit.Event {
	ev := c.event(kind, "credential", k.ID, k.Name, changes)
	ev.Metadata = map[string]string{"provider": k.Provider, "endpoints": fmt.Sprint(len(c.s.Catalog.Snapshot().Users()[k.ID]))}
	return ev
}

// credentialChanges compares two states of a credential. Values are compared and
// not shown.
func credentialChanges(before, after *catalog.Credential) []audit.Change {
	flat := func(k *catalog.Credential) fields {
		f := fields{"name": k.Name, "provider": k.Provider}
		for _, name := range append(k.Secrets.Names(), k.Unreadable...) {
			f["values."+name] = secretSet
		}
		return f
	}
	changes := diff(flat(before), flat(after))
	for _, name := range after.Secrets.Names() {
		was, had := before.Secrets[name]
		if had && was != after.Secrets[name] || slices.Contains(before.Unreadable, name) {
			changes = append(changes, audit.Change{Field: "values." + name, Before: secretSet, After: secretChanged})
		}
	}
	return changes
}

// mayLend asks the policy about the stored credentials that targets come to use,
// or take to other servers: who may change an endpoint must be allowed to see a
// credential to use it, and to change it where it would go to a server that is
// not the provider's own. before is nil for a new endpoint.
func (s *server) mayLend(c *call, before, after *catalog.Endpoint) error {
	for i := range after.Targets {
		var was *catalog.Target
		t := &after.Targets[i]
		if before != nil {
			for j := range before.Targets {
				if before.Targets[j].ID == t.ID {
					was = &before.Targets[j]
				}
			}
		}
		if err := s.mayLendTo(c, was, t); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) mayLendTo(c *call, was, t *catalog.Target) error {
	if t.CredentialID == "" {
		return nil
	}
	p, _ := provider.Lookup(t.Provider)
	is, _ := servers(p, t)
	if was != nil && was.CredentialID == t.CredentialID {
		if old, known := servers(p, was); known && slices.Equal(old, is) {
			return nil
		}
	}
	if err := s.alsoDecide(c, policies.ResourceCredentials, policies.VerbRead, t.CredentialID); err != nil {
		return err
	}
	plain := *t
	plain.Config = maps.Clone(t.Config)
	for _, f := range p.Fields {
		if f.URL || f.Routes {
			delete(plain.Config, f.Name)
		}
	}
	if home, known := servers(p, &plain); known && slices.Equal(home, is) {
		return nil
	}
	return s.alsoDecide(c, policies.ResourceCredentials, policies.VerbUpdate, t.CredentialID)
}

// alsoDecide asks the policy a further question about a request whose own
// decision stays. Its scope must be everything.
func (s *server) alsoDecide(c *call, resource, verb, name string) error {
	own := c.decision
	if err := s.decide(c, resource, verb, name); err != nil {
		return err
	}
	if !c.all() {
		return s.beyond(c)
	}
	c.decision = own
	return nil
}
