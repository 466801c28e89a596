package admin

import (
	"errors"
	"net/http"
	"strings"

	"sluice/extproc/dialect"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/policies"
)

// Kinds of events about holds.
const (
	kindCreateHold = "CreateHold"
	kindDeleteHold = "DeleteHold"
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
			pattern: "DELETE " + own + "/audit/holds/{name}", access: decided, resource: holds, verb: policies.VerbDelete, handle: s.deleteHold,
			doc: doc{
				id: "deleteHold", tag: tagAudit,
				summary: "Remove a legal hold. Days that are older than the retention, and that no other hold keeps, are dropped at once.",
			},
		},
	}
}

// listHolds is GET /api/sluice/v1/audit/holds.
func (s *server) listHolds(c *call) error {
	list, err := s.Trail.Holds()
	if err != nil {
		return err
	}
	out := api.HoldList{Holds: []api.Hold{}}
	for _, h := range list {
		out.Holds = append(out.Holds, s.holdShape(h))
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
	h := audit.Hold{Name: in.Name, From: in.From, Reason: strings.TrimSpace(in.Reason), Created: s.Now().UTC(), By: c.caller.UserName}
	if in.To != nil {
		h.To = *in.To
	}
	if err := h.Check(); err != nil {
		return holdError(err)
	}
	// Asked for before the event is written, and by AddHold again.
	list, err := s.Trail.Holds()
	if err != nil {
		return err
	}
	for _, other := range list {
		if other.Name == h.Name {
			return holdError(audit.ErrHoldExists)
		}
	}
	ev := c.event(kindCreateHold, targetHold, "", h.Name, diff(fields{}, holdFields(h)))
	if err := s.change(c, func() error { return s.Trail.AddHold(h) }, ev); err != nil {
		return holdError(err)
	}
	return c.reply(http.StatusOK, s.holdShape(h))
}

// deleteHold is DELETE /api/sluice/v1/audit/holds/{name}.
func (s *server) deleteHold(c *call) error {
	name := c.r.PathValue("name")
	list, err := s.Trail.Holds()
	if err != nil {
		return err
	}
	for _, h := range list {
		if h.Name != name {
			continue
		}
		ev := c.event(kindDeleteHold, targetHold, "", name, diff(holdFields(h), fields{}))
		if err := s.change(c, func() error { return s.Trail.RemoveHold(name) }, ev); err != nil {
			return holdError(err)
		}
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	return notFound("hold", name)
}

func holdError(err error) error {
	switch {
	case errors.Is(err, audit.ErrBadHold):
		return badRequest("hold_invalid", "", "%s.", capital(err.Error()))
	case errors.Is(err, audit.ErrHoldExists):
		return &dialect.Error{
			Status: http.StatusConflict, Code: "hold_exists", Message: "There is a hold of this name. Give another name, or remove that one first.",
		}
	case errors.Is(err, audit.ErrNoHold):
		return &dialect.Error{Status: http.StatusNotFound, Code: "hold_not_found", Message: "There is no hold of this name any more."}
	}
	return err
}
