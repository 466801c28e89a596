package e2e_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
)

// eventsOf are the events of a kind, the newest first.
func eventsOf(t *testing.T, g *rig.Gateway, kind string) (out []map[string]any) {
	t.Helper()
	found, _ := g.Admin("GET", "/api/sluice/v1/audit?descending=true&kinds="+kind, "").JSON(t)["records"].([]any)
	for _, r := range found {
		out = append(out, r.(map[string]any)["event"].(map[string]any))
	}
	return out
}

// TestWhatHappensToTheGatewayIsRecorded: how it started, each configuration that
// was read again, that Envoy died, and that the gateway itself was killed.
func TestWhatHappensToTheGatewayIsRecorded(t *testing.T) {
	g := rig.Start(t, rig.Options{BareEndpoints: true, Config: "identity: { oidc: { issuer: \"\" } }\n"})
	start := eventsOf(t, g, "StartGateway")
	require.Len(t, start, 1)
	meta := start[0]["metadata"].(map[string]any)
	require.Equal(t, "none", meta["lastStop"])
	require.Regexp(t, "^[0-9a-f]{16}$", meta["configuration"])
	require.Equal(t, g.Config, meta["configurationFile"])
	require.NotEmpty(t, start[0]["node"])

	yaml, err := os.ReadFile(g.Config)
	require.NoError(t, err)
	reload := func(text, kind string, n int) map[string]any {
		require.NoError(t, os.WriteFile(g.Config, []byte(text), 0o600))
		g.Signal(syscall.SIGHUP)
		eventually(t, kind, func() bool { return len(eventsOf(t, g, kind)) == n })
		return eventsOf(t, g, kind)[0]
	}
	changed := strings.Replace(string(yaml), "idle_timeout: 20s", "idle_timeout: 21s", 1)
	require.NotEqual(t, string(yaml), changed)
	e := reload(changed, "ActivateConfiguration", 1)
	require.Equal(t, []any{map[string]any{"field": "limits.idle_timeout", "before": "20s", "after": "21s"}}, e["changes"])
	require.Equal(t, "limits", e["metadata"].(map[string]any)["atNextStart"])
	e = reload(changed+"nonsense: 1\n", "RefuseConfiguration", 1)
	require.Contains(t, e["metadata"].(map[string]any)["problems"], "nonsense")
	e = reload(string(yaml), "ActivateConfiguration", 2)
	require.Equal(t, []any{map[string]any{"field": "limits.idle_timeout", "before": "21s", "after": "20s"}}, e["changes"])

	require.NoError(t, syscall.Kill(g.EnvoyPID(), syscall.SIGKILL))
	eventually(t, "Envoy is back", func() bool {
		r, err := g.Do("GET", "/readyz", "", "")
		return err == nil && r.Status == 200
	})
	var restarts []map[string]any
	eventually(t, "the restart is recorded", func() bool {
		restarts = eventsOf(t, g, "RestartEnvoy")
		return len(restarts) > 0
	})
	require.Len(t, restarts, 1)
	require.Contains(t, restarts[0]["metadata"].(map[string]any)["lastExit"], "killed")

	require.Empty(t, eventsOf(t, g, "RecoverGateway"))
	g.Kill()
	g.Launch()
	require.Len(t, eventsOf(t, g, "RecoverGateway"), 1)
	require.Equal(t, "interrupted", eventsOf(t, g, "StartGateway")[0]["metadata"].(map[string]any)["lastStop"])
	g.Stop()
	g.Launch()
	require.Len(t, eventsOf(t, g, "RecoverGateway"), 1)
	require.Equal(t, "orderly", eventsOf(t, g, "StartGateway")[0]["metadata"].(map[string]any)["lastStop"])
	require.Len(t, eventsOf(t, g, "StopGateway"), 1)
}
