package admin

import (
	"errors"
	"net/http"
	"strings"

	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/session"
)

// targetSession is the TargetType of events about sessions.
const targetSession = "session"

// listSessions is GET /api/sluice/v1/sessions: the caller's own, or those of all
// users or of ?userId where the policy says so.
func (s *server) listSessions(c *call) error {
	p, err := readPage(c.r.URL.Query(), c.route.doc.sortFields()...)
	if err != nil {
		return err
	}
	owner, err := s.owner(c)
	if err != nil {
		return err
	}
	found := []api.Session{}
	for _, one := range s.sessions(owner) {
		shape := s.sessionShape(c, one)
		if p.matches(shape.UserName, shape.Method, shape.Address, shape.Browser, shape.ID) {
			found = append(found, shape)
		}
	}
	order(found, p, func(shape api.Session) string {
		switch p.sortBy {
		case "lastSeen":
			return shape.LastSeen.Format("20060102150405.000")
		case "expires":
			return shape.Expires.Format("20060102150405.000")
		case "userName":
			return strings.ToLower(shape.UserName)
		}
		return shape.Created.Format("20060102150405.000")
	})
	return c.reply(http.StatusOK, api.SessionList{Sessions: cut(found, p), Metadata: c.metadata(p, len(found))})
}

// sessions are those of a user, or all where userID is "".
func (s *server) sessions(userID string) []session.Session {
	if s.Sessions == nil {
		return nil
	}
	return s.Sessions.List(userID)
}

func (s *server) sessionShape(c *call, one session.Session) api.Session {
	owner, _ := s.Identity.GetUser(c.ctx(), one.UserID) // one that is deleted meanwhile has no name
	return api.Session{
		ID: one.ID, UserID: one.UserID, UserName: owner.Name, Method: one.Method, Address: one.Address, Browser: one.Browser,
		Created: shown(one.Created), LastSeen: shown(one.LastSeen), Expires: shown(one.Expires), Current: one.ID == c.session,
	}
}

// endSession is DELETE /api/sluice/v1/sessions/{id}. Another's session is to
// who may not see it as if it were not there.
func (s *server) endSession(c *call) error {
	id := c.r.PathValue("id")
	for _, one := range s.sessions("") {
		if one.ID == id && (c.all() || one.UserID == c.caller.UserID) {
			if err := s.endAll(c, one); err != nil {
				return err
			}
			c.w.WriteHeader(http.StatusOK)
			return nil
		}
	}
	return notFound("session", id)
}

// endSessions is DELETE /api/sluice/v1/sessions?userId=…: all of one user.
func (s *server) endSessions(c *call) error {
	owner := c.r.URL.Query().Get("userId")
	switch {
	case owner == "":
		return badRequest("missing_parameter", "userId", "The parameter userId is required: whose sessions end.")
	case !c.all() && owner != c.caller.UserID:
		return s.beyond(c)
	}
	if _, err := s.Identity.GetUser(c.ctx(), owner); err != nil {
		return notFound("user", owner)
	}
	list := s.sessions(owner)
	if err := s.endAll(c, list...); err != nil {
		return err
	}
	return c.reply(http.StatusOK, api.SessionsEnded{Ended: int64(len(list))})
}

// endAll ends sessions, each with its event.
func (s *server) endAll(c *call, list ...session.Session) error {
	var events []*audit.Event
	for _, one := range list {
		shape := s.sessionShape(c, one)
		e := c.event(kindEndSession, targetSession, one.ID, shape.UserName, nil)
		e.Metadata = map[string]string{"userId": one.UserID, "userName": shape.UserName, "method": one.Method, "address": one.Address}
		events = append(events, e)
	}
	return s.change(c, func() error {
		for _, one := range list {
			// One that has ended by itself meanwhile is as it should be.
			if err := s.Sessions.EndOne(c.ctx(), one.ID); err != nil && !errors.Is(err, session.ErrNotFound) {
				return err
			}
		}
		return nil
	}, events...)
}
