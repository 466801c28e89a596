package cli_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestExport writes what can be applied again, elsewhere.
func TestExport(t *testing.T) {
	g := newGateway(t)
	t.Setenv("MY_KEY", canary)
	g.ok("", "users", "create", "alice")
	g.ok("", "orgs", "create", "science")
	g.ok("", "endpoints", "create", "my-chat", "--type", "llm/v1/chat", "--provider", "openai", "--model", "gpt-4", "--secret", "openai_api_key=$MY_KEY",
		"--set", "openai_organization=acme", "--limit-calls", "5", "--user", "alice", "--org", "science", "--description", "For: all")
	g.ok("", "endpoints", "targets", "add", "my-chat", "spare", "--provider", "practice", "--model", "m", "--order", "1")
	g.ok("", "endpoints", "create", "plain", "--type", "llm/v1/embeddings", "--provider", "practice", "--model", "m", "--everyone")
	g.ok("", "credentials", "create", "company", "--provider", "openai", "--secret", "openai_api_key=$MY_KEY")
	g.ok("", "endpoints", "create", "shared", "--type", "llm/v1/chat", "--provider", "openai", "--model", "gpt-4", "--credential", "company", "--everyone")
	assert.Regexp(t, `(?m)^credential +company$`, g.ok("", "endpoints", "show", "shared"))
	file := g.ok("", "export")
	assert.Contains(t, file, "#   company\n")
	assert.Contains(t, file, "credential: company\n")
	assert.NotContains(t, file, "SHARED")
	assert.Contains(t, file, "#   MY_CHAT_DEFAULT_OPENAI_API_KEY\n")
	assert.Contains(t, file, "openai_api_key: $MY_CHAT_DEFAULT_OPENAI_API_KEY\n")
	assert.Contains(t, file, "- alice\n")
	assert.NotContains(t, g.ok("", "export", "plain"), "my-chat")
	assert.Equal(t, 1, g.run("", "export", "nowhere").code)

	t.Setenv("MY_CHAT_DEFAULT_OPENAI_API_KEY", canary)
	assert.Regexp(t, `my-chat +unchanged\nplain +unchanged\nshared +unchanged\n`, g.ok(file, "apply", "-f", "-"))
	g.ok("", "endpoints", "delete", "my-chat")
	assert.Regexp(t, `my-chat +created\nplain +unchanged\nshared +unchanged\n`, g.ok(file, "apply", "-f", "-"))
	assert.Equal(t, file, g.ok("", "export"))
}
