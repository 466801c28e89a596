// Package browser drives the web UI with real Chromium, for tests that look at
// the gateway as its users do. A test opens a Browser, which is a fresh profile
// that trusts the gateway's certificate and no other, and fails where a page
// logs an error or breaks its own Content-Security-Policy.
//
//	g := rig.Start(t, rig.Options{})
//	b := browser.Open(t, g.URL)
//	b.SignIn(g.AdminToken)
//	b.Go("/ui/")
//	b.Click("Try it")            // a link, button, tab or label, by its text
//	b.Fill("Name", "my-model")   // a field, by its label
//	b.Await("The endpoint was made")
//	b.Axe()
//	b.Shots("models")            // wide and narrow, light and dark
package browser

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Timeout is how long each step may take.
const Timeout = 2 * time.Minute

// Browser is one Chromium with one page. It ends with the test.
type Browser struct {
	Base string // the gateway's URL
	ctx  context.Context
	t    testing.TB

	mu       sync.Mutex // guards the following fields
	problems []string   // what pages logged as errors
	load     *Load      // what comes while First loads a page
}

// Open starts Chromium for the gateway at the URL. It takes the certificates of
// other servers too, where a test has some.
func Open(t testing.TB, base string, others ...string) *Browser {
	t.Helper()
	pins := []string{pin(t, base)}
	for _, other := range others {
		pins = append(pins, pin(t, other))
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("ignore-certificate-errors-spki-list", strings.Join(pins, ",")), chromedp.WindowSize(1440, 900),
		chromedp.Env("LANG=en_US.UTF-8"), chromedp.WSURLReadTimeout(Timeout),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	b := &Browser{Base: base, ctx: ctx, t: t}
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the process to end
		cancel()
		stop()
		b.complain()
	})
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	return b
}

func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no Chromium; make debian installs it, or: apt-get install chromium")
	return ""
}

// pin is the hash of the key of the gateway's certificate: the one that this
// browser takes without a known CA.
func pin(t testing.TB, base string) string {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", u.Host, &tls.Config{InsecureSkipVerify: true}) // only looked at
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	sum := sha256.Sum256(conn.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// complain fails the test where a page has logged an error.
func (b *Browser) complain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.problems) > 0 {
		b.t.Errorf("pages logged errors:\n%s", strings.Join(b.problems, "\n"))
	}
}

// Complaints takes what pages have logged as errors so far, for a test that
// wants them to.
func (b *Browser) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.problems
	b.problems = nil
	return taken
}

// listen keeps what goes wrong in pages. Failed loads are the tests' matter.
func (b *Browser) listen(event any) {
	problem := ""
	switch e := event.(type) {
	case *network.EventLoadingFinished:
		b.weigh(e)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			problem = string(e.Entry.Source) + ": " + e.Entry.Text + " " + e.Entry.URL
		}
	case *runtime.EventExceptionThrown:
		problem = "exception: " + e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			problem += " " + e.ExceptionDetails.Exception.Description
		}
	}
	if problem != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.problems = append(b.problems, problem)
	}
}

// run takes a step within Timeout, and keeps a picture where it fails.
func run[T any](b *Browser, what string, step chromedp.Action[T]) T {
	b.t.Helper()
	out, err := try(b, step)
	if err != nil {
		where := filepath.Join(os.TempDir(), "sluice-browser-failed.png")
		if picture, failed := try(b, chromedp.FullScreenshot(100)); failed == nil {
			_ = os.WriteFile(where, picture, 0o600)
		}
		text, _ := try(b, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
		b.t.Fatalf("%s: %v (picture: %s)\n%s", what, err, where, text)
	}
	return out
}

func try[T any](b *Browser, step chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, Timeout)
	defer cancel()
	return chromedp.Run(ctx, step)
}

// call sends a command of Chromium's protocol.
func call[P, R any](b *Browser, what string, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, Timeout)
	defer cancel()
	out, err := chromedp.Call(ctx, command, params)
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	return out
}

// Eval runs an expression in the page and returns its value. A promise is
// waited for.
func Eval[T any](b *Browser, js string) T {
	b.t.Helper()
	return run(b, "running "+short(js), chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
}

func short(js string) string {
	if len(js) > 200 {
		return js[:200] + "…"
	}
	return js
}

// Go opens a path of the gateway.
func (b *Browser) Go(path string) {
	b.t.Helper()
	run(b, "opening "+path, chromedp.Navigate(b.Base+path))
	b.AwaitTrue("the page", `document.readyState === "complete" && document.getElementById("main")`)
}

// SignIn signs in with a token.
func (b *Browser) SignIn(token string) {
	b.t.Helper()
	b.Go("/ui/sign-in")
	b.Fill("Token", token)
	b.Click("Sign in with the token")
	b.AwaitTrue("the first page", `document.readyState === "complete" && document.querySelector(".shell")`)
}

// Text is what the page shows.
func (b *Browser) Text() string {
	b.t.Helper()
	return Eval[string](b, `document.body.innerText`)
}

// Path is where the browser is, with its query.
func (b *Browser) Path() string {
	b.t.Helper()
	return Eval[string](b, `location.pathname + location.search`)
}

// AwaitPath waits until the browser is at a path, its query included. What the
// page shows may come before its address.
func (b *Browser) AwaitPath(path string) {
	b.t.Helper()
	b.AwaitTrue("the path "+path, "location.pathname + location.search === "+quote(path))
}

// Await waits until the page shows the text.
func (b *Browser) Await(text string) {
	b.t.Helper()
	b.AwaitTrue("the text "+text, fmt.Sprintf("document.body && document.body.innerText.includes(%s)", quote(text)))
}

// AwaitGone waits until the page shows the text no more.
func (b *Browser) AwaitGone(text string) {
	b.t.Helper()
	b.AwaitTrue("no text "+text, fmt.Sprintf("!document.body.innerText.includes(%s)", quote(text)))
}

// AwaitTrue waits until an expression is true in the page.
func (b *Browser) AwaitTrue(what, js string) {
	b.t.Helper()
	deadline := time.Now().Add(Timeout)
	for {
		// A page that is just being left has no answer.
		if ok, err := try(b, chromedp.Evaluate[bool]("!!("+js+")")); err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			run(b, "waiting for "+what, chromedp.Func(func(context.Context, *chromedp.Target) error { return errors.New("it did not come") }))
		}
		time.Sleep(30 * time.Millisecond)
	}
}
