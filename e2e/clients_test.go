package e2e_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
)

// TestRealClients runs the Python tests of clients/ with the real MLflow
// client and the real OpenAI SDK against the gateway.
func TestRealClients(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	cmd := exec.Command(python(t), "-m", "pytest", "-q", "-p", "no:cacheprovider", "clients")
	cmd.Env = append(os.Environ(), "SLUICE_URL="+g.URL, "SLUICE_CA="+g.CAFile, "SLUICE_TOKEN="+g.UserToken,
		"SLUICE_ADMIN_TOKEN="+g.AdminToken)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
	verify(t, g)
}
