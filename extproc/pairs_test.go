package extproc_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/stretchr/testify/require"

	"sluice/extproc"
	"sluice/extproc/provider"
	"sluice/internal/catalog"
	"sluice/xds"
)

// sampleValues are values of parameters that are checked.
var sampleValues = map[string]string{
	"aws_region": "us-east-1", "vertex_project": "p", "vertex_location": "us-central1", "host": "https://w.databricks.com",
	"model_server_url": "https://m.example.com", "litellm_provider": "groq", "openai_api_type": "",
	"sap_ai_core_token_url": "https://t.example.com/token", "portkey_provider": "openai",
}

// canaries is a target of a provider whose every secret is a canary that names
// the provider; false where the provider has no chat.
func canaries(p *provider.Provider) (*extproc.Target, bool) {
	if !p.Answers(provider.TypeChat) || p.ID == "practice" {
		return nil, false
	}
	t := provider.Target{Provider: p.ID, Model: "vendor.model-" + p.ID, Config: map[string]string{}}
	if p.ID == "mosaicml" {
		t.Model = "llama2-" + p.ID
	}
	for _, f := range p.Fields {
		sample, given := sampleValues[f.Name]
		switch {
		case given:
			t.Config[f.Name] = sample
		case f.Name == "vertex_credentials":
			t.Config[f.Name] = `{"type":"service_account","private_key":"` + canary(p) + `"}`
		case f.Secret && !strings.HasPrefix(f.Name, "openai_azure"):
			t.Config[f.Name] = canary(p) + f.Name
		case f.Required && f.URL:
			t.Config[f.Name] = "https://" + strings.ReplaceAll(p.ID, "_", "-") + ".example.com/v1"
		case f.Required:
			t.Config[f.Name] = "x"
		}
	}
	return &extproc.Target{
		Name: p.ID, Target: t, Upstream: xds.Upstream{TLS: true, Host: p.ID + ".example.com", Port: 443},
		Auth: marker{canary(p)},
	}, true
}

func canary(p *provider.Provider) string { return "canary-" + p.ID + "-" }

// marker authenticates in every way that there is.
type marker struct{ secret string }

func (m marker) Ready() error { return nil }

func (m marker) Authorize(_ context.Context, up *provider.Upstream, _ string) error {
	up.Headers = append(slices.Clone(up.Headers),
		[2]string{"x-amz-security-token", m.secret}, [2]string{"x-amz-date", m.secret}, [2]string{"authorization", "Bearer " + m.secret})
	return nil
}

// TestNoCredentialReachesAnotherTarget walks all pairs of providers: nothing
// that was put on a request for the first is on it for the second.
func TestNoCredentialReachesAnotherTarget(t *testing.T) {
	for _, a := range provider.All() {
		for _, b := range provider.All() {
			first, ok := canaries(a)
			second, also := canaries(b)
			if !ok || !also || a == b {
				continue
			}
			w := newWorld(t)
			second.Order = 1
			e := &catalog.Endpoint{ID: "e", Name: "two", Type: catalog.TypeChat, Targets: []catalog.Target{{}, {}}}
			w.server.SetTable(extproc.NewTable(nil, []*catalog.Endpoint{e}, func(*catalog.Endpoint) *extproc.Entry {
				return &extproc.Entry{Endpoint: e, Targets: []*extproc.Target{first, second}}
			}))
			router, meta := w.begin()
			stage, c := w.attempt(meta, 1)
			after := apply(map[string]string{}, c)
			require.Contains(t, joined(after), canary(a), "%s sends no credential", a.ID)
			stage.say(responseHead(":status", "503"))
			stage.end()
			carried := []string{}
			for name, value := range after {
				if name[0] != ':' && name != "host" && name != "content-length" {
					carried = append(carried, name, value)
				}
			}
			stage, c = w.attempt(meta, 2, carried...)
			after = apply(after, c)
			require.NotContains(t, joined(after), canary(a), "from %s to %s", a.ID, b.ID)
			require.NotContains(t, string(c.BodyMutation.GetBody()), canary(a), "from %s to %s", a.ID, b.ID)
			require.Contains(t, joined(after), canary(b))
			require.Equal(t, b.ID+".example.com", after["host"])
			stage.end()
			router.end()
		}
	}
}

// apply plays a header mutation as Envoy does.
func apply(headers map[string]string, c *extprocv3.CommonResponse) map[string]string {
	for _, name := range c.GetHeaderMutation().GetRemoveHeaders() {
		delete(headers, name)
	}
	for name, value := range setHeaders(c.GetHeaderMutation()) {
		headers[name] = value
	}
	return headers
}

func joined(headers map[string]string) (s string) {
	for name, value := range headers {
		s += name + ": " + value + "\n"
	}
	return s
}
