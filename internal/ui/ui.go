package ui

import (
	"context"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"sluice/internal/client"
	"sluice/internal/decision"
	"sluice/internal/identity"
	"sluice/internal/routing"
	"sluice/internal/session"
	"sluice/policies"
)

// Policy decides what a person is offered.
type Policy interface {
	Decide(ctx context.Context, in *policies.Input) (decision.Decision, error)
}

// Lender makes tokens that stand for a caller until ttl has passed. It is the
// identity store.
type Lender interface {
	Lend(caller *identity.Caller, ttl time.Duration) (token string)
}

// Deps are what the UI works with. All fields are required unless said.
type Deps struct {
	REST     http.Handler // the handler of package admin
	Sessions Sessions
	Tokens   Lender
	Policy   Policy
	// Gateway calls the gateway's own listener: it takes requests to paths such
	// as /v1/chat/completions, whatever their host.
	Gateway http.RoundTripper
	// CA returns the certificate of the gateway's own CA, PEM. Nil: clients need none.
	CA func() ([]byte, error)
	// Provider is what people call the identity provider, as in "Sign in with …".
	Provider string
	Version  string
	Now      func() time.Time
	NewID    func() string // of a request that came without Envoy
	Log      *zap.Logger
}

// Sessions finds who has signed in. It is the session manager.
type Sessions interface {
	// Guard returns the session of a request, and checks that its own pages made it.
	Guard(r *http.Request) (*session.Session, error)
	// Peek returns it without counting the request as use.
	Peek(r *http.Request) (*session.Session, error)
}

// UI answers everything under /ui/. It is safe for concurrent use.
type UI struct {
	Deps
	rest   *client.Client
	table  routing.Table[route]
	assets *assets
	pages  *templates
}

// New returns the handler of everything under /ui/. It panics where the
// program's own templates are broken, which tests see.
func New(d Deps) *UI {
	s := &UI{Deps: d, rest: client.NewLocal(d.REST)}
	s.assets = loadAssets()
	s.pages = loadTemplates(s)
	for _, r := range s.routes() {
		s.table.Add(r.pattern, &r)
	}
	return s
}

// unmask puts the secret that a page sent into the header, as the session
// manager knows it.
func unmask(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	shown := r.Header.Get("X-CSRF-Token")
	if shown == "" {
		shown = r.PostFormValue("csrf")
	}
	if shown != "" {
		r.Header.Set("X-CSRF-Token", unmaskCSRF(shown))
	}
}

// Mount serves the UI, and what is registered beside it, under /ui/ beside the REST handler, and leads browsers
// that open the bare address to it.
func Mount(rest, ui http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/ui" || strings.HasPrefix(r.URL.Path, "/ui/"):
			unmask(w, r)
			ui.ServeHTTP(w, r)
		case r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.Contains(r.Header.Get("Accept"), "text/html"):
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Vary", "Accept")
			http.Redirect(w, r, "/ui/", http.StatusSeeOther)
		default:
			rest.ServeHTTP(w, r)
		}
	})
}

// ServeHTTP answers one request.
func (s *UI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := s.call(w, r)
	defer c.w.end()
	c.headers()
	defer s.recover(c)
	if err := s.run(c); err != nil {
		s.told(c, err)
	}
}

func (s *UI) call(w http.ResponseWriter, r *http.Request) *call {
	c := &call{s: s, w: newWriter(w, r), r: r, rest: s.rest, id: r.Header.Get("X-Request-Id"), client: identity.ClientAddress(r.Header.Values)}
	if c.id == "" {
		c.id = s.NewID()
	}
	return c
}

// contentPolicy is the Content-Security-Policy of every page: nothing but the
// UI's own files, no inline script or style, no frames.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

func (c *call) headers() {
	h := c.w.Header()
	h.Set("X-Request-Id", c.id)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
}

func (s *UI) recover(c *call) {
	if !routing.Recovered(recover(), s.Log, "panic in a page", c.id, c.r, c.w.begun) {
		return
	}
	c.failed(http.StatusInternalServerError, "The gateway made a mistake. Give the request id to its administrators.")
}
