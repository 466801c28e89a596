package browser_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/e2e/browser"
	"sluice/e2e/rig"
	"sluice/internal/simulate"
)

// TestFromTheFirstStartToARevokedPermission is the whole way of the first day:
// the administrator signs in with the token that the start printed, makes an
// endpoint, shares it with one organization, and takes it back; a member finds
// it, runs the code that the page gives, and tries it; somebody else does not
// see it; and the log tells all of it.
func TestFromTheFirstStartToARevokedPermission(t *testing.T) {
	g := rig.Start(t, rig.Options{BareEndpoints: true, Limits: "{ idle_timeout: 60s }"})
	printed := regexp.MustCompile(`Administrator's token .*\n\s+(slu_\w+)\n`).FindStringSubmatch(g.Output())
	require.NotNil(t, printed, "the first start prints the administrator's token")
	admin := browser.Open(t, g.URL)
	admin.SignIn(printed[1])
	member, stranger := makePeople(t, admin)

	makeEndpoint(admin)
	m := admin.Another()
	m.AllowClipboard()
	m.SignIn(member)
	useEndpoint(t, g, m, member)
	closedTo(t, g, admin, stranger)

	// A call in the playground that is held: text is there before the end.
	m.Go("/ui/endpoints/team-chat")
	g.OpenAI.Next(simulate.Act{Hold: true})
	m.Fill("Message", "one two three four")
	m.Click("Send")
	m.AwaitTrue("the first words", `document.querySelector(".from-model .play-text").textContent.length > 0`)
	require.True(t, browser.Eval[bool](m, `document.querySelector(".from-model").classList.contains("running")`))
	require.NotContains(t, m.Text(), "tokens in", "the provider is still at it")
	g.OpenAI.Release()
	m.Await("tokens in")
	m.Await("gpt-4o-mini at the OpenAI stand-in heard: one two three four")

	// Taken back: the next call is refused, in code and in the browser.
	admin.Go("/ui/admin/endpoints/team-chat/permissions")
	admin.Click("Change permissions")
	admin.Click("Remove Research")
	admin.Click("Save")
	admin.Await("The permissions of team-chat were changed.")
	admin.Await("Nobody yet")
	m.Fill("Message", "Still there?")
	m.Click("Send")
	m.AwaitTrue("the refusal", `document.querySelector(".play-log [role=alert]")`)
	r := g.Call("POST", "/endpoints/team-chat/invocations", member, hello)
	require.Equal(t, 403, r.Status, "%s", r.Body)
	m.Go("/ui/")
	m.AwaitGone("team-chat")

	readLogs(t, admin)
}

const hello = `{"messages": [{"role": "user", "content": "hello"}]}`

// makePeople makes the organization Research with the member maria, and walter,
// who is in none; and a token for each.
func makePeople(t *testing.T, b *browser.Browser) (member, stranger string) {
	t.Helper()
	tokens := map[string]string{}
	for user, full := range map[string]string{"maria": "Maria Keller", "walter": "Walter Stone"} {
		b.Go("/ui/people/users")
		b.Click("New user")
		b.Fill("User name", user)
		b.Fill("Full name", full)
		b.Click("Create user")
		b.Await("The user " + user + " was made")
		b.Click("New token")
		b.Fill("Name", "notebook")
		b.Click("Create token")
		b.Await("Copy it now")
		tokens[user] = browser.Eval[string](b, `document.getElementById("new-token").textContent`)
		b.Click("Done")
		b.AwaitGone("Copy it now")
		b.Await("notebook")
		require.NotContains(t, browser.Eval[string](b, `fetch(location.href).then((r) => r.text())`), tokens[user], "it is shown once")
	}
	b.Go("/ui/people/organizations")
	b.Click("New organization")
	b.Fill("Name", "Research")
	b.Click("Create organization")
	b.Await("The organization Research was made")
	b.Click("Add member")
	b.Fill("User", "maria")
	b.Click("Add member")
	b.Await("maria was added")
	return tokens["maria"], tokens["walter"]
}

