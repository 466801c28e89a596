package browser_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/e2e/browser"
	"sluice/e2e/rig"
)

// TestAnAdministratorLooksAfterAnEndpoint goes the way of somebody who shares a
// model: make it in two steps, with a test of its key, share it with one
// organization, change it, add a target, switch it off, delete it.
func TestAnAdministratorLooksAfterAnEndpoint(t *testing.T) {
	g := rig.Start(t, rig.Options{BareEndpoints: true})
	id := func(path, body string) string {
		var made struct{ ID string }
		require.NoError(t, json.Unmarshal(g.Admin("POST", path, body).Body, &made))
		return made.ID
	}
	maria := id("/api/sluice/v1/users", `{"userName": "maria", "fullName": "Maria Example"}`)
	id("/api/sluice/v1/organizations", `{"name": "research", "members": ["`+maria+`"]}`)
	id("/api/sluice/v1/organizations", `{"name": "marketing"}`)
	var token struct{ Token string }
	require.NoError(t, json.Unmarshal(g.Admin("POST", "/api/sluice/v1/tokens", `{"name": "maria's", "userId": "`+maria+`"}`).Body, &token))
	calls := func() int {
		return g.Call("POST", "/v1/chat/completions", token.Token, `{"model": "research-chat", "messages": [{"role": "user", "content": "Hello"}]}`).Status
	}
	require.Equal(t, 404, calls())

	b := browser.Open(t, g.URL)
	b.SignIn(g.AdminToken)
	b.Click("Endpoints")
	b.Await("What people call")
	b.Click("New endpoint")
	b.Await("What people write as the model")
	b.Fill("Name", "research-chat")
	b.Fill("Provider", "openai")
	b.Click("OpenAI")
	b.Await("One of the list")
	b.Fill("Model", "gpt-4o-mini")
	b.Fill("API key", "sk-not-the-key")
	b.Click("Test connection")
	b.AwaitTrue("a refusal", `document.querySelector(".test-result .notice-bad")`)
	require.NotContains(t, b.Text(), "sk-not-the-key")
	b.Fill("API key", rig.OpenAIKey)
	b.Click("Test connection")
	b.AwaitTrue("an answer", `document.querySelector(".test-result .notice-good")`)
	b.Shots("endpoint-new")
	b.Axe()
	b.Click("Next")
	b.Await("Only these")
	b.Fill("Search organizations", "rese")
	b.Await("organization, 1 member")
	b.Click("research")
	b.Shots("endpoint-new-permissions")
	b.Axe()
	// What REST refuses is told at its field, in the step where that is, and what was typed stays.
	b.Click("Back")
	b.Fill("Name", "practice")
	b.Click("Next")
	b.Click("Create endpoint")
	b.Await("exists already")
	require.True(t, browser.Eval[bool](b, `document.querySelector("#dialog [type=password]").value !== ""`), "the key is still typed")
	b.Fill("Name", "research-chat")
	b.Click("Next")
	b.Await("research")
	b.Click("Create endpoint")
	b.Await("The endpoint research-chat was made.")
	b.AwaitPath("/ui/admin/endpoints/research-chat")
	require.Equal(t, 200, calls())
	b.Shots("endpoint-details")
	b.Axe()

	b.Click("Change")
	b.Await("Remove the stored API key")
	b.Fill("Description", "For the research group.")
	b.Click("Next")
	b.Await("research")
	b.Click("Save")
	b.Await("The endpoint was changed.")
	b.Await("For the research group.")
	require.Equal(t, 200, calls(), "the key stays")

	b.Click("Targets")
	b.Await("100 %")
	b.Click("Add target")
	b.Await("New target")
	b.Fill("Name", "spare")
	b.Fill("Provider", "anthropic")
	b.Click("Anthropic")
	b.Await("One of the list")
	b.Fill("Model", "claude-sonnet-4-5")
	b.Fill("API key", rig.AnthropicKey)
	b.Fill("Weight", "3")
	b.Click("Add target")
	b.Await("The target spare was added.")
	b.Await("75 %")
	b.Click("Test connection")
	b.AwaitTrue("an answer", `document.querySelector(".test-result .notice-good")`)
	b.Shots("endpoint-targets")
	b.Axe()

	b.Click("Permissions")
	b.Await("Change permissions")
	b.Shots("endpoint-permissions")
	b.Axe()
	b.Click("Log")
	b.Await("Call of chat")
	b.Shots("endpoint-log")
	b.Axe()
	require.Eventually(t, func() bool {
		b.Go("/ui/admin/endpoints/research-chat/usage")
		return strings.Contains(b.Text(), "Who uses it most")
	}, time.Minute, 500*time.Millisecond)
	b.Shots("endpoint-usage")
	b.Axe()

	b.Click("Switch off")
	b.Await("Every call is refused")
	b.Axe()
	b.Click("Switch off")
	b.Await("The endpoint was switched off.")
	require.NotEqual(t, 200, calls())
	b.Click("Switch on")
	b.Await("can call it again")
	b.Click("Switch on")
	b.Await("The endpoint was switched on.")
	require.Equal(t, 200, calls())

	b.Click("Delete")
	b.Fill("Type the name of the endpoint", "research-cat")
	b.Click("Delete endpoint")
	b.Await("That is not the name")
	b.Fill("Type the name of the endpoint", "research-chat")
	b.Click("Delete endpoint")
	b.Await("The endpoint research-chat was deleted.")
	b.Shots("endpoints")
	b.Axe()
	require.Equal(t, 404, calls())
	log := browser.Eval[string](b, `fetch("/ui/admin/endpoints/~logs?format=json").then((r) => r.text())`)
	for _, kind := range []string{"CreateEndpoint", "UpdateEndpoint", "AccessEndpoint", "DeleteEndpoint"} {
		require.Contains(t, log, kind)
	}
}

