package ui

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sluice/internal/audit"
)

const auditPath = "/ui/audit"

func (s *UI) auditRoutes() []route {
	return []route{
		{pattern: "GET " + auditPath, handle: s.audit},
		{pattern: "GET " + auditPath + "/export", handle: s.exportAudit},
		{pattern: "GET " + auditPath + "/{id}", handle: s.auditRecord},
	}
}

// Outcomes that the trail can be narrowed to.
var auditResults = []option{
	{"", "Any outcome", ""},
	{audit.ResultAnswered, "Answered", ""}, {audit.ResultDenied, "Denied by policy", ""},
	{audit.ResultUnauthenticated, "Not signed in", ""}, {audit.ResultRefused, "Refused as wrong", ""},
	{audit.ResultProviderError, "Provider failed", ""}, {audit.ResultGatewayError, "Gateway failed", ""},
	{audit.ResultClientGone, "Client left", ""}, {audit.ResultInterrupted, "Interrupted", ""},
}

// Spans of time, by what REST is asked for.
var auditSpans = []option{
	{"1h", "Last hour", ""}, {"24h", "Last 24 hours", ""}, {"168h", "Last 7 days", ""},
	{"720h", "Last 30 days", ""}, {"4416h", "Last 6 months", ""}, {"between", "Between two days", ""},
}

// auditFilter is what the page was asked to show.
type auditFilter struct {
	Span, From, To, User, Endpoint, Result, Kind, ID              string
	Organization, Project, Provider, Model, Text, Target, Address string
	Error                                                         string
	Options                                                       map[string][]option
}

// More reports whether one of the filters that are seldom used is.
func (f *auditFilter) More() bool {
	return f.Organization+f.Project+f.Provider+f.Model+f.Text+f.Target+f.Address != ""
}

// parameters are the values by the name of the page's field and of REST's
// parameter.
func (f *auditFilter) parameters() [][3]string {
	return [][3]string{
		{"user", "users", f.User}, {"endpoint", "endpointNames", f.Endpoint}, {"result", "results", f.Result}, {"kind", "kinds", f.Kind},
		{"id", "id", f.ID}, {"organization", "organizations", f.Organization}, {"project", "projects", f.Project},
		{"provider", "providers", f.Provider}, {"model", "models", f.Model}, {"text", "text", f.Text}, {"target", "targetNames", f.Target},
		{"address", "addresses", f.Address},
	}
}

// auditFilter reads the filter, and makes REST's query of it.
func (s *UI) auditFilter(c *call) (*auditFilter, url.Values) {
	q := c.r.URL.Query()
	text := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	f := &auditFilter{
		Span: text("span"), From: text("from"), To: text("to"), User: text("user"), Endpoint: text("endpoint"),
		Result: text("result"), Kind: text("kind"), ID: text("id"), Organization: text("organization"), Project: text("project"),
		Provider: text("provider"), Model: text("model"), Text: text("text"), Target: text("target"), Address: text("address"),
		Options: map[string][]option{"span": auditSpans, "result": auditResults},
	}
	query := url.Values{"limit": {fmt.Sprint(pageSize)}}
	for _, p := range f.parameters() {
		if p[2] != "" {
			query.Set(p[1], p[2])
		}
	}
	if f.Span == "" {
		f.Span = "24h"
	}
	switch d, err := time.ParseDuration(f.Span); {
	case f.ID != "" && !q.Has("span"):
		f.Span = "4416h"
		query.Set("startTime", s.Now().Add(-4416*time.Hour).UTC().Format(time.RFC3339))
	case err == nil && d > 0 && d <= 25*365*24*time.Hour:
		query.Set("startTime", s.Now().Add(-d).UTC().Format(time.RFC3339))
	default:
		f.Span = "between"
		f.between(query)
	}
	return f, query
}

// between takes whole days in UTC, the last one included.
func (f *auditFilter) between(query url.Values) {
	from, err := time.Parse(time.DateOnly, f.From)
	if err != nil {
		f.Error = "Give the first day, such as 2030-01-31."
		return
	}
	query.Set("startTime", from.Format(time.RFC3339))
	if f.To == "" {
		return
	}
	to, err := time.Parse(time.DateOnly, f.To)
	if err != nil || to.Before(from) {
		f.Error = "Give the last day, such as 2030-01-31, not before the first."
		return
	}
	query.Set("endTime", to.AddDate(0, 0, 1).Format(time.RFC3339))
}

