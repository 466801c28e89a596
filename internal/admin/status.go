package admin

import (
	"net/http"
	"runtime"
	"strings"

	"sluice/extproc/dialect"
	"sluice/internal/admin/api"
)

// readStatus is GET /api/sluice/v1/status.
func (s *server) readStatus(c *call) error {
	out := api.Status{
		Version: s.Version, Go: runtime.Version(), Started: shown(s.started), Now: shown(s.Now()), Ready: true,
		Parts: []api.Part{}, Targets: []api.TargetHealth{},
	}
	if s.TargetHealth != nil {
		out.Targets = append(out.Targets, s.TargetHealth()...)
	}
	for _, p := range s.parts() {
		out.Ready = out.Ready && p.Ready
		out.Parts = append(out.Parts, api.Part{Name: p.Name, Ready: p.Ready, Missing: p.Missing, Detail: p.Detail})
	}
	if s.Machine != nil {
		m := s.Machine(c.ctx())
		out.Machine = &m
	}
	if s.Usage != nil {
		u := s.Usage.Status()
		out.Usage = &api.Counting{
			Bytes: u.Bytes, Behind: u.Behind, Missed: u.Missed, Series: u.Series, Rebuilding: u.Rebuilding, Rebuilt: u.Rebuilt, Error: u.Error,
		}
	}
	out.Sinks = s.sinks()
	out.Warnings = s.warnings(&out)
	return c.reply(http.StatusOK, out)
}

// readPolicies is GET /api/sluice/v1/policies.
func (s *server) readPolicies(c *call) error {
	return c.reply(http.StatusOK, s.Policy.Status())
}

// reloadPolicies is POST /api/sluice/v1/policies/reload. A bundle that does
// not compile is a 400 that says where; the last good one stays in force.
func (s *server) reloadPolicies(c *call) error {
	ev := c.event(kindReloadPolicies, "policies", "", "", nil)
	ev.Metadata = map[string]string{"revision": s.Policy.Status().Revision}
	err := s.change(c, s.Policy.Reload, ev)
	if err == errUnrecorded {
		return err
	}
	if err != nil {
		return &dialect.Error{
			Status: http.StatusBadRequest, Code: "policy_invalid",
			Message: "The policies were not loaded and the last good ones stay in force: " + strings.TrimSpace(err.Error()),
		}
	}
	return c.reply(http.StatusOK, s.Policy.Status())
}
