package rig

import (
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"sort"
	"strings"
	"testing"

	"sluice/internal/simulate"
)

// Providers are stand-ins for every provider that the gateway knows, each under
// the provider's own host name with its own canary key. As a handler it gives
// each request to the stand-in whose host the request names.
type Providers struct {
	// By holds the stand-ins by the names of the table: the provider's id, or
	// the id and what it is beside the API ("google-token", "aws-sts").
	By map[string]*simulate.Provider
	// Google, Entra, Databricks and SAP hold the tokens that the providers'
	// token endpoints issued.
	Google, Entra, Databricks, SAP *simulate.Tokens
	// AWS holds the access keys of Bedrock and STS.
	AWS *simulate.AWSAccount
	// Account is the service account of Vertex AI.
	Account *simulate.ServiceAccount

	hosts map[string]*simulate.Provider // by name, without port
	ports []string                      // "host:port"
}

// ProviderEndpoint is an endpoint at a stand-in.
type ProviderEndpoint struct {
	Name     string // the endpoint's, as "chat-cohere"
	Type     string // "chat", "completions" or "embeddings"
	Provider string // the provider's id
	Model    string
	// Config are the parameters by MLflow's names. With a Group they stand under
	// that key in MLflow's YAML.
	Config map[string]string
	Group  string
	// StandIn is the key of Providers.By that answers.
	StandIn string
}

// Body is what makes the endpoint by REST.
func (e ProviderEndpoint) Body() string {
	return Endpoint(e.Name, e.Type, e.Provider, e.Model, e.Config)
}

// MLflowYAML is a file for MLflow's gateway that holds the endpoints. It is JSON,
// which YAML contains.
func MLflowYAML(endpoints []ProviderEndpoint) string {
	type model struct {
		Provider string `json:"provider"`
		Name     string `json:"name"`
		Config   any    `json:"config"`
	}
	type endpoint struct {
		Name  string `json:"name"`
		Type  string `json:"endpoint_type"`
		Model model  `json:"model"`
	}
	var list []endpoint
	for _, e := range endpoints {
		config := any(e.Config)
		if e.Group != "" {
			config = map[string]any{e.Group: e.Config}
		}
		list = append(list, endpoint{e.Name, "llm/v1/" + e.Type, model{e.Provider, e.Model, config}})
	}
	b, _ := json.Marshal(map[string]any{"endpoints": list}) // strings and maps of them can be rendered
	return string(b)
}

// NewProviders makes all stand-ins. Those of OpenAI, Azure OpenAI and Anthropic
// are the gateway's own, which the rig starts anyway.
func NewProviders(t testing.TB, g *Gateway) *Providers {
	t.Helper()
	account, err := simulate.NewServiceAccount()
	must(t, err)
	p := &Providers{Google: simulate.NewTokens(), Entra: simulate.NewTokens(), Databricks: simulate.NewTokens(),
		SAP: simulate.NewTokens(),
		AWS: simulate.NewAWSAccount(AWSKey), Account: account, hosts: map[string]*simulate.Provider{}}
	p.By = map[string]*simulate.Provider{"openai": g.OpenAI, "anthropic": g.Anthropic}
	for _, s := range standIns {
		made := s.make(p)
		p.By[s.name] = made
		for _, host := range s.hosts {
			name, _, err := net.SplitHostPort(host)
			must(t, err)
			p.hosts[name] = made
			p.ports = append(p.ports, host)
		}
	}
	for _, c := range compatibles {
		made := simulate.NewCompatible(c.title, c.path, simulate.Options{Keys: []string{c.key()}, AllowUnknown: true})
		p.By[c.id], p.hosts[c.host] = made, made
		p.ports = append(p.ports, net.JoinHostPort(c.host, c.port()))
	}
	return p
}

// Hosts are the hosts that are served, with their ports: 443 is over TLS, any
// other without.
func (p *Providers) Hosts() []string { return slices.Clone(p.ports) }

// ServeHTTP gives the request to the stand-in of its host. Over TLS the host
// must be the name that was asked for in the handshake.
func (p *Providers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := strings.Split(r.Host, ":")[0]
	standIn, known := p.hosts[host]
	if !known || r.TLS != nil && r.TLS.ServerName != host {
		http.Error(w, "no stand-in for host "+r.Host, http.StatusMisdirectedRequest)
		return
	}
	standIn.ServeHTTP(w, r)
}

// Endpoints is an endpoint for each provider and type that it answers, and more
// where a provider has several APIs or ways to authenticate. Sorted by name.
func (p *Providers) Endpoints() []ProviderEndpoint {
	var all []ProviderEndpoint
	for _, s := range endpointTable {
		config := map[string]string{}
		for name, value := range s.config {
			if value == serviceAccount {
				value = string(p.Account.JSON(""))
			}
			config[name] = value
		}
		for _, m := range s.models {
			name := s.name
			if name == "" {
				name = s.provider
			}
			all = append(all, ProviderEndpoint{Name: m.kind + "-" + name, Type: m.kind, Provider: s.provider, Model: m.model,
				Config: withExtra(config, m.config), Group: s.group, StandIn: s.standIn()})
		}
	}
	for _, c := range compatibles {
		all = append(all, c.endpoints()...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

func withExtra(config, extra map[string]string) map[string]string {
	out := make(map[string]string, len(config)+len(extra))
	for _, from := range []map[string]string{config, extra} {
		for name, value := range from {
			out[name] = value
		}
	}
	return out
}

// Canaries are the secrets of all stand-ins by the stand-in that may see them.
func (p *Providers) Canaries() map[string][]string {
	found := map[string][]string{"openai": {OpenAIKey}, "anthropic": {AnthropicKey}}
	for _, e := range p.Endpoints() {
		for _, value := range e.Config {
			if strings.Contains(value, "canary") && !slices.Contains(found[e.StandIn], value) {
				found[e.StandIn] = append(found[e.StandIn], value)
			}
		}
	}
	return found
}
