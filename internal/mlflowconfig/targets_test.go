package mlflowconfig_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
	"sluice/internal/mlflowconfig"
)

func TestTargetsAndRoutes(t *testing.T) {
	data, err := os.ReadFile("testdata/routes.good.yaml")
	require.NoError(t, err)
	file, err := mlflowconfig.Parse("routes.good.yaml", data, mlflowconfig.Options{})
	require.NoError(t, err)
	gpt := mlflowconfig.Target{Name: "default", Weight: 1, Provider: "openai", Model: "gpt-4o", Config: map[string]string{"openai_api_key": "k1"}}
	claude := mlflowconfig.Target{Name: "default", Weight: 1, Provider: "anthropic", Model: "claude-x", Config: map[string]string{"anthropic_api_key": "k2"}}
	as := func(t mlflowconfig.Target, name string, weight, order int) mlflowconfig.Target {
		t.Name, t.Weight, t.Order = name, weight, order
		return t
	}
	off := as(gpt, "old", 0, 1)
	off.Disabled = true
	want := []mlflowconfig.Endpoint{
		{Name: "gpt", Type: catalog.TypeChat, Targets: []mlflowconfig.Target{gpt}, Line: 2},
		{Name: "claude", Type: catalog.TypeChat, Targets: []mlflowconfig.Target{claude}, Line: 5},
		{Name: "safe", Type: catalog.TypeChat, Line: 8, HeadTimeout: 20 * time.Second,
			Targets: []mlflowconfig.Target{gpt, as(claude, "spare", 1, 1), off}},
		{Name: "listed", Type: catalog.TypeChat, Line: 16,
			Targets: []mlflowconfig.Target{gpt, as(claude, "b", 3, 0)}},
		{Name: "split", Type: catalog.TypeChat, Line: 23, HeadTimeout: time.Minute,
			Targets:     []mlflowconfig.Target{as(gpt, "gpt", 90, 0), as(claude, "claude", 10, 0)},
			Permissions: &catalog.Permissions{Users: []string{"alice"}}},
		{Name: "twice", Type: catalog.TypeChat, Line: 32,
			Targets: []mlflowconfig.Target{as(gpt, "gpt", 100, 0), as(claude, "claude", 0, 0)}},
	}
	assert.Equal(t, want, file.Endpoints)
	assert.Empty(t, file.Warnings)

	again, err := mlflowconfig.Marshal(file.Endpoints)
	require.NoError(t, err)
	back, err := mlflowconfig.Parse("again", again, mlflowconfig.Options{Strict: true})
	require.NoError(t, err)
	for i := range back.Endpoints {
		back.Endpoints[i].Line = want[i].Line
	}
	assert.Equal(t, want, back.Endpoints)

	section, err := mlflowconfig.ParseSection("sluice.yaml", append([]byte("listen: x\n"), data...), mlflowconfig.Options{Strict: true})
	require.NoError(t, err)
	assert.Len(t, section.Endpoints, len(want))
}