// address is the page with the filter, and more.
func (f *auditFilter) address(path string, more url.Values) string {
	q := url.Values{}
	for _, p := range append(f.parameters(), [3]string{"span", "", f.Span}, [3]string{"from", "", f.From}, [3]string{"to", "", f.To}) {
		if p[2] != "" {
			q.Set(p[0], p[2])
		}
	}
	for name := range more {
		q.Set(name, more.Get(name))
	}
	return path + "?" + q.Encode()
}

// auditRow is a record as the list shows it.
type auditRow struct {
	Time                   time.Time
	ID, Link, Who, Kind    string
	What, Detail, Duration string
	State                  map[string]any
}

// auditRecord of REST, as this page reads it.
type recordShape struct {
	audit.Record
	EventKind string `json:"eventKind"`
}

func auditRowOf(r *recordShape) auditRow {
	row := auditRow{Time: r.Time, ID: r.ID, Kind: r.EventKind, State: outcomeState(r)}
	if r.ID != "" {
		row.Link = auditPath + "/" + url.PathEscape(r.ID)
	}
	if e := r.Event; e != nil {
		row.Who, row.What = "the gateway", e.TargetName
		if e.By != nil {
			row.Who = e.By.UserName
		}
		row.Detail = changesText(e.Changes)
		return row
	}
	x := r.Exchange
	if x == nil {
		return row
	}
	row.What = x.EndpointName
	if row.What == "" {
		row.What = x.Path
	}
	if x.Caller != nil {
		row.Who = x.Caller.UserName
	}
	row.Detail = x.Model
	if o := r.Outcome; o != nil {
		row.Duration = millis(float64(o.Duration) / float64(time.Millisecond))
		if o.Message != "" {
			row.Detail = o.Message
		}
	}
	return row
}

// changesText names the fields that an event changed.
func changesText(changes []audit.Change) string {
	names := []string{}
	for _, ch := range changes {
		names = append(names, ch.Field)
	}
	if len(names) > 4 {
		names = append(names[:4], fmt.Sprintf("%d more", len(names)-4))
	}
	return strings.Join(names, ", ")
}

func outcomeState(r *recordShape) map[string]any {
	switch {
	case r.Event != nil && r.Event.Metadata["outcome"] == "failed":
		return map[string]any{"Text": "Failed", "Tone": "bad"}
	case r.Event != nil:
		return map[string]any{"Text": "Done", "Tone": "info"}
	case r.Outcome == nil:
		return map[string]any{"Text": "Under way", "Tone": "info"}
	}
	tone := "bad"
	switch r.Outcome.Result {
	case audit.ResultAnswered:
		tone = "good"
	case audit.ResultDenied, audit.ResultUnauthenticated, audit.ResultRefused, audit.ResultClientGone:
		tone = "warn"
	}
	for _, o := range auditResults {
		if o.Value == r.Outcome.Result {
			return map[string]any{"Text": o.Label, "Tone": tone}
		}
	}
	return map[string]any{"Text": r.Outcome.Result, "Tone": tone}
}

// audit is GET /ui/audit.
func (s *UI) audit(c *call) error {
	f, query := s.auditFilter(c)
	rows, next := []auditRow{}, ""
	var searchedTo *time.Time // a search for a text that goes on with next
	if f.Error == "" {
		if cursor := c.r.URL.Query().Get("cursor"); cursor != "" {
			query.Set("cursor", cursor)
		}
		page, err := c.rest.ListAudit(c.ctx(), query)
		if err != nil {
			return err
		}
		for _, raw := range page.Records {
			var r recordShape
			if err := json.Unmarshal(raw, &r); err != nil {
				return fmt.Errorf("reading a record: %w", err)
			}
			rows = append(rows, auditRowOf(&r))
		}
		searchedTo = page.SearchedTo
		if page.Next != "" {
			next = f.address(auditPath, url.Values{"cursor": {page.Next}})
		}
	}
	first := ""
	if c.r.URL.Query().Has("cursor") {
		first = f.address(auditPath, nil)
	}
	return c.page("audit", "Audit", map[string]any{
		"Tabs": c.auditTabs(), "Filter": f, "Rows": rows, "Next": next, "First": first, "SearchedTo": searchedTo,
		"JSON": f.address(auditPath+"/export", url.Values{"format": {"json"}}),
		"CSV":  f.address(auditPath+"/export", url.Values{"format": {"csv"}}),
	})
}

