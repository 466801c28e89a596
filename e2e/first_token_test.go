package e2e_test

import (
	"encoding/json"
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

// TestTheFileNeedsNoToken: endpoints of the configuration are applied at a start
// after the token of the first start was revoked, as the guide advises.
func TestTheFileNeedsNoToken(t *testing.T) {
	data := t.TempDir()
	g := rig.Start(t, rig.Options{Data: data, BareEndpoints: true})
	var made, self struct{ ID, TokenID, Token string }
	boss := g.Call("POST", "/api/sluice/v1/users", g.AdminToken, `{"userName":"boss","roles":["administrator"]}`)
	require.NoError(t, json.Unmarshal(boss.Body, &made))
	token := g.Call("POST", "/api/sluice/v1/tokens", g.AdminToken, `{"name":"t","userId":"`+made.ID+`"}`)
	require.NoError(t, json.Unmarshal(token.Body, &made))
	require.NoError(t, json.Unmarshal(g.Call("GET", "/api/sluice/v1/users/self", g.AdminToken, "").Body, &self))
	require.Equal(t, 200, g.Call("DELETE", "/api/sluice/v1/tokens/"+self.TokenID, g.AdminToken, "").Status)
	g.Stop()
	g = rig.Start(t, rig.Options{Data: data, BareEndpoints: true, Config: "endpoints:\n" +
		"  - {name: of-the-file, endpoint_type: llm/v1/chat, model: {provider: practice, name: m}}\n"})
	require.Equal(t, 401, g.Call("GET", endpoints+"/of-the-file", g.AdminToken, "").Status)
	require.Equal(t, 200, g.Call("GET", endpoints+"/of-the-file", made.Token, "").Status)
	require.Contains(t, string(g.Call("GET", "/api/sluice/v1/audit?kinds=CreateEndpoint&limit=1", made.Token, "").Body), `"configuration file"`)
}
