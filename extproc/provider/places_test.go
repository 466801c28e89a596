package provider_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
)

// A parameter that can take a target's keys to a server of somebody's choice is
// marked as one: what guards shared keys goes by the marks.
func TestParametersThatLeadElsewhereAreMarked(t *testing.T) {
	const evil = "evil.example"
	for _, p := range provider.All() {
		for _, f := range p.Fields {
			if f.URL || f.Routes || f.Secret {
				continue
			}
			for _, value := range []string{
				evil, "https://" + evil, "https://" + evil + "/v1", evil + "/", evil + "/#", evil + "?", "x@" + evil, "a." + evil, evil + ":443",
			} {
				for _, config := range plausible(p) {
					config[f.Name] = value
					target := provider.Target{Provider: p.ID, Model: "m", Config: config}
					if a, err := p.Address(target); err == nil {
						assert.NotContains(t, a.Host, evil, "%s: %s=%q leads there", p.ID, f.Name, value)
					}
					if p.Credential == nil {
						continue
					}
					if c, needed := p.Credential(target); needed {
						base, err := kit.ParseBase(c.Params["token_url"])
						assert.False(t, err == nil && strings.Contains(base.Host, evil), "%s: %s=%q has its token fetched there", p.ID, f.Name, value)
					}
				}
			}
		}
	}
}

// Who stands for others is told by a parameter to whom the keys go.
func TestLiteLLMsProviderIsMarked(t *testing.T) {
	p, _ := provider.Lookup("litellm")
	for _, name := range []string{"litellm_provider", "api_base"} {
		f, known := p.Field(name)
		assert.True(t, known && f.Routes, name)
	}
}

// plausible are configurations that have what is required, one for each value
// of what is chosen among a few.
func plausible(p *provider.Provider) []map[string]string {
	all := []map[string]string{{}}
	for _, f := range p.Fields {
		values := []string{f.Default}
		switch {
		case f.Required && len(f.Enum) > 0:
			values = f.Enum
		case f.URL && f.Default == "":
			values = []string{"https://home.example"}
		case f.Required:
			values = []string{"x"}
		case f.Secret:
			values = []string{"key", ""}
		}
		var more []map[string]string
		for _, config := range all {
			for _, v := range values {
				next := map[string]string{}
				for k, old := range config {
					next[k] = old
				}
				if v != "" {
					next[f.Name] = v
				}
				more = append(more, next)
			}
		}
		all = more
	}
	return all
}
