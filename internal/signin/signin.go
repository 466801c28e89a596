// Package signin is the server side of signing in to the web UI and out of it:
// with an API token, and with the company's identity provider (OIDC, code flow
// with PKCE). It owns no looks: the web UI gives it a function that writes the
// page for signing in.
//
// The web UI mounts it so:
//
//	h := signin.New(signin.Options{…, Render: ui.signInPage})
//	h.Register(mux) // GET and POST /ui/sign-in, GET /ui/sign-in/oidc,
//	                // GET /ui/sign-in/callback, POST /ui/sign-out
//
// and sends whoever must sign in to PagePath(r.URL, err). The form on the page
// posts the fields "token", "csrf" (Page.CSRF) and "return" (Page.Return) to
// /ui/sign-in; where Page.OIDC is set, a link leads to Page.OIDC. The form for
// signing out posts the session's CSRF to /ui/sign-out.
//
// Every sign-in, refused sign-in and sign-out is an event of the trail, without
// any credential; a sign-in that the trail can't take does not happen. Failures
// are slowed by address and by account (see package throttle); an attempt within
// a wait is not looked at, and is counted in the metrics only.
package signin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"sluice/internal/audit"
	"sluice/internal/identity"
	"sluice/internal/session"
	"sluice/internal/throttle"
)

// Paths of the pages.
const (
	Path         = "/ui/sign-in"
	OIDCPath     = "/ui/sign-in/oidc"
	CallbackPath = "/ui/sign-in/callback"
	SignOutPath  = "/ui/sign-out"
)

// Kinds of the trail's events.
const (
	KindSignIn     = "SignIn"
	KindFailSignIn = "FailSignIn"
	KindSignOut    = "SignOut"
)

// Directory knows users and tokens.
type Directory interface {
	Authenticate(identity.Presented) (*identity.Caller, error)
	TokenOf(plaintext string) (identity.Token, error)
	CallerOf(userID string) (*identity.Caller, error)
}

// Provider is the company's identity provider.
type Provider interface {
	// Reach returns an error where the provider does not answer at the moment, and
	// does not take long to say so.
	Reach(ctx context.Context) error
	// AuthURL is where the browser is sent to sign in. The verifier is PKCE's; the
	// challenge that belongs to it is in the address.
	AuthURL(state, nonce, verifier, redirectURI string) (string, error)
	// Exchange turns the code that the browser brought into who has signed in. An
	// error that the user can do nothing about but wait is ErrProviderAway or
	// ErrDirectory. Those of package identity for users who are not let in are told
	// in words.
	Exchange(ctx context.Context, code, verifier, nonce, redirectURI string) (Identified, error)
	// LogoutURL is where the browser is sent to sign out; "" where the provider
	// has no such address.
	LogoutURL(idTokenHint, postLogout string) string
}

// Errors of Provider.Exchange.
var (
	// ErrProviderAway says that the identity provider does not answer.
	ErrProviderAway = errors.New("the identity provider does not answer")
	// ErrDirectory says that the directory could not take the provider's word down.
	ErrDirectory = errors.New("the directory can't be changed")
)

// Identified is who has signed in at the provider.
type Identified struct {
	UserID  string // in the directory, where the provider's word has put it
	IDToken string // to sign out with; secret
}

// Page is what the page for signing in shows.
type Page struct {
	Status  int    // of the reply
	Problem string // why the last attempt failed, in a sentence; "": it did not
	Notice  string // what else is to be told, in a sentence; "": nothing
	Code    string // stable code of the problem, for tests and for support
	// Return is where the user goes after signing in: a path below /ui/.
	Return string
	CSRF   string
	// OIDC is the link to the identity provider, "" where there is none.
	OIDC string
	// Continue is where the page leads by itself, with a refresh, and with a link
	// for who does not want to wait: the provider's page for signing out. "":
	// nowhere. It is no redirect, as the page's policy keeps forms on this host.
	Continue   string
	RequestID  string        // what administrators find an attempt by
	RetryAfter time.Duration // how long to wait before the next attempt; 0: not at all
}

