package otlpsink

import (
	"cmp"
	"strings"

	"sluice/internal/audit"
)

// operations are the names of operations in the semantic conventions, where they
// have one.
var operations = map[string]string{"chat": "chat", "completions": "text_completion", "embeddings": "embeddings"}

// providers are the names of providers in the semantic conventions, where they
// have one that differs from ours.
var providers = map[string]string{
	"azure": "azure.ai.openai", "bedrock": "aws.bedrock", "amazon-bedrock": "aws.bedrock", "gemini": "gcp.gemini", "vertex_ai": "gcp.vertex_ai",
	"mistral": "mistral_ai", "xai": "x_ai",
}

// named is the conventions' name of a thing, or our own.
func named(names map[string]string, ours string) string {
	return cmp.Or(names[ours], ours)
}

// exchange adds what an exchange says.
func (a *attributes) exchange(r *audit.Record, node string) {
	if x := r.Exchange; x != nil {
		a.request(x, node)
	}
	if r.RequestBytes != 0 {
		a.int("http.request.body.size", r.RequestBytes)
	}
	if o := r.Outcome; o != nil {
		a.outcome(r.Exchange, o)
	} else {
		a.text("sluice.result", "under_way")
	}
}

func (a *attributes) request(x *audit.Exchange, node string) {
	a.caller(x.Caller)
	a.client(x.ClientAddr)
	a.text("sluice.node", cmp.Or(x.Node, node))
	a.text("sluice.credential", x.Credential)
	a.text("sluice.endpoint.id", x.EndpointID)
	a.text("sluice.endpoint.name", x.EndpointName)
	a.text("sluice.endpoint.type", x.EndpointType)
	a.text("sluice.dialect", x.Dialect)
	a.text("gen_ai.operation.name", named(operations, x.Operation))
	a.text("gen_ai.provider.name", named(providers, x.Provider))
	a.text("gen_ai.request.model", x.Model)
	a.number("gen_ai.request.max_tokens", x.MaxTokens)
	a.text("http.request.method", x.Method)
	a.text("url.path", x.Path)
	a.text("tls.client.subject", x.Certificate)
	if t := x.TLS; t != nil {
		// The conventions have the number alone, and the name apart.
		if version, is := strings.CutPrefix(t.Version, "TLSv"); is {
			a.text("tls.protocol.name", "tls")
			a.text("tls.protocol.version", version)
		}
		a.text("tls.cipher", t.Cipher)
		a.text("server.address", t.ServerName)
	}
	a.text("sluice.policy.revision", x.Decision.Revision)
	a.text("sluice.policy.code", x.Decision.Code())
}

// outcome adds how the exchange ended; x may be nil.
func (a *attributes) outcome(x *audit.Exchange, o *audit.Outcome) {
	a.text("sluice.result", o.Result)
	a.text("error.type", o.Code)
	a.number("http.response.status_code", int64(o.Status))
	a.int("http.response.body.size", o.ResponseBytes)
	a.known("gen_ai.usage.input_tokens", o.InputTokens)
	a.known("gen_ai.usage.output_tokens", o.OutputTokens)
	a.known("gen_ai.usage.cache_read.input_tokens", o.CachedTokens)
	a.known("gen_ai.usage.cache_creation.input_tokens", o.CacheWriteTokens)
	a.known("sluice.usage.reasoning_tokens", o.ReasoningTokens)
	a.known("sluice.cost.nano_usd", o.CostNanoUSD)
	a.number("sluice.first_byte_ns", int64(o.FirstByte))
	a.number("sluice.duration_ns", int64(o.Duration))
	a.text("sluice.answered.target", o.Target)
	a.text("gen_ai.response.model", o.Model)
	if x == nil || o.Provider != "" && o.Provider != x.Provider {
		a.text("sluice.answered.provider", named(providers, o.Provider))
	}
	a.number("sluice.attempts", int64(len(o.Attempts)))
}
