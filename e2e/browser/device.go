package browser

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Another opens a browser of somebody else: in the same process, with cookies
// and storage of its own.
func (b *Browser) Another() *Browser {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	other := &Browser{Base: b.Base, ctx: ctx, t: b.t}
	b.t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		cancel()
		other.complain()
	})
	if err := chromedp.Listen(ctx, other.listen); err != nil {
		b.t.Fatalf("opening another browser: %v", err)
	}
	return other
}

// Copied is what the last button "Copy" put onto the clipboard.
func (b *Browser) Copied() string {
	b.t.Helper()
	return Eval[string](b, `navigator.clipboard.readText()`)
}

// AllowClipboard lets pages of the gateway write to the clipboard and this test
// read it, as people do when they are asked. Without it Chromium takes a
// browser without a window to be out of focus, and refuses.
func (b *Browser) AllowClipboard() {
	b.t.Helper()
	c := chromedp.FromContext(b.ctx)
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		_, err := chromedp.CallBrowser(b.ctx, browser.SetPermission, browser.SetPermissionParams{
			Permission: &browser.PermissionDescriptor{Name: name}, Setting: browser.PermissionSettingGranted,
			Origin: b.Base, BrowserContextID: c.BrowserContextID,
		})
		if err != nil {
			b.t.Fatalf("allowing the clipboard: %v", err)
		}
	}
	call(b, "having the focus", emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
}

// Download does what is asked, which must bring one file, and returns the
// file's name and content.
func (b *Browser) Download(click func()) (name, content string) {
	b.t.Helper()
	folder := b.t.TempDir()
	_, err := chromedp.CallBrowser(b.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder,
		BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
	})
	if err != nil {
		b.t.Fatalf("allowing downloads: %v", err)
	}
	click()
	for deadline := time.Now().Add(Timeout); time.Now().Before(deadline); time.Sleep(30 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(folder, "*"))
		if err != nil {
			b.t.Fatal(err)
		}
		if len(files) != 1 || strings.HasSuffix(files[0], ".crdownload") {
			continue
		}
		text, err := os.ReadFile(files[0])
		if err != nil {
			b.t.Fatal(err)
		}
		return filepath.Base(files[0]), string(text)
	}
	b.t.Fatalf("nothing was downloaded within %s", Timeout)
	return "", ""
}

// Load is what a page took from the network.
type Load struct {
	Bytes    int // as they came, compressed, heads included
	Requests int
	// Wait is how long the page itself, without what it loads, took to answer.
	Wait time.Duration
}

// First opens a path as somebody who was never there: nothing is in the cache.
func (b *Browser) First(path string) Load {
	b.t.Helper()
	call(b, "emptying the cache", network.ClearBrowserCache, struct{}{})
	b.mu.Lock()
	b.load = &Load{}
	b.mu.Unlock()
	b.Go(path)
	// The browser tells of what it has loaded in its own time.
	parts := Eval[int](b, `performance.getEntriesByType("resource").length + 1`)
	for deadline := time.Now().Add(Timeout); time.Now().Before(deadline); time.Sleep(30 * time.Millisecond) {
		b.mu.Lock()
		told := b.load.Requests
		b.mu.Unlock()
		if told >= parts {
			break
		}
	}
	wait := Eval[float64](b, `(() => { const n = performance.getEntriesByType("navigation")[0]; return n.responseStart - n.requestStart; })()`)
	b.mu.Lock()
	defer b.mu.Unlock()
	l := *b.load
	b.load = nil
	l.Wait = time.Duration(wait * float64(time.Millisecond))
	return l
}

// weigh counts what comes while First loads a page.
func (b *Browser) weigh(e *network.EventLoadingFinished) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.load != nil {
		b.load.Bytes += int(e.EncodedDataLength)
		b.load.Requests++
	}
}

// Visit opens a page of another server.
func (b *Browser) Visit(address string) {
	b.t.Helper()
	run(b, "opening "+address, chromedp.Navigate(address))
}

// Cookie is one of the gateway's.
func (b *Browser) Cookie(name string) *network.Cookie {
	b.t.Helper()
	for _, c := range call(b, "reading cookies", network.GetCookies, network.GetCookiesParams{URLs: []string{b.Base}}).Cookies {
		if c.Name == name {
			return c
		}
	}
	b.t.Fatalf("there is no cookie %s", name)
	return nil
}

// IgnoreCSP has Chromium ignore the Content-Security-Policy of pages from now on.
func (b *Browser) IgnoreCSP() {
	b.t.Helper()
	call(b, "ignoring the policy of pages", page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true})
}

// UserAgent changes what the browser says that it is.
func (b *Browser) UserAgent(name string) {
	b.t.Helper()
	call(b, "changing the user agent", emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: name})
}
