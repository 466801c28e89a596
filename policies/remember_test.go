package policies_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
	"sluice/internal/identity"
	"sluice/policies"
)

// TestNothingIsRememberedThatMayChange asks policies that read one thing each,
// twice, with that thing changed, about the same caller and endpoint.
func TestNothingIsRememberedThatMayChange(t *testing.T) {
	tests := map[string]string{
		"time":                `input.time < 2000000000`,
		"now":                 `time.now_ns() < 2000000000`,
		"now, as a mock":      "f\n\nf if time.now_ns() < 2000000000",
		"address":             `input.source_address == "192.0.2.1"`,
		"name":                `input.name == "a"`,
		"max tokens":          `input.request.max_tokens == 1`,
		"tools":               `"a" in input.request.tools`,
		"body":                `input.request.body_bytes == 1`,
		"path of a native":    `input.request.native.path == "/p"`,
		"native, whole":       "n := input.request.native\n\tn.path == \"/p\"",
		"request, whole":      "r := input.request\n\tr.max_tokens == 1",
		"input, whole":        "i := input\n\ti.time < 2000000000",
		"by a variable":       "some part in [\"name\"]\n\tinput[part] == \"a\"",
		"field by a variable": "some part in [\"max_tokens\"]\n\tinput.request[part] == 1",
		"in a comprehension":  `count([1 | input.name == "a"]) == 1`,
		"in a function":       "f(input)\n\nf(x) if x.name == \"a\"",
		"operation":           `input.request.operation == "chat"`,
		"type":                `input.request.type == "llm/v1/chat"`,
		"stream":              `input.request.stream == true`,
		"dialect":             `input.request.dialect == "openai"`,
		"request or none":     `input.request`,
		"model of a native":   `input.request.native.model == "m"`,
		"models of a native":  `count(input.request.native.models) == 1`,
		"unnamed native":      `input.request.native.unnamed == true`,
		"resource":            `input.resource == "tokens"`,
		"verb":                `input.verb == "list"`,
		"action":              `input.action == "invoke"`,
		"caller":              `input.caller.name == "ann"`,
		"endpoint":            `input.endpoint.name == "a"`,
	}
	w := newWorld(t)
	yes := policies.Input{
		Action: "invoke", Caller: w.caller(identity.Token{UserID: w.user("ann").ID}), Endpoint: w.endpoint("a", catalog.Permissions{}),
		Request: &policies.RequestFacts{Dialect: "openai", Operation: "chat", Stream: true, MaxTokens: 1, Tools: []string{"a"}, BodyBytes: 1,
			Native: &policies.NativeFacts{Path: "/p", Models: []string{"m"}, Unnamed: true}},
		Resource: "tokens", Verb: "list", Name: "a", SourceAddress: "192.0.2.1", Time: time.Unix(1, 0),
	}
	no := map[string]policies.Input{
		"caller":          {Caller: w.caller(identity.Token{UserID: w.user("bob").ID}), Endpoint: yes.Endpoint, Request: yes.Request},
		"endpoint":        {Caller: yes.Caller, Endpoint: w.endpoint("b", catalog.Permissions{}), Request: yes.Request},
		"request or none": {Caller: yes.Caller, Endpoint: yes.Endpoint},
	}
	other := policies.Input{
		Action: "view", Caller: yes.Caller, Endpoint: yes.Endpoint,
		Request: &policies.RequestFacts{Dialect: "mlflow", Operation: "embeddings", MaxTokens: 2, Tools: []string{"b"}, BodyBytes: 2,
			Native: &policies.NativeFacts{Path: "/q", Models: []string{"n", "o"}}},
		Resource: "users", Verb: "read", Name: "b", SourceAddress: "192.0.2.2", Time: time.Unix(3, 0),
	}
	for name, condition := range tests {
		t.Run(name, func(t *testing.T) {
			policy := "package sluice\n\ndefault decision := {\"allow\": false}\n\ndecision := {\"allow\": true} if {\n\tallowed\n}\n\nallowed if {\n\t" + condition + "\n}\n"
			if before, after, two := cut(condition); two {
				policy = "package sluice\n\ndefault decision := {\"allow\": false}\n\ndecision := {\"allow\": true} if " + before + "\n\n" + after + "\n"
			}
			e := engine(t, from(bundle(t, "a.rego", policy)))
			changed, special := no[name]
			if !special {
				changed = other
			}
			for range 3 {
				for _, ask := range []struct {
					in   policies.Input
					want bool
				}{{yes, true}, {changed, false}} {
					d, err := e.Decide(t.Context(), &ask.in)
					require.NoError(t, err)
					require.Equal(t, ask.want, d.Allow)
				}
			}
		})
	}
}

// cut tells a condition that brings a rule of its own along.
func cut(condition string) (before, after string, two bool) {
	for i := range condition {
		if i > 0 && condition[i-1] == '\n' && condition[i] == '\n' {
			return condition[:i-1], condition[i+1:], true
		}
	}
	return condition, "", false
}

// TestMemoryTurnsOver asks more questions than are remembered.
func TestMemoryTurnsOver(t *testing.T) {
	e := engine(t, policies.Options{})
	w := newWorld(t)
	caller := w.caller(identity.Token{UserID: w.user("ann").ID})
	endpoints := make([]catalog.Endpoint, 4_500)
	for i := range endpoints {
		endpoints[i] = catalog.Endpoint{Name: fmt.Sprint("e", i), Type: catalog.TypeChat,
			Targets: []catalog.Target{{Provider: "p", Model: "m"}}, Permissions: catalog.Permissions{Everyone: i%2 == 0}}
	}
	_, err := w.catalog.Apply(t.Context(), endpoints)
	require.NoError(t, err)
	for range 2 {
		for i, ep := range w.catalog.Snapshot().All() {
			d, err := e.Decide(t.Context(), &policies.Input{Action: policies.ActionView, Caller: caller, Endpoint: ep})
			require.NoError(t, err)
			require.Equal(t, ep.Permissions.Everyone, d.Allow, i)
		}
	}
}
