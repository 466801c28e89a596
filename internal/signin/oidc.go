package signin

import (
	"errors"
	"net/http"
	"regexp"

	"go.uber.org/zap"

	"sluice/internal/identity"
	"sluice/internal/session"
)

// Begin answers GET /ui/sign-in/oidc: it sends the browser to the identity
// provider.
func (h *Handler) Begin(w http.ResponseWriter, r *http.Request) {
	a := h.attempt(w, r, session.MethodOIDC, localPath(r.URL.Query().Get("return")))
	if h.Provider == nil {
		a.show(problem{http.StatusNotFound, "oidc_not_configured", "This gateway has no identity provider. Sign in with a token."})
		return
	}
	if a.throttled() {
		return
	}
	// A browser that is sent to a provider that is away shows an error of its own,
	// from which nobody learns that a token would do.
	if err := h.Provider.Reach(r.Context()); err != nil {
		h.Log.Warn("the identity provider can't be reached", zap.Error(err))
		a.show(providerAway)
		return
	}
	f := flow{Nonce: randomText(), Verifier: randomText(), RedirectURI: origin(r) + CallbackPath, Return: a.back}
	state := h.flows.begin(browserCookie(w, r), w, r, f)
	to, err := h.Provider.AuthURL(state, f.Nonce, f.Verifier, f.RedirectURI)
	if err != nil {
		h.Log.Warn("the identity provider can't be asked", zap.Error(err))
		a.show(providerAway)
		return
	}
	redirect(w, r, to)
}

var providerAway = problem{
	http.StatusBadGateway, "oidc_unavailable",
	"The identity provider does not answer at the moment. Try again in a minute, or sign in with a token.",
}

// Callback answers GET /ui/sign-in/callback, to which the identity provider
// sends the browser back.
func (h *Handler) Callback(w http.ResponseWriter, r *http.Request) {
	a := h.attempt(w, r, session.MethodOIDC, home)
	if h.Provider == nil {
		a.show(problem{http.StatusNotFound, "oidc_not_configured", "This gateway has no identity provider. Sign in with a token."})
		return
	}
	if a.throttled() {
		return
	}
	q := r.URL.Query()
	f, ok := h.flows.finish(browserOf(r), q.Get("state"), w, r)
	if !ok {
		a.fail(problem{http.StatusBadRequest, "oidc_state",
			"This sign-in was begun too long ago, in another browser, or was used before. Begin again."}, nil)
		return
	}
	a.back = f.Return
	if code := q.Get("error"); code != "" {
		a.fail(refusal(code))
		return
	}
	who, err := h.Provider.Exchange(r.Context(), q.Get("code"), f.Verifier, f.Nonce, f.RedirectURI)
	if err != nil {
		h.Log.Warn("a sign-in at the identity provider failed", zap.String("exchange", h.requestID(r)), zap.Error(err))
		switch {
		case errors.Is(err, ErrProviderAway):
			a.show(providerAway)
		case errors.Is(err, ErrDirectory):
			a.show(problem{http.StatusServiceUnavailable, "directory_unavailable",
				"The gateway could not take note of you at the moment. Try again later."})
		default:
			a.fail(exchangeProblem(err), nil)
		}
		return
	}
	a.succeed(session.SignIn{UserID: who.UserID, Method: a.method, IDToken: who.IDToken})
}

// exchangeProblem says why whoever comes from the provider is not let in.
func exchangeProblem(err error) problem {
	p := problem{http.StatusForbidden, identity.Code(err), ""}
	switch {
	case errors.Is(err, identity.ErrDisabledUser):
		p.message = "Your user is disabled here. Ask an administrator."
	case errors.Is(err, identity.ErrUnknownUser):
		p.message = "The identity provider knows you, and this gateway does not yet. Ask an administrator to add you."
	case errors.Is(err, identity.ErrNameTaken):
		p.message = "Another user of this gateway has your name. Ask an administrator."
	default:
		return problem{http.StatusUnauthorized, "oidc_refused",
			"The answer of the identity provider was not accepted. Begin again; if it stays so, give the request id to an administrator."}
	}
	return p
}

// errorCode is the form of an OAuth error code; what else a provider, or who
// poses as one, may send is not repeated.
var errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// refusal says what an error code of the identity provider means.
func refusal(code string) (problem, map[string]string) {
	if !errorCode.MatchString(code) {
		code = "unknown"
	}
	p := problem{http.StatusUnauthorized, "oidc_refused", ""}
	switch code {
	case "access_denied":
		p.message = "You cancelled, or the identity provider does not let you use this gateway. Ask an administrator for access."
	case "login_required", "interaction_required", "consent_required", "account_selection_required":
		p.message = "The identity provider wants you to sign in there first. Begin again."
	case "temporarily_unavailable", "server_error":
		p.status, p.message = http.StatusBadGateway, "The identity provider has a problem. Try again in a minute, or sign in with a token."
	case "invalid_scope", "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_client":
		p.message = "The identity provider and this gateway are not set up for each other (" + code + "). Tell an administrator."
	default:
		p.message = "The identity provider refused the sign-in (" + code + "). Begin again; if it stays so, tell an administrator."
	}
	return p, map[string]string{"providerError": code}
}
