package admin

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"sluice/extproc/dialect"
	"sluice/internal/audit"
	"sluice/internal/catalog"
)

// auditPage is a page of the trail. Next is the cursor of the next one, "" on
// the last. SearchedTo is how far a search for a text has come, when it took so
// long that it stopped; it goes on at Next.
type auditPage struct {
	Records    []*audit.Record `json:"records"`
	Next       string          `json:"next,omitempty"`
	SearchedTo *time.Time      `json:"searchedTo,omitempty"`
}

// textPatience is how long a page may take to look for a text.
const textPatience = 2 * time.Second

// pageBytes is how much of bodies a page shows: it is in memory whole. A record
// whose bodies are longer is a page of its own.
const pageBytes = 16 << 20

var errPageFull = errors.New("the page is full")

func bodyBytes(r *audit.Record) int {
	n := len(r.RequestBody) + len(r.ResponseBody)
	for i := range r.Parts {
		n += len(r.Parts[i].Body)
	}
	return n
}

// listAudit is GET /api/sluice/v1/audit: records, newest first unless
// descending=false, a page at a time, or all as lines (see streamAudit).
func (s *server) listAudit(c *call) error {
	q, err := s.readAuditQuery(c)
	if err != nil {
		return err
	}
	if q.follow {
		return s.followAudit(c, q)
	}
	if q.lines {
		return s.streamAudit(c, q)
	}
	f := q.filter
	limit := f.Limit
	f.Limit++ // one more tells whether there is a next page
	f.Patience = textPatience
	out := auditPage{Records: []*audit.Record{}}
	if !c.onlyOwned(&f) {
		return c.reply(http.StatusOK, out)
	}
	var unfinished *audit.Unfinished
	size := 0
	err = s.Trail.Query(c.ctx(), f, func(r *audit.Record) error {
		if size += bodyBytes(r); size > pageBytes && len(out.Records) > 0 {
			return errPageFull
		}
		out.Records = append(out.Records, r)
		return nil
	})
	switch {
	case errors.Is(err, errPageFull):
		out.Next = cursorText(out.Records[len(out.Records)-1].Cursor())
	case len(out.Records) > limit:
		out.Records = out.Records[:limit]
		out.Next = cursorText(out.Records[limit-1].Cursor())
	case errors.As(err, &unfinished):
		out.Next, out.SearchedTo = cursorText(unfinished.At), &unfinished.At.Time
	case err != nil:
		return trailError(err)
	}
	if err := s.bodiesRead(c, q, "", len(out.Records)); err != nil {
		return err
	}
	return c.reply(http.StatusOK, out)
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
