package admin

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"sluice/extproc/dialect"
	"sluice/internal/admin/api"
	"sluice/internal/usage"
	"sluice/policies"
)

var usageGroups = []string{
	api.UsageByTime, api.UsageByEndpoint, api.UsageByOrganization, api.UsageByUser, api.UsageByModel, api.UsageByProject,
}

const (
	usageWindow = 7 * 24 * time.Hour
	// hourlyWindow is up to where rows of time are hours when nobody says.
	hourlyWindow = 3 * 24 * time.Hour
)

// usageFigure returns a figure by its place in api.UsageFields, to be compared.
func usageFigure(f *api.UsageFigures, i int) float64 {
	v := reflect.ValueOf(f).Elem().Field(i)
	if v.CanInt() {
		return float64(v.Int())
	}
	return v.Float()
}

// listUsage is GET /api/sluice/v1/usage.
func (s *server) listUsage(c *call) error {
	if s.Usage == nil {
		return errNoUsage
	}
	q, err := s.usageQuery(c)
	if err != nil {
		return err
	}
	p, err := usagePage(c, q)
	if err != nil {
		return err
	}
	if err := s.usageScope(c, &q); err != nil {
		return err
	}
	answer, err := s.Usage.Query(c.ctx(), q)
	if errors.Is(err, usage.ErrHoursGone) {
		return badRequest("hours_gone", "interval", "%s. Ask for days.", sentence(err))
	}
	if err != nil {
		return err
	}
	rows, total := s.usageRows(c, q, p, answer)
	if c.wants("text/csv") {
		return c.replyUsageCSV(q, rows)
	}
	out := api.Usage{
		From: answer.From, To: answer.To, GroupBy: string(q.GroupBy), Total: usageShape(&answer.Total), Rows: rows,
		Metadata: c.metadata(p, total),
	}
	if q.GroupBy == usage.ByTime {
		out.Interval = api.IntervalDay
		if q.Hourly {
			out.Interval = api.IntervalHour
		}
	}
	return c.reply(http.StatusOK, out)
}

var errNoUsage = &dialect.Error{
	Status: http.StatusServiceUnavailable, Code: "usage_unavailable", Message: "Usage is not counted by this gateway.",
}

// usageQuery reads what is asked for.
func (s *server) usageQuery(c *call) (q usage.Query, err error) {
	v := c.r.URL.Query()
	if q.To, err = readTime(v, "to"); err != nil {
		return q, err
	}
	if q.From, err = readTime(v, "from"); err != nil {
		return q, err
	}
	if q.To.IsZero() {
		q.To = s.Now()
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-usageWindow)
	}
	if q.To.Before(q.From) {
		return q, badRequest("invalid_parameter", "to", "The parameter to must not be before from.")
	}
	group, err := readEnum(v, "groupBy", api.UsageByTime, usageGroups...)
	if err != nil {
		return q, err
	}
	interval, err := readEnum(v, "interval", "", api.IntervalHour, api.IntervalDay)
	if err != nil {
		return q, err
	}
	q.GroupBy = usage.GroupBy(group)
	q.Hourly = interval == api.IntervalHour || interval == "" && q.To.Sub(q.From) <= hourlyWindow && s.Now().Sub(q.From) < usage.HourDays*24*time.Hour
	q.Endpoints = idsOf(readList(v, "endpointId"), func(name string) (string, bool) {
		e, ok := s.Catalog.Snapshot().Get(name)
		if !ok {
			return "", false
		}
		return e.ID, true
	})
	q.Organizations = idsOf(readList(v, "organizationId"), func(name string) (string, bool) {
		o, err := s.Identity.FindOrganization(c.ctx(), name)
		return o.ID, err == nil
	})
	q.Users = idsOf(readList(v, "userId"), func(name string) (string, bool) {
		u, err := s.Identity.FindUser(c.ctx(), name)
		return u.ID, err == nil
	})
	q.Providers, q.Models, q.Projects = readList(v, "provider"), readList(v, "model"), readList(v, "project")
	if longest := usage.Months * 31 * 24 * time.Hour; q.To.Sub(q.From) > longest {
		q.From = q.To.Add(-longest) // there is nothing before
	}
	return q, nil
}

