package browser_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/browser"
	"sluice/e2e/rig"
)

// picture is a page of docs/screenshots.
type picture struct {
	name, title, about string
	show               func(b *browser.Browser)
}

func at(path, text string) func(b *browser.Browser) {
	return func(b *browser.Browser) { b.Go(path); b.Await(text) }
}

// dialog opens a page and then the form that a link on it leads to.
func dialog(path, click, text string) func(b *browser.Browser) {
	return func(b *browser.Browser) {
		b.Go(path)
		b.Click(click)
		b.AwaitTrue("the dialog", `document.querySelector("dialog[open]")`)
		b.Await(text)
	}
}

// first opens the first thing of a list.
func first(path, text string) func(b *browser.Browser) {
	return func(b *browser.Browser) {
		b.Go(path)
		b.Go(browser.Eval[string](b, `document.querySelector("#list tbody a").getAttribute("href")`))
		b.Await(text)
	}
}

// userPictures are what somebody sees who uses models.
func userPictures() []picture {
	return []picture{
		{"models", "Gateway LLMs", "The models that somebody may use.", at("/ui/", "long-context")},
		{"models-table", "Gateway LLMs as a table", "The same, to sort.", at("/ui/?view=table", "long-context")},
		{"models-search", "Searching", "By part of a name, type, provider or model, while one types.", at("/ui/?search=anthropic", "analyst")},
		{"endpoint", "A model", "What it is for, code to copy, a place to try it, and one's own use.", func(b *browser.Browser) {
			b.Go("/ui/endpoints/assistant")
			b.Fill("Message", "Suggest a title for the minutes of Monday's meeting.")
			b.Click("Send")
			b.Await("tokens in")
		}},
		{"token-new", "A new token", "Bound to an endpoint, a network or a project, if one likes.", dialog("/ui/endpoints/assistant", "Token for this endpoint", "New token")},
		{"token-shown", "The token, once", "It is kept nowhere.", func(b *browser.Browser) {
			b.Go("/ui/account")
			b.Click("New token")
			b.Fill("Name", "laptop")
			b.Click("Create token")
			b.Await("Copy it now")
		}},
		{"account", "My account", "Roles, organizations, tokens and browsers.", at("/ui/account", "Research")},
	}
}

// adminPictures are what an administrator sees beside that.
func adminPictures() []picture {
	return []picture{
		{"endpoints", "Endpoints", "For administrators and owners: the state of each, and who may use it.", at("/ui/admin/endpoints", "claims-desk")},
		{"endpoint-new", "A new endpoint: details", "The form follows the provider; a test asks the provider before anything is saved.", func(b *browser.Browser) {
			b.Go("/ui/admin/endpoints")
			b.Click("New endpoint")
			b.Fill("Name", "translations")
			b.Fill("Description", "Letters and manuals, in twelve languages.")
			b.Fill("Provider", "mistral")
			b.Click("Mistral")
			b.Await("One of the list")
			b.Fill("Model", "mistral-small-latest")
			b.Fill("API key", rig.Key("mistral"))
			b.Click("Test connection")
			b.AwaitTrue("an answer", `document.querySelector(".test-result .notice-good")`)
		}},
		{"endpoint-new-permissions", "A new endpoint: permissions", "Everyone, or users and organizations of the directory.", func(b *browser.Browser) {
			// goes on where the picture before has ended
			b.Click("Next")
			b.Fill("Search organizations", "cust")
			b.Await("organization, 3 members")
			b.Click("Customer Care")
			b.Fill("Search users", "a")
			b.AwaitTrue("users to choose from", `[...document.querySelectorAll("[role=option]")].some((x) => x.checkVisibility())`)
		}},
		{"endpoint-details", "An endpoint", "How it is made. Keys are shown nowhere.", at("/ui/admin/endpoints/analyst", "Maria Keller")},
		{"endpoint-targets", "Targets", "Several providers behind one name: by weight, in turn when one fails.", at("/ui/admin/endpoints/assistant/targets", "spare")},
		{"endpoint-permissions", "Permissions", "Who may use it, and who looks after it.", at("/ui/admin/endpoints/analyst/permissions", "Research")},
		{"endpoint-usage", "Usage of an endpoint", "", at("/ui/admin/endpoints/analyst/usage", "Who uses it most")},
		{"endpoint-log", "The log of an endpoint", "Calls and changes, with what was changed.", at("/ui/admin/endpoints/analyst/log", "Call of chat")},
		{"endpoint-delete", "Before something is lost", "The name is typed, so that nothing is deleted by a slip.", dialog("/ui/admin/endpoints/product-texts", "Delete", "Type the name")},
		{"import", "Import", "From the file of MLflow's gateway, with a preview.", at("/ui/admin/endpoints/~import", "Or paste it")},
		{"credentials", "Credentials", "Keys that several endpoints share.", at("/ui/credentials", "openai-production")},
		{"credential-rotate", "Rotating a key", "All endpoints that use it have the new one at once.", dialog("/ui/credentials", "Rotate openai-production", "API key")},
		{"users", "Users", "", at("/ui/people/users", "Maria Keller")},
		{"user", "A user", "", func(b *browser.Browser) { b.Go("/ui/people/users"); b.Click("maria.keller"); b.Await("endpoint-owner") }},
		{"organizations", "Organizations", "", at("/ui/people/organizations", "Research")},
		{"organization", "An organization", "Members and their roles.", func(b *browser.Browser) {
			b.Go("/ui/people/organizations")
			b.Click("Research")
			b.Await("aiko.tanaka")
		}},
		{"service-accounts", "Service accounts", "Programs with tokens of their own.", at("/ui/people/service-accounts", "helpdesk-bot")},
		{"tokens", "Tokens", "Of everybody, with when they were last used.", at("/ui/people/tokens", "notebook")},
		{"policies", "Policies", "The bundles in force.", at("/ui/policies", "built in")},
		{"access", "Who may call what", "And why.", at("/ui/policies/access?endpoint=analyst", "allowed")},
		{"roles", "Roles", "", at("/ui/policies/roles", "auditor")},
		{"bundle", "A bundle", "The Rego that decides.", at("/ui/policies/bundles/default", "package sluice")},
		{"usage", "Usage", "Requests, tokens, cost, latency and errors over time.", at("/ui/usage?span=7d", "analyst")},
		{"usage-users", "Usage by user", "", at("/ui/usage?span=7d&by=user", "maria.keller")},
		{"audit", "Audit", "Every call, every refusal and every change.", at("/ui/audit", "Answered")},
		{"audit-denied", "Refusals", "Narrowed to what the policy denied.", at("/ui/audit?result=denied&span=168h", "ines.costa")},
		{"audit-holds", "Holds and evidence", "Keeping days for a case, proving that nothing was changed, and taking days out.", at("/ui/audit/holds", "Verify")},
		{"record", "A record", "Both bodies, the decision, and where it stands in the chain.", first("/ui/audit?endpoint=analyst&result=answered&span=168h", "In the chain")},
		{"status", "Status", "Every part of the gateway, and its certificates.", at("/ui/status", "Control plane")},
		{"settings", "Configuration", "What is in force, and where it comes from.", at("/ui/status/settings", "audit.bodies")},
		{"api", "API", "The REST API, from its own description.", at("/ui/api", "/api/aigateway/v1/endpoints")},
		{"not-found", "Not there", "", at("/ui/admin/endpoints/nothing", "Go to the start")},
	}
}

