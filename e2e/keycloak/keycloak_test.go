package keycloak_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
)

const hello = `{"messages":[{"role":"user","content":"hello"}]}`

// TestKeycloak is all that is done with a real Keycloak, which is slow to start:
// it is started once, and the last part changes its keys and stops it.
func TestKeycloak(t *testing.T) {
	k := rig.StartKeycloak(t)
	t.Run("command line", func(t *testing.T) { signInOnTheCommandLine(t, k) })
	t.Run("browser", func(t *testing.T) { signInWithABrowser(t, k) })
	t.Run("tokens", func(t *testing.T) { tokens(t, k) })
}

// tokens goes through what happens to tokens in the life of an identity
// provider, in order.
func tokens(t *testing.T, k *rig.Keycloak) {
	g := rig.Start(t, k.Options("skew: 0s"))
	w := &world{t, k, g}

	t.Run("a user's grant", w.userGrant)
	t.Run("a client's grant", w.clientGrant)
	t.Run("roles", w.roles)
	t.Run("groups", w.groups)
	t.Run("what is refused", w.refused)
	t.Run("names of others", w.names)
	t.Run("key rotation", w.rotation)
	t.Run("an outage", w.outage)
}

type world struct {
	t *testing.T
	k *rig.Keycloak
	g *rig.Gateway
}

func (w *world) self(t *testing.T, token string) map[string]any {
	t.Helper()
	r := w.g.Call("GET", "/api/sluice/v1/users/self", token, "")
	require.Equal(t, http.StatusOK, r.Status, "%s", r.Body)
	return r.JSON(t)
}

func (w *world) call(t *testing.T, token string) rig.Reply {
	t.Helper()
	return w.g.Call("POST", "/endpoints/chat-openai/invocations", token, hello)
}

func (w *world) userGrant(t *testing.T) {
	token := w.k.UserToken("sluice-cli", "ann")
	require.Equal(t, http.StatusOK, w.call(t, token).Status)
	self := w.self(t, token)
	assert.Equal(t, "ann", self["userName"])
	assert.Equal(t, "Ann Lee", self["fullName"])
	assert.Equal(t, "ann@corp.example", self["email"])
	assert.Equal(t, "person", self["kind"])
	assert.Equal(t, "claims", self["source"])
	assert.Equal(t, "jwt", self["credential"])
	assert.Len(t, self["organizationIds"], 2)
	assert.NotNil(t, self["lastSeen"])
	for _, header := range []string{"X-Domino-Api-Key", "api-key", "x-api-key"} {
		req, err := http.NewRequest("GET", w.g.URL+"/api/sluice/v1/users/self", nil)
		require.NoError(t, err)
		req.Header.Set(header, token)
		resp, err := w.g.HTTP.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, http.StatusOK, resp.StatusCode, "a JWT works wherever a token does: %s", header)
	}
}

func (w *world) clientGrant(t *testing.T) {
	token := w.k.ClientToken("batch", "batch-secret")
	require.Equal(t, http.StatusOK, w.call(t, token).Status)
	self := w.self(t, token)
	assert.Equal(t, "service-account-batch", self["userName"])
	assert.Equal(t, "service-account", self["kind"])
}

func (w *world) roles(t *testing.T) {
	assert.Equal(t, []any{"auditor"}, w.self(t, w.k.UserToken("sluice-cli", "ann"))["roles"],
		"Keycloak's role administrator is of another system: it is not mapped")
	carol := w.k.UserToken("sluice-cli", "carol")
	assert.Equal(t, []any{"administrator"}, w.self(t, carol)["roles"])
	assert.Equal(t, http.StatusOK, w.g.Call("GET", "/api/sluice/v1/users", carol, "").Status)
	bob := w.k.UserToken("sluice-cli", "bob")
	assert.Empty(t, w.self(t, bob)["roles"])
	assert.Equal(t, http.StatusForbidden, w.g.Call("GET", "/api/sluice/v1/users", bob, "").Status)
}

func (w *world) groups(t *testing.T) {
	ids := map[string]string{}
	list := w.g.Admin("GET", "/api/sluice/v1/organizations?limit=100", "").JSON(t)["organizations"].([]any)
	for _, o := range list {
		o := o.(map[string]any)
		ids[o["name"].(string)] = o["id"].(string)
		assert.Equal(t, "claims", o["source"])
	}
	require.Contains(t, ids, "science")
	require.Contains(t, ids, "science/physics")
	require.Contains(t, ids, "arts")
	body := `{"isEveryoneAllowed":false,"organizationIds":["` + ids["science"] + `"]}`
	w.g.Admin("PATCH", "/api/aigateway/v1/endpoints/chat-openai/permissions", body)
	defer w.g.Admin("PATCH", "/api/aigateway/v1/endpoints/chat-openai/permissions", `{"isEveryoneAllowed":true}`)
	assert.Equal(t, http.StatusOK, w.call(t, w.k.UserToken("sluice-cli", "ann")).Status)
	bob := w.k.UserToken("sluice-cli", "bob")
	assert.Equal(t, http.StatusForbidden, w.call(t, bob).Status)

	// Bob is put into the group there; his next token lets him in here.
	var users, groups []map[string]any
	w.k.Admin("GET", "/users?username=bob&exact=true", nil, &users)
	w.k.Admin("GET", "/groups", nil, &groups)
	for _, group := range groups {
		if group["name"] == "science" {
			w.k.Admin("PUT", "/users/"+users[0]["id"].(string)+"/groups/"+group["id"].(string), nil, nil)
		}
	}
	time.Sleep(1100 * time.Millisecond) // tokens tell their time in seconds
	assert.Equal(t, http.StatusOK, w.call(t, w.k.UserToken("sluice-cli", "bob")).Status)
}