// idsOf puts ids in the place of names. What is no name is taken for an id:
// usage remembers what was deleted.
func idsOf(list []string, find func(name string) (id string, known bool)) []string {
	for i, text := range list {
		if id, known := find(text); known {
			list[i] = id
		}
	}
	return list
}

// readEnum reads a parameter that is one of a few words.
func readEnum(q url.Values, key, fallback string, words ...string) (string, error) {
	text := q.Get(key)
	switch {
	case text == "":
		return fallback, nil
	case !slices.Contains(words, text):
		return "", badRequest("invalid_parameter", key, "The parameter %s must be one of %s.", key, strings.Join(words, ", "))
	}
	return text, nil
}

// usagePage reads the page; what comes first depends on what the rows are about.
func usagePage(c *call, q usage.Query) (page, error) {
	p, err := c.page()
	v := c.r.URL.Query()
	byTime := q.GroupBy == usage.ByTime
	if v.Get("sortByField") == "" && byTime {
		p.sortBy = "start"
	}
	if v.Get("shouldSortAscending") == "" {
		p.descending = p.sortBy != "start" && p.sortBy != "name"
	}
	if v.Get("limit") == "" && byTime {
		p.limit = maxLimit
	}
	return p, err
}

// usageScope narrows a query to what the caller may see: all; the endpoints
// that he owns; or his own calls, and all calls of endpoints that he owns where
// he asks for these.
func (s *server) usageScope(c *call, q *usage.Query) error {
	if c.all() {
		return nil
	}
	owned, err := s.ownedUsage(c, q.Endpoints)
	if err != nil {
		return err
	}
	if c.scope() == policies.ScopeOwned || len(q.Endpoints) > 0 && len(owned) == len(q.Endpoints) {
		q.Endpoints = owned
		return nil
	}
	if len(q.Users) > 0 && !slices.Equal(q.Users, []string{c.caller.UserID}) {
		return s.beyond(c)
	}
	q.Users = []string{c.caller.UserID}
	return nil
}

// ownedUsage returns those of the endpoints whose usage the caller may see as
// an owner; of all, where none is named. It is never nil.
func (s *server) ownedUsage(c *call, ids []string) ([]string, error) {
	out := []string{}
	if len(ids) == 0 {
		if c.scope() != policies.ScopeOwned {
			return out, nil
		}
		list, err := s.owned(c, policies.ResourceUsage, policies.VerbList)
		for _, e := range list {
			out = append(out, e.ID)
		}
		return out, err
	}
	for _, id := range ids {
		e, known := s.Catalog.Snapshot().ByID(id)
		if !known || len(e.Permissions.Owners) == 0 {
			continue
		}
		ok, err := s.may(c, policies.ResourceUsage, policies.VerbList, e)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, id)
		}
	}
	return out, nil
}

