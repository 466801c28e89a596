package admin

import (
	"errors"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"sluice/extproc/dialect"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/policies"
)

// targetHold is the TargetType of events about holds.
const targetHold = "hold"

// custodyRoutes are about keeping the trail: holds and evidence.
func (s *server) custodyRoutes() []route {
	const holds = policies.ResourceHolds
	return []route{
		{
			pattern: "GET " + own + "/audit/export", access: decided, resource: policies.ResourceEvidence, verb: policies.VerbRead, handle: s.exportEvidence,
			doc: doc{
				id: "exportEvidence", tag: tagAudit, out: media(evidenceType), also: []int{http.StatusNotFound},
				summary: "Write days of the trail, as they are, into one file that can be checked without Sluice and imported elsewhere.",
				query: []parameter{
					{name: "from", kind: kindText, required: true, text: "The first UTC day, as 2030-01-31."},
					{name: "to", kind: kindText, required: true, text: "The last UTC day."},
				},
			},
		},
		{
			pattern: "GET " + own + "/audit/holds", access: decided, resource: holds, verb: policies.VerbList, handle: s.listHolds,
			doc: doc{id: "listHolds", tag: tagAudit, summary: "List the legal holds, which keep days of the trail from retention.", out: api.HoldList{}},
		},
		{
			pattern: "POST " + own + "/audit/holds", access: decided, resource: holds, verb: policies.VerbCreate, handle: s.createHold,
			doc: doc{
				id: "createHold", tag: tagAudit, in: api.NewHold{}, out: api.Hold{}, also: []int{http.StatusConflict},
				summary: "Keep days of the trail from retention, whatever their age, until the hold is removed.",
			},
		},
		{
			pattern: "PUT " + own + "/audit/holds", access: decided, resource: holds, verb: policies.VerbUpdate, handle: s.setHolds,
			doc: doc{
				id: "setHolds", tag: tagAudit, in: api.NewHoldList{}, out: api.HoldList{}, also: []int{http.StatusConflict},
				summary: "Put all holds that there are to be in place of those that there are. That ends a doubt about them.",
			},
		},
		{
			pattern: "DELETE " + own + "/audit/holds/{name}", access: decided, resource: holds, verb: policies.VerbDelete, handle: s.deleteHold,
			doc: doc{
				id: "deleteHold", tag: tagAudit, also: []int{http.StatusConflict},
				summary: "Remove a legal hold. Days that are older than the retention, and that no other hold keeps, are dropped at once.",
			},
		},
	}
}

// listHolds is GET /api/sluice/v1/audit/holds.
func (s *server) listHolds(c *call) error {
	out := api.HoldList{Holds: []api.Hold{}}
	for _, h := range s.Trail.Holds() {
		out.Holds = append(out.Holds, s.holdShape(h))
	}
	if err := s.Trail.HoldsDoubt(); err != nil {
		out.Doubt = sentence(err) + "."
	}
	return c.reply(http.StatusOK, out)
}

func (s *server) holdShape(h audit.Hold) api.Hold {
	out := api.Hold{Name: h.Name, From: h.From, To: h.To, Reason: h.Reason, Created: shown(h.Created), By: h.By}
	for _, d := range s.Trail.Days() {
		if h.Keeps(d) {
			out.Days++
		}
	}
	return out
}

func holdFields(h audit.Hold) fields {
	return fields{"name": h.Name, "from": h.From, "to": h.To, "reason": h.Reason}
}

// createHold is POST /api/sluice/v1/audit/holds.
func (s *server) createHold(c *call) error {
	var in api.NewHold
	if err := c.decode(&in); err != nil {
		return err
	}
	h := s.newHold(c, in)
	ev := c.event(audit.KindCreateHold, targetHold, "", h.Name, diff(fields{}, holdFields(h)))
	if err := s.Trail.AddHold(h, ev); err != nil {
		return s.holdError(c, err)
	}
	return c.reply(http.StatusOK, s.holdShape(h))
}

func (s *server) newHold(c *call, in api.NewHold) audit.Hold {
	h := audit.Hold{Name: in.Name, From: in.From, Reason: strings.TrimSpace(in.Reason), Created: s.Now().UTC(), By: c.caller.UserName}
	if in.To != nil {
		h.To = *in.To
	}
	return h
}

// setHolds is PUT /api/sluice/v1/audit/holds. What stands already keeps who set
// it, and when.
func (s *server) setHolds(c *call) error {
	var in api.NewHoldList
	if err := c.decode(&in); err != nil {
		return err
	}
	stand := s.Trail.Holds()
	before, after := fields{}, fields{}
	for _, h := range stand {
		before[h.Name] = holdText(h)
	}
	var list []audit.Hold
	for _, given := range in.Holds {
		h := s.newHold(c, given)
		for _, old := range stand {
			if old.Name == h.Name && holdText(old) == holdText(h) {
				h = old
			}
		}
		list, after[h.Name] = append(list, h), holdText(h)
	}
	if err := s.Trail.SetHolds(list, c.event(audit.KindSetHolds, targetHold, "", "", diff(before, after))); err != nil {
		return s.holdError(c, err)
	}
	return s.listHolds(c)
}

// holdText is a hold in one line.
func holdText(h audit.Hold) string {
	to := h.To
	if to == "" {
		to = "open"
	}
	return h.From + " to " + to + ": " + h.Reason
}

// deleteHold is DELETE /api/sluice/v1/audit/holds/{name}.
func (s *server) deleteHold(c *call) error {
	name := c.r.PathValue("name")
	for _, h := range s.Trail.Holds() {
		if h.Name != name {
			continue
		}
		ev := c.event(audit.KindDeleteHold, targetHold, "", name, diff(holdFields(h), fields{}))
		if err := s.Trail.RemoveHold(name, ev); err != nil {
			return s.holdError(c, err)
		}
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	return notFound("hold", name)
}

// holdError tells what a change of holds came to. A change is its record: where
// that can't be written there is none, whatever audit.on_failure says.
func (s *server) holdError(c *call, err error) error {
	switch {
	case errors.Is(err, audit.ErrBadHold):
		return badRequest("hold_invalid", "", "%s.", capital(err.Error()))
	case errors.Is(err, audit.ErrTooManyHolds):
		return badRequest("too_many_holds", "", "%s.", capital(err.Error()))
	case errors.Is(err, audit.ErrHoldExists):
		return &dialect.Error{
			Status: http.StatusConflict, Code: "hold_exists", Message: "There is a hold of this name. Give another name, or remove that one first.",
		}
	case errors.Is(err, audit.ErrNoHold):
		return &dialect.Error{Status: http.StatusNotFound, Code: "hold_not_found", Message: "There is no hold of this name any more."}
	case errors.Is(err, audit.ErrHoldsDoubted):
		return &dialect.Error{Status: http.StatusConflict, Code: "holds_doubted", Message: sentence(err) + ". " + holdsWayOut}
	case errors.Is(err, audit.ErrHoldsUnsigned):
		return &dialect.Error{Status: http.StatusServiceUnavailable, Code: dialect.CodeVaultUnavailable, Message: "Nothing was changed. " + sentence(err) + "."}
	}
	s.Log.Error("the trail took no change of holds", zap.String("exchange", c.id), zap.Error(err))
	return errUnrecorded
}

// holdsWayOut says what ends a doubt about holds.
const holdsWayOut = "No day of the trail is dropped until an administrator sets all holds that there are to be: sluice audit hold set FILE."
