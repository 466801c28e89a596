package mlflowconfig_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/catalog"
	"sluice/internal/mlflowconfig"
)

func TestGoodFile(t *testing.T) {
	data, err := os.ReadFile("testdata/full.good.yaml")
	require.NoError(t, err)
	env := map[string]string{"OPENAI_API_KEY": "sk-1"}
	file, err := mlflowconfig.Parse("full.good.yaml", data, mlflowconfig.Options{
		Resolve: mlflowconfig.Resolver(func(name string) (string, bool) { v, ok := env[name]; return v, ok }),
	})
	require.NoError(t, err)
	described, disabled, bodies := "Texts in, vectors out.", true, "none"
	assert.Equal(t, []mlflowconfig.Endpoint{
		{
			Name: "chat", Type: catalog.TypeChat, Line: 5,
			Targets: only("openai", "gpt-4o", map[string]string{"openai_api_key": "sk-1", "openai_api_base": "https://api.openai.com/v1"}),
			Limit:   &catalog.Limit{Calls: 10, Period: "minute", Key: "team"},
		},
		{
			Name: "titan.v1", Type: catalog.TypeCompletions, Line: 17,
			Targets: only("bedrock", "amazon.titan-tg1-large",
				map[string]string{"aws_config.aws_region": "us-east-1", "aws_config.session_length_seconds": "900"}),
		},
		{
			Name: "gemini_embed", Type: catalog.TypeEmbeddings, Line: 27,
			Targets: only("vertex_ai", "gemini-embedding",
				map[string]string{"vertex_project": "12345", "vertex_anthropic_betas": "a,b"}),
			Permissions: &catalog.Permissions{Users: []string{"alice", "zoe"}, Organizations: []string{"science"}, Owners: []string{"science"}},
			Description: &described, Disabled: &disabled, AuditBodies: &bodies,
		},
	}, file.Endpoints)
	require.Len(t, file.Warnings, 2)
	assert.Equal(t, "full.good.yaml:2:1: defaults: this key is not known and was left out", file.Warnings[0])
	assert.Contains(t, file.Warnings[1], "endpoints[2].model.config.enabled: the provider vertex_ai has no such parameter and was left out")

	again, err := mlflowconfig.Marshal(file.Endpoints)
	require.NoError(t, err)
	back, err := mlflowconfig.Parse("again", again, mlflowconfig.Options{Strict: true})
	require.NoError(t, err)
	for i := range back.Endpoints {
		back.Endpoints[i].Line = file.Endpoints[i].Line
	}
	assert.Equal(t, file.Endpoints, back.Endpoints)
}

// only is what "model:" alone says.
func only(provider, model string, config map[string]string) []mlflowconfig.Target {
	return []mlflowconfig.Target{{Name: "default", Weight: 1, Provider: provider, Model: model, Config: config}}
}