// usageRows names, filters, sorts and cuts the rows.
func (s *server) usageRows(c *call, q usage.Query, p page, answer *usage.Answer) (rows []api.UsageRow, total int) {
	rows = []api.UsageRow{}
	for _, r := range answer.Rows {
		row := api.UsageRow{ID: r.Key, Name: r.Name}
		if q.GroupBy == usage.ByTime {
			start := r.Start
			row.Start = &start
		} else {
			s.nameUsage(c, q.GroupBy, &row)
		}
		if !p.matches(row.Name, row.ID) {
			continue
		}
		row.UsageFigures = usageShape(&r.Figures)
		rows = append(rows, row)
	}
	field := slices.Index(api.UsageFields, p.sortBy)
	slices.SortStableFunc(rows, func(a, b api.UsageRow) int {
		var order int
		switch {
		case p.sortBy == "start" && a.Start != nil && b.Start != nil:
			order = a.Start.Compare(*b.Start)
		case field >= 0:
			order = cmp.Compare(usageFigure(&a.UsageFigures, field), usageFigure(&b.UsageFigures, field))
		default:
			order = cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
		}
		if p.descending {
			order = -order
		}
		return cmp.Or(order, cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return cut(rows, p), len(rows)
}

// nameUsage gives a row the present name of what it is about, and says where
// that was deleted.
func (s *server) nameUsage(c *call, by usage.GroupBy, row *api.UsageRow) {
	known := true
	switch {
	case row.ID == "":
		return
	case by == usage.ByEndpoint:
		e, ok := s.Catalog.Snapshot().ByID(row.ID)
		if known = ok; ok {
			row.Name = e.Name
		}
	case by == usage.ByUser:
		u, err := s.Identity.GetUser(c.ctx(), row.ID)
		if known = err == nil; known {
			row.Name = u.Name
		}
	case by == usage.ByOrganization:
		o, err := s.Identity.GetOrganization(c.ctx(), row.ID)
		if known = err == nil; known {
			row.Name = o.Name
		}
	}
	row.Deleted = !known
	if row.Name == "" {
		row.Name = row.ID
	}
}

func usageShape(f *usage.Figures) api.UsageFigures {
	return api.UsageFigures{
		Requests: f.Count(usage.Requests), Answered: f.Count(usage.Answered), Errors: f.Errors(),
		ProviderErrors: f.Count(usage.ProviderErrors), GatewayErrors: f.Count(usage.GatewayErrors), Interrupted: f.Count(usage.Interrupted),
		Denied: f.Count(usage.Denied), Refused: f.Count(usage.Refused), Unauthenticated: f.Count(usage.Unauthenticated),
		ClientGone: f.Count(usage.ClientGone), InputTokens: f.Count(usage.InputTokens), OutputTokens: f.Count(usage.OutputTokens),
		CachedTokens: f.Count(usage.CachedTokens), CacheWriteTokens: f.Count(usage.CacheWriteTokens), ReasoningTokens: f.Count(usage.ReasoningTokens),
		CostNanoUSD: f.Count(usage.CostNanoUSD), Unpriced: f.Count(usage.Unpriced), LatencyMeanMillis: millis(f.LatencyMean()),
		LatencyP50Millis: millis(f.Latency(0.5)), LatencyP95Millis: millis(f.Latency(0.95)), LatencyP99Millis: millis(f.Latency(0.99)),
		Streamed: f.Count(usage.Streamed), FirstByteMeanMillis: millis(f.FirstByteMean()),
		FirstByteP50Millis: millis(f.FirstByte(0.5)), FirstByteP95Millis: millis(f.FirstByte(0.95)),
	}
}

// millis is a duration in milliseconds, to the hundredth.
func millis(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

// wants reports whether the client prefers a content type to JSON: it names
// this one and comes to no JSON before.
func (c *call) wants(form string) bool {
	for _, part := range strings.Split(strings.Join(c.r.Header.Values("Accept"), ","), ",") {
		switch name, _, err := mime.ParseMediaType(strings.TrimSpace(part)); {
		case err != nil:
		case name == form:
			return true
		case name == "application/json":
			return false
		}
	}
	return false
}

// replyUsageCSV writes the rows as CSV (RFC 4180), with a header.
func (c *call) replyUsageCSV(q usage.Query, rows []api.UsageRow) error {
	c.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	c.w.Header().Set("Content-Disposition", `attachment; filename="usage.csv"`)
	c.w.WriteHeader(http.StatusOK)
	w := csv.NewWriter(c.w)
	about := []string{"id", "name"}
	if q.GroupBy == usage.ByTime {
		about = []string{"start"}
	}
	_ = w.Write(append(about, api.UsageFields...)) // Flush tells
	for i := range rows {
		r := &rows[i]
		line := []string{inertCell(r.ID), inertCell(r.Name)}
		if r.Start != nil {
			line = []string{r.Start.Format(time.RFC3339)}
		}
		for field := range api.UsageFields {
			line = append(line, fmt.Sprint(reflect.ValueOf(r.UsageFigures).Field(field)))
		}
		_ = w.Write(line)
	}
	w.Flush()
	return w.Error()
}

// inertCell keeps what others wrote from becoming a formula in a spreadsheet.
func inertCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// rebuildUsage is POST /api/sluice/v1/usage/rebuild.
func (s *server) rebuildUsage(c *call) error {
	if s.Usage == nil {
		return errNoUsage
	}
	err := s.change(c, s.Usage.Rebuild, c.event(kindRebuildUsage, "usage", "", "", nil))
	if errors.Is(err, usage.ErrRebuilding) {
		return &dialect.Error{
			Status: http.StatusConflict, Code: "rebuilding",
			Message: "Usage is being counted anew already. The status of the gateway says when that is done.",
		}
	}
	if err != nil {
		return err
	}
	return c.reply(http.StatusAccepted, api.UsageRebuild{Rebuilding: true})
}
