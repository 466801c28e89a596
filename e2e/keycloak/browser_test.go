package keycloak_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/browser"
	"sluice/e2e/rig"
)

// signInWithABrowser goes from the gateway's sign-in page to Keycloak's form and
// back, and out again.
func signInWithABrowser(t *testing.T, k *rig.Keycloak) {
	g := rig.Start(t, k.Options(""))
	b := browser.Open(t, g.URL)

	atKeycloak(b, k, "/ui/usage", "ann")
	b.AwaitTrue("the page that was asked for", `location.pathname === "/ui/usage"`)
	b.Go("/ui/account")
	for _, words := range []string{"Ann Lee", "ann@corp.example", "auditor", "science", "science/physics"} {
		b.Await(words)
	}
	require.NotContains(t, b.Text(), "administrator", "Keycloak's role of this name is of another system")
	require.NotContains(t, b.Text(), "ai-readers")

	// What is shared with the organization that the claims name is there.
	var science string
	for _, o := range g.Admin("GET", "/api/sluice/v1/organizations?searchFilter=science", "").JSON(t)["organizations"].([]any) {
		if o := o.(map[string]any); o["name"] == "science" {
			science = o["id"].(string)
		}
	}
	g.Admin("PATCH", "/api/aigateway/v1/endpoints/chat-openai/permissions", `{"isEveryoneAllowed": false, "organizationIds": ["`+science+`"]}`)
	b.Go("/ui/")
	b.Click("chat-openai")
	b.Fill("Message", "Who am I?")
	b.Click("Send")
	b.Await("tokens in")
	require.Contains(t, string(g.Admin("GET", "/api/sluice/v1/audit?users=ann&kinds=AccessEndpoint", "").Body), `"userName":"ann"`)
	bob := b.Another()
	atKeycloak(bob, k, "/ui/", "bob")
	bob.Await("chat-anthropic")
	require.NotContains(t, bob.Text(), "chat-openai")

	// Out here is out there, too: Keycloak asks for the password again.
	b.Click("ann")
	b.Click("Sign out")
	b.AwaitTrue("Keycloak's question or the way back", `document.getElementById("kc-logout") || location.pathname === "/ui/sign-in"`)
	b.AwaitTrue("the gateway", `location.pathname === "/ui/sign-in" && document.getElementById("token")`)
	require.Empty(t, b.Cookies()["__Host-sluice-session"])
	b.Click("Sign in with Keycloak")
	b.AwaitTrue("Keycloak's form", `document.getElementById("password")`)

	// Whoever has the name of a user of the gateway's own does not become that user.
	taken := b.Another()
	atKeycloak(taken, k, "/ui/", "admin")
	taken.Await("Another user of this gateway has your name. Ask an administrator.")
	require.Equal(t, "/ui/sign-in/callback", strings.SplitN(taken.Path(), "?", 2)[0])
	require.Empty(t, taken.Cookies()["__Host-sluice-session"])
}

// signInWithoutKeycloak: the page says so, and tokens go on signing in.
func signInWithoutKeycloak(t *testing.T, g *rig.Gateway) {
	b := browser.Open(t, g.URL)
	b.Go("/ui/sign-in")
	b.Click("Sign in with Keycloak")
	b.Await("The identity provider does not answer at the moment. Try again in a minute, or sign in with a token.")
	b.Axe()
	b.SignIn(g.AdminToken)
}

// atKeycloak opens a path of the gateway, goes to Keycloak and signs in there.
func atKeycloak(b *browser.Browser, k *rig.Keycloak, path, user string) {
	b.Go(path)
	b.Click("Sign in with Keycloak")
	b.AwaitTrue("Keycloak's form", `location.href.startsWith("`+k.Issuer+`") && document.getElementById("kc-login")`)
	b.Fill("Username or email", user)
	b.Fill("Password", user+"-password")
	b.Click("Sign In")
	b.AwaitTrue("the way back", `location.href.startsWith("`+b.Base+`") && document.getElementById("main")`)
}
