package ui

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"sluice/internal/audit"
)

// logRow is a record of the trail in the log of an endpoint.
type logRow struct {
	ID      string
	Time    time.Time
	Who     string
	What    string         // "Call", or the change in words
	State   map[string]any // how a call ended
	Details string
	Changes []audit.Change
}

// logDays are the spans of time of the log.
var logDays = []option{{"1", "Last day", ""}, {"7", "Last 7 days", ""}, {"30", "Last 30 days", ""}, {"180", "Last 180 days", ""}}

// logKinds are what the log can be narrowed to.
var logKinds = []option{{"", "Everything", ""}, {"changes", "Changes", ""}, {"calls", "Calls", ""}}

var changeKinds = []string{audit.KindCreateEndpoint, audit.KindUpdateEndpoint, audit.KindDeleteEndpoint, audit.KindChangeEndpointPermissions}

// endpointLog is GET /ui/admin/endpoints/{name}/log: the endpoint's part of the
// trail.
func (s *UI) endpointLog(c *call) error {
	h, err := c.head("log")
	if err != nil {
		return err
	}
	q := c.r.URL.Query()
	days, kind := 7, q.Get("kind")
	if _, err := fmt.Sscanf(q.Get("days"), "%d", &days); err != nil || days < 1 || days > 366 {
		days = 7
	}
	query := url.Values{
		"endpointIds": {h.EndpointID}, "limit": {"50"},
		"startTime": {s.Now().AddDate(0, 0, -days).UTC().Format(time.RFC3339)},
	}
	switch kind {
	case "changes":
		query["kinds"] = changeKinds
	case "calls":
		query["kinds"] = []string{audit.KindAccessEndpoint, audit.KindDenyEndpoint}
	default:
		kind = ""
	}
	if cursor := q.Get("cursor"); cursor != "" {
		query.Set("cursor", cursor)
	}
	page, err := c.rest.ListAudit(c.ctx(), query)
	if err != nil {
		return err
	}
	rows := make([]logRow, 0, len(page.Records))
	for _, raw := range page.Records {
		var r audit.Record
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("reading a record: %w", err)
		}
		rows = append(rows, logRowOf(&r))
	}
	at := func(cursor string) string {
		v := url.Values{"days": {fmt.Sprint(days)}}
		if kind != "" {
			v.Set("kind", kind)
		}
		if cursor != "" {
			v.Set("cursor", cursor)
		}
		return h.Base + "/log?" + v.Encode()
	}
	next := ""
	if page.Next != "" {
		next = at(page.Next)
	}
	return c.page("endpoint-log", h.EndpointName, map[string]any{
		"Head": h, "Rows": rows, "Next": next, "Begin": at(""), "Later": q.Get("cursor") != "",
		"Days": logDays, "Day": fmt.Sprint(days), "Kinds": logKinds, "Kind": kind,
	})
}

// eventWords are kinds of events as people say them.
var eventWords = map[string]string{
	audit.KindCreateEndpoint: "Created", audit.KindUpdateEndpoint: "Changed", audit.KindDeleteEndpoint: "Deleted",
	audit.KindChangeEndpointPermissions: "Permissions changed",
}

func logRowOf(r *audit.Record) logRow {
	row := logRow{ID: r.ID, Time: r.Time}
	if e := r.Event; e != nil {
		row.What, row.Changes = eventWords[e.Kind], e.Changes
		if row.What == "" {
			row.What = e.Kind
		}
		if e.By != nil {
			row.Who = e.By.UserName
		}
		if e.Metadata["outcome"] == "failed" {
			row.State = map[string]any{"Text": "Not done", "Tone": "bad"}
		}
		return row
	}
	row.What = "Call"
	if x := r.Exchange; x != nil {
		if x.Caller != nil {
			row.Who = x.Caller.UserName
		}
		if x.Operation != "" {
			row.What = "Call of " + strings.ReplaceAll(x.Operation, "_", " ")
		}
	}
	o := r.Outcome
	if o == nil {
		row.State = map[string]any{"Text": "Under way"}
		return row
	}
	row.State = map[string]any{"Text": strings.ReplaceAll(o.Result, "_", " "), "Tone": resultTone(o.Result)}
	var words []string
	if o.InputTokens >= 0 && o.OutputTokens >= 0 && o.InputTokens+o.OutputTokens > 0 {
		words = append(words, number(o.InputTokens)+" → "+number(o.OutputTokens)+" tokens")
	}
	if o.Message != "" {
		words = append(words, o.Message)
	}
	row.Details = strings.Join(words, " · ")
	return row
}

func resultTone(result string) string {
	switch result {
	case audit.ResultAnswered:
		return "good"
	case audit.ResultProviderError, audit.ResultGatewayError, audit.ResultInterrupted:
		return "bad"
	}
	return "warn"
}

// downloadLogs is GET /ui/admin/endpoints/~logs: what happened to endpoints and
// with them in six months, as a file.
func (s *UI) downloadLogs(c *call) error {
	asJSON := c.r.URL.Query().Get("format") == "json"
	kind, ext := "text/plain; charset=utf-8", "txt"
	if asJSON {
		kind, ext = "application/json", "json"
	}
	h := c.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="gateway-log-`+s.Now().UTC().Format(time.DateOnly)+`.`+ext+`"`)
	if err := c.rest.DownloadAudit(c.ctx(), asJSON, c.w); err != nil {
		h.Del("Content-Disposition")
		return err
	}
	return nil
}