// bodyShown bounds what a page shows of a body; the record itself is whole.
const bodyShown = 200_000

// auditRecord is GET /ui/audit/{id}: the record, both bodies with it.
func (s *UI) auditRecord(c *call) error {
	raw, err := c.rest.GetAudit(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	var r recordShape
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("reading a record: %w", err)
	}
	return c.page("record", "Record", map[string]any{
		"Record": r, "Row": auditRowOf(&r), "Facts": recordFacts(&r),
		"Request": bodyText(r.RequestBody), "Response": bodyText(r.ResponseBody), "Parts": partsShown(r.Parts),
	})
}

// bodyText is a body as people read it: JSON is indented, and nothing else of it
// changed.
func bodyText(b audit.Body) string {
	text := string(b)
	var pretty bytes.Buffer
	if len(b) <= bodyShown && json.Indent(&pretty, b, "", "  ") == nil {
		text = pretty.String()
	}
	if len(text) > bodyShown {
		text = strings.ToValidUTF8(text[:bodyShown], "") + "\n… (cut here; the export has all of it)"
	}
	return text
}

// exportAudit is GET /ui/audit/export: all that the filter selects, streamed a
// page at a time, as JSON (one record a line) or CSV.
func (s *UI) exportAudit(c *call) error {
	f, query := s.auditFilter(c)
	if f.Error != "" {
		return c.redirect(f.address(auditPath, nil))
	}
	query.Set("limit", "1000")
	page, err := c.rest.ListAudit(c.ctx(), query) // before the head, so that an error can be told
	if err != nil {
		return err
	}
	write, kind, ending := jsonLines(c.w), "application/x-ndjson", "ndjson"
	if c.r.URL.Query().Get("format") == "csv" {
		write, kind, ending = csvLines(c.w), "text/csv; charset=utf-8", "csv"
	}
	c.w.Header().Set("Content-Type", kind)
	c.w.Header().Set("Content-Disposition", `attachment; filename="sluice-audit-`+s.Now().UTC().Format("20060102-150405")+"."+ending+`"`)
	c.w.WriteHeader(http.StatusOK)
	for {
		if err := write(page.Records); err != nil {
			return err
		}
		if page.Next == "" {
			return nil
		}
		query.Set("cursor", page.Next)
		if page, err = c.rest.ListAudit(c.ctx(), query); err != nil {
			return err
		}
	}
}

func jsonLines(w http.ResponseWriter) func([]json.RawMessage) error {
	return func(records []json.RawMessage) error {
		for _, r := range records {
			if _, err := w.Write(append(r[:len(r):len(r)], '\n')); err != nil {
				return err
			}
		}
		return nil
	}
}

func csvLines(w http.ResponseWriter) func([]json.RawMessage) error {
	out, begun := csv.NewWriter(w), false
	return func(records []json.RawMessage) error {
		if !begun {
			begun = true
			_ = out.Write([]string{"time", "kind", "id", "who", "what", "outcome", "detail", "duration"})
		}
		for _, raw := range records {
			var r recordShape
			if err := json.Unmarshal(raw, &r); err != nil {
				return err
			}
			row := auditRowOf(&r)
			_ = out.Write([]string{
				row.Time.UTC().Format(time.RFC3339Nano), row.Kind, row.ID, cell(row.Who), cell(row.What),
				fmt.Sprint(row.State["Text"]), cell(row.Detail), row.Duration,
			})
		}
		out.Flush()
		return out.Error()
	}
}

// cell keeps a text that others wrote from being a formula in a spreadsheet.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
