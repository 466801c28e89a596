package browser_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/e2e/browser"
	"sluice/e2e/rig"
)

// TestAUserFindsCopiesAndTriesAModel goes the way of somebody who uses models:
// sign in, find one, take its code, make a token, try it, sign out.
func TestAUserFindsCopiesAndTriesAModel(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	g.Admin("PATCH", "/api/aigateway/v1/endpoints/chat-openai", `{"description": "For short questions.\n<script>document.title = 'stolen'</script>"}`)
	b := browser.Open(t, g.URL)
	b.Go("/")
	b.AwaitPath("/ui/sign-in")
	b.Shots("sign-in")
	b.Axe()
	b.Fill("Token", "slu_wrong")
	b.Click("Sign in with the token")
	b.Await("This is not a token of this gateway")
	b.Axe()
	b.SignIn(g.AdminToken)

	b.Await("Gateway LLMs")
	b.Await("chat-anthropic")
	b.Shots("models")
	b.Axe()
	b.Press("/")
	b.Type("anthrop")
	b.AwaitGone("chat-openai")
	b.AwaitPath("/ui/?search=anthrop")
	b.Fill("Search", "nothing like that")
	b.Await("Nothing found")
	b.Fill("Search", "gpt-4o")
	b.Await("chat-openai")
	b.Settle()
	b.Click("chat-openai")
	b.Await("Use it in code")
	b.AwaitPath("/ui/endpoints/chat-openai")
	require.Equal(t, "chat-openai · Sluice", browser.Eval[string](b, "document.title"), "a description is text")

	for tab, part := range map[string]string{
		"Python (MLflow)": "get_deploy_client(\"" + g.URL + "\")", "Python (OpenAI)": g.URL + "/v1", "curl": "--cacert 'sluice-ca.pem'",
		"R": "library(httr2)", "JavaScript": "await fetch", "Python (LangChain)": "ChatMlflow",
	} {
		b.Click(tab)
		b.Await(part)
	}
	require.Equal(t, "200 PEM", browser.Eval[string](b, `fetch("/ui/ca.pem").then(async (r) => r.status + ((await r.text()).startsWith("-----BEGIN CERTIFICATE") ? " PEM" : ""))`))

	b.Fill("Message", "Tell me something")
	b.Click("Send")
	b.Await("exchange")
	b.Await("tokens in")
	exchange := browser.Eval[string](b, `document.querySelector(".play-facts a").textContent`)
	record := string(g.Admin("GET", "/api/sluice/v1/audit/"+exchange, "").Body)
	require.Contains(t, record, `"endpointName":"chat-openai"`)
	require.Regexp(t, `"clientAddr":"[0-9a-f.:]+"`, record, "the address is the browser's")
	require.Contains(t, record, `"userName":"admin"`)
	require.Eventually(t, func() bool {
		b.Go("/ui/endpoints/chat-openai")
		return strings.Contains(b.Text(), "Half answer within")
	}, time.Minute, 500*time.Millisecond, "the person's own usage is shown")
	b.Fill("Message", "And now?")
	b.Click("Send")
	b.Await("tokens in")
	b.Shots("endpoint")
	b.Axe()

	b.Click("Token for this endpoint")
	b.Await("New token")
	b.Shots("token-dialog")
	b.Axe()
	b.Fill("Networks", "not-a-network")
	b.Click("Create token")
	b.AwaitTrue("the error at its field", `document.querySelector("dialog[open] #f-networks[aria-invalid=true]")`)
	require.Equal(t, "not-a-network", browser.Eval[string](b, `document.getElementById("f-networks").value`), "what was typed is still there")
	b.AwaitTrue("the cursor there", `document.activeElement.id === "f-networks"`)
	b.Fill("Networks", "0.0.0.0/0")
	b.Click("Create token")
	b.Await("Copy it now")
	b.Axe()
	token := browser.Eval[string](b, `document.getElementById("new-token").textContent`)
	body := `{"messages": [{"role": "user", "content": "hello"}]}`
	require.Equal(t, 200, g.Call("POST", "/endpoints/chat-openai/invocations", token, body).Status)
	require.Equal(t, 403, g.Call("POST", "/endpoints/chat-anthropic/invocations", token, body).Status, "it is for one endpoint")
	b.Click("Done")
	b.AwaitGone("Copy it now")
	require.NotContains(t, browser.Eval[string](b, `document.documentElement.outerHTML`), token)

	b.Go("/ui/account")
	b.Await("0.0.0.0/0")
	b.Shots("account")
	b.Axe()
	b.Click("Revoke chat-openai")
	b.Await("Revoke this token?")
	b.Shots("confirm")
	b.Click("Revoke")
	b.Await("was revoked")
	require.Equal(t, 401, g.Call("POST", "/endpoints/chat-openai/invocations", token, body).Status)

	b.Click("admin")
	b.Click("Dark")
	b.AwaitTrue("dark", `getComputedStyle(document.body).backgroundColor === "rgb(14, 19, 26)"`)
	require.Eventually(t, func() bool { // the choice is sent beside what one does next
		b.Go("/ui/")
		return browser.Eval[bool](b, `getComputedStyle(document.body).backgroundColor === "rgb(14, 19, 26)"`)
	}, browser.Timeout, 100*time.Millisecond, "dark still")
	b.Click("admin")
	b.Click("Sign out")
	b.Await("You have signed out")
	b.Go("/ui/account")
	b.AwaitPath("/ui/sign-in?return=%2Fui%2Faccount")
	require.NotContains(t, g.Output(), token)
}

