package cli_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/provider"
	"sluice/internal/admin/api"
	"sluice/internal/vault"
)

func TestCredentialsCommands(t *testing.T) {
	g := newGateway(t)
	g.probe = func(p provider.Target, _ string) api.TargetTestResult {
		if p.Config["openai_api_key"] == canary {
			return api.TargetTestResult{OK: true, Status: 200, Message: "It works."}
		}
		return api.TargetTestResult{Code: "provider_credential_rejected", Status: 401, Message: "The provider refuses the key."}
	}
	key := filepath.Join(g.data, "key")
	require.NoError(t, os.WriteFile(key, []byte("sk-old\n"), 0o600))
	shown := g.ok("", "credentials", "create", "company", "--provider", "openai", "--secret", "openai_api_key=file:"+key)
	assert.Regexp(t, `openai_api_key +\(set, not shown\)`, shown)
	g.ok("", "endpoints", "create", "chat", "--type", "llm/v1/chat", "--provider", "openai", "--model", "gpt-4", "--credential", "company")
	assert.Regexp(t, `company +[0-9a-f]{24} +openai +openai_api_key +1 .* ok`, g.ok("", "credentials", "list"))
	assert.Regexp(t, `used by +chat`, g.ok("", "credentials", "get", "company"))

	test := []string{"credentials", "test", "--provider", "openai", "--model", "gpt-4"}
	r := g.run("", append(test, "--credential", "company")...)
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.err, "The provider refuses the key.")
	assert.Regexp(t, `code +provider_credential_rejected`, r.out)
	g.ok(canary+"\n", append(test, "--secret", "openai_api_key=-")...)
	g.ok(canary+"\n", "credentials", "rotate", "company", "--secret", "openai_api_key=-")
	assert.Regexp(t, `works +true`, g.ok("", append(test, "--credential", "company")...))
	assert.Regexp(t, `works +true`, g.ok("", append(test, "--endpoint", "chat", "--credential", "company")...))

	assert.Contains(t, g.run("", "credentials", "delete", "company").err, "is used by chat")
	g.ok("", "credentials", "rename", "company", "openai of all")
	g.ok("", "endpoints", "delete", "chat")
	assert.Contains(t, g.ok("", "credentials", "delete", "openai of all"), "is deleted")
	assert.Contains(t, g.run("", "credentials", "get", "company").err, `no credential named "company"`)
	for _, bad := range [][]string{
		{"credentials", "create", "x"}, {"credentials", "rotate", "x"}, {"credentials", "test"},
		{"credentials", "create", "x", "--provider", "openai", "--secret", "openai_api_key=sk-value"},
	} {
		assert.Equal(t, 2, g.run("", bad...).code, bad)
	}
}

func TestVaultCommands(t *testing.T) {
	g := newGateway(t)
	g.ok(canary+"\n", "credentials", "create", "company", "--provider", "openai", "--secret", "openai_api_key=-")
	assert.Regexp(t, `vault +local \d+\n`, g.ok("", "vault", "status"))
	out := g.ok("", "vault", "rotate")
	assert.Regexp(t, `last rotate +3 of 3 targets, credentials and keys of the trail, done`, out)
	assert.Regexp(t, `values in local +3\n`, out)
	assert.Contains(t, g.run("", "vault", "migrate", "--to", "aws-kms").err, "configure that as vault, and the present one under vault.previous")
	assert.Regexp(t, `last migrate +0 of 0`, g.ok("", "vault", "migrate", "--to", "local"))
	assert.Equal(t, 2, g.run("", "vault", "migrate").code)
}

func TestVaultPassphrase(t *testing.T) {
	g := newGateway(t)
	path := filepath.Join(g.data, "vault.keyset")
	one := filepath.Join(t.TempDir(), "one")
	require.NoError(t, os.WriteFile(one, []byte("correct horse\n"), 0o600))
	run := func(stdin string, args ...string) result {
		return g.bare(stdin, append([]string{"vault", "passphrase", "--data", g.data}, args...)...)
	}
	require.Equal(t, 0, run("", "--new", "file:"+one).code)
	_, err := vault.OpenLocalWithPassphrase(path, "correct horse")
	require.NoError(t, err)
	assert.Contains(t, run("", "--new", "file:"+one).err, "the keyset has one")
	r := run("battery\n", "--current", "file:"+one, "--new", "-")
	require.Equal(t, 0, r.code, r.err)
	assert.Contains(t, run("", "--current", "file:"+one, "--remove").err, "it is not the one that the keyset was encrypted with")
	require.Equal(t, 0, run("battery\n", "--current", "-", "--remove").code)
	_, err = vault.OpenLocal(path)
	require.NoError(t, err)
	for _, bad := range [][]string{{}, {"--remove", "--new", "-"}, {"--new", "a passphrase"}, {"--current", "-", "--new", "-"}} {
		assert.Equal(t, 2, run("", bad...).code, bad)
	}
}
