package admin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
	"sluice/internal/catalog"
)

// targetDefinition is a target as a client describes it, before it is checked.
type targetDefinition struct {
	at              string          // put before the names of its fields in errors, e.g. "targets[1]."
	before          *catalog.Target // the stored target that it replaces, nil for a new one
	name            string
	weight, order   int64
	disabled        bool
	provider, model string
	// config are parameters and keys. An empty value takes one away.
	config map[string]string
	// credential is the id of the stored credential that the target uses in
	// place of keys of its own; "" for none.
	credential string
}

// place is how a list's targets are named in errors.
func place(i int) string { return fmt.Sprintf("targets[%d].", i) }

// storedTarget describes a target as it is.
func storedTarget(t *catalog.Target) targetDefinition {
	return targetDefinition{
		before: t, name: t.Name, weight: int64(t.Weight), order: int64(t.Order), disabled: t.Disabled,
		provider: t.Provider, model: t.Model, config: t.Config, credential: t.CredentialID,
	}
}

// patch lays what is given over the definition. A new provider starts with the
// parameters of the patch alone: a key that was given for one provider never
// goes to another.
func (d *targetDefinition) patch(providerID, model *string, config *map[string]string, credential *string) {
	set(&d.model, model)
	if providerID != nil {
		if p, known := provider.Lookup(*providerID); !known || p.ID != d.provider {
			d.provider, d.config, d.credential = *providerID, nil, ""
		}
	}
	set(&d.config, config)
	set(&d.credential, credential)
}

// settle checks the definition and makes a target of it: it names the provider
// canonically and tells keys from parameters. The keys of the target that it
// replaces are kept where the definition does not give them and the provider
// stays the same. sameType: the endpoint's type is what it was.
func (d targetDefinition) settle(kind string, sameType bool, snap *catalog.Snapshot) (catalog.Target, error) {
	t := catalog.Target{
		Name: d.name, Weight: int(d.weight), Order: int(d.order), Disabled: d.disabled,
		Model: d.model, Config: map[string]string{}, Secrets: catalog.Secrets{},
	}
	p, ok := provider.Lookup(d.provider)
	if !ok {
		return t, badRequest("invalid_field", d.at+"modelProvider",
			"The field %smodelProvider names no provider that is known here; known are %s.", d.at, strings.Join(providerIDs(), ", "))
	}
	if err := checkType(p, kind); err != nil {
		return t, err
	}
	t.Provider, t.ID = p.ID, catalog.NewID()
	if d.before != nil {
		t.ID = d.before.ID
	}
	if err := d.borrow(p, &t, snap); err != nil {
		return t, err
	}
	if d.before != nil && d.before.Provider == p.ID && d.before.CredentialID == "" && d.credential == "" {
		maps.Copy(t.Secrets, d.before.Secrets)
		t.Unreadable = slices.Clone(d.before.Unreadable)
	}
	d.fill(p, &t)
	if d.before != nil && sameType && sameCall(d.before, &t) {
		// It may have keys that can't be read: that must not stop changes of others.
		return t, nil
	}
	if err := d.check(&t, kind); err != nil {
		return t, err
	}
	return t, d.staysHome(p, &t)
}

// fill puts each value of the definition where it belongs.
func (d targetDefinition) fill(p *provider.Provider, t *catalog.Target) {
	for _, key := range sortedKeys(d.config) {
		name, value := configName(p, key), d.config[key]
		switch {
		case value == "":
			delete(t.Secrets, name)
			t.Unreadable = without(t.Unreadable, name)
		case p.IsSecret(name):
			t.Secrets[name] = value
			t.Unreadable = without(t.Unreadable, name)
		default:
			t.Config[name] = value
		}
	}
}

// check asks the provider what is wrong with the parameters.
func (d targetDefinition) check(t *catalog.Target, kind string) error {
	wrong := provider.Check(providerTarget(t), kind)
	if len(wrong) == 0 {
		return nil
	}
	param, messages := "", make([]string, 0, len(wrong))
	for _, w := range wrong {
		at := d.restField(w.Field)
		if param == "" {
			param = at
		}
		messages = append(messages, at+": "+w.Message)
	}
	return badRequest("invalid_field", param, "%s", strings.Join(messages, " "))
}

// restField is REST's name of what the provider calls a field.
func (d targetDefinition) restField(name string) string {
	switch name {
	case "provider":
		return d.at + "modelProvider"
	case "model":
		return d.at + "modelName"
	case "endpoint_type":
		return "endpointType"
	case "":
		return d.at + "modelConfig"
	}
	return d.at + "modelConfig." + name
}