// TestThePlaygroundStreamsStopsAndTellsErrors looks at what arrives before the
// answer is whole, stops it, and at an error of the provider.
func TestThePlaygroundStreamsStopsAndTellsErrors(t *testing.T) {
	g := rig.Start(t, rig.Options{Limits: "{ idle_timeout: 60s, drain_timeout: 5s }"})
	key := map[string]string{"openai_api_key": rig.OpenAIKey}
	g.Admin("POST", "/api/aigateway/v1/endpoints", rig.Endpoint("endless", "chat", "openai", "words-5000-20", key))
	g.Admin("POST", "/api/aigateway/v1/endpoints", rig.Endpoint("broken", "chat", "openai", "fault-500", key))
	g.Admin("POST", "/api/aigateway/v1/endpoints", rig.Endpoint("limited", "completions", "openai", "gpt-3.5-turbo-instruct", key))
	g.Admin("PATCH", "/api/aigateway/v1/endpoints/limited", `{"limit": {"calls": 1, "renewal_period": "hour"}}`)
	b := browser.Open(t, g.URL)
	b.SignIn(g.AdminToken)

	b.Go("/ui/endpoints/endless")
	b.Click("Settings")
	b.Fill("System prompt", "Be brief.")
	b.Fill("Temperature", "0.5")
	b.Fill("Message", "Count")
	b.Click("Send")
	words := `document.querySelector(".from-model .play-text").textContent.length`
	b.AwaitTrue("the first words", words+" > 20")
	first := browser.Eval[int](b, words)
	b.AwaitTrue("more words", fmt.Sprintf("%s > %d", words, first))
	require.True(t, browser.Eval[bool](b, `document.querySelector(".from-model").classList.contains("running")`))
	b.Click("Stop")
	b.Await("ended: stopped")
	exchange := browser.Eval[string](b, `document.querySelector(".play-facts a").textContent`)
	require.Eventually(t, func() bool {
		record := g.Call("GET", "/api/sluice/v1/audit/"+exchange, g.AdminToken, "")
		return strings.Contains(string(record.Body), `"result":"client_gone"`)
	}, time.Minute, 100*time.Millisecond, "the provider is not asked for more")
	record := string(g.Admin("GET", "/api/sluice/v1/audit/"+exchange, "").Body)
	require.Contains(t, record, "Be brief.")
	require.Contains(t, record, `\"temperature\":0.5`)

	b.Go("/ui/endpoints/broken")
	b.Fill("Message", "Hello")
	b.Click("Send")
	b.AwaitTrue("the error", `document.querySelector(".play-log [role=alert]")`)
	require.Equal(t, "Hello", browser.Eval[string](b, `document.getElementById("play-text").value`), "the question can be sent again")
	b.Axe()

	b.Go("/ui/endpoints/embeddings-openai")
	b.Fill("Text to embed", "Hello")
	b.Click("Send")
	b.Await("numbers:")
	b.Go("/ui/endpoints/limited")
	b.Fill("Prompt", "Once")
	b.Click("Send")
	b.Await("tokens in")
	b.Fill("Prompt", "Twice")
	b.Click("Send")
	b.Await("(rate_limit")
}

func TestAxeIsTheOneThatIsVendored(t *testing.T) {
	table, err := os.ReadFile("testdata/vendor.md")
	require.NoError(t, err)
	want := regexp.MustCompile(`[0-9a-f]{64}`).FindString(string(table))
	b, err := os.ReadFile("testdata/axe.min.js")
	require.NoError(t, err)
	sum := sha256.Sum256(b)
	require.Equal(t, want, hex.EncodeToString(sum[:]))
	require.Contains(t, strings.SplitN(string(b), "\n", 2)[0], "axe v4.14.1")
}