func TestBadTargetsAndRoutes(t *testing.T) {
	const base = "endpoints:\n- {name: a, endpoint_type: llm/v1/chat, model: {provider: openai, name: m}}\n" +
		"- {name: e, endpoint_type: llm/v1/embeddings, model: {provider: openai, name: m}}\n" +
		"- {name: many, endpoint_type: llm/v1/chat, targets: [{name: x, model: {provider: openai, name: m}}, {name: y, model: {provider: openai, name: m}}]}\n"
	route := func(rest string) string { return base + "routes:\n- {name: r, task_type: llm/v1/chat, " + rest + "}\n" }
	targets := func(list string) string {
		return "endpoints:\n- {name: a, endpoint_type: llm/v1/chat, targets: " + list + "}\n"
	}
	const m = "model: {provider: openai, name: m}"
	for _, c := range []struct{ name, file, says string }{
		{"routes are no list", base + "routes: 5", "f.yaml:5:9: routes: expected a list"},
		{"no mapping", base + "routes: [5]", "routes[0]: expected a route"},
		{"no name", base + "routes: [{task_type: llm/v1/chat}]", "routes[0].name: this key is required"},
		{"name of an endpoint", base + "routes: [{name: a, task_type: llm/v1/chat, destinations: [{name: a, traffic_percentage: 100}]}]",
			`routes[0].name: the name "a" is already used on line 2`},
		{"no type", base + "routes: [{name: r, destinations: [{name: a, traffic_percentage: 100}]}]", "routes[0].task_type: this key is required"},
		{"bad type", base + "routes: [{name: r, task_type: chat, destinations: []}]", `routes[0].task_type: "chat" is not an endpoint type`},
		{"no destinations", route("x: y"), "routes[0].destinations: this key is required"},
		{"nothing in it", route("destinations: []"), "must be 100 in sum, but they are 0"},
		{"destination is no mapping", route("destinations: [a]"), "routes[0].destinations[0]: expected a mapping"},
		{"unknown destination", route("destinations: [{name: zz, traffic_percentage: 100}]"), `destinations[0].name: "zz" is not the name of an endpoint`},
		{"a route is none", route("destinations: [{name: r, traffic_percentage: 100}]"), `destinations[0].name: "r" is not the name of an endpoint`},
		{"of another type", route("destinations: [{name: e, traffic_percentage: 100}]"), `the endpoint "e" is of type llm/v1/embeddings, and the route is of type llm/v1/chat`},
		{"of several targets", route("destinations: [{name: many, traffic_percentage: 100}]"), `the endpoint "many" has several targets itself`},
		{"percentage missing", route("destinations: [{name: a}]"), "destinations[0].traffic_percentage: this key is required"},
		{"above 100", route("destinations: [{name: a, traffic_percentage: 101}]"), "expected a whole number from 0 to 100"},
		{"negative", route("destinations: [{name: a, traffic_percentage: -1}]"), "expected a whole number from 0 to 100"},
		{"no number", route("destinations: [{name: a, traffic_percentage: half}]"), "expected a whole number from 0 to 100"},
		{"sum", route("destinations: [{name: a, traffic_percentage: 60}, {name: a, traffic_percentage: 30}]"), "must be 100 in sum, but they are 90"},
		{"strategy", route("routing_strategy: LEAST_BUSY, destinations: [{name: a, traffic_percentage: 100}]"), "the only one is TRAFFIC_SPLIT"},
		{"head timeout of a route", route("head_timeout: soon, destinations: [{name: a, traffic_percentage: 100}]"), "routes[0].head_timeout: expected a duration"},
		{"targets are no list", targets("5"), "endpoints[0].targets: expected a list of targets, but it is a single value"},
		{"no targets", targets("[]"), "endpoints[0].targets: expected a list of targets, but it is an empty list"},
		{"target is no mapping", targets("[5]"), "endpoints[0].targets[0]: expected a target"},
		{"no model", targets("[{name: x}]"), "endpoints[0].targets[0].model: this key is required"},
		{"no name for the second", targets("[{" + m + "}, {" + m + "}]"), "endpoints[0].targets[1].name: this key is required"},
		{"one name twice", targets("[{name: x, " + m + "}, {name: x, " + m + "}]"), "endpoints[0].targets[1].name: the name \"x\" is that of another target"},
		{"the model's name", "endpoints:\n- {name: a, endpoint_type: llm/v1/chat, " + m + ", targets: [{name: default, " + m + "}]}\n",
			"endpoints[0].targets[0].name: the name \"default\" is that of another target"},
		{"bad name", targets("[{name: x y, " + m + "}]"), `"x y" is not a name`},
		{"weight", targets("[{name: x, weight: 10001, " + m + "}]"), "targets[0].weight: expected a whole number from 0 to 10000"},
		{"order", targets("[{name: x, order: -1, " + m + "}]"), "targets[0].order: expected a whole number from 0 to 99"},
		{"bodies", targets("[{name: x, " + m + "}], audit_bodies: some"), "audit_bodies: expected full, redacted or none"},
		{"disabled", targets("[{name: x, disabled: perhaps, " + m + "}]"), "targets[0].disabled: expected true or false"},
		{"many", targets("[" + strings.Repeat("{name: x, "+m+"},", 16) + "{name: z, " + m + "}]"), "at most 16 targets"},
		{"head timeout", "endpoints:\n- {name: a, endpoint_type: llm/v1/chat, head_timeout: 2h, " + m + "}\n", "head_timeout: expected a duration such as 30s, at most 1h0m0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := mlflowconfig.Parse("f.yaml", []byte(c.file), mlflowconfig.Options{})
			require.ErrorContains(t, err, c.says)
		})
	}
}

