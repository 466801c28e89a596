package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sluice/internal/admin/api"
)

// endpointSpans are the times for which usage of an endpoint is shown.
var endpointSpans = []option{{"1", "Last day", ""}, {"7", "Last 7 days", ""}, {"30", "Last 30 days", ""}, {"90", "Last 90 days", ""}}

// endpointUsage is GET /ui/admin/endpoints/{name}/usage: how much everybody has
// used of it.
func (s *UI) endpointUsage(c *call) error {
	h, err := c.head("usage")
	if err != nil {
		return err
	}
	days := 30
	for _, o := range endpointSpans {
		if o.Value == c.r.URL.Query().Get("days") {
			days, _ = strconv.Atoi(o.Value) // one of ours
		}
	}
	data := map[string]any{"Head": h, "Days": endpointSpans, "Day": strconv.Itoa(days)}
	to := s.Now().UTC()
	query := url.Values{
		"endpointId": {h.EndpointID}, "groupBy": {api.UsageByTime},
		"from": {to.AddDate(0, 0, -days).Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)},
	}
	found, err := c.rest.Usage(c.ctx(), query)
	if isStatus(err, http.StatusServiceUnavailable) {
		return c.page("endpoint-usage", h.EndpointName, data)
	}
	if err != nil {
		return err
	}
	query.Set("groupBy", api.UsageByUser)
	query.Set("limit", "10")
	users, err := c.rest.Usage(c.ctx(), query)
	if err != nil {
		return err
	}
	data["Total"], data["Users"], data["Charts"] = found.Total, users.Rows, endpointCharts(found)
	data["Stats"] = endpointStats(found.Total)
	return c.page("endpoint-usage", h.EndpointName, data)
}

func endpointStats(t api.UsageFigures) []map[string]any {
	failed := "none failed"
	if t.Errors > 0 {
		failed = fmt.Sprintf("%s failed, %.1f %%", number(t.Errors), 100*float64(t.Errors)/float64(max(1, t.Requests)))
	}
	cost := "as far as prices are known"
	if t.Unpriced > 0 {
		cost = number(t.Unpriced) + " calls without a price"
	}
	return []map[string]any{
		{"Title": "Requests", "Value": number(t.Requests), "Note": failed},
		{"Title": "Tokens", "Value": compact(float64(t.InputTokens + t.OutputTokens)), "Note": number(t.InputTokens) + " in, " + number(t.OutputTokens) + " out"},
		{"Title": "Cost, about", "Value": money(t.CostNanoUSD), "Note": cost},
		{"Title": "Half answer within", "Value": millis(t.LatencyP50Millis), "Note": "95 % within " + millis(t.LatencyP95Millis)},
	}
}

func endpointCharts(u api.Usage) []map[string]any {
	requests := &chart{Label: "Requests over time", Series: []series{{Name: "Answered"}, {Name: "Refused or denied"}, {Name: "Failed"}}}
	tokens := &chart{Label: "Tokens over time", Series: []series{{Name: "In"}, {Name: "Out"}}}
	for _, row := range u.Rows {
		if row.Start == nil {
			continue
		}
		failed, refused := row.Errors, row.Denied+row.Refused+row.Unauthenticated
		add(requests, *row.Start, row.Requests-failed-refused, refused, failed)
		add(tokens, *row.Start, row.InputTokens, row.OutputTokens)
	}
	return []map[string]any{{"Title": "Requests", "Chart": requests}, {"Title": "Tokens", "Chart": tokens}}
}

// add adds an interval to a chart, with a value for each of its series.
func add(c *chart, start time.Time, values ...int64) {
	c.Starts = append(c.Starts, start)
	for i, v := range values {
		c.Series[i].Values = append(c.Series[i].Values, float64(v))
	}
}
