package admin

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/audit"
	"sluice/internal/sink/format"
)

// auditQuery is what was asked of the trail.
type auditQuery struct {
	filter  audit.Filter
	lines   bool // one record a line, all of them unless there is a limit
	follow  bool // go on with what comes
	cursors bool // tell between the lines where to go on
	from    string
}

const ndjson = "application/x-ndjson"

// auditFilters are the parameters that readAuditQuery reads, besides the times.
var auditFilters = append(endpointFilters[:len(endpointFilters):len(endpointFilters)],
	parameter{name: "users", kind: kindTexts, text: "Only what these users did, by id or name."},
	parameter{name: "organizations", kind: kindTexts, text: "Only what members of these organizations did, by id or name."},
	parameter{name: "projects", kind: kindTexts, text: "Only what was done in these projects."},
	parameter{name: "executions", kind: kindTexts, text: "Only what was done in these workspaces or runs."},
	parameter{name: "providers", kind: kindTexts, text: "Only exchanges for which one of these providers was tried."},
	parameter{name: "models", kind: kindTexts, text: "Only exchanges for which one of these models was tried, by the provider's name."},
	parameter{name: "results", kind: kindTexts, text: "Only exchanges that ended so, e.g. answered, denied, provider_error."},
	parameter{name: "statuses", kind: kindTexts, text: "Only exchanges whose client got one of these statuses, e.g. 403, 5xx, 400-404."},
	parameter{name: "kinds", kind: kindTexts, text: "Only these kinds of event, e.g. AccessEndpoint, CreateToken. Without it all but checkpoints."},
	parameter{name: "targetTypes", kind: kindTexts, text: "Only what is about things of these types, e.g. endpoint, user, token."},
	parameter{name: "targetIds", kind: kindTexts, text: "Only what is about the things of these ids."},
	parameter{name: "targetNames", kind: kindTexts, text: "Only what is about the things of these names."},
	parameter{name: "addresses", kind: kindTexts, text: "Only what clients at these addresses did."},
	parameter{name: "text", kind: kindTexts, text: "Only records with all of these texts, in any case, in bodies, parts, messages of errors, changes or metadata."},
	parameter{name: "id", kind: kindText, text: "Only the record of this exchange or request."},
	parameter{name: "bodies", kind: kindBoolean, text: "True shows bodies and parts too. That is recorded.", fallback: false},
	parameter{name: "descending", kind: kindBoolean, text: "False shows the oldest first.", fallback: true},
	parameter{name: "limit", kind: kindInteger, text: "How many to show, fewer where bodies are long. Of lines all, where it is not given.", low: 1, high: 1000, fallback: 100},
	parameter{name: "cursor", kind: kindText, text: "The next of the page before, or the cursor of a stream that is followed."},
	parameter{name: "follow", kind: kindBoolean, fallback: false,
		text: "True shows, a line each, what ends from now or the cursor on, until the client leaves. An empty line says that nothing came."},
	parameter{name: "cursors", kind: kindBoolean, fallback: false,
		text: `True puts lines such as {"cursor":"…"} between those of a stream that is followed, in place of empty ones: where to go on.`},
)

// auditResults are how exchanges end.
var auditResults = audit.Results()

