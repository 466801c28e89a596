package ui

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"sluice/internal/admin/api"
	"sluice/policies"
)

const usagePath = "/ui/usage"

func (s *UI) usageRoutes() []route {
	return []route{
		{pattern: "GET " + usagePath, handle: s.usage},
		{pattern: "GET " + usagePath + "/export", handle: s.exportUsage},
	}
}

// Spans of usage.
var usageSpans = []option{
	{"24h", "Last 24 hours", ""}, {"168h", "Last 7 days", ""}, {"720h", "Last 30 days", ""}, {"2160h", "Last 90 days", ""}, {"4416h", "Last 6 months", ""},
}

// usageGroups are what usage is broken down by.
var usageGroups = []struct{ By, Title, Param string }{
	{api.UsageByEndpoint, "Endpoints", "endpoint"}, {api.UsageByOrganization, "Organizations", "organization"},
	{api.UsageByUser, "Users", "user"}, {api.UsageByModel, "Models", "model"},
}

// usageFilter is what usage is narrowed to: by the address, and for REST.
type usageFilter struct {
	Span, By string
	Fields   []*usageField
}

type usageField struct{ Name, Label, Value, rest string }

func (s *UI) usageFilter(c *call) (*usageFilter, url.Values) {
	q := c.r.URL.Query()
	f := &usageFilter{Span: "168h", By: api.UsageByEndpoint, Fields: []*usageField{
		{"endpoint", "Endpoint", "", "endpointId"}, {"organization", "Organization", "", "organizationId"},
		{"user", "User", "", "userId"}, {"model", "Model", "", "model"}, {"project", "Project", "", "project"},
	}}
	for _, o := range usageSpans {
		if o.Value == q.Get("span") {
			f.Span = o.Value
		}
	}
	for _, g := range usageGroups {
		if g.By == q.Get("by") {
			f.By = g.By
		}
	}
	span, _ := time.ParseDuration(f.Span) // one of usageSpans
	rest := url.Values{"from": {s.Now().Add(-span).UTC().Format(time.RFC3339)}, "to": {s.Now().UTC().Format(time.RFC3339)}}
	for _, x := range f.Fields {
		if x.Value = strings.TrimSpace(q.Get(x.Name)); x.Value != "" {
			rest.Set(x.rest, x.Value)
		}
	}
	return f, rest
}

// Address is the page with another value of one parameter.
func (f *usageFilter) Address(path, name, value string) string {
	q := url.Values{"span": {f.Span}, "by": {f.By}}
	for _, x := range f.Fields {
		if x.Value != "" {
			q.Set(x.Name, x.Value)
		}
	}
	q.Set(name, value)
	return path + "?" + q.Encode()
}

// Narrowed reports whether the filter leaves anything out.
func (f *usageFilter) Narrowed() bool {
	for _, x := range f.Fields {
		if x.Value != "" {
			return true
		}
	}
	return false
}

// usageRow is a row of the break-down, with the way to look at it alone.
type usageRow struct {
	api.UsageRow
	Link  string
	Share int // of the most requests, in percent
}

// usage is GET /ui/usage: everybody's for those who may see it, else one's own.
func (s *UI) usage(c *call) error {
	f, rest := s.usageFilter(c)
	times := clone(rest, "groupBy", api.UsageByTime)
	over, err := c.rest.Usage(c.ctx(), times)
	if err != nil {
		return err
	}
	groups := clone(rest, "groupBy", f.By)
	groups.Set("limit", "20")
	by, err := c.rest.Usage(c.ctx(), groups)
	if err != nil {
		return err
	}
	rows, most := []usageRow{}, int64(1)
	for _, r := range by.Rows {
		most = max(most, r.Requests)
	}
	for _, r := range by.Rows {
		row := usageRow{UsageRow: r, Share: int(r.Requests * 100 / most)}
		if r.Name != "" && f.By != api.UsageByModel {
			row.Link = f.Address(usagePath, f.By, r.Name)
		} else if _, model, ok := strings.Cut(r.Name, "/"); ok {
			row.Link = f.Address(usagePath, f.By, model)
		}
		rows = append(rows, row)
	}
	tabs := []any{}
	for _, g := range usageGroups {
		tabs = append(tabs, map[string]any{"Title": g.Title, "Path": f.Address(usagePath, "by", g.By), "Current": g.By == f.By})
	}
	return c.page("usage", "Usage", map[string]any{
		"Filter": f, "Spans": usageSpans, "Total": over.Total, "Charts": usageCharts(over), "Rows": rows, "Tabs": tabs,
		"More": max(0, by.Metadata.TotalCount-len(rows)), "Own": !c.may(policies.ResourceUsage, policies.VerbList),
		"Export": f.Address(usagePath+"/export", "by", f.By), "Clear": usagePath + "?span=" + f.Span + "&by=" + f.By,
	})
}

func clone(q url.Values, name, value string) url.Values {
	out := url.Values{name: {value}}
	for k, v := range q {
		out[k] = v
	}
	return out
}

// titledChart is a chart with its heading.
type titledChart struct {
	Title string
	Chart *chart
}

// usageCharts draws usage over time.
func usageCharts(u api.Usage) []titledChart {
	var starts []time.Time
	for _, r := range u.Rows {
		if r.Start != nil {
			starts = append(starts, *r.Start)
		}
	}
	line := func(name string, value func(api.UsageRow) float64) series {
		out := series{Name: name}
		for _, r := range u.Rows {
			out.Values = append(out.Values, value(r))
		}
		return out
	}
	draw := func(title string, lines bool, format func(float64) string, all ...series) titledChart {
		return titledChart{title, &chart{Label: title + " by " + u.Interval, Lines: lines, Starts: starts, Series: all, Format: format}}
	}
	return []titledChart{
		draw("Requests", false, nil,
			line("Answered", func(r api.UsageRow) float64 { return float64(r.Answered) }),
			line("Refused or denied", func(r api.UsageRow) float64 { return float64(r.Denied + r.Refused + r.Unauthenticated + r.ClientGone) }),
			line("Errors", func(r api.UsageRow) float64 { return float64(r.Errors) })),
		draw("Tokens", false, nil,
			line("Input", func(r api.UsageRow) float64 { return float64(r.InputTokens) }),
			line("Output", func(r api.UsageRow) float64 { return float64(r.OutputTokens) })),
		draw("Cost", false, func(v float64) string { return money(int64(v)) },
			line("Cost", func(r api.UsageRow) float64 { return float64(r.CostNanoUSD) })),
		draw("Latency", true, millis,
			line("Median", func(r api.UsageRow) float64 { return r.LatencyP50Millis }),
			line("95th percentile", func(r api.UsageRow) float64 { return r.LatencyP95Millis })),
	}
}

// exportUsage is GET /ui/usage/export: the whole break-down as CSV.
func (s *UI) exportUsage(c *call) error {
	f, rest := s.usageFilter(c)
	rest.Set("groupBy", f.By)
	rest.Set("limit", "10000")
	csv, err := c.rest.UsageCSV(c.ctx(), rest)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	c.w.Header().Set("Content-Disposition", `attachment; filename="sluice-usage-by-`+f.By+`.csv"`)
	c.w.WriteHeader(http.StatusOK)
	_, err = c.w.Write(csv)
	return err
}
