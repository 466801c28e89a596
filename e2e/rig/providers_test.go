package rig

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/provider"
	"sluice/internal/mlflowconfig"
)

// TestTableOfProviders holds the table against the gateway's own: every
// provider has an endpoint for every type it answers, with parameters that it
// takes, at a host that is served.
func TestTableOfProviders(t *testing.T) {
	p := NewProviders(t, &Gateway{})
	served := map[string]bool{"api.openai.com:443": true, "my-azure.openai.azure.com:443": true, "api.anthropic.com:443": true}
	for _, host := range p.Hosts() {
		require.False(t, served[host], "%s is served twice", host)
		served[host] = true
	}
	have, names := map[string]bool{}, map[string]bool{}
	for _, id := range []string{"openai chat", "openai completions", "openai embeddings", "anthropic chat",
		"anthropic completions"} {
		have[id] = true // the rig's own
	}
	for _, e := range p.Endpoints() {
		require.False(t, names[e.Name], e.Name)
		names[e.Name] = true
		have[e.Provider+" "+e.Type] = true
		require.Contains(t, p.By, e.StandIn, e.Name)
		target := provider.Target{Provider: e.Provider, Model: e.Model, Config: e.Config}
		require.Empty(t, provider.Check(target, "llm/v1/"+e.Type), e.Name)
		at, err := provider.AddressOf(target)
		require.NoError(t, err)
		place := net.JoinHostPort(at.Host, strconv.Itoa(int(at.Port)))
		require.True(t, served[place], "%s is at %s", e.Name, place)
	}
	for _, row := range provider.All() {
		if row.ID == "practice" || row.ID == "litellm" {
			continue // in the gateway itself; a name for the others
		}
		for _, kind := range row.Types {
			require.True(t, have[row.ID+" "+kind[len("llm/v1/"):]], "%s has no endpoint of type %s", row.ID, kind)
		}
	}
	file, err := mlflowconfig.Parse("table.yaml", []byte(MLflowYAML(p.Endpoints())), mlflowconfig.Options{})
	require.NoError(t, err)
	require.Len(t, file.Endpoints, len(names))
}