func (s *server) readAuditQuery(c *call) (q auditQuery, err error) {
	v := c.r.URL.Query()
	f := &q.filter
	*f = audit.Filter{
		ID: v.Get("id"), EndpointIDs: readList(v, "endpointIds"), EndpointNames: readList(v, "endpointNames"),
		Users: readList(v, "users"), Organizations: s.organizationIDs(readList(v, "organizations")),
		Projects: readList(v, "projects"), Executions: readList(v, "executions"),
		Providers: readList(v, "providers"), Models: readList(v, "models"),
		Results: readList(v, "results"), Kinds: readList(v, "kinds"), Text: readList(v, "text"),
		TargetTypes: readList(v, "targetTypes"), TargetIDs: readList(v, "targetIds"), TargetNames: readList(v, "targetNames"),
		ClientAddrs: readList(v, "addresses"),
	}
	if len(f.Kinds) == 0 && f.ID == "" {
		f.Except = []string{audit.KindCheckpoint}
	}
	for _, p := range auditFilters {
		if p.kind == kindTexts && len(readList(v, p.name)) > maxValues {
			return q, badRequest("invalid_parameter", p.name, "The parameter %s takes %d values at most.", p.name, maxValues)
		}
	}
	for _, r := range f.Results { // a slip of the pen must not look as if nothing had happened
		if !slices.Contains(auditResults, r) {
			return q, badRequest("invalid_parameter", "results", "The parameter results takes %s.", strings.Join(auditResults, ", "))
		}
	}
	for _, kind := range f.Kinds {
		if known := format.Kinds(); !slices.Contains(known, kind) {
			return q, badRequest("invalid_parameter", "kinds", "There are no records of the kind %q. The parameter kinds takes %s.",
				short(kind), strings.Join(known, ", "))
		}
	}
	if len(f.Text) > maxTexts {
		return q, badRequest("invalid_parameter", "text", "The parameter text takes %d values at most.", maxTexts)
	}
	for _, text := range f.Text {
		if len(text) > maxText {
			return q, badRequest("invalid_parameter", "text", "The parameter text must not be longer than %d bytes.", maxText)
		}
	}
	if f.Statuses, err = audit.ParseStatuses(readList(v, "statuses")); err != nil {
		return q, badRequest("invalid_parameter", "statuses", "The parameter statuses takes statuses such as 403, 5xx or 400-404.")
	}
	for _, flag := range []struct {
		name     string
		into     *bool
		fallback bool
	}{{"descending", &f.Descending, true}, {"bodies", &f.Bodies, false}, {"follow", &q.follow, false}, {"cursors", &q.cursors, false}} {
		if *flag.into, err = readBool(v, flag.name, flag.fallback); err != nil {
			return q, err
		}
	}
	if f.Limit, err = readInt(v, "limit", 100, 1, 1000); err != nil {
		return q, err
	}
	if q.from = v.Get("cursor"); q.follow {
		return q, nil // from now or the cursor on, whatever the times are
	}
	if q.cursors {
		return q, badRequest("invalid_parameter", "cursors", "The parameter cursors takes follow.")
	}
	if q.lines = strings.Contains(strings.Join(c.r.Header.Values("Accept"), ","), ndjson); q.lines && v.Get("limit") == "" {
		f.Limit = 0
	}
	if f.From, f.To, err = s.window(c); err != nil {
		return q, err
	}
	f.After, err = readCursor(q.from)
	return q, err
}

const (
	// maxText bounds a text that is looked for, in bytes, and maxTexts how many.
	maxText, maxTexts = 1000, 16
	// maxValues bounds the values of any other filter.
	maxValues = 200
)

// organizationIDs turns names of organizations into ids; what is no name stays.
func (s *server) organizationIDs(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	out := slices.Clone(names)
	for _, o := range s.Identity.Organizations() {
		if slices.Contains(names, o.Name) {
			out = append(out, o.ID)
		}
	}
	return out
}

// bodiesRead records that bodies of others were read, or searched for a text:
// what was asked for, and how many records there were. state tells the two
// events of a stream apart.
func (s *server) bodiesRead(c *call, q auditQuery, state string, records int) error {
	if !q.filter.Bodies && len(q.filter.Text) == 0 {
		return nil
	}
	ev := c.event(kindReadAuditRecords, "exchanges", "", "", nil)
	ev.Metadata = map[string]string{"filter": filterText(c.r.URL.Query())}
	if state != "begun" {
		ev.Metadata["records"] = strconv.Itoa(records)
	}
	if state != "" {
		ev.Metadata["state"] = state
	}
	return s.change(c, func() error { return nil }, ev)
}

// filterText is what was asked for, as it is recorded: of the parameters that are
// read, and no others. A text that is looked for may be a key that has leaked: of
// it there is the length only.
func filterText(v url.Values) string {
	asked := url.Values{}
	for _, p := range auditWindow(auditFilters...) {
		switch {
		case p.name == "cursor":
		case p.kind == kindTexts:
			asked[p.name] = readList(v, p.name)
		case v.Has(p.name):
			asked.Set(p.name, v.Get(p.name))
		}
	}
	for i, text := range asked["text"] {
		asked["text"][i] = strconv.Itoa(len(text)) + " bytes"
	}
	return short(asked.Encode())
}

// streamAudit answers with all that a filter selects, a record a line.
func (s *server) streamAudit(c *call, q auditQuery) error {
	user := c.caller.UserID
	if err := s.downloads.enter(user); err != nil {
		return err
	}
	defer s.downloads.leave(user)
	f := q.filter
	out := c.stream(ndjson)
	if !c.onlyOwned(&f) {
		return out.close()
	}
	if err := s.bodiesRead(c, q, "begun", 0); err != nil {
		return err
	}
	n, err := s.Trail.Lines(c.ctx(), f, out.put)
	if recorded := s.bodiesRead(c, q, "ended", n); err == nil {
		err = recorded
	}
	if err != nil {
		return trailError(err)
	}
	return out.close()
}

// appendLine renders a record as a line.
func appendLine(dst []byte, r *audit.Record) ([]byte, error) {
	dst, err := r.AppendJSON(dst)
	return append(dst, '\n'), err
}
