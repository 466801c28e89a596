package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
)

// TestWhatTheFirstStartPrintsWorks pastes what sluice run prints.
func TestWhatTheFirstStartPrintsWorks(t *testing.T) {
	g := rig.Start(t, rig.Options{BareEndpoints: true})
	out := g.Output()
	require.Contains(t, out, g.AdminToken, "the administrator's token is printed once")

	curl := between(t, out, "A first call:\n", "\n\n")
	got, err := exec.Command("bash", "-c", curl).CombinedOutput()
	require.NoError(t, err, "%s", got)
	require.Contains(t, string(got), "practice model")
	require.Contains(t, string(got), "chat.completion")

	snippet := dedent(between(t, out, "(pip install mlflow):\n", "\n\n"))
	cmd := exec.Command(python(t), "-c", snippet)
	cmd.Dir = t.TempDir()
	got, err = cmd.CombinedOutput()
	require.NoError(t, err, "%s", got)
	require.Contains(t, string(got), "practice model")

	for name, mode := range map[string]os.FileMode{".": 0o700, "admin-token": 0o600, "practice-token": 0o600,
		"vault.keyset": 0o600, "sluice.db": 0o600, "ca.key": 0o600, "server.key": 0o600, "audit": 0o700} {
		info, err := os.Stat(filepath.Join(g.Data, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), name)
	}

	made := g.Admin("GET", "/api/sluice/v1/audit?kinds=CreateEndpoint&kinds=CreateUser&kinds=CreateToken", "").JSON(t)
	require.Len(t, made["records"], 5, "what the first start makes is in the trail: an endpoint, two users, two tokens")
	status := string(g.Admin("GET", "/api/sluice/v1/status", "").Body)
	require.Contains(t, status, `"state":"running"`)
	require.NotRegexp(t, `"[A-Z]\w*":`, status, "keys begin with a small letter")

	g.Stop()
	g.Launch()
	require.NotContains(t, g.Output(), g.AdminToken, "a second start does not print it again")
	require.Equal(t, 200, g.Call("POST", "/endpoints/practice/invocations", g.UserToken, hello).Status)
}

func between(t *testing.T, s, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(s, from)
	require.True(t, ok, "%q is not in:\n%s", from, s)
	part, _, ok := strings.Cut(rest, to)
	require.True(t, ok, "%q does not end in:\n%s", from, s)
	return part
}

func dedent(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "    ")
	}
	return strings.Join(lines, "\n")
}

// TestASecondGatewayOnTheSameFolderIsRefused protects the trail.
func TestASecondGatewayOnTheSameFolderIsRefused(t *testing.T) {
	g := rig.Start(t, rig.Options{BareEndpoints: true})
	out, err := exec.Command(rig.Binary(t), "run", "--data", g.Data, "--listen", "127.0.0.1:1", "--metrics-listen", "").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "open in another process")
}

// TestABadConfigurationStopsTheStart with usage's exit code.
func TestABadConfigurationStopsTheStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	require.NoError(t, os.WriteFile(file, []byte("listen: 127.0.0.1:8443\nlisten_adr: x\n"), 0o600))
	cmd := exec.Command(rig.Binary(t), "run", "--config", file)
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, 2, cmd.ProcessState.ExitCode())
	require.Contains(t, string(out), "sluice.yaml:2: listen_adr: unknown key")
}