// What is nested under a parameter reaches the provider: by its group, as JSON
// where it is a document, as a list with commas.
func TestNestedConfig(t *testing.T) {
	dir := t.TempDir()
	credentials := filepath.Join(dir, "sa.json")
	require.NoError(t, os.WriteFile(credentials, []byte("{\"type\": \"service_account\"}\n"), 0o600))
	resolve := mlflowconfig.Resolver(func(name string) (string, bool) { return "from-env", name == "KEY" })
	for _, c := range []struct{ name, config, want string }{
		{"a mapping", "{vertex_credentials: {type: service_account, n: 5, s: '5', yes: true, none: null, key: $KEY, list: [1, a]}}",
			`{"type":"service_account","n":5,"s":"5","yes":true,"none":null,"key":"from-env","list":[1,"a"]}`},
		{"JSON text", `{vertex_credentials: '{"type": "x"}'}`, `{"type": "x"}`},
		{"a path", "{vertex_credentials: " + credentials + "}", `{"type": "service_account"}`},
		{"a reference", "{vertex_credentials: 'file:" + credentials + "'}", `{"type": "service_account"}`},
		{"the environment", "{vertex_credentials: $KEY}", "from-env"},
		{"a path elsewhere is a text", "{vertex_project: " + credentials + "}", credentials},
		{"a list", "{vertex_anthropic_betas: [a, $KEY]}", "a,from-env"},
		{"an empty list", "{vertex_anthropic_betas: []}", ","},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, err := mlflowconfig.Parse("f.yaml", []byte(one("name: a", "endpoint_type: llm/v1/chat",
				"model: {provider: vertex-ai, name: m, config: "+c.config+"}")), mlflowconfig.Options{Resolve: resolve})
			require.NoError(t, err)
			for _, value := range file.Endpoints[0].Targets[0].Config {
				assert.Equal(t, c.want, value)
			}
		})
	}
}

func TestModelWithoutAName(t *testing.T) {
	text := []byte(one("name: a", "endpoint_type: llm/v1/completions", "model: {provider: huggingface-text-generation-inference, config: {hf_server_url: 'http://x'}}"))
	file, err := mlflowconfig.Parse("f.yaml", text, mlflowconfig.Options{})
	require.NoError(t, err, "MLflow takes it")
	assert.Equal(t, "a", file.Endpoints[0].Targets[0].Model)
	assert.Equal(t, []string{"f.yaml:4:12: endpoints[0].model.name: the model has no name; the endpoint's is sent to the provider"}, file.Warnings)
	_, err = mlflowconfig.Parse("f.yaml", text, mlflowconfig.Options{Strict: true})
	assert.ErrorContains(t, err, "endpoints[0].model.name: this key is required")
}

// MLflow's own loader was asked about these files: see testdata/verdicts.py.
func TestFilesAsMLflowTakesThem(t *testing.T) {
	for _, c := range verdicts(t) {
		t.Run(c.Name, func(t *testing.T) {
			_, err := mlflowconfig.Parse("config.yaml", []byte(c.File), mlflowconfig.Options{})
			if c.Accepted {
				require.NoError(t, err)
				return
			}
			require.Error(t, err, "MLflow says: %s", c.Says)
		})
	}
}

// verdict is what MLflow says of a file.
type verdict struct {
	Name, File, Says string
	Accepted         bool
}

func verdicts(t *testing.T) (out []verdict) {
	t.Helper()
	data, err := os.ReadFile("testdata/verdicts.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &out))
	require.NotEmpty(t, out)
	return out
}