// makeEndpoint goes through the two steps of the dialog.
func makeEndpoint(b *browser.Browser) {
	b.Click("Endpoints")
	b.Click("New endpoint")
	b.Fill("Name", "team-chat")
	b.Fill("Description", "For the research group. Ask Maria.")
	b.Fill("Provider", "openai")
	b.Click("OpenAI")
	b.Await("One of the list")
	b.Fill("Model", "gpt-4o-mini")
	b.Fill("API key", rig.OpenAIKey)
	b.Click("Test connection")
	b.AwaitTrue("an answer", `document.querySelector(".test-result .notice-good")`)
	b.Click("Next")
	b.Fill("Search organizations", "resea")
	b.Await("organization, 1 member")
	b.Click("Research")
	b.Click("Create endpoint")
	b.Await("The endpoint team-chat was made.")
	b.Await("1 organization")
}

// useEndpoint finds the endpoint by its provider, and runs the code of its page
// as it stands there.
func useEndpoint(t *testing.T, g *rig.Gateway, b *browser.Browser, token string) {
	t.Helper()
	require.NotContains(t, b.Text(), "Manage", "a member has no business there")
	b.Fill("Search", "anthrop")
	b.Await("Nothing found")
	b.Fill("Search", "penA")
	b.AwaitTrue("the endpoint", `document.querySelectorAll(".card-link").length === 1`)
	b.Click("team-chat")
	b.Await("For the research group. Ask Maria.")
	folder := t.TempDir()
	name, ca := b.Download(func() { b.Click("Download sluice-ca.pem") })
	require.Equal(t, "sluice-ca.pem", name)
	require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(ca), 0o600))

	run := func(program ...string) string {
		cmd := exec.Command(program[0], program[1:]...)
		cmd.Dir = folder
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "SLUICE_TOKEN=" + token}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", program[len(program)-1], out)
		return string(out)
	}
	copied := func(tab, part string) (code string) {
		b.Click(tab)
		b.Click("Copy")
		require.Eventually(t, func() bool { code = b.Copied(); return strings.Contains(code, part) }, browser.Timeout, 50*time.Millisecond, tab)
		return code
	}
	code := copied("Python (MLflow)", "get_deploy_client")
	require.Contains(t, code, g.URL)
	require.NotContains(t, code, token)
	python, err := filepath.Abs("../../.tools/clients/bin/python")
	require.NoError(t, err)
	require.FileExists(t, python, "the Python clients are missing: run `make tools`")
	require.Contains(t, run(python, "-W", "ignore", "-c", code), "at the OpenAI stand-in heard: Hello, who are you?")
	require.Contains(t, run("sh", "-c", copied("curl", "curl ")), "at the OpenAI stand-in heard: Hello, who are you?")
}

// closedTo looks with the eyes of somebody with whom it is not shared.
func closedTo(t *testing.T, g *rig.Gateway, admin *browser.Browser, token string) {
	t.Helper()
	r := g.Call("POST", "/endpoints/team-chat/invocations", token, hello)
	require.Equal(t, 403, r.Status, "%s", r.Body)
	require.NotContains(t, string(g.Call("GET", "/v1/models", token, "").Body), "team-chat")
	b := admin.Another()
	b.SignIn(token)
	b.Await("practice")
	require.NotContains(t, b.Text(), "team-chat")
	b.Fill("Search", "team")
	b.Await("Nothing found")
	b.Go("/ui/endpoints/team-chat")
	require.NotContains(t, b.Text(), "Ask Maria")
	require.Empty(t, browser.Eval[string](b, `document.querySelector("#play") ? "a playground" : ""`))
}

// readLogs downloads the log in both forms and looks for what has happened.
func readLogs(t *testing.T, b *browser.Browser) {
	t.Helper()
	kinds := []string{"CreateEndpoint", "ChangeEndpointPermissions", "AccessEndpoint", "DenyEndpoint"}
	b.Go("/ui/admin/endpoints")
	b.Click("Download logs")
	name, text := b.Download(func() { b.Click("As text") })
	require.Regexp(t, `\.txt$`, name)
	for _, kind := range kinds {
		require.Regexp(t, `(?m)^.*`+kind+`.*team-chat`, text)
	}
	b.Go("/ui/admin/endpoints")
	b.Click("Download logs")
	name, text = b.Download(func() { b.Click("As JSON") })
	require.Regexp(t, `\.json$`, name)
	require.True(t, json.Valid([]byte(text)), text)
	for _, kind := range kinds {
		require.Contains(t, text, kind)
	}
	require.NotContains(t, text, rig.OpenAIKey)
	b.Go("/ui/admin/endpoints/team-chat/log")
	for _, words := range []string{"Created", "Permissions changed", "Call of chat", "walter", "maria"} {
		b.Await(words)
	}
}
