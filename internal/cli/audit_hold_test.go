package cli_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"sluice/internal/admin/api"
)

func TestHoldCommands(t *testing.T) {
	g := newGateway(t)
	today := time.Now().UTC().Format(time.DateOnly)
	assert.Equal(t, "The hold case stands, and keeps 1 day that the trail has.\n",
		g.ok("", "audit", "hold", "add", "case", "--from", today, "--reason", "4711"))
	assert.Contains(t, g.run("", "audit", "hold", "add", "case", "--from", today, "--reason", "x").err, "There is a hold of this name")
	assert.Equal(t, 2, g.run("", "audit", "hold", "add", "other", "--from", today).code)
	assert.Regexp(t, `(?m)^NAME +FROM +TO +DAYS +BY +CREATED +REASON\ncase +`+today+` +open +1 +admin +\S+ \S+ +4711$`, g.ok("", "audit", "hold", "list"))
	var list []api.Hold
	g.json(&list, "audit", "hold", "list")
	assert.Len(t, list, 1)
	file := filepath.Join(t.TempDir(), "holds.json")
	assert.NoError(t, os.WriteFile(file, []byte(g.ok("", "audit", "hold", "list", "-o", "json")), 0o600))
	assert.Equal(t, "0 holds stand.\n", g.ok("[]", "audit", "hold", "set", "-"))
	assert.Equal(t, "1 holds stand.\n", g.ok("", "audit", "hold", "set", file))
	assert.Contains(t, g.run("nothing", "audit", "hold", "set", "-").err, "want a JSON list")
	assert.Contains(t, g.run(`[{"name":"a/b"}]`, "audit", "hold", "set", "-").err, "its name must be")
	assert.Equal(t, "The hold case is removed.\n", g.ok("", "audit", "hold", "remove", "case"))
	assert.Contains(t, g.run("", "audit", "hold", "remove", "case").err, "There is no hold")
}
