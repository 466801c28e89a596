package signin

import (
	"net/http"

	"go.uber.org/zap"

	"sluice/internal/audit"
	"sluice/internal/identity"
	"sluice/internal/session"
)

// SignOut answers POST /ui/sign-out: the session ends here, and where it was
// begun at the identity provider the page leads on to sign out there too.
func (h *Handler) SignOut(w http.ResponseWriter, r *http.Request) {
	s, err := h.Sessions.Guard(r)
	if session.Forged(err) {
		h.show(w, r, Page{Status: http.StatusForbidden, Code: "csrf", Problem: "You were not signed out: " + err.Error() + "."})
		return
	}
	if err == nil {
		h.recordSignOut(r, s)
	}
	if _, err := h.Sessions.End(w, r); err != nil {
		h.Log.Error("an ended session is still in the database", zap.Error(err))
	}
	if s != nil && s.Method == session.MethodOIDC && h.Provider != nil {
		if to := h.Provider.LogoutURL(s.IDToken, origin(r)+Path); to != "" {
			h.show(w, r, Page{Status: http.StatusOK, Notice: notices["out"], Continue: to})
			return
		}
	}
	redirect(w, r, Path+"?ended=out")
}

// recordSignOut writes the event. Signing out is never refused: who wants to
// leave must be able to.
func (h *Handler) recordSignOut(r *http.Request, s *session.Session) {
	err := h.Trail.Event(&audit.Event{
		Time: h.Now(), Kind: KindSignOut, By: s.Caller, ClientAddr: identity.ClientAddress(r.Header.Values), Certificate: identity.CertificateOf(r.Header.Values),
		RequestID: h.requestID(r), TargetType: "user", TargetID: s.UserID, TargetName: s.Caller.UserName,
		Metadata: map[string]string{"method": s.Method, "sessionId": s.ID},
	})
	if err != nil {
		h.Log.Error("the trail took no event", zap.String("kind", KindSignOut), zap.Error(err))
	}
}
