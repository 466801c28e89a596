package cli_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTargetsCommands(t *testing.T) {
	g := newGateway(t)
	t.Setenv("MY_KEY", canary)
	g.ok("", "endpoints", "create", "chat", "--type", "llm/v1/chat", "--provider", "openai", "--model", "gpt-4", "--secret", "openai_api_key=$MY_KEY")
	targets := func(args ...string) []string { return append([]string{"endpoints", "targets"}, args...) }
	shown := g.ok("", targets("add", "chat", "spare", "--provider", "anthropic", "--model", "claude-3", "--order", "1",
		"--set", "anthropic_version=2023-06-01", "--secret", "anthropic_api_key=$MY_KEY")...)
	assert.Contains(t, shown, "anthropic_api_key  (set, not shown)")
	list := g.ok("", targets("list", "chat")...)
	assert.Regexp(t, `(?m)^TARGET +ORDER +WEIGHT +PROVIDER +MODEL +STATE\ndefault +0 +1 +openai +gpt-4 +on\nspare +1 +1 +anthropic +claude-3 +on\n`, list)

	g.ok("", targets("set", "chat", "spare", "--weight", "0", "--name", "b", "--set", "anthropic_version=2024-01-01")...)
	var all struct {
		HeadTimeout string
		Targets     []struct {
			Name               string
			Weight             int
			ModelConfig        map[string]string
			ModelConfigSecrets []string
		}
	}
	g.json(&all, targets("set", "chat", "--head-timeout", "20s")...)
	assert.Equal(t, "20s", all.HeadTimeout)
	require.Len(t, all.Targets, 2)
	b := all.Targets[1]
	assert.Equal(t, "b", b.Name)
	assert.Equal(t, 0, b.Weight)
	assert.Equal(t, map[string]string{"anthropic_version": "2024-01-01"}, b.ModelConfig)
	assert.Equal(t, []string{"anthropic_api_key"}, b.ModelConfigSecrets, "a key that is not named is kept")

	assert.Regexp(t, `(?m)^targets +default, b `, g.ok("", "endpoints", "show", "chat"))
	assert.Contains(t, g.run("", targets("set", "chat", "b", "--weight", "-1")...).err, "The field weight is wrong: -1 is not from 0 to 10000.")
	assert.Contains(t, g.ok("", targets("set", "chat", "default", "--disabled")...), "disabled        true")
	assert.Contains(t, g.run("", targets("add", "chat", "b", "--provider", "practice", "--model", "m")...).err, `a target named "b" already`)
	assert.Contains(t, g.ok("", targets("remove", "chat", "b")...), "is removed")
	assert.NotContains(t, g.ok("", "endpoints", "show", "chat"), "targets")
	assert.Contains(t, g.ok("", "status"), "Every target of this endpoint is switched off.", "the cause, to which the client's error refers")
	assert.Contains(t, g.run("", targets("remove", "chat", "default")...).err, "at least one target")
	for _, bad := range [][]string{{"add", "chat"}, {"add", "chat", "x"}, {"set", "chat"}, {"set"}, {"set", "chat", "x", "--head-timeout", "1s"}, {"remove", "chat"}} {
		assert.Equal(t, 2, g.run("", targets(bad...)...).code, bad)
	}
}

func TestProvidersCommand(t *testing.T) {
	g := newGateway(t)
	list := g.ok("", "providers")
	assert.Regexp(t, `(?m)^PROVIDER +TYPES +NATIVE +TITLE$`, list)
	assert.Regexp(t, `(?m)^openai +chat,completions,embeddings +`, list)
	one := g.ok("", "providers", "Anthropic")
	assert.Regexp(t, `(?m)^anthropic_api_key +secret, required`, one)
	var p struct{ Fields []struct{ Name string } }
	g.json(&p, "providers", "anthropic")
	assert.NotEmpty(t, p.Fields)
	unknown := g.run("", "providers", "acme")
	assert.Equal(t, 2, unknown.code)
	assert.Contains(t, unknown.err, `"acme" is no provider`)
	assert.Equal(t, 2, g.run("", "providers", "a", "b").code)
}

func TestPricesCommand(t *testing.T) {
	g := newGateway(t)
	all := g.ok("", "prices")
	assert.Regexp(t, `(?m)^USD per million tokens; the built-in ones are of 20\d\d-\d\d-\d\d$`, all)
	assert.Regexp(t, `(?m)^openai +gpt-4o-mini +0\.15 +0\.075 +0\.15 +0\.6 +20\d\d-`, all)
	assert.Regexp(t, `(?m)^gemini +gemini-2\.5-pro, input above 200000 +2\.5 `, all)
	one := g.ok("", "prices", "OpenAI")
	assert.NotContains(t, one, "gemini")
	var p struct{ Providers []struct{ Provider string } }
	g.json(&p, "prices", "vertex-ai")
	assert.Len(t, p.Providers, 1)
	assert.Equal(t, 1, g.run("", "prices", "acme").code)
	assert.Equal(t, 2, g.run("", "prices", "a", "b").code)
}