// badFiles are files and what is said about them. "|" begins each line's text.
var badFiles = []struct{ name, file, says string }{
	{"not YAML", "endpoints: [", "f.yaml:1"},
	{"tab", "endpoints:\n\t- name: x", "f.yaml:2"},
	{"empty", "", "the file must be a mapping with the key endpoints, but it is nothing"},
	{"a list", "- a", "f.yaml:1:1: the file must be a mapping"},
	{"two documents", "endpoints: []\n---\nendpoints: []\n", "only one YAML document"},
	{"no endpoints", "routes: []", "f.yaml:1:1: endpoints: this key is required"},
	{"no list", "endpoints: 5", "f.yaml:1:12: endpoints: expected a list"},
	{"no mapping", "endpoints: [5]", "f.yaml:1:13: endpoints[0]: expected an endpoint"},
	{"given twice", "endpoints: []\nendpoints: []\n", "f.yaml:2"},
	{"no name", one("endpoint_type: llm/v1/chat", model), "endpoints[0].name: this key is required"},
	{"bad name", one("name: a/b", "endpoint_type: llm/v1/chat", model), `f.yaml:2:11: endpoints[0].name: "a/b" is not a name`},
	{"no type", one("name: a", model), "endpoints[0].endpoint_type: this key is required"},
	{"bad type", one("name: a", "endpoint_type: llm/v2/chat", model), `f.yaml:3:20: endpoints[0].endpoint_type: "llm/v2/chat" is not`},
	{"old key", one("name: a", "route_type: llm/v1/chat", model), "f.yaml:3:17: endpoints[0].route_type: use endpoint_type"},
	{"no model", one("name: a", "endpoint_type: llm/v1/chat"), "endpoints[0].model: this key is required"},
	{"no provider", one("name: a", "endpoint_type: llm/v1/chat", "model: {name: m}"), "endpoints[0].model.provider: this key is required"},
	{"config", one("name: a", "endpoint_type: llm/v1/chat", "model: {provider: p, config: 5}"), "endpoints[0].model.config: expected a mapping"},
	{"list in list", one("name: a", "endpoint_type: llm/v1/chat", "model: {provider: p, config: {k: [[1]]}}"),
		"endpoints[0].model.config.k[0]: expected a single value"},
	{"part of a call", one("name: a", "endpoint_type: llm/v1/chat", model, "limit: {calls: 1.5, renewal_period: minute}"),
		"f.yaml:5:20: endpoints[0].limit.calls: expected a whole number"},
	{"calls", one("name: a", "endpoint_type: llm/v1/chat", model, "limit: {calls: many, renewal_period: minute}"),
		"f.yaml:5:20: endpoints[0].limit.calls: expected a whole number"},
	{"period", one("name: a", "endpoint_type: llm/v1/chat", model, "limit: {calls: 1, renewal_period: moon}"),
		"endpoints[0].limit.renewal_period: "},
	{"no period", one("name: a", "endpoint_type: llm/v1/chat", model, "limit: {calls: 1}"),
		"endpoints[0].limit.renewal_period: this key is required"},
	{"everyone", one("name: a", "endpoint_type: llm/v1/chat", model, "permissions: {everyone: yes}"),
		"endpoints[0].permissions.everyone: expected true or false"},
	{"users", one("name: a", "endpoint_type: llm/v1/chat", model, "permissions: {users: alice}"),
		"endpoints[0].permissions.users: expected a list"},
	{"environment", one("name: a", "endpoint_type: llm/v1/chat", "model: {provider: p, config: {some_api_key: $NOT_SET}}"),
		"endpoints[0].model.config.some_api_key: the environment variable NOT_SET is not set"},
	{"file", one("name: a", "endpoint_type: llm/v1/chat", "model: {provider: p, config: {token: 'file:/does/not/exist'}}"),
		"endpoints[0].model.config.token: reading the value from a file"},
	{"unknown alias", "endpoints: *none", "none"},
	{"bomb", bomb(), "too large once its aliases are resolved"},
	{"same name twice", "endpoints:\n- {name: a, endpoint_type: llm/v1/chat, " + model + "}\n- {name: a, endpoint_type: llm/v1/chat, " + model + "}\n",
		`f.yaml:3:10: endpoints[1].name: the name "a" is already used on line 2`},
}

const model = "model: {provider: openai, name: m}"

// one is a file with one endpoint of these lines.
func one(lines ...string) string {
	return "endpoints:\n  - " + strings.Join(lines, "\n    ") + "\n"
}

// bomb is a small file that aliases make huge.
func bomb() string {
	var b strings.Builder
	b.WriteString("a: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i <= 8; i++ {
		b.WriteString("a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [")
		b.WriteString(strings.TrimSuffix(strings.Repeat("*a"+string(rune('0'+i-1))+", ", 10), ", "))
		b.WriteString("]\n")
	}
	return b.String() + "endpoints: []\n"
}

func TestBadFiles(t *testing.T) {
	for _, c := range badFiles {
		t.Run(c.name, func(t *testing.T) {
			_, err := mlflowconfig.Parse("f.yaml", []byte(c.file), mlflowconfig.Options{
				Resolve: mlflowconfig.Resolver(func(string) (string, bool) { return "", false }),
			})
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.says)
			assert.NotContains(t, err.Error(), "failed to")
		})
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := mlflowconfig.Parse("f.yaml", []byte("endpoints: [{name: a/b}, {name: c/d}]"), mlflowconfig.Options{})
	require.Error(t, err)
	assert.Equal(t, 6, len(strings.Split(err.Error(), "\n")), err)
	var first *mlflowconfig.Error
	require.ErrorAs(t, err, &first)
	assert.Equal(t, "endpoints[0].name", first.Key)
	assert.Equal(t, 1, first.Line)
}

