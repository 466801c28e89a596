package cli

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

var usageGroups = []string{
	api.UsageByTime, api.UsageByEndpoint, api.UsageByOrganization, api.UsageByUser, api.UsageByModel, api.UsageByProject,
}

func usageCommand() *cobra.Command {
	r := &remote{}
	var u usageFlags
	cmd := &cobra.Command{
		Use:   "usage",
		Short: "Show how much is used: requests, tokens, cost, latency",
		Long: "Show how much is used: your own calls, or for who may see them everybody's. A user in several organizations\n" +
			"counts in each of them. Latency percentiles are to 19 %. Times are of UTC: an hour belongs to the day of UTC.",
		Example: "  sluice usage --by endpoint --since 30d\n" +
			"  sluice usage --by day --endpoint chat -o csv",
		Args: Exactly(),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			q, err := u.query(time.Now())
			if err != nil {
				return err
			}
			found, err := c.Usage(cmd.Context(), q)
			if err != nil {
				return err
			}
			return r.showUsage(cmd, found)
		}),
	}
	u.flags(cmd)
	complete(cmd, "endpoint", r.completeEndpoints())
	complete(cmd, "user", r.completeUsers(""))
	complete(cmd, "org", r.completeOrganizations())
	cmd.AddCommand(&cobra.Command{
		Use:   "rebuild",
		Short: "Count usage anew from the trail, in the background",
		Args:  Exactly(),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			if err := c.RebuildUsage(cmd.Context()); err != nil {
				return err
			}
			return r.say(cmd, api.UsageRebuild{Rebuilding: true}, "Usage is being counted anew; sluice status says when that is done.")
		}),
	})
	return withRemote(cmd, r)
}

// usageFlags select and group.
type usageFlags struct {
	by, since, from, to, sort, search                            string
	endpoints, users, organizations, providers, models, projects []string
	limit                                                        int
}

func (u *usageFlags) flags(cmd *cobra.Command) {
	groups := append([]string{api.IntervalHour, api.IntervalDay}, usageGroups[1:]...)
	fl := cmd.Flags()
	fl.StringVar(&u.by, "by", api.IntervalDay, "rows of what: "+strings.Join(groups, ", "))
	fl.StringVar(&u.since, "since", "7d", "how far back to look, e.g. 12h, 30d")
	fl.StringVar(&u.from, "from", "", "the beginning instead, e.g. 2030-01-31 or 2030-01-31T12:00:00Z")
	fl.StringVar(&u.to, "to", "", "the end (default now)")
	fl.StringArrayVar(&u.endpoints, "endpoint", nil, "name or id of an endpoint (repeatable)")
	fl.StringArrayVar(&u.users, "user", nil, "name or id of a user (repeatable)")
	fl.StringArrayVar(&u.organizations, "org", nil, "name or id of an organization (repeatable)")
	fl.StringArrayVar(&u.providers, "provider", nil, "a provider (repeatable)")
	fl.StringArrayVar(&u.models, "model", nil, "a model, by the provider's name (repeatable)")
	fl.StringArrayVar(&u.projects, "project", nil, "a project of tokens (repeatable)")
	fl.StringVar(&u.search, "search", "", "part of the rows' names")
	fl.StringVar(&u.sort, "sort", "", "sort by this figure, as JSON calls it, from the most down (default requests, or time)")
	fl.IntVar(&u.limit, "limit", 1000, "show at most so many rows")
	cmd.MarkFlagsMutuallyExclusive("since", "from")
	complete(cmd, "sort", fixed("requests", "errors", "denied", "refused", "inputTokens", "outputTokens", "costNanoUsd"))
	complete(cmd, "by", fixed(groups...))
}

func (u *usageFlags) query(now time.Time) (url.Values, error) {
	if u.limit < 1 {
		return nil, usagef("--limit takes a number of at least 1")
	}
	q := url.Values{
		"groupBy": {u.by}, "limit": {strconv.Itoa(u.limit)}, "endpointId": u.endpoints, "userId": u.users,
		"organizationId": u.organizations, "provider": u.providers, "model": u.models, "project": u.projects,
	}
	if u.by == api.IntervalHour || u.by == api.IntervalDay {
		q.Set("groupBy", api.UsageByTime)
		q.Set("interval", u.by)
	}
	for key, value := range map[string]string{"from": u.from, "to": u.to, "sortByField": u.sort, "searchFilter": u.search} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if u.from == "" {
		back, err := duration(u.since)
		if err != nil || back <= 0 {
			return nil, usagef("--since takes a duration such as 12h or 30d")
		}
		if u.to != "" {
			return nil, usagef("--to takes --from")
		}
		q.Set("from", now.Add(-back).UTC().Format(time.RFC3339))
	}
	return q, nil
}

func (r *remote) showUsage(cmd *cobra.Command, found api.Usage) error {
	header := "NAME REQUESTS ERRORS DENIED REFUSED INPUT OUTPUT USD P50-MS P95-MS"
	if found.Interval != "" {
		header = strings.Replace(header, "NAME", "START", 1)
	}
	return r.show(cmd, found, header, func(add func(...any)) {
		line := func(name string, f *api.UsageFigures) {
			add(name, f.Requests, f.Errors, f.Denied, f.Refused, f.InputTokens, f.OutputTokens, dollars(f.CostNanoUSD),
				fmt.Sprintf("%.0f", f.LatencyP50Millis), fmt.Sprintf("%.0f", f.LatencyP95Millis))
		}
		for i := range found.Rows {
			row := &found.Rows[i]
			line(usageName(row, found), &row.UsageFigures)
		}
		if r.output == outputTable {
			line("total", &found.Total)
		}
	})
}

func usageName(row *api.UsageRow, found api.Usage) string {
	switch {
	case row.Start != nil && found.Interval == api.IntervalHour:
		return row.Start.UTC().Format("2006-01-02 15:04")
	case row.Start != nil:
		return row.Start.UTC().Format(time.DateOnly)
	case row.Deleted:
		return row.Name + " (deleted)"
	case row.Name == "":
		return "(none)"
	}
	return row.Name
}