// TestScreenshots takes the pictures of docs/screenshots, where
// SLUICE_SCREENSHOTS names a folder (make screenshots does), and looks at each
// page with axe-core.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("SLUICE_SCREENSHOTS")
	if folder == "" {
		t.Skip("SLUICE_SCREENSHOTS names no folder: make screenshots")
	}
	d := newDemo(t)
	admin := browser.Open(t, d.g.URL)
	user := admin.Another()
	first := picture{"sign-in", "Signing in", "With a token, or at the company's identity provider.", at("/ui/sign-in", "Token")}
	old, err := filepath.Glob(filepath.Join(folder, "*.webp"))
	require.NoError(t, err)
	for _, path := range old {
		require.NoError(t, os.Remove(path))
	}
	take := func(b *browser.Browser, list ...picture) {
		for _, p := range list {
			p.show(b)
			b.Pictures(folder, p.name)
			b.Axe()
		}
	}
	take(user, first)
	user.SignIn(d.tokens["maria.keller"])
	take(user, userPictures()...)
	admin.SignIn(d.g.AdminToken)
	take(admin, adminPictures()...)
	list := slices.Concat([]picture{first}, userPictures(), adminPictures())
	require.NoError(t, os.WriteFile(filepath.Join(folder, "README.md"), []byte(index(list)), 0o644))
	size := int64(0)
	require.NoError(t, filepath.Walk(folder, func(_ string, f os.FileInfo, err error) error {
		if err == nil && f.Mode().IsRegular() {
			size += f.Size()
		}
		return err
	}))
	require.Less(t, size, int64(8<<20), "the folder stays small")
}

// index is docs/screenshots/README.md.
func index(list []picture) string {
	var out strings.Builder
	out.WriteString("# Screenshots\n\nEach page of the web UI, wide and narrow, light and dark, as `make screenshots` takes them: of a gateway with made-up people, " +
		"endpoints and\na week of calls, before stand-ins of the providers.\n")
	for _, p := range list {
		_, _ = fmt.Fprintf(&out, "\n## %s\n", p.title)
		if p.about != "" {
			_, _ = fmt.Fprintf(&out, "%s\n", p.about)
		}
		name := func(width int64, dark bool) string { return browser.PictureName(p.name, width, dark, "webp") }
		_, _ = fmt.Fprintf(&out, "\n![%s](%s)\n\n[dark](%s) · [narrow](%s) · [narrow, dark](%s)\n", p.title,
			name(browser.Wide, false), name(browser.Wide, true), name(browser.Narrow, false), name(browser.Narrow, true))
	}
	return out.String()
}
