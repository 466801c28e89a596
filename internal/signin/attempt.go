package signin

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"sluice/internal/audit"
	"sluice/internal/identity"
	"sluice/internal/session"
	"sluice/internal/throttle"
)

// attempt is one try to sign in, on its way through the handler.
type attempt struct {
	h       *Handler
	w       http.ResponseWriter
	r       *http.Request
	method  string
	back    string // where the user goes afterwards
	address string
	user    string // id of the account that is tried, once it is known
}

func (h *Handler) attempt(w http.ResponseWriter, r *http.Request, method, back string) *attempt {
	return &attempt{h: h, w: w, r: r, method: method, back: back, address: identity.ClientAddress(r.Header.Values)}
}

// problem is why an attempt fails, as the user is told.
type problem struct {
	status  int
	code    string
	message string
}

// Token answers POST /ui/sign-in: the field "token" is an API token. The
// session is that token's: it has the same bounds, and ends with it.
func (h *Handler) Token(w http.ResponseWriter, r *http.Request) {
	a := h.attempt(w, r, session.MethodToken, localPath(r.PostFormValue("return")))
	if err := h.origin.Check(r); err != nil {
		a.show(problem{http.StatusForbidden, "cross_origin", "The request came from another site. Sign in here."})
		return
	}
	if session.CheckCSRF(r, formSecret(browserOf(r))) != nil {
		a.show(problem{http.StatusForbidden, "csrf",
			"This page was too old, or the browser keeps no cookies of this site. Allow them and try again."})
		return
	}
	if a.throttled() {
		return
	}
	plain := tokenIn(r.PostFormValue("token"))
	if plain == "" {
		a.show(problem{http.StatusBadRequest, "no_credential", "Type or paste your token."})
		return
	}
	token, err := h.Directory.TokenOf(plain)
	if a.user = token.UserID; err == nil && a.throttled() {
		return
	}
	if err == nil {
		_, err = h.Directory.Authenticate(identity.Presented{Credential: plain, Address: a.address})
	}
	if err != nil {
		a.fail(tokenProblem(err), nil)
		return
	}
	in := session.SignIn{UserID: token.UserID, TokenID: token.ID, Method: a.method}
	if token.Expires != nil {
		in.Until = *token.Expires
	}
	a.succeed(in)
}

// tokenProblem says why a token does not sign in. What is not known and what is
// malformed look the same, as do all tokens of others.
func tokenProblem(err error) problem {
	p := problem{http.StatusUnauthorized, identity.Code(err), ""}
	switch {
	case errors.Is(err, identity.ErrMalformedToken):
		p.message = "This is not a token of this gateway. Tokens begin with " + identity.TokenPrefix + "; copy the whole of it."
	case errors.Is(err, identity.ErrUnknownToken):
		p.message = "This token is not known here."
	case errors.Is(err, identity.ErrExpiredToken):
		p.message = "This token has expired. Make a new one, or ask an administrator for one."
	case errors.Is(err, identity.ErrRevokedToken):
		p.message = "This token was revoked. Ask an administrator for a new one."
	case errors.Is(err, identity.ErrDisabledUser):
		p.message = "The user of this token is disabled. Ask an administrator."
	default:
		p.message = "This token is not let in from here. Ask an administrator which networks it is for."
	}
	return p
}

// keys are what failures are counted by.
func (a *attempt) keys() []string {
	var keys []string
	if a.address != "" {
		keys = append(keys, "address "+throttle.AddressKey(a.address))
	}
	if a.user != "" {
		keys = append(keys, "user "+a.user)
	}
	return keys
}

// throttled refuses an attempt that comes too early, and reports whether it did.
func (a *attempt) throttled() bool {
	wait := a.h.limits.Wait(a.keys()...)
	if wait == 0 {
		return false
	}
	a.h.count.WithLabelValues(a.method, "throttled").Inc()
	a.h.show(a.w, a.r, Page{
		Status: http.StatusTooManyRequests, Code: "too_many_attempts", Return: a.back, RetryAfter: wait,
		Problem: fmt.Sprintf("Too many attempts to sign in have failed. Wait %s and try again.", words(wait)),
	})
	return true
}

// fail counts and records a failed attempt, and tells the user. more is
// metadata of the event.
func (a *attempt) fail(p problem, more map[string]string) {
	a.h.limits.Fail(a.keys()...)
	a.h.count.WithLabelValues(a.method, "failed").Inc()
	e := a.event(KindFailSignIn, nil)
	e.Metadata["code"] = p.code
	for k, v := range more {
		e.Metadata[k] = v
	}
	if err := a.h.Trail.Event(e); err != nil {
		a.h.Log.Error("the trail took no event", zap.String("exchange", e.RequestID), zap.String("kind", e.Kind), zap.Error(err))
	}
	a.show(p)
}

// succeed records the sign-in, begins the session and sends the user on.
func (a *attempt) succeed(in session.SignIn) {
	h := a.h
	a.user = in.UserID
	who, err := h.Directory.CallerOf(in.UserID)
	if err != nil {
		a.fail(problem{http.StatusForbidden, identity.Code(err), "Your user is disabled. Ask an administrator."}, nil)
		return
	}
	e := a.event(KindSignIn, who)
	if in.TokenID != "" {
		e.Metadata["tokenId"] = in.TokenID
	}
	if err := h.Trail.Event(e); err != nil {
		h.Log.Error("the trail took no event", zap.String("exchange", e.RequestID), zap.String("kind", e.Kind), zap.Error(err))
		if !h.ServeUnrecorded {
			a.show(problem{http.StatusServiceUnavailable, "audit_unavailable",
				"The audit trail can't be written at the moment, so nobody can sign in. Try again later."})
			return
		}
	}
	if _, err := h.Sessions.Start(a.r.Context(), a.w, a.r, in); err != nil {
		h.Log.Error("a session was not begun", zap.String("exchange", e.RequestID), zap.Error(err))
		e.Metadata["outcome"] = "failed"
		_ = h.Trail.Event(e) // the log line above tells it too
		a.show(problem{http.StatusInternalServerError, "internal_error", "The gateway made a mistake. Try again, or tell its administrators."})
		return
	}
	h.limits.Forgive(a.keys()...)
	h.count.WithLabelValues(a.method, "ok").Inc()
	redirect(a.w, a.r, a.back)
}

// event begins an event about the attempt. by is who has signed in, nil while
// nobody has.
func (a *attempt) event(kind string, by *identity.Caller) *audit.Event {
	e := &audit.Event{
		Time: a.h.Now(), Kind: kind, By: by, ClientAddr: a.address, Certificate: identity.CertificateOf(a.r.Header.Values), RequestID: a.h.requestID(a.r),
		TargetType: "user", TargetID: a.user, Metadata: map[string]string{"method": a.method},
	}
	if by != nil {
		e.TargetName = by.UserName
	} else if a.user != "" {
		if who, err := a.h.Directory.CallerOf(a.user); err == nil {
			e.TargetName = who.UserName
		}
	}
	return e
}

func (a *attempt) show(p problem) {
	a.h.show(a.w, a.r, Page{Status: p.status, Code: p.code, Problem: p.message, Return: a.back})
}

// words say how long to wait.
func words(wait time.Duration) string {
	n, unit := int((wait+time.Second-1)/time.Second), "second"
	if n > 90 {
		n, unit = (n+59)/60, "minute"
	}
	if n != 1 {
		unit += "s"
	}
	return strconv.Itoa(n) + " " + unit
}

// seconds is a wait as Retry-After has it, rounded up.
func seconds(wait time.Duration) string {
	return strconv.Itoa(int((wait + time.Second - 1) / time.Second))
}
