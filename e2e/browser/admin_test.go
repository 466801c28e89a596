package browser_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/browser"
	"sluice/e2e/rig"
)

// TestAnAdministratorKeepsPeopleAndWatches goes through the pages of people,
// policies, usage, the trail and the gateway's state.
func TestAnAdministratorKeepsPeopleAndWatches(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	for i := range 6 {
		for _, model := range []string{"chat-openai", "chat-anthropic"} {
			body := fmt.Sprintf(`{"model": %q, "messages": [{"role": "user", "content": "Question %d"}]}`, model, i)
			require.Equal(t, 200, g.Call("POST", "/v1/chat/completions", g.AdminToken, body).Status)
		}
	}
	require.Equal(t, 404, g.Call("POST", "/v1/chat/completions", g.UserToken, `{"model": "none-such", "messages": []}`).Status)
	b := browser.Open(t, g.URL)
	b.SignIn(g.AdminToken)

	b.Click("People")
	b.Await("practice")
	b.Click("New user")
	b.Await("Full name")
	b.Shots("user-dialog")
	b.Axe()
	b.Fill("User name", "admin")
	b.Click("Create user")
	b.Await("exists already")
	b.Fill("User name", "maria")
	b.Fill("Full name", "Maria Keller")
	b.Click("Auditor")
	b.Click("Create user")
	b.Await("The user maria was made")
	b.Await("Maria Keller")
	b.Shots("user")
	b.Axe()
	b.Go("/ui/people/users")
	b.Await("maria")
	b.Shots("users")
	b.Axe()

	b.Click("Organizations")
	b.Await("No organizations yet")
	b.Click("New organization")
	b.Fill("Name", "Research")
	b.Click("Create organization")
	b.Await("The organization Research was made")
	b.Click("Add member")
	b.Fill("User", "maria")
	b.Click("Admin")
	b.Click("Add member")
	b.Await("maria was added")
	b.Shots("organization")
	b.Axe()
	b.Go("/ui/people/organizations")
	b.Shots("organizations")
	b.Axe()
	b.Go("/ui/people/service-accounts")
	b.Await("None yet")
	b.Axe()
	b.Go("/ui/people/tokens")
	b.Await("first start")
	b.Shots("tokens")
	b.Axe()

	b.Go("/ui/policies")
	b.Await("built in")
	b.Shots("policies")
	b.Axe()
	b.Go("/ui/policies/access?endpoint=chat-openai")
	b.Await("allowed_everyone")
	b.Shots("access")
	b.Axe()
	b.Go("/ui/policies/roles")
	b.Await("auditor")
	b.Shots("roles")
	b.Axe()
	b.Go("/ui/policies/bundles/default")
	b.Await("package sluice")
	b.Axe()

	b.Go("/ui/usage?span=24h")
	b.Await("chat-anthropic")
	b.Shots("usage")
	b.Axe()
	b.Go("/ui/audit?endpoint=chat-openai")
	b.Await("Answered")
	b.Shots("audit")
	b.Axe()
	b.Go(browser.Eval[string](b, `document.querySelector("#list tbody a").getAttribute("href")`))
	b.Await("In the chain")
	b.Await("Question")
	b.Shots("record")
	b.Axe()
	b.Go("/ui/status")
	b.Await("Control plane")
	b.Shots("status")
	b.Axe()
	b.Go("/ui/status/settings")
	b.Await("audit.bodies")
	b.Shots("settings")
	b.Axe()
	b.Go("/ui/api")
	b.Await("/api/aigateway/v1/endpoints")
	b.Shots("api")
	b.Axe()
}
