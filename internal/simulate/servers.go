package simulate

import (
	"net/http"
	"regexp"
	"strings"
)

// The servers that speak OpenAI's format with ways of their own.

// mistralID is what Mistral's ids of tool calls look like.
var mistralID = regexp.MustCompile(`^[a-zA-Z0-9]{9}$`)

// NewMistral returns a stand-in for api.mistral.ai: chat and embeddings, under
// /v1 with a bearer token. A parameter that it does not have is a 422.
func NewMistral(o Options) *Provider {
	return newProvider(openAI{voice: standInVoice("Mistral"), dimensions: 1024, own: &compatible{prefixes: []string{"/v1/"},
		more: []string{"guardrails", "metadata", "min_tokens", "output_dimension", "output_dtype", "prompt_logprobs",
			"prompt_mode",
			"random_seed", "repetition_penalty", "safe_prompt", "top_k", "top_prompt_logprobs"},
		lacks: []string{"audio", "dimensions", "function_call", "functions", "logit_bias", "max_completion_tokens", "modalities",
			"moderation", "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "seed", "store", "stream_options",
			"user", "verbosity", "web_search_options"},
		toolID: mistralID, alwaysUsage: true, alwaysID: true, render: (*problem).mistral,
		credential: bearer(problem{code: "unauthorized", message: "Unauthorized"}),
		refuse: func(name string) *problem {
			return &problem{status: http.StatusUnprocessableEntity, code: "extra_forbidden", param: name,
				message: "Extra inputs are not permitted"}
		}}}, o)
}

func (p *problem) mistral() reply {
	switch {
	case p.code == "unauthorized":
		return errorReply(p.status, map[string]string{"detail": p.message})
	case p.status == http.StatusUnprocessableEntity:
		return errorReply(p.status, map[string]any{"detail": []any{map[string]any{"type": p.code, "loc": []string{"body", p.param},
			"msg": p.message, "input": nil}}})
	}
	return errorReply(p.status, map[string]any{"object": "error", "message": p.message, "type": p.kind,
		"param": optional(p.param),
		"code":  optional(p.code)})
}

// NewTogether returns a stand-in for api.together.xyz: chat, completions and
// embeddings under /v1. A chunk of chat carries its text twice, as theirs does.
func NewTogether(o Options) *Provider {
	return newProvider(openAI{voice: standInVoice("Together"), dimensions: 768,
		own: &compatible{prefixes: []string{"/v1/"}, textToo: true,
			more: []string{"top_k", "repetition_penalty", "min_p", "safety_model", "echo", "reasoning",
				"context_length_exceeded_behavior",
				"compliance", "chat_template_kwargs"}, alwaysUsage: true,
			credential: bearer(problem{kind: "invalid_request_error", code: "invalid_api_key", message: "Invalid API key provided."}),
		}}, o)
}

// NewPortkey returns a stand-in for api.portkey.ai: OpenAI's API under /v1, with
// Portkey's own key in x-portkey-api-key. It must be told where to go, by
// x-portkey-provider with the provider's key as a bearer token (Options.Keys
// holds both), by x-portkey-config or x-portkey-virtual-key, or by a model "@…".
func NewPortkey(o Options) *Provider {
	return newProvider(openAI{voice: standInVoice("Portkey"), dimensions: openAIDimensions,
		own: &compatible{prefixes: []string{"/v1/"}, credential: checkPortkey, render: (*problem).portkey}}, o)
}

func checkPortkey(r *Received, e env) *problem {
	refusal := &problem{status: http.StatusUnauthorized, code: "AB03", message: "Unauthorised Request. Invalid API Key"}
	if key := r.Header.Get("X-Portkey-Api-Key"); key == "" || !e.accepts(key) {
		return refusal
	}
	provider := r.Header.Get("X-Portkey-Provider")
	if r.Header.Get("X-Portkey-Config") != "" || r.Header.Get("X-Portkey-Virtual-Key") != "" ||
		strings.HasPrefix(provider, "@") ||
		strings.Contains(string(r.Body), `"@`) {
		return nil
	}
	if provider == "" {
		return &problem{status: http.StatusBadRequest, message: "Either x-portkey-config or x-portkey-provider header is required"}
	}
	if key := bearerKey(r); key == "" || !e.accepts(key) {
		refusal.message = provider + " error: Incorrect API key provided."
		return refusal
	}
	return nil
}

func (p *problem) portkey() reply {
	if p.code != "AB03" && p.kind != "" {
		return p.openAI()
	}
	return errorReply(p.status, map[string]any{"status": "failure", "message": p.message})
}

// besideToken is a wire format with a token endpoint beside it, whose client
// authenticates by Basic.
type besideToken struct {
	wire
	path   string
	client OAuthClient
	scope  string // that must be asked for; empty: any
}

func (b besideToken) answer(r *Received, act Act, e env) reply {
	if r.Path != b.path {
		return b.wire.answer(r, act, e)
	}
	token, refusal := clientToken(r, e, b.client, true, b.scope)
	if token == "" {
		return refusal
	}
	return jsonReply(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": b.scope})
}

func (b besideToken) model(r *Received) string {
	if r.Path == b.path {
		return ""
	}
	return b.wire.model(r)
}
