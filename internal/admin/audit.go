package admin

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"sluice/extproc/dialect"
	"sluice/internal/audit"
	"sluice/internal/catalog"
)

// auditPage is a page of the trail. Next is the cursor of the next one, "" on
// the last.
type auditPage struct {
	Records []*audit.Record `json:"records"`
	Next    string          `json:"next,omitempty"`
}

// listAudit is GET /api/sluice/v1/audit: records without bodies, newest first
// unless descending=false, a page at a time.
func (s *server) listAudit(c *call) error {
	f, err := s.auditFilter(c)
	if err != nil {
		return err
	}
	limit := f.Limit
	f.Limit++ // one more tells whether there is a next page
	out := auditPage{Records: []*audit.Record{}}
	if !c.onlyOwned(&f) {
		return c.reply(http.StatusOK, out)
	}
	err = s.Trail.Query(c.ctx(), f, func(r *audit.Record) error {
		out.Records = append(out.Records, r)
		return nil
	})
	if err != nil {
		return trailError(err)
	}
	if len(out.Records) > limit {
		out.Records = out.Records[:limit]
		out.Next = cursorText(out.Records[limit-1].Cursor())
	}
	return c.reply(http.StatusOK, out)
}

// auditFilters are the parameters that auditFilter reads, besides the times.
var auditFilters = append(endpointFilters[:len(endpointFilters):len(endpointFilters)],
	parameter{name: "users", kind: kindTexts, text: "Only what these users did, by id or name."},
	parameter{name: "results", kind: kindTexts, text: "Only exchanges that ended so, e.g. answered, denied, provider_error."},
	parameter{name: "kinds", kind: kindTexts, text: "Only these kinds of event, e.g. AccessEndpoint, CreateToken."},
	parameter{name: "id", kind: kindText, text: "Only the record of this exchange or request."},
	parameter{name: "descending", kind: kindBoolean, text: "False shows the oldest first.", fallback: true},
	parameter{name: "limit", kind: kindInteger, text: "How many to show.", low: 1, high: 1000, fallback: 100},
	parameter{name: "cursor", kind: kindText, text: "The next of the page before."},
)

func (s *server) auditFilter(c *call) (audit.Filter, error) {
	q := c.r.URL.Query()
	f := audit.Filter{
		ID: q.Get("id"), EndpointIDs: readList(q, "endpointIds"), EndpointNames: readList(q, "endpointNames"),
		Users: readList(q, "users"), Results: readList(q, "results"), Kinds: readList(q, "kinds"),
	}
	if len(f.Kinds) == 0 {
		f.Except = []string{audit.KindCheckpoint}
	}
	var err error
	if f.From, f.To, err = s.window(c); err != nil {
		return f, err
	}
	if f.Descending, err = readBool(q, "descending", true); err != nil {
		return f, err
	}
	if f.Limit, err = readInt(q, "limit", 100, 1, 1000); err != nil {
		return f, err
	}
	f.After, err = readCursor(q.Get("cursor"))
	return f, err
}

// onlyOwned narrows a filter to the endpoints that the caller owns, where he
// sees the trail as an owner. It is false where nothing is left.
func (c *call) onlyOwned(f *audit.Filter) bool {
	if c.all() {
		return true
	}
	whole := len(f.EndpointIDs)+len(f.EndpointNames) == 0
	var ids []string
	for _, e := range c.owned {
		if whole || slices.Contains(f.EndpointIDs, e.ID) || slices.Contains(f.EndpointNames, e.Name) {
			ids = append(ids, e.ID)
		}
	}
	f.EndpointIDs, f.EndpointNames = ids, nil
	return len(ids) > 0
}

// mine reports whether a record is about an endpoint of c.owned, or the caller
// may see all.
func (c *call) mine(r *audit.Record) bool {
	id := ""
	switch {
	case c.all():
		return true
	case r.Exchange != nil:
		id = r.Exchange.EndpointID
	case r.Event != nil && r.Event.TargetType == audit.TargetEndpoint:
		id = r.Event.TargetID
	}
	return slices.ContainsFunc(c.owned, func(e *catalog.Endpoint) bool { return e.ID == id })
}

func cursorText(cur audit.Cursor) string {
	text, err := json.Marshal(cur)
	if err != nil {
		panic(err) // a time and a number always marshal
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func readCursor(text string) (cur audit.Cursor, err error) {
	if text == "" {
		return cur, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &cur)
	}
	if err != nil {
		return cur, badRequest("invalid_parameter", "cursor", "The parameter cursor must be the next of the page before.")
	}
	return cur, nil
}

// readAudit is GET /api/sluice/v1/audit/{id}: an exchange with both bodies.
// Reading what people wrote is itself a record.
func (s *server) readAudit(c *call) error {
	id := c.r.PathValue("id")
	r, err := s.Trail.Get(c.ctx(), id)
	if err != nil {
		return trailError(err)
	}
	if !c.mine(r) {
		return trailError(audit.ErrNotFound)
	}
	ev := c.event(kindReadAuditRecord, "exchange", id, "", nil)
	if err := s.change(c, func() error { return nil }, ev); err != nil {
		return err
	}
	return c.reply(http.StatusOK, r)
}

func trailError(err error) error {
	if errors.Is(err, audit.ErrNotFound) {
		return &dialect.Error{
			Status: http.StatusNotFound, Code: "record_not_found", Message: "There is no record of this exchange.",
		}
	}
	return err
}
