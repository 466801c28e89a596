package ui

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/internal/admin/api"
	"sluice/policies"
)

// holdsPath is the page of holds and evidence.
const holdsPath = auditPath + "/holds"

const verifyPath = auditPath + "/verify"

func (s *UI) custodyRoutes() []route {
	routes := []route{
		{pattern: "GET " + holdsPath, handle: s.holds},
		{pattern: "GET " + auditPath + "/evidence", handle: s.evidence},
		{pattern: "POST " + verifyPath, handle: s.verify},
		{pattern: "POST " + verifyPath + "/stop", handle: s.stopVerify},
	}
	routes = append(routes, both(holdsPath+"/new", s.newHold)...)
	return append(routes, both(holdsPath+"/{id}/remove", s.removeHold)...)
}

// auditTabs lead between the pages of the trail, as far as the person may see
// them.
func (c *call) auditTabs() []any {
	tabs := []any{map[string]any{"Title": "Records", "Path": auditPath, "Current": c.r.URL.Path == auditPath}}
	if c.may(policies.ResourceHolds, policies.VerbList) {
		tabs = append(tabs, map[string]any{"Title": "Holds and evidence", "Path": holdsPath, "Current": c.r.URL.Path == holdsPath})
	}
	return tabs
}

type holdRow struct {
	api.Hold
	Link string
}

// holds is GET /ui/audit/holds.
func (s *UI) holds(c *call) error {
	list, err := c.rest.ListHolds(c.ctx())
	if err != nil {
		return err
	}
	rows := []holdRow{}
	for _, h := range list.Holds {
		rows = append(rows, holdRow{h, holdsPath + "/" + url.PathEscape(h.Name)})
	}
	var job *api.Verification
	if c.may(policies.ResourceEvidence, policies.VerbRead) {
		found, err := c.rest.Verification(c.ctx())
		if err != nil {
			return err
		}
		job = &found
	}
	return c.page("holds", "Holds and evidence", map[string]any{
		"Verification": job, "Rows": rows, "Doubt": list.Doubt, "Tabs": c.auditTabs(), "Today": s.Now().UTC().Format(time.DateOnly),
	})
}

// newHold is GET and POST /ui/audit/holds/new.
func (s *UI) newHold(c *call) error {
	f := &form{
		Title: "New hold", Action: holdsPath + "/new", Submit: "Hold", Back: holdsPath,
		Text: "Days that are held stay in the trail whatever their age. What was dropped before does not come back.",
		Fields: []*field{
			{Name: "name", Label: "Name", Required: true, Focus: true, Help: "Letters, digits, dots, dashes and underscores, such as case-4711."},
			{Name: "from", Label: "First day (UTC)", Kind: kindDate, Required: true},
			{Name: "to", Label: "Last day (UTC)", Kind: kindDate, Help: "Leave it empty to keep the days to come too."},
			{Name: "reason", Label: "Reason", Kind: kindLong, Required: true, Help: "It is kept with the hold, and in the trail."},
		},
	}
	if !c.post() {
		return c.form(f)
	}
	f.read(c.r)
	in := api.NewHold{Name: f.value("name"), From: f.value("from"), Reason: f.value("reason")}
	if to := f.value("to"); to != "" {
		in.To = &to
	}
	_, err := c.rest.CreateHold(c.ctx(), in)
	return c.saved(f, err, holdsPath, "The hold "+in.Name+" stands.")
}

// removeHold is GET and POST /ui/audit/holds/{id}/remove.
func (s *UI) removeHold(c *call) error {
	name := c.r.PathValue("id")
	f := confirm("Remove the hold "+name+"?",
		"Days that are older than the retention, and that no other hold keeps, are dropped at once. This can't be undone.",
		holdsPath+"/"+c.pathID()+"/remove", "Remove", holdsPath)
	if !c.post() {
		return c.form(f)
	}
	if err := c.rest.DeleteHold(c.ctx(), name); err != nil {
		return err
	}
	return c.done(holdsPath, "The hold "+name+" was removed.")
}

// verify is POST /ui/audit/verify: the gateway goes through its trail, and the
// page shows how far it is.
func (s *UI) verify(c *call) error {
	in := api.NewVerification{From: c.r.PostFormValue("from"), To: c.r.PostFormValue("to")}
	if key := strings.TrimSpace(c.r.PostFormValue("key")); key != "" {
		in.Keys = []string{key}
	}
	if _, err := c.rest.StartVerification(c.ctx(), in); err != nil {
		return err
	}
	return c.done(holdsPath, "The trail is being verified.")
}

// stopVerify is POST /ui/audit/verify/stop.
func (s *UI) stopVerify(c *call) error {
	if _, err := c.rest.StopVerification(c.ctx()); err != nil {
		return err
	}
	return c.done(holdsPath, "The verification was stopped.")
}

// evidence is GET /ui/audit/evidence: days of the trail as one file, passed on
// as it is written.
func (s *UI) evidence(c *call) error {
	q := c.r.URL.Query()
	from, to := q.Get("from"), q.Get("to")
	return c.rest.ExportEvidence(c.ctx(), from, to, &download{
		w: c.w, kind: "application/zstd", name: "sluice-evidence-" + from + "-" + to + ".tar.zst",
	})
}

// download tells what a file is before its first byte.
type download struct {
	w          http.ResponseWriter
	kind, name string
	begun      bool
}

func (d *download) Write(b []byte) (int, error) {
	if !d.begun {
		d.begun = true
		d.w.Header().Set("Content-Type", d.kind)
		d.w.Header().Set("Content-Disposition", "attachment; filename="+strconv.Quote(d.name))
	}
	return d.w.Write(b)
}