func (w *world) refused(t *testing.T) {
	good := w.k.UserToken("sluice-cli", "ann")
	part := strings.Split(good, ".")
	payload, err := base64.RawURLEncoding.DecodeString(part[1])
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(payload, &claims))
	claims["preferred_username"], claims["sub"] = "carol", "somebody"
	changed, err := json.Marshal(claims)
	require.NoError(t, err)
	forged := base64.RawURLEncoding.EncodeToString(changed)
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	var brief string
	require.Eventually(t, func() bool { // one that a busy machine has shown too late says nothing
		brief = w.k.UserToken("brief", "ann")
		return w.call(t, brief).Status == http.StatusOK
	}, time.Minute, 10*time.Millisecond)
	time.Sleep(3 * time.Second)
	for name, tt := range map[string]struct{ token, code string }{
		"tampered":        {part[0] + "." + forged + "." + part[2], "untrusted_token"},
		"alg none":        {none + "." + forged + ".", "untrusted_token"},
		"no signature":    {part[0] + "." + part[1] + ".", "untrusted_token"},
		"wrong audience":  {w.k.UserToken("elsewhere", "ann"), "untrusted_token"},
		"expired":         {brief, "expired_token"},
		"no token at all": {"ey.x.y", "untrusted_token"},
	} {
		r := w.g.Call("GET", "/api/sluice/v1/users/self", tt.token, "")
		assert.Equal(t, http.StatusUnauthorized, r.Status, name)
		assert.Contains(t, string(r.Body), tt.code, name)
		assert.NotContains(t, string(r.Body), part[2], name)
		assert.Equal(t, http.StatusUnauthorized, w.call(t, tt.token).Status, name)
	}
	require.Equal(t, http.StatusOK, w.call(t, good).Status)
}

// names: Keycloak's user admin does not become the gateway's administrator.
func (w *world) names(t *testing.T) {
	r := w.g.Call("GET", "/api/sluice/v1/users/self", w.k.UserToken("sluice-cli", "admin"), "")
	assert.Equal(t, http.StatusUnauthorized, r.Status)
	assert.Contains(t, string(r.Body), "name_taken")
}

func (w *world) rotation(t *testing.T) {
	old := w.k.UserToken("sluice-cli", "ann")
	require.Equal(t, http.StatusOK, w.call(t, old).Status)
	w.k.RotateKey("second", false)
	require.Equal(t, http.StatusOK, w.call(t, w.k.UserToken("sluice-cli", "ann")).Status, "a key that is not known is asked for")
	require.Equal(t, http.StatusOK, w.call(t, old).Status, "the old key is still there")

	w.k.RotateKey("third", true)
	next := w.k.UserToken("sluice-cli", "ann")
	require.Eventually(t, func() bool { return w.call(t, next).Status == http.StatusOK }, time.Minute, 500*time.Millisecond)
	assert.Equal(t, http.StatusUnauthorized, w.call(t, old).Status, "what was remembered of a withdrawn key is verified again")
}

func (w *world) outage(t *testing.T) {
	known, unseen := w.k.UserToken("sluice-cli", "ann"), w.k.UserToken("sluice-cli", "carol")
	require.Equal(t, http.StatusOK, w.call(t, known).Status)
	w.k.Stop()
	assert.Equal(t, http.StatusOK, w.call(t, known).Status)
	assert.Equal(t, http.StatusOK, w.call(t, unseen).Status, "its key is known")
	signInWithoutKeycloak(t, w.g)
	w.g.Stop()
	w.g.Launch()
	assert.Equal(t, http.StatusOK, w.call(t, known).Status, "after a start of the gateway too")
	part := strings.Split(known, ".")
	assert.Equal(t, http.StatusUnauthorized, w.call(t, part[0]+"."+part[1]+"."+strings.Repeat("A", len(part[2]))).Status)
	assert.Equal(t, http.StatusOK, w.g.Call("GET", "/api/sluice/v1/users/self", w.g.UserToken, "").Status)

	w.k.Start()
	w.k.RotateKey("fourth", true)
	fresh := w.k.UserToken("sluice-cli", "bob")
	require.Eventually(t, func() bool { return w.call(t, fresh).Status == http.StatusOK }, time.Minute, 500*time.Millisecond,
		"it is back, with another key")
}
