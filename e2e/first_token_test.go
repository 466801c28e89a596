package e2e_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
)

// TestTheAdministratorsTokenMayBeGiven: a token that lies in the file before
// the first start, as a mounted secret does, is the administrator's.
func TestTheAdministratorsTokenMayBeGiven(t *testing.T) {
	data := t.TempDir()
	const token = "slu_TFl3E1AwPkR9Ltnul1uQJANi57Ae8HcnKB03A5uTUhm1HVLNA"
	require.NoError(t, os.WriteFile(filepath.Join(data, "admin-token"), []byte(token+"\n"), 0o600))
	g := rig.Start(t, rig.Options{Data: data, BareEndpoints: true})
	require.Equal(t, token, g.AdminToken)
	require.Equal(t, 200, g.Call("GET", "/api/sluice/v1/users", token, "").Status)
	require.Equal(t, 200, g.Call("POST", "/endpoints/practice/invocations", g.UserToken, hello).Status)
}

// TestWhatWasDeletedStaysDeleted: a file that is gone brings a new token for
// the administrator, and nothing else back.
func TestWhatWasDeletedStaysDeleted(t *testing.T) {
	data := t.TempDir()
	g := rig.Start(t, rig.Options{Data: data, BareEndpoints: true})
	require.Equal(t, 200, g.Call("DELETE", endpoints+"/practice", g.AdminToken, "").Status)
	before := g.AdminToken
	g.Stop()
	require.NoError(t, os.Remove(filepath.Join(data, "admin-token")))
	g = rig.Start(t, rig.Options{Data: data, BareEndpoints: true})
	require.NotEqual(t, before, g.AdminToken)
	require.Equal(t, 404, g.Call("GET", endpoints+"/practice", g.AdminToken, "").Status)
	verify(t, g)
}
