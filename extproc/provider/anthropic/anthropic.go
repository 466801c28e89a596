// Package anthropic calls Anthropic, and other servers of its Messages API, for
// clients of every dialect. README.md says what becomes of each field.
package anthropic

import (
	"cmp"
	"fmt"
	"strings"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

// Provider is Anthropic's own API (platform.claude.com/docs/en/api): chat over
// the Messages API; completions of MLflow's dialect over the old text
// completions API, as MLflow does it, and of OpenAI's over the Messages API.
var Provider = &kit.Provider{
	ID:    "anthropic",
	Title: "Anthropic",
	Fields: []kit.Field{
		{Name: "anthropic_api_key", Title: "API key", Required: true, Secret: true,
			Description: "A key of the Anthropic console, sent as x-api-key."},
		{Name: "anthropic_version", Title: "API version", Default: defaultVersion,
			Description: "The version of the API, sent as anthropic-version. Clients of Anthropic's own API choose theirs."},
		{Name: "anthropic_api_base", Title: "API base URL", Default: defaultBase, URL: true,
			Description: "Where the API is reached, without the operation's own path."},
	},
	Types: []string{kit.TypeChat, kit.TypeCompletions},
	Features: kit.Features{
		Streams: []string{kit.TypeChat, kit.TypeCompletions},
		Tools:   true, Images: true, JSONSchema: true, Reasoning: true,
	},
	Models:  kit.KnownModels("anthropic"),
	Address: addressOf,
	Open:    open,
	Native:  native,
}

// The defaults of the parameters.
const (
	defaultVersion = "2023-06-01"
	defaultBase    = "https://api.anthropic.com/v1"
)

func addressOf(t kit.Target) (kit.Address, error) {
	b, err := kit.ParseBase(cmp.Or(t.Config["anthropic_api_base"], defaultBase))
	if err != nil {
		return kit.Address{}, fmt.Errorf("the parameter 'anthropic_api_base' %w", err)
	}
	return b.Address, nil
}

// open begins an exchange with Anthropic.
func open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	address, err := addressOf(t)
	if err != nil {
		return nil, dialect.Internal()
	}
	return Open(p, t, req, env, Place{
		Path:         address.BasePath + "/messages",
		CountPath:    address.BasePath + "/messages/count_tokens",
		CompletePath: address.BasePath + "/complete",
		Headers: [][2]string{
			{"x-api-key", p.Config(t, "anthropic_api_key")},
			{"anthropic-version", Version(req, p.Config(t, "anthropic_version"))},
		},
	})
}

// Version is the version of the API for a call: the one that a client of
// Anthropic's own API speaks, else the configured one, else the first.
func Version(req *dialect.Request, configured string) string {
	if req.Dialect == dialect.Anthropic && req.ClientHeader != nil {
		if v := req.ClientHeader("anthropic-version"); strings.Trim(v, "0123456789-") == "" {
			configured = cmp.Or(v, configured)
		}
	}
	return cmp.Or(configured, defaultVersion)
}

// native offers the API to clients that add its version to the path, as SDKs do.
func native(p *kit.Provider, t kit.Target) (kit.Native, error) {
	address, err := addressOf(t)
	if err != nil {
		return kit.Native{}, err
	}
	return kit.Native{
		Root:    strings.TrimSuffix(address.BasePath, "/v1"),
		Headers: [][2]string{{"x-api-key", p.Config(t, "anthropic_api_key")}, {"anthropic-version", p.Config(t, "anthropic_version")}},
		Dialect: dialect.Anthropic,
	}, nil
}
