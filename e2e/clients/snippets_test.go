package clients_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
	"sluice/internal/snippets"
)

// TestSnippetsRun runs what people copy, as they would: with the real clients.
func TestSnippetsRun(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	python, err := filepath.Abs(filepath.Join("..", "..", ".tools", "clients", "bin", "python"))
	require.NoError(t, err)
	programs := map[string][]string{
		"python": {python, "-W", "ignore", "-c"}, "shell": {"bash", "-c"},
		"javascript": {"node", "--input-type=module", "-e"}, "r": {"Rscript", "-e"},
	}
	for kind, e := range map[string]struct{ endpoint, says string }{
		"llm/v1/chat":        {"chat-openai", "stand-in"},
		"llm/v1/completions": {"completions-openai", "stand-in"},
		"llm/v1/embeddings":  {"embeddings-openai", `\d{2,}`},
	} {
		in := snippets.Input{Address: g.URL, CAPath: g.CAFile, Endpoint: e.endpoint, Type: kind}
		for _, l := range snippets.Languages() {
			t.Run(l.ID+"/"+e.endpoint, func(t *testing.T) {
				program := programs[l.Syntax]
				if _, err := exec.LookPath(program[0]); err != nil {
					t.Skipf("%s is not on this machine", program[0])
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				cmd := exec.CommandContext(ctx, program[0], append(program[1:], snippets.For(l.ID, in))...)
				cmd.Dir = t.TempDir()
				cmd.Env = append(cleanEnv(), "SLUICE_TOKEN="+g.AdminToken, "NODE_EXTRA_CA_CERTS="+g.CAFile,
					"MLFLOW_TRACKING_URI=", "HTTPS_PROXY=", "https_proxy=")
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, "%s", out)
				require.Regexp(t, e.says, string(out))
			})
		}
	}
}
