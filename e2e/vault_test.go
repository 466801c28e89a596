package e2e_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
	"sluice/internal/awstest"
)

// vaultYAML is the configuration of a vault at moto.
func vaultYAML(kind string, a *awstest.AWS, key string) string {
	switch kind {
	case "aws-kms":
		return fmt.Sprintf("kind: aws-kms, region: %s, endpoint: %q, key_id: %q", awstest.Region, a.URL, key)
	case "aws-secrets-manager":
		return fmt.Sprintf("kind: aws-secrets-manager, region: %s, endpoint: %q, prefix: e2e/, refresh: 1s", awstest.Region, a.URL)
	}
	return "kind: local"
}

// called wants a call of the endpoint to work.
func called(t *testing.T, g *rig.Gateway, endpoint string) {
	t.Helper()
	r := g.Call("POST", "/gateway/"+endpoint+"/invocations", g.UserToken, hello)
	require.Equal(t, 200, r.Status, string(r.Body))
}

// sluice runs a command against the gateway.
func sluice(t *testing.T, g *rig.Gateway, args ...string) string {
	t.Helper()
	out, err := exec.Command(rig.Binary(t), append(args, "--server", g.URL, "--data", g.Data)...).CombinedOutput()
	require.NoError(t, err, "%v: %s", args, out)
	return string(out)
}

// noKeyAtRest looks for the providers' keys in the whole data folder.
func noKeyAtRest(t *testing.T, g *rig.Gateway) {
	t.Helper()
	secrets := map[string]string{"openai": rig.OpenAIKey, "anthropic": rig.AnthropicKey, "rotated": rotatedKey}
	require.NoError(t, filepath.WalkDir(g.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		absent(t, secrets, d.Name(), string(b))
		return err
	}))
	absent(t, secrets, "the log", g.Output())
}

const rotatedKey = "sk-canary-rotated-0a1b2c3d4e5f"

func TestVaultsOfAWS(t *testing.T) {
	for _, kind := range []string{"aws-kms", "aws-secrets-manager"} {
		t.Run(kind, func(t *testing.T) {
			a := awstest.Start(t)
			config := vaultYAML(kind, a, a.NewKey(t))
			g := rig.Start(t, rig.Options{Config: "vault: { " + config + " }\n"})
			called(t, g, "chat-openai")
			_, err := os.Stat(filepath.Join(g.Data, "vault.keyset"))
			require.ErrorIs(t, err, fs.ErrNotExist, "no local keyset is made")

			// One stored credential for two endpoints; rotating it changes both.
			id := g.Admin("POST", "/api/sluice/v1/credentials",
				`{"name":"shared","provider":"openai","values":{"openai_api_key":"sk-wrong"}}`).JSON(t)["id"].(string)
			for _, name := range []string{"one", "two"} {
				g.Admin("POST", endpoints, strings.Replace(rig.Endpoint(name, "chat", "openai", "gpt-4o", map[string]string{}), "{", `{"credentialId":"`+id+`",`, 1))
				r := g.Call("POST", "/gateway/"+name+"/invocations", g.UserToken, hello)
				require.Equal(t, 401, r.Status, string(r.Body))
			}
			test := `{"endpointType":"llm/v1/chat","modelProvider":"openai","modelName":"gpt-4o","credentialId":"` + id + `"}`
			tried := g.Admin("POST", "/api/sluice/v1/targets/test", test)
			require.Equal(t, "provider_credential_rejected", tried.JSON(t)["code"], string(tried.Body))
			g.Admin("PATCH", "/api/sluice/v1/credentials/"+id, `{"values":{"openai_api_key":"`+rig.OpenAIKey+`"}}`)
			called(t, g, "one")
			called(t, g, "two")
			tried = g.Admin("POST", "/api/sluice/v1/targets/test", test)
			require.Equal(t, true, tried.JSON(t)["ok"], string(tried.Body))
			require.NotContains(t, string(tried.Body), rig.OpenAIKey)

			// AWS is away: what runs goes on, a change of keys is refused.
			a.Set(awstest.Away)
			called(t, g, "one")
			if kind == "aws-secrets-manager" {
				eventually(t, "the outage is told", func() bool {
					return strings.Contains(string(g.Admin("GET", "/api/sluice/v1/status", "").Body), "AWS Secrets Manager can't be reached")
				})
				called(t, g, "one")
				r := g.Call("PATCH", "/api/sluice/v1/credentials/"+id, g.AdminToken, `{"values":{"openai_api_key":"sk-x"}}`)
				require.Equal(t, 503, r.Status, string(r.Body))
				require.Contains(t, string(r.Body), "vault_unavailable")
			}
			// A restart says what is missing, and recovers by itself.
			g.Stop()
			g.Launch()
			r := g.Call("POST", "/gateway/one/invocations", g.UserToken, hello)
			require.Equal(t, 503, r.Status, string(r.Body))
			require.Contains(t, string(r.Body), "not_ready")
			require.Contains(t, string(g.Admin("GET", "/api/sluice/v1/status", "").Body), "The gateway tries again by itself")
			ready := g.Call("GET", "/readyz", "", "")
			require.Equal(t, 503, ready.Status)
			require.Contains(t, string(ready.Body), "can't be read from the vault at the moment")
			require.Contains(t, sluice(t, g, "vault", "status"), "can't be reached")
			a.Set(awstest.Up)
			eventually(t, "it recovers", func() bool { return g.Call("GET", "/readyz", "", "").Status == 200 })
			called(t, g, "one")
			called(t, g, "chat-anthropic")

			if kind == "aws-secrets-manager" {
				a.PutValue(t, "e2e/credential/"+id, `{"openai_api_key":"sk-by-operator"}`)
				eventually(t, "a value that changed in AWS comes into force", func() bool {
					return g.Call("POST", "/gateway/one/invocations", g.UserToken, hello).Status == 401
				})
				a.PutValue(t, "e2e/credential/"+id, `{"openai_api_key":"`+rig.OpenAIKey+`"}`)
				eventually(t, "and back", func() bool {
					return g.Call("POST", "/gateway/two/invocations", g.UserToken, hello).Status == 200
				})
			} else {
				require.Contains(t, sluice(t, g, "vault", "rotate"), "last rotate")
				called(t, g, "two")
			}
			noKeyAtRest(t, g)
		})
	}
}

