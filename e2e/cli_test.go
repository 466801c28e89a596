package e2e_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
)

// TestTheCommandLine signs in from a machine that knows nothing of the gateway
// but what it showed at its start, and goes on from there.
func TestTheCommandLine(t *testing.T) {
	g := rig.Start(t, rig.Options{BareEndpoints: true})
	print := regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindString(g.Output())
	require.NotEmpty(t, print, "the start shows the CA's fingerprint")
	home := t.TempDir()
	run := func(stdin, name string, args ...string) (string, error) {
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Stdin = home, strings.NewReader(stdin)
		cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+home, "HOME="+home, "SLUICE_SERVER=", "SLUICE_TOKEN=", "SLUICE_PROFILE=")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	sluice := func(args ...string) string {
		t.Helper()
		out, err := run("", rig.Binary(t), args...)
		require.NoError(t, err, "%v: %s", args, out)
		return out
	}
	out, err := run(g.AdminToken, rig.Binary(t), "login", "--server", g.URL, "--token-stdin")
	require.Error(t, err)
	require.Contains(t, out, print)
	out, err = run(g.AdminToken, rig.Binary(t), "login", "--server", g.URL, "--token-stdin", "--ca-fingerprint", print)
	require.NoError(t, err, "%s", out)
	require.Contains(t, out, "as admin")

	require.Regexp(t, `(?m)^name +admin$`, sluice("whoami"))
	require.Contains(t, sluice("__complete", "try", "pra"), "practice\t")
	require.Contains(t, sluice("try", "practice", "Hello, who are you?"), "practice model")
	require.Regexp(t, `practice +answered`, strings.ReplaceAll(sluice("audit", "search", "--endpoint", "practice"), "  ", " "))
	require.Regexp(t, `may call +true`, sluice("policy", "explain", "practice", "practice"))
	require.Regexp(t, `(?m)^envoy +true`, sluice("status"))

	token := strings.TrimSpace(sluice("tokens", "create", "bound", "--endpoint", "practice", "--to", "token"))
	require.NotContains(t, token, "slu_")
	code := sluice("endpoints", "code", "practice", "--language", "curl")
	out, err = run("", "sh", "-c", "SLUICE_TOKEN=$(cat token)\n"+code)
	require.NoError(t, err, "%s", out)
	require.Contains(t, out, "practice model")
	for shell, check := range map[string][]string{"bash": {"bash", "-n"}, "zsh": {"zsh", "-n"}} {
		if _, err := exec.LookPath(check[0]); err != nil {
			continue
		}
		out, err := run(sluice("completion", shell), check[0], check[1:]...)
		require.NoError(t, err, "%s", out)
	}
	sluice("endpoints", "disable", "practice")
	out, err = run("", rig.Binary(t), "try", "practice", "Hello")
	require.Error(t, err)
	require.Contains(t, out, "sluice: ")
	require.NotContains(t, out, "practice model")
	sluice("logout")
	_, err = run("", rig.Binary(t), "whoami")
	require.Error(t, err)
}
