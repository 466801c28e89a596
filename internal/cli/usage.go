package cli

import (
	"fmt"
	"maps"
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
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := u.check(usageSorts); err != nil {
				return err
			}
			q, err := u.query(cmd, time.Now())
			if err != nil {
				return err
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			var found api.Usage
			rows, total, err := gather(u.listFlags, func(page url.Values) ([]api.UsageRow, int, error) {
				maps.Copy(page, q)
				found, err = c.Usage(cmd.Context(), page)
				return found.Rows, found.Metadata.TotalCount, err
			})
			if err != nil {
				return err
			}
			found.Rows = rows
			if err := r.showUsage(cmd, found); err != nil {
				return err
			}
			u.hint(cmd, len(rows), total)
			return nil
		},
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

// usageSorts are what rows can be sorted by.
var usageSorts = append([]string{"start", "name"}, api.UsageFields...)

// usageFlags select and group.
type usageFlags struct {
	listFlags
	span

	by                                                           string
	endpoints, users, organizations, providers, models, projects []string
}

func (u *usageFlags) flags(cmd *cobra.Command) {
	groups := append([]string{api.IntervalHour, api.IntervalDay}, usageGroups[1:]...)
	fl := cmd.Flags()
	fl.StringVar(&u.by, "by", api.IntervalDay, "rows of what: "+strings.Join(groups, ", "))
	u.span.flags(cmd, "7d")
	fl.StringArrayVar(&u.endpoints, "endpoint", nil, "name or id of an endpoint (repeatable)")
	fl.StringArrayVar(&u.users, "user", nil, "name or id of a user (repeatable)")
	fl.StringArrayVar(&u.organizations, "org", nil, "name or id of an organization (repeatable)")
	fl.StringArrayVar(&u.providers, "provider", nil, "a provider (repeatable)")
	fl.StringArrayVar(&u.models, "model", nil, "a model, by the provider's name (repeatable)")
	fl.StringArrayVar(&u.projects, "project", nil, "a project of tokens (repeatable)")
	u.listFlags.flags(cmd, "the rows' names", usageSorts)
	fl.Lookup("sort").Usage = "sort by start, name or a figure, as JSON calls it (default requests, or start in rows of time)"
	fl.Lookup("descending").Usage = "sort from the last to the first; figures are unless --descending=false"
	complete(cmd, "by", fixed(groups...))
}

// query is what is asked for, but for the page.
func (u *usageFlags) query(cmd *cobra.Command, now time.Time) (url.Values, error) {
	from, to, err := u.bounds(now)
	q := url.Values{
		"from": {from}, "groupBy": {u.by}, "endpointId": u.endpoints, "userId": u.users,
		"organizationId": u.organizations, "provider": u.providers, "model": u.models, "project": u.projects,
	}
	if u.by == api.IntervalHour || u.by == api.IntervalDay {
		q.Set("groupBy", api.UsageByTime)
		q.Set("interval", u.by)
	}
	if to != "" {
		q.Set("to", to)
	}
	if cmd.Flags().Changed("descending") {
		q.Set("shouldSortAscending", strconv.FormatBool(!u.descending))
	}
	return q, err
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