// borrow gives the target the values of the stored credential that it names.
func (d targetDefinition) borrow(p *provider.Provider, t *catalog.Target, snap *catalog.Snapshot) error {
	if d.credential == "" {
		return nil
	}
	field := d.at + "credentialId"
	stored, ok := snap.Credential(d.credential)
	switch {
	case !ok:
		return badRequest("unknown_id", field, "There is no stored credential %q.", d.credential)
	case stored.Provider != p.ID:
		return badRequest("invalid_field", field, "The stored credential %q is for the provider %s, not for %s.", stored.Name, stored.Provider, p.ID)
	}
	for _, key := range sortedKeys(d.config) {
		if name := configName(p, key); p.IsSecret(name) && d.config[key] != "" {
			return badRequest("invalid_field", d.at+"modelConfig."+key,
				"The target uses the stored credential %q, so it takes no %s of its own. Leave out one of the two.", stored.Name, name)
		}
	}
	t.Borrow(stored)
	return nil
}

// staysHome refuses to take kept keys to another server: who may change an
// endpoint may not read its keys, and a server of his own would show them.
func (d targetDefinition) staysHome(p *provider.Provider, t *catalog.Target) error {
	if d.before == nil || d.before.CredentialID != "" || t.CredentialID != "" {
		return nil
	}
	was, known := servers(p, d.before)
	is, wellFormed := servers(p, t)
	if known && wellFormed && slices.Equal(was, is) {
		return nil
	}
	given := map[string]bool{}
	for key := range d.config {
		given[configName(p, key)] = true
	}
	for _, name := range secretNames(t) {
		if !given[name] {
			field := d.at + "modelConfig." + name
			return badRequest("key_required", field,
				"The provider's address changes, and a stored key does not go with it. Give %s again.", field)
		}
	}
	return nil
}

// servers are all to which a target's keys may go, each once and in order: the
// provider, who gives out its tokens, whatever other URL is among the
// parameters, and what says where the provider itself sends them. ok is false
// where they can't be told. The list holds secrets.
func servers(p *provider.Provider, t *catalog.Target) (list []kit.Address, ok bool) {
	target := providerTarget(t)
	address, err := p.Address(target)
	if err != nil {
		return nil, false
	}
	list = append(list, address)
	var urls []string
	for _, f := range p.Fields {
		if f.URL {
			urls = append(urls, p.Config(target, f.Name))
		}
		if f.Routes {
			list = append(list, kit.Address{Local: f.Name + "=" + p.Config(target, f.Name)})
		}
	}
	if p.Credential != nil {
		if credential, needed := p.Credential(target); needed {
			urls = append(urls, credential.Params["token_url"])
		}
	}
	for _, url := range urls {
		if url == "" {
			continue
		}
		base, err := kit.ParseBase(url)
		if err != nil {
			return nil, false
		}
		list = append(list, base.Address)
	}
	for i := range list {
		list[i].BasePath = "" // the server is the same
	}
	slices.SortFunc(list, func(a, b kit.Address) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Local, b.Local))
	})
	return slices.Compact(list), true
}

// configName is the registry's name of a key. Nested keys of MLflow's files
// ("aws_config.aws_region") may be written with their group or without.
func configName(p *provider.Provider, key string) string {
	if _, known := p.Field(key); known {
		return key
	}
	group, inner, nested := strings.Cut(key, ".")
	if f, known := p.Field(inner); nested && known && f.Group == group {
		return inner
	}
	return key
}

// checkType checks an endpoint's type, also for a provider.
func checkType(p *provider.Provider, kind string) error {
	switch catalog.EndpointType(kind) {
	case catalog.TypeChat, catalog.TypeCompletions, catalog.TypeEmbeddings:
	default:
		return badRequest("invalid_field", "endpointType",
			"The field endpointType must be llm/v1/chat, llm/v1/completions or llm/v1/embeddings.")
	}
	if !p.Answers(kind) && !p.NativeOnly {
		return badRequest("invalid_field", "endpointType",
			"The provider %s does not answer %s; it answers %s.", p.ID, kind, strings.Join(p.Types, ", "))
	}
	return nil
}

// providerTarget is the target as the provider registry takes it, credentials
// among the parameters.
func providerTarget(t *catalog.Target) provider.Target {
	return provider.Target{Provider: t.Provider, Model: t.Model, Config: t.Parameters()}
}

// sameCall reports whether a target is called as before, with the same keys.
func sameCall(a, b *catalog.Target) bool {
	return a.Provider == b.Provider && a.Model == b.Model && a.CredentialID == b.CredentialID && maps.Equal(a.Config, b.Config) &&
		maps.Equal(a.Secrets, b.Secrets) && slices.Equal(a.Unreadable, b.Unreadable)
}

// sameTarget reports whether an endpoint has this target, and Envoy needs to
// know nothing new of it.
func sameTarget(e *catalog.Endpoint, t *catalog.Target) bool {
	for i := range e.Targets {
		if o := &e.Targets[i]; o.ID == t.ID {
			return sameCall(o, t) && o.Weight == t.Weight && o.Order == t.Order && o.Disabled == t.Disabled
		}
	}
	return false
}

// sameReach reports whether Envoy needs to know nothing new of an endpoint.
func sameReach(before, after *catalog.Endpoint) bool {
	if before.Type != after.Type || before.HeadTimeout != after.HeadTimeout || len(before.Targets) != len(after.Targets) {
		return false
	}
	for i := range after.Targets {
		if !sameTarget(before, &after.Targets[i]) {
			return false
		}
	}
	return true
}