// TestAnAdministratorSharesCredentials stores keys once for several endpoints,
// and imports endpoints from a file.
func TestAnAdministratorSharesCredentials(t *testing.T) {
	g := rig.Start(t, rig.Options{BareEndpoints: true})
	b := browser.Open(t, g.URL)
	b.SignIn(g.AdminToken)
	b.Click("Credentials")
	b.Await("No credentials yet")
	b.Axe()
	b.Click("Store the first one")
	b.Await("never shown again")
	b.Fill("Name", "openai-production")
	b.Fill("Provider", "openai")
	b.Click("OpenAI")
	b.Await("Test before you save")
	b.Fill("API key", rig.OpenAIKey)
	b.Click("Test before you save")
	b.Click("Test connection")
	b.AwaitTrue("an answer", `document.querySelector(".test-result .notice-good")`)
	b.Shots("credential-new")
	b.Axe()
	b.Click("Store")
	b.Await("was stored")
	b.Click("Test openai-production")
	b.Await("with the stored keys")
	b.Click("Test connection")
	b.AwaitTrue("an answer", `document.querySelector(".test-result .notice-good")`)
	b.Axe()
	b.Click("Close")
	b.Shots("credentials")
	b.Axe()

	b.Go("/ui/admin/endpoints/~new") // as a page, not in a dialog
	b.Fill("Name", "shared")
	b.Fill("Provider", "openai")
	b.Click("OpenAI")
	b.Await("Enter keys for this endpoint alone")
	b.Fill("Keys", "Use the credential openai-production")
	b.AwaitGone("API key")
	b.Fill("Model", "gpt-4o-mini")
	b.Click("Test connection")
	b.AwaitTrue("an answer", `document.querySelector(".test-result .notice-good")`)
	b.Click("Next")
	b.Click("Everyone")
	b.AwaitGone("Organizations")
	b.Click("Create endpoint")
	b.Await("The endpoint shared was made.")

	b.Go("/ui/admin/endpoints")
	b.Click("Import")
	b.Fill("Or paste it", "endpoints:\n- name: imported\n  endpoint_type: llm/v1/chat\n  model: {provider: openai, name: gpt-4o, config: {openai_api_key: "+rig.OpenAIKey+"}}\n")
	b.Click("Preview")
	b.Await("Would be created")
	b.Shots("import")
	b.Axe()
	b.Click("Import")
	b.Await("What was done")
	b.Click("imported")
	b.Await("Provider and model")
	b.AwaitPath("/ui/admin/endpoints/imported")
}
