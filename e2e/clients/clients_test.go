package clients_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
	"sluice/internal/simulate"
)

// TestStandInsSatisfyTheSDKs runs the providers' own SDKs against the
// stand-ins: what they accept is what the real providers send.
func TestStandInsSatisfyTheSDKs(t *testing.T) {
	ca, err := simulate.NewCA(time.Now())
	require.NoError(t, err)
	roots := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(roots, ca.PEM(), 0o600))
	keys := simulate.Options{Keys: []string{"sk-good"}}
	account := simulate.NewAWSAccount(simulate.AWSKey{ID: "AKIDSTANDIN", Secret: "secret/with+signs="})
	pytest(t, "standins",
		"STANDIN_CA="+roots,
		"STANDIN_OPENAI="+serve(t, ca, simulate.NewOpenAI(keys)),
		"STANDIN_ANTHROPIC="+serve(t, ca, simulate.NewAnthropic(keys)),
		"STANDIN_GOOGLE="+serve(t, ca, simulate.NewGemini(keys)),
		"STANDIN_BEDROCK="+serve(t, ca, simulate.NewBedrock(account, keys)),
		"STANDIN_STS="+serve(t, ca, simulate.NewSTS(account, keys)),
		"STANDIN_COHERE="+serve(t, ca, simulate.NewCohere(keys)),
		"STANDIN_MISTRAL="+serve(t, ca, simulate.NewMistral(keys)),
		"STANDIN_PRACTICE="+serve(t, ca, simulate.NewPractice(simulate.Options{})))
}

func serve(t *testing.T, ca *simulate.CA, p *simulate.Provider) string {
	s, err := simulate.StartTLS(p, ca, "127.0.0.1")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s.URL
}

// TestClientsOnTheGateway runs the clients against the whole gateway, whose
// endpoints are at the stand-ins of all providers.
func TestClientsOnTheGateway(t *testing.T) {
	g := rig.Start(t, rig.Options{AllProviders: true})
	pytest(t, "gateway", gatewayEnv(t, g)...)
}

// TestSCIMClient runs a SCIM client and its compliance check against the gateway.
func TestSCIMClient(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	pytest(t, "scim", "SLUICE_URL="+g.URL, "SLUICE_CA="+g.CAFile, "SLUICE_ADMIN_TOKEN="+g.AdminToken)
}

// gatewayEnv is the environment that tells the Python tests of a gateway: its
// address, tokens and endpoints, and an STS that issues temporary keys.
func gatewayEnv(t *testing.T, g *rig.Gateway) []string {
	t.Helper()
	table, err := json.Marshal(g.All.Endpoints())
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "endpoints.json")
	require.NoError(t, os.WriteFile(file, table, 0o600))
	ca, err := simulate.NewCA(time.Now())
	require.NoError(t, err)
	roots := filepath.Join(t.TempDir(), "sts.pem")
	require.NoError(t, os.WriteFile(roots, ca.PEM(), 0o600))
	return []string{"SLUICE_STS=" + serve(t, ca, simulate.NewSTS(g.All.AWS, simulate.Options{})), "SLUICE_STS_CA=" + roots,
		"SLUICE_URL=" + g.URL, "SLUICE_CA=" + g.CAFile, "SLUICE_TOKEN=" + g.UserToken,
		"SLUICE_ADMIN_TOKEN=" + g.AdminToken,
		"SLUICE_OPENAI_KEY=" + rig.OpenAIKey, "SLUICE_ANTHROPIC_KEY=" + rig.AnthropicKey,
		"SLUICE_ENDPOINTS=" + file}
}

// pytest runs the Python tests of a folder with the pinned clients.
func pytest(t *testing.T, folder string, env ...string) {
	t.Helper()
	python := os.Getenv("CLIENTS_PYTHON")
	if python == "" {
		python = filepath.Join("..", "..", ".tools", "clients", "bin", "python")
	}
	python, err := filepath.Abs(python)
	require.NoError(t, err)
	require.FileExists(t, python, "the Python clients are missing: run `make tools`, or set CLIENTS_PYTHON")
	cmd := exec.CommandContext(t.Context(), python, "-m", "pytest", "-q", "-p", "no:cacheprovider",
		"-W", "ignore::DeprecationWarning", folder)
	cmd.Env = append(cleanEnv(), append(env, "PYTHONDONTWRITEBYTECODE=1",
		// What a developer has set must not reach the clients.
		"OPENAI_API_KEY=", "OPENAI_BASE_URL=", "ANTHROPIC_API_KEY=", "GEMINI_API_KEY=", "GOOGLE_API_KEY=", "CO_API_KEY=",
		"MISTRAL_API_KEY=", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_EC2_METADATA_DISABLED=true", "MLFLOW_TRACKING_URI=", "HTTPS_PROXY=", "https_proxy=",
		"MLFLOW_TRACKING_USERNAME=", "MLFLOW_TRACKING_PASSWORD=")...)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
}

// cleanEnv is the environment without AWS's variables, of which boto3 takes an
// empty one for a value.
func cleanEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
}
