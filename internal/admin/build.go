package admin

import (
	"context"
	"net/http"
	"sort"
	"strings"

	"go.uber.org/zap"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/internal/admin/api"
	"sluice/internal/catalog"
)

// definition is an endpoint as a client describes it, before it is checked.
type definition struct {
	name, kind, provider, model string
	config                      map[string]string
	limit                       *catalog.Limit
}

// settle checks the definition and makes an endpoint of it: it names the
// provider canonically and tells keys from parameters. before is the endpoint
// that it replaces, whose keys are kept where the definition does not give
// them and the provider stays the same; nil for a new one. An empty value
// takes a key or parameter away.
func (d definition) settle(before *catalog.Endpoint) (*catalog.Endpoint, error) {
	if !dialect.ValidName(d.name) {
		return nil, badRequest("invalid_field", "endpointName",
			"The field endpointName must consist of letters, digits, '_', '-' and '.', and not of dots alone.")
	}
	p, ok := provider.Lookup(d.provider)
	if !ok {
		return nil, badRequest("invalid_field", "modelProvider",
			"The field modelProvider names no provider that is known here; known are %s.", strings.Join(providerIDs(), ", "))
	}
	if err := checkType(p, d.kind); err != nil {
		return nil, err
	}
	e := &catalog.Endpoint{Name: d.name, Type: catalog.EndpointType(d.kind), Limit: d.limit}
	if before != nil {
		e.ID, e.Created, e.Updated, e.Permissions = before.ID, before.Created, before.Updated, before.Permissions
	}
	e.Targets = []catalog.Target{{Name: catalog.DefaultTarget, Weight: 1}}
	if before != nil {
		e.HeadTimeout, e.Targets = before.HeadTimeout, append([]catalog.Target(nil), before.Targets...)
	}
	t := e.First()
	t.Provider, t.Model, t.Config, t.Secrets, t.Unreadable = p.ID, d.model, map[string]string{}, catalog.Secrets{}, nil
	if before != nil && before.First().Provider == p.ID {
		for k, v := range before.First().Secrets {
			t.Secrets[k] = v
		}
		t.Unreadable = append([]string(nil), before.First().Unreadable...)
	}
	d.fill(p, t)
	if err := checkTarget(e); err != nil {
		return nil, err
	}
	if before != nil {
		if err := d.staysHome(p, before, e); err != nil {
			return nil, err
		}
	}
	return e, checkLimit(e.Limit)
}

// staysHome refuses to take kept keys to another address: who may change an
// endpoint may not read its keys, and a server of his own would show them.
func (d definition) staysHome(p *provider.Provider, before, after *catalog.Endpoint) error {
	was, wrongBefore := provider.AddressOf(providerTarget(before))
	is, wrongAfter := provider.AddressOf(providerTarget(after))
	was.BasePath, is.BasePath = "", "" // the server is the same
	if wrongBefore == nil && wrongAfter == nil && was == is {
		return nil
	}
	given := map[string]bool{}
	for key := range d.config {
		given[configName(p, key)] = true
	}
	for _, name := range secretNames(after) {
		if !given[name] {
			return badRequest("key_required", "modelConfig."+name,
				"The provider's address changes, and a stored key does not go with it. Give modelConfig.%s again.", name)
		}
	}
	return nil
}

// fill puts each value of the definition where it belongs.
func (d definition) fill(p *provider.Provider, t *catalog.Target) {
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

// configName is the registry's name of a key. Nested keys of MLflow's files
// ("aws_config.aws_region") may be written with their group or without.
func configName(p *provider.Provider, key string) string {
	inner := key[strings.LastIndexByte(key, '.')+1:]
	found := key
	for _, f := range p.Fields {
		switch f.Name {
		case key:
			return key
		case inner:
			found = inner
		}
	}
	return found
}

func checkType(p *provider.Provider, kind string) error {
	switch catalog.EndpointType(kind) {
	case catalog.TypeChat, catalog.TypeCompletions, catalog.TypeEmbeddings:
	default:
		return badRequest("invalid_field", "endpointType",
			"The field endpointType must be llm/v1/chat, llm/v1/completions or llm/v1/embeddings.")
	}
	if !p.Answers(kind) {
		return badRequest("invalid_field", "endpointType",
			"The provider %s does not answer %s; it answers %s.", p.ID, kind, strings.Join(p.Types, ", "))
	}
	return nil
}

// checkTarget asks the provider what is wrong with its parameters.
func checkTarget(e *catalog.Endpoint) error {
	wrong := provider.Check(providerTarget(e), string(e.Type))
	if len(wrong) == 0 {
		return nil
	}
	param, messages := "", make([]string, 0, len(wrong))
	for _, w := range wrong {
		at := restField(w.Field)
		if param == "" {
			param = at
		}
		messages = append(messages, at+": "+w.Message)
	}
	return badRequest("invalid_field", param, "%s", strings.Join(messages, " "))
}

// restField is REST's name of what the provider calls a field.
func restField(name string) string {
	switch name {
	case "provider":
		return "modelProvider"
	case "model":
		return "modelName"
	case "endpoint_type":
		return "endpointType"
	case "":
		return "modelConfig"
	}
	return "modelConfig." + name
}

func checkLimit(l *catalog.Limit) error {
	if l == nil {
		return nil
	}
	if l.Calls < 1 {
		return badRequest("invalid_field", "limit.calls", "The field limit.calls must be 1 or more.")
	}
	if _, err := catalog.ParsePeriod(l.Period); err != nil {
		return badRequest("invalid_field", "limit.renewal_period",
			"The field limit.renewal_period must be a period such as minute or 5 minutes.")
	}
	return nil
}

// providerTarget is the target as the provider registry takes it, credentials
// among the parameters.
func providerTarget(e *catalog.Endpoint) provider.Target {
	return provider.Target{Provider: e.First().Provider, Model: e.First().Model, Config: e.First().Parameters()}
}

// reach checks that the endpoint's provider may be called and waits until
// Envoy can. It is done before a change is recorded or visible.
func (s *server) reach(ctx context.Context, e *catalog.Endpoint) error {
	address, err := provider.AddressOf(providerTarget(e))
	if err != nil {
		return badRequest("invalid_field", "modelConfig", "%s.", sentence(err))
	}
	if address.Local == "" {
		if err := s.CheckHost(ctx, address.Host); err != nil {
			return badRequest("host_refused", "modelConfig", "The provider at %s may not be called: %s.", address.Host, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, activateTimeout)
	defer cancel()
	if err := s.Activate(ctx, e); err != nil {
		s.Log.Error("an endpoint could not be activated", zap.String("endpoint", e.Name), zap.Error(err))
		return &dialect.Error{
			Status: http.StatusServiceUnavailable, Code: "not_activated",
			Message: "Envoy did not take what it needs for this endpoint in time, so nothing was changed. " +
				"See the status of the gateway, then try again.",
		}
	}
	return nil
}

func providerIDs() []string {
	var ids []string
	for _, p := range provider.All() {
		ids = append(ids, p.ID)
	}
	return ids
}

func limitOf(l *api.Limit) *catalog.Limit {
	if l == nil {
		return nil
	}
	return &catalog.Limit{Calls: l.Calls, Key: l.Key, Period: l.RenewalPeriod}
}

func without(list []string, s string) []string {
	var out []string
	for _, v := range list {
		if v != s {
			out = append(out, v)
		}
	}
	return out
}

// distinct sorts a list and takes out what is there twice; never nil.
func distinct(list []string) []string {
	out := []string{}
	for _, v := range list {
		if !contains(out, v) {
			out = append(out, v)
		}
	}
	sort.Strings(out)
	return out
}
