package cli

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"
)

// byBrowser opens a browser on this machine, whose answer comes back to a port
// that is open for it alone (RFC 8252, with PKCE).
func byBrowser(ctx context.Context, cmd *cobra.Command, config *oauth2.Config) (*oauth2.Token, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("waiting for the browser: %w", err)
	}
	config.RedirectURL = "http://" + l.Addr().String() + "/callback"
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	back := newCallback(state)
	server := &http.Server{Handler: back, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	defer func() {
		// The browser gets its page before the port closes.
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	}()

	address := config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier))
	fmt.Fprintf(cmd.ErrOrStderr(), "Sign in in the browser. If none opens, open this on this machine:\n%s\n", address)
	openBrowser(address)
	select {
	case code := <-back.codes:
		if code.err != nil {
			return nil, code.err
		}
		return config.Exchange(ctx, code.value, oauth2.VerifierOption(verifier))
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the browser: %w", ctx.Err())
	}
}

// callback takes what the browser brings back, once.
type callback struct {
	state string
	codes chan code
}

type code struct {
	value string
	err   error
}

func newCallback(state string) *callback {
	return &callback{state: state, codes: make(chan code, 1)}
}

func (b *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if r.URL.Path != "/callback" || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(b.state)) != 1 {
		http.Error(w, "This is not an answer to a sign-in that is under way.", http.StatusBadRequest)
		return
	}
	got := code{value: q.Get("code")}
	text := "You are signed in to the identity provider. You may close this page and go back to the terminal."
	if got.value == "" {
		got.err = errors.New(printable(first(q.Get("error_description"), q.Get("error"), "the identity provider gave no code")))
		text = "The identity provider did not let you in. The terminal says more."
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintln(w, text)
	select {
	case b.codes <- got:
	default: // the first answer counts
	}
}

// openBrowser tries; the address is on the terminal too.
func openBrowser(address string) {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	if path, err := exec.LookPath(name); err == nil && hasBrowser() {
		cmd := exec.Command(path, args...)
		if cmd.Start() == nil {
			go func() { _ = cmd.Wait() }()
		}
	}
}
