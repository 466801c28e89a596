package browser

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func quote(s string) string {
	b, _ := json.Marshal(s) // a string always can be
	return string(b)
}

// find is an expression for the element of a kind with a text or label that is
// in sight: within the open dialog where there is one.
func find(selector, text string) string {
	return fmt.Sprintf(`(() => {
	const root = document.querySelector("dialog[open]") || document;
	const name = (x) => (x.getAttribute("aria-label") || x.innerText || x.value || "").trim();
	const seen = [...root.querySelectorAll(%s)].filter((x) => x.checkVisibility());
	return seen.find((x) => name(x) === %[2]s) || seen.find((x) => name(x).startsWith(%[2]s)) || seen.find((x) => name(x).includes(%[2]s));
})()`, quote(selector), quote(text))
}

// labelled is an expression for the field with a label.
func labelled(label string) string {
	return fmt.Sprintf(`(() => {
	const root = document.querySelector("dialog[open]") || document;
	const fields = [...root.querySelectorAll("input:not([type=hidden]), textarea, select")].filter((x) => x.checkVisibility());
	const names = (x) => [x.getAttribute("aria-label"), ...[...(x.labels || [])].map((l) => l.innerText), x.placeholder].filter(Boolean).map((s) => s.trim());
	return fields.find((x) => names(x).includes(%[1]s)) || fields.find((x) => names(x).some((n) => n.startsWith(%[1]s)));
})()`, quote(label))
}

const clickable = "a, button, summary, [role=tab], [role=button], [role=option], label, input[type=submit]"

// Click clicks on a link, button, tab or label with the text, as the mouse does.
func (b *Browser) Click(text string) {
	b.t.Helper()
	b.AwaitTrue("something to click on, "+text, find(clickable, text)+" !== undefined")
	var at []float64
	for deadline := time.Now().Add(Timeout); len(at) == 0; {
		at = Eval[[]float64](b, fmt.Sprintf(atRest, find(clickable, text)))
		if len(at) == 0 && time.Now().After(deadline) {
			b.t.Fatalf("what is to be clicked on, %s, does not come to rest: it moves, or something lies upon it", text)
		}
	}
	run(b, "clicking on "+text, chromedp.MouseClickXY(at[0], at[1]))
}

// unsettled is what htmx replaces, or has put into the page and not yet made work.
const unsettled = ".htmx-swapping, .htmx-settling, .htmx-added"

// atRest is where the mouse hits an element: null while it moves, something lies
// upon it, or htmx is about to replace what is there.
const atRest = `(async () => {
	const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
	const x = %s;
	if (!x || document.querySelector("` + unsettled + `")) { await frames(); return null; }
	x.scrollIntoView({block: "center", behavior: "instant"});
	const middle = () => { const r = x.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; };
	const before = middle();
	await frames();
	const at = middle(), hit = document.elementFromPoint(...at);
	return at[0] === before[0] && at[1] === before[1] && hit && (x.contains(hit) || hit.contains(x)) ? at : null;
})()`

// Fill types a text into the field with the label, in place of what is there.
// For a choice the text is the option's value or its words.
func (b *Browser) Fill(label, text string) {
	b.t.Helper()
	field := labelled(label)
	// A dialog that is just being opened puts the cursor elsewhere, and what htmx has
	// just put into the page is not listened to yet.
	b.AwaitTrue("the field "+label, fmt.Sprintf(`(() => { const x = %s, d = x && x.closest("dialog");
	return x && (!d || d.open) && !document.querySelector(%s); })()`, field, quote(unsettled)))
	for range 3 {
		if b.enter(label, field, text) {
			return
		}
	}
	b.t.Fatalf("what is typed into %s does not stay there", label)
}

// enter types into a field once, and reports whether the text is there then: a
// page that is about to change may take the cursor away. A field that is gone has
// done its work.
func (b *Browser) enter(label, field, text string) bool {
	b.t.Helper()
	kind := Eval[string](b, fmt.Sprintf(`(() => { const x = %s; x.scrollIntoView({block: "center", behavior: "instant"}); x.focus();
	if (x.select) x.select(); return x.type; })()`, field))
	if kind == "select-one" || kind == "date" || kind == "datetime-local" {
		Eval[any](b, fmt.Sprintf(`(() => { const x = %s;
	const o = x.options && [...x.options].find((o) => o.value === %[2]s || o.text.trim() === %[2]s);
	x.value = o ? o.value : %[2]s; x.dispatchEvent(new Event("input", {bubbles: true})); x.dispatchEvent(new Event("change", {bubbles: true})); })()`, field, quote(text)))
		return true
	}
	if text == "" {
		b.Press(kb.Delete)
	} else {
		run(b, "typing into "+label, chromedp.KeyEvent(text))
	}
	return Eval[bool](b, fmt.Sprintf(`(() => { const x = %s; return !x || x.value === %s; })()`, field, quote(text)))
}

// Press presses a key, e.g. "/" or one of chromedp's package kb.
func (b *Browser) Press(key string) {
	b.t.Helper()
	if len(key) == 1 && key > " " && key <= "~" { // one event, so that the page can take the key for itself
		call(b, "pressing "+key, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Text: key})
		call(b, "releasing "+key, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp, Key: key})
		return
	}
	run(b, "pressing a key", chromedp.KeyEvent(key))
}

// Type types a text where the cursor is.
func (b *Browser) Type(text string) {
	b.t.Helper()
	run(b, "typing", chromedp.KeyEvent(text))
}

// Cookies are those of the gateway, by name.
func (b *Browser) Cookies() map[string]string {
	b.t.Helper()
	out := map[string]string{}
	for _, c := range call(b, "reading cookies", network.GetCookies, network.GetCookiesParams{}).Cookies {
		out[c.Name] = c.Value
	}
	return out
}

// Settle waits until htmx has nothing under way.
func (b *Browser) Settle() {
	b.t.Helper()
	time.Sleep(250 * time.Millisecond) // the search waits for a pause in typing
	b.AwaitTrue("htmx", `!document.querySelector(".htmx-request, .htmx-swapping, .htmx-settling")`)
}
