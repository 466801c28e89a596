// Package openapi_test lets schemathesis call the running gateway by its own
// description: as an administrator, as a user, and as nobody.
package openapi_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
)

// canary is part of the names and texts of all that neither a user nor nobody
// may see.
const canary = "kx7canary"

// cases is how many requests each operation gets at most. It bounds the work and
// not the time, so that a busy machine tests as much as an idle one.
var cases = map[string]int{"administrator": 10, "user": 7, "nobody": 3}

// TestTheGatewayIsAsDescribed runs generated requests for every operation: no
// answer is a server error (save a documented 501), has a status or a content
// type that is not described, or a body of another shape. An administrator's
// run changes and deletes, so each has a gateway of its own to spoil.
func TestTheGatewayIsAsDescribed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two minutes")
	}
	for _, who := range []string{"administrator", "user", "nobody"} {
		t.Run(who, func(t *testing.T) {
			g := rig.Start(t, rig.Options{})
			secrets(t, g)
			token := map[string]string{"administrator": g.AdminToken, "user": g.UserToken}[who]
			seen := schemathesis(t, g, token, cases[who])
			assert.NotContains(t, seen, rig.OpenAIKey)
			assert.NotContains(t, seen, rig.AnthropicKey)
			if who == "administrator" {
				assert.Contains(t, seen, canary, "the run sees what there is")
			} else {
				assert.NotContains(t, seen, canary, "seen by a caller who may not")
			}
		})
	}
}

// secrets makes one of everything that is not for everyone.
func secrets(t *testing.T, g *rig.Gateway) {
	t.Helper()
	make := func(path string, body any) map[string]any {
		text, err := json.Marshal(body)
		require.NoError(t, err)
		r := g.Admin("POST", path, string(text))
		require.Equal(t, 200, r.Status, "%s: %s", path, r.Body)
		return r.JSON(t)
	}
	user := make("/api/sluice/v1/users", map[string]any{"userName": canary + "-user", "fullName": canary, "email": canary + "@example.com"})
	make("/api/sluice/v1/organizations", map[string]any{"name": canary + "-org", "members": []any{user["id"]}})
	make("/api/sluice/v1/tokens", map[string]any{"name": canary + "-token", "userId": user["id"]})
	make("/api/serviceAccounts/v1/serviceAccounts", map[string]any{"username": canary + "-robot"})
	make("/api/aigateway/v1/endpoints", map[string]any{
		"endpointName": canary + "-endpoint", "endpointType": "llm/v1/chat", "modelProvider": "openai", "modelName": "gpt-4o",
		"modelConfig": map[string]string{"openai_api_key": rig.OpenAIKey}, "description": canary,
		"endpointPermissions": map[string]any{"isEveryoneAllowed": false, "userIds": []any{user["id"]}},
	})
}

var tested = regexp.MustCompile(`Selected: (\d+)/(\d+)\s+Tested: (\d+)`)

// schemathesis makes up to so many requests for every operation, and returns
// every reply.
func schemathesis(t *testing.T, g *rig.Gateway, token string, cases int) (replies string) {
	t.Helper()
	bin, err := filepath.Abs("../../.tools/openapi/bin/schemathesis")
	require.NoError(t, err)
	if _, err := os.Stat(bin); err != nil {
		t.Fatal("schemathesis is missing: run `make tools`")
	}
	config, err := filepath.Abs("schemathesis.toml")
	require.NoError(t, err)
	cassette := filepath.Join(t.TempDir(), "replies.yaml")
	args := []string{
		"--config-file", config, "run", g.URL + "/api/openapi.json", "--tls-verify", g.CAFile,
		// One worker: Hypothesis compiles in threads what the interpreter can't.
		"--workers", "1", "--seed", "1", "--phases", "fuzzing", "--max-examples", strconv.Itoa(cases),
		"--no-shrink", "--continue-on-failure", "--suppress-health-check", "all", "--warnings", "off", "--request-timeout", "60",
		"--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
		"--report", "vcr", "--report-vcr-path", cassette,
	}
	if token != "" {
		args = append(args, "--header", "Authorization: Bearer "+token)
	}
	cmd := exec.Command(bin, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", brief(out))
	m := tested.FindStringSubmatch(string(out))
	require.NotNil(t, m, "%s", brief(out))
	require.Equal(t, m[1], m[2], "every operation is selected")
	require.Equal(t, m[1], m[3], "every operation is tested: %s", brief(out))
	text, err := os.ReadFile(cassette)
	require.NoError(t, err)
	return strings.ToLower(string(text))
}

// brief cuts lines, some of which are whole replies.
func brief(out []byte) string {
	lines := strings.Split(string(out), "\n")
	for i, line := range lines {
		lines[i] = line[:min(len(line), 400)]
	}
	return strings.Join(lines, "\n")
}