func TestStrictness(t *testing.T) {
	file := one("name: a", "endpoint_type: llm/v1/chat", model, "colour: red")
	lenient, err := mlflowconfig.Parse("f.yaml", []byte(file), mlflowconfig.Options{})
	require.NoError(t, err)
	assert.Equal(t, []string{"f.yaml:5:5: endpoints[0].colour: this key is not known and was left out"}, lenient.Warnings)
	_, err = mlflowconfig.Parse("f.yaml", []byte(file), mlflowconfig.Options{Strict: true})
	assert.ErrorContains(t, err, "f.yaml:5:5: endpoints[0].colour: this key is not known; expected one of")

	file = one("name: a", "endpoint_type: llm/v1/chat", "model: {provider: openai, name: m, config: {openai_api_bse: x, aws_config: {a: b}}}")
	lenient, err = mlflowconfig.Parse("f.yaml", []byte(file), mlflowconfig.Options{})
	require.NoError(t, err)
	assert.Len(t, lenient.Warnings, 2)
	assert.Empty(t, lenient.Endpoints[0].Targets[0].Config)
	_, err = mlflowconfig.Parse("f.yaml", []byte(file), mlflowconfig.Options{Strict: true})
	assert.ErrorContains(t, err, "model.config.openai_api_bse: the provider openai has no such parameter")

	section, err := mlflowconfig.ParseSection("sluice.yaml", []byte("listen: 127.0.0.1:1\n"+one("name: a", "endpoint_type: llm/v1/chat", model)),
		mlflowconfig.Options{Strict: true})
	require.NoError(t, err)
	assert.Equal(t, 3, section.Endpoints[0].Line)
	none, err := mlflowconfig.ParseSection("sluice.yaml", []byte("listen: x"), mlflowconfig.Options{Strict: true})
	require.NoError(t, err)
	assert.Empty(t, none.Endpoints)
}

// What YAML and MLflow take for a whole number, and what Windows puts before a file.
func TestSpellings(t *testing.T) {
	for text, calls := range map[string]int64{"10": 10, "10.0": 10, "'10'": 10, "1_000": 1000, "0x10": 16} {
		file := "\ufeff" + one("name: a", "endpoint_type: llm/v1/chat", model, "limit: {calls: "+text+", renewal_period: minute}") +
			"routes: [{name: r, task_type: llm/v1/chat, destinations: [{name: a, traffic_percentage: 100.0}]}]\r\n"
		got, err := mlflowconfig.Parse("f.yaml", []byte(file), mlflowconfig.Options{})
		require.NoError(t, err, text)
		assert.Equal(t, calls, got.Endpoints[0].Limit.Calls, text)
		assert.Equal(t, 100, got.Endpoints[1].Targets[0].Weight)
	}
}

func TestResolver(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(key, []byte("sk-from-file\n"), 0o600))
	resolve := mlflowconfig.Resolver(func(name string) (string, bool) { return "sk-from-env", name == "KEY" })
	for _, c := range []struct {
		value     string
		mayBePath bool
		want      string
	}{
		{"$KEY", true, "sk-from-env"},
		{"file:" + key, true, "sk-from-file"},
		{key, true, "sk-from-file"},
		{"sk-literal", true, "sk-literal"},
		{filepath.Dir(key), true, filepath.Dir(key)},
		{"$KEY", false, "sk-from-env"},
		{key, false, key},
		{"$", false, "$"},
	} {
		got, err := resolve(c.value, c.mayBePath)
		require.NoError(t, err)
		assert.Equal(t, c.want, got, c.value)
	}
}

// A mistake near a key does not show the key.
func TestErrorsShowNoValues(t *testing.T) {
	for _, file := range []string{
		"endpoints:\n  - model: {config: {openai_api_key: sk-canary\n",
		"endpoints:\n  - openai_api_key: sk-canary\n   bad: indent",
		one("name: a", "endpoint_type: llm/v1/chat", "model: {provider: p, config: {openai_api_key: [sk-canary, {a: b}]}}"),
	} {
		_, err := mlflowconfig.Parse("f.yaml", []byte(file), mlflowconfig.Options{Strict: true})
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "sk-canary")
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range badFiles {
		f.Add([]byte(c.file))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := mlflowconfig.Parse("f.yaml", data, mlflowconfig.Options{})
		if (file == nil) == (err == nil) {
			t.Fatal("either a file or an error")
		}
	})
}
