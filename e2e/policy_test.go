package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
)

// TestABundleIsReplacedWhileServing: an administrator edits Rego; the next
// calls are decided by it. A bundle that does not compile changes nothing and
// is named with file and line.
func TestABundleIsReplacedWhileServing(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("../policies/bundle")))
	g := rig.Start(t, rig.Options{Config: "policies: { bundles: [ { name: ours, source: \"dir:" + dir + "\" } ] }\n"})
	call := func() rig.Reply { return g.Call("POST", "/endpoints/chat-openai/invocations", g.UserToken, hello) }
	require.Equal(t, 200, call().Status)

	files, err := filepath.Glob(filepath.Join(dir, "*.rego"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	saved := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		saved[f] = b
	}
	// What is not Rego any more is refused.
	require.NoError(t, os.WriteFile(files[0], append(append([]byte(nil), saved[files[0]]...), "\nallow if {\n"...), 0o600))
	eventually(t, "the status names the broken file", func() bool {
		s := g.Admin("GET", "/api/sluice/v1/policies", "").JSON(t)
		last, _ := s["lastError"].(string)
		return strings.Contains(last, filepath.Base(files[0])+":")
	})
	require.Equal(t, 200, call().Status, "the last good bundle stays in force")

	// A permission that is taken away in the bundle itself.
	for f, b := range saved {
		changed := strings.ReplaceAll(string(b), "allowed_everyone", "allowed_by_nobody_knows")
		require.NoError(t, os.WriteFile(f, []byte(changed), 0o600))
	}
	eventually(t, "the new bundle decides", func() bool {
		r := call()
		x, _ := record(t, g, r.Header.Get("X-Request-Id"))["exchange"].(map[string]any)
		d, _ := x["decision"].(map[string]any)
		return d != nil && strings.Contains(toJSON(d["reasons"]), "allowed_by_nobody_knows")
	})
	s := g.Admin("GET", "/api/sluice/v1/policies", "").JSON(t)
	require.Empty(t, s["lastError"])
}
