package browser_test

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"sluice/e2e/browser"
	"sluice/e2e/rig"
)

// TestWithoutAMouse goes through the pages with the keyboard only, as people do
// who have no mouse, and looks at the menu of narrow screens.
func TestWithoutAMouse(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	b := browser.Open(t, g.URL)
	b.SignIn(g.AdminToken)
	awaitFocus := func(name string) {
		t.Helper()
		b.AwaitTrue("the focus on "+name,
			`(document.activeElement.getAttribute("aria-label") || document.activeElement.innerText || document.activeElement.id).trim() === "`+name+`"`)
	}
	b.Press(kb.Tab)
	awaitFocus("Skip to the content")
	b.Press(kb.Enter)
	b.AwaitTrue("the jump", `location.hash === "#main"`)

	// The account's menu opens, moves and closes with the keys.
	browser.Eval[any](b, `document.querySelector(".side details summary").focus()`)
	b.Press(kb.ArrowDown)
	b.AwaitTrue("the menu", `document.querySelector(".side details").open`)
	awaitFocus("My account and tokens")
	b.Press(kb.ArrowDown)
	awaitFocus("Light")
	b.Press(kb.ArrowUp)
	awaitFocus("My account and tokens")
	b.Press(kb.Escape)
	b.AwaitTrue("the menu closed", `!document.querySelector(".side details").open`)
	b.AwaitTrue("the focus back", `document.activeElement.matches(".side details summary")`)

	// Search from anywhere, and Escape empties it.
	b.Press("/")
	b.Type("practice")
	b.AwaitGone("chat-openai")
	b.Press(kb.Escape)
	b.Await("chat-openai")

	// A dialog holds the focus, closes with Escape, and gives the focus back.
	b.Go("/ui/account")
	browser.Eval[any](b, `document.querySelector('a[href$="/tokens/new"]').focus()`)
	b.Press(kb.Enter)
	b.AwaitTrue("the dialog", `document.querySelector("dialog[open] #f-name") === document.activeElement`)
	for range 12 {
		b.Press(kb.Tab)
		require.True(t, browser.Eval[bool](b, `document.activeElement === document.body || document.querySelector("dialog").contains(document.activeElement)`))
	}
	b.Press(kb.Escape)
	b.AwaitTrue("the dialog closed", `!document.querySelector("dialog[open]")`)
	awaitFocus("New token")

	// Tabs move with the arrows, and are kept.
	b.Go("/ui/endpoints/practice")
	browser.Eval[any](b, `document.querySelector("[role=tab][aria-selected=true]").focus()`)
	b.Press(kb.End)
	b.AwaitTrue("the last tab", `!document.getElementById("panel-langchain").hidden`)
	b.Press(kb.ArrowRight)
	b.AwaitTrue("the first tab", `!document.getElementById("panel-mlflow").hidden && document.getElementById("panel-langchain").hidden`)

	// The playground: Enter sends.
	b.Fill("Message", "Hello")
	b.Press(kb.Enter)
	b.Await("This is the practice model")
	b.Await("tokens in")

	b.Screen(browser.Narrow, false)
	b.Go("/ui/")
	require.False(t, browser.Eval[bool](b, `document.querySelector(".side").checkVisibility()`))
	b.Click("Menu")
	b.AwaitTrue("the menu", `document.querySelector(".menu-toggle .nav").checkVisibility()`)
	b.Axe()
}