// Options configure New. Fields are required unless said.
type Options struct {
	Sessions  *session.Manager
	Directory Directory
	// Provider is the identity provider. Nil: only tokens sign in.
	Provider Provider
	Trail    interface{ Event(*audit.Event) error }
	// ServeUnrecorded goes on when the trail can't be written.
	ServeUnrecorded bool
	// Render writes the page, with Page.Status.
	Render     func(http.ResponseWriter, *http.Request, Page)
	Registerer prometheus.Registerer // nil: no metrics
	Now        func() time.Time
	// NewID makes the id of a request that came without Envoy.
	NewID func() string
	Log   *zap.Logger
}

// Handler answers the paths of this package. It is safe for concurrent use.
type Handler struct {
	Options
	limits *throttle.Limiter
	flows  *flows
	origin *http.CrossOriginProtection
	count  *prometheus.CounterVec // sign-ins by method and outcome
}

// New returns a handler.
func New(o Options) *Handler {
	h := &Handler{
		Options: o, limits: throttle.SignIns(o.Now), flows: newFlows(o.Now), origin: http.NewCrossOriginProtection(),
		count: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_sign_ins_total",
			Help: "Attempts to sign in to the web UI, by method (token, oidc) and outcome (ok, failed, throttled).",
		}, []string{"method", "outcome"}),
	}
	if o.Registerer != nil {
		o.Registerer.MustRegister(h.count)
	}
	return h
}

// Register mounts the handler's paths.
func (h *Handler) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Path, h.Page)
	mux.HandleFunc("POST "+Path, h.Token)
	mux.HandleFunc("GET "+OIDCPath, h.Begin)
	mux.HandleFunc("GET "+CallbackPath, h.Callback)
	mux.HandleFunc("POST "+SignOutPath, h.SignOut)
}

// PagePath is where a request for a page goes that needs a sign-in first: to the
// page for signing in, which leads back to where it was. err is the error of the
// session.
func PagePath(u *url.URL, err error) string {
	q := url.Values{}
	if back := localPath(u.RequestURI()); back != home {
		q.Set("return", back)
	}
	if reason := session.Reason(err); reason != "" {
		q.Set("ended", reason)
	}
	if len(q) == 0 {
		return Path
	}
	return Path + "?" + q.Encode()
}

// notices are what the page says of a session that has ended.
var notices = map[string]string{
	"idle":      "You were signed out because you did nothing for a while. Sign in again to go on.",
	"expired":   "Your session has reached its longest time. Sign in again to go on.",
	"refused":   "Your user or the token that you signed in with is not let in any more.",
	"elsewhere": "The token that you signed in with is not let in from this network.",
	"ended":     "Your session has ended. Sign in again to go on.",
	"out":       "You have signed out.",
}

// Page answers GET /ui/sign-in.
func (h *Handler) Page(w http.ResponseWriter, r *http.Request) {
	back := localPath(r.URL.Query().Get("return"))
	if _, err := h.Sessions.Peek(r); err == nil {
		redirect(w, r, back)
		return
	}
	h.show(w, r, Page{Status: http.StatusOK, Notice: notices[r.URL.Query().Get("ended")], Return: back})
}

// show fills in what every page has, and renders it.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, p Page) {
	if p.Return == "" {
		p.Return = home
	}
	p.RequestID = h.requestID(r)
	p.CSRF = formSecret(browserCookie(w, r))
	if h.Provider != nil {
		p.OIDC = OIDCPath
		if p.Return != home {
			p.OIDC += "?" + url.Values{"return": {p.Return}}.Encode()
		}
	}
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", seconds(p.RetryAfter))
	}
	w.Header().Set("Cache-Control", "no-store")
	h.Render(w, r, p)
}

func (h *Handler) requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); id != "" {
		return id
	}
	id := h.NewID()
	r.Header.Set("X-Request-Id", id)
	return id
}

func redirect(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}