// TestVaultMoves goes from the local vault to AWS KMS, on to Secrets Manager and
// back, under a gateway that runs all the time, while calls are made.
func TestVaultMoves(t *testing.T) {
	a := awstest.Start(t)
	key := a.NewKey(t)
	g := rig.Start(t, rig.Options{Config: "vault: { kind: local }\n"})
	pid := g.PID()
	stop, failures := make(chan struct{}), make(chan string, 1)
	go func() {
		defer close(failures)
		for {
			select {
			case <-stop:
				return
			default:
			}
			r, err := g.Do("POST", "/gateway/chat-openai/invocations", g.UserToken, hello)
			if err != nil || r.Status != 200 {
				failures <- fmt.Sprint(r.Status, " ", string(r.Body), " ", err)
				return
			}
		}
	}()
	reload := func(yaml string) {
		t.Helper()
		config, err := os.ReadFile(g.Config)
		require.NoError(t, err)
		rest, _, _ := strings.Cut(string(config), "vault: ")
		require.NoError(t, os.WriteFile(g.Config, []byte(rest+"vault: { "+yaml+" }\n"), 0o600))
		before := strings.Count(g.Output(), "the configuration was read again")
		g.Signal(syscall.SIGHUP)
		eventually(t, "the configuration is read", func() bool {
			return strings.Count(g.Output(), "the configuration was read again") > before
		})
	}
	from := "local"
	for _, to := range []string{"aws-kms", "aws-secrets-manager", "local"} {
		// Without the vault that has the values, the new one is refused.
		reload(vaultYAML(to, a, key))
		require.Contains(t, g.Output(), "stored values are sealed by "+from+": name it under vault.previous")
		reload(vaultYAML(to, a, key) + ", previous: [ { " + vaultYAML(from, a, key) + " } ]")
		out := sluice(t, g, "vault", "migrate", "--to", to)
		require.Regexp(t, `values in `+to+` +7\n`, out) // two are keys of the trail
		require.Regexp(t, `values to move +0\n`, out)
		eventually(t, "nothing is left in AWS to remove", func() bool {
			return g.Admin("GET", "/api/sluice/v1/vault", "").JSON(t)["removals"] == 0.0
		})
		reload(vaultYAML(to, a, key))
		noKeyAtRest(t, g)
		from = to
	}
	sluice(t, g, "vault", "rotate")
	close(stop)
	require.Empty(t, <-failures, "no call failed meanwhile")
	require.Equal(t, pid, g.PID())

	// A passphrase, and a restart with it.
	t.Setenv("VAULT_PASSPHRASE", "correct horse battery staple")
	out, err := exec.Command(rig.Binary(t), "vault", "passphrase", "--data", g.Data, "--new", "env:VAULT_PASSPHRASE").CombinedOutput()
	require.NoError(t, err, string(out))
	g.Stop()
	late, err := exec.Command(rig.Binary(t), "run", "--config", g.Config).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(late), "the keyset has one; give it as vault.passphrase")
	config, err := os.ReadFile(g.Config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(g.Config, []byte(strings.Replace(string(config), "kind: local", "kind: local, passphrase: $VAULT_PASSPHRASE", 1)), 0o600))
	g.Launch()
	called(t, g, "chat-openai")
	for _, kind := range []string{"OpenVault", "MigrateVault", "RotateVault"} {
		r := g.Admin("GET", "/api/sluice/v1/audit?kinds="+kind, "")
		require.Contains(t, string(r.Body), `"`+kind+`"`)
	}
	verify(t, g)
}
