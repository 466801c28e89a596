package admin_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/admin"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/identity"
)

// uses records a call of an endpoint.
func (w *world) uses(user, endpoint string, took time.Duration) {
	w.t.Helper()
	e, ok := w.catalog.Snapshot().Get(endpoint)
	require.True(w.t, ok)
	caller := &identity.Caller{UserID: w.users[user], UserName: user, Project: "climate"}
	if user == "bob" {
		caller.Organizations = []string{w.science}
	}
	id := w.exchangeID()
	require.NoError(w.t, w.trail.Begin(&audit.Exchange{
		ID: id, Caller: caller, EndpointID: e.ID, EndpointName: e.Name, Provider: "openai", Model: "gpt-4", Operation: "chat",
	}, nil))
	require.NoError(w.t, w.trail.End(id, &audit.Outcome{
		Result: audit.ResultAnswered, InputTokens: 100, OutputTokens: 20, CachedTokens: -1, ReasoningTokens: -1, CacheWriteTokens: -1,
		CostNanoUSD: 700, Duration: took,
	}, nil))
}

// usageOf asks for usage, with everything counted.
func (w *world) usageOf(user, query string) api.Usage {
	w.t.Helper()
	require.NoError(w.t, w.usage.Flush(w.t.Context()))
	var out api.Usage
	w.as(user, "GET", "/api/sluice/v1/usage?"+query, "").must(http.StatusOK).into(&out)
	return out
}

// counts are the requests of the rows, by name.
func counts(u api.Usage) map[string]int64 {
	out := map[string]int64{}
	for _, r := range u.Rows {
		out[r.Name] = r.Requests
	}
	return out
}

func used(t testing.TB) *world {
	w := newWorld(t)
	w.create("a", nil)
	w.create("b", nil)
	for n := range 3 {
		w.uses("alice", "a", time.Duration(n+1)*time.Second)
	}
	w.uses("bob", "a", time.Second)
	w.uses("bob", "b", time.Second)
	return w
}

func TestUsageIsGroupedSortedAndCut(t *testing.T) {
	w := used(t)
	u := w.usageOf("root", "groupBy=endpoint")
	require.Equal(t, map[string]int64{"a": 4, "b": 1}, counts(u))
	require.Equal(t, "a", u.Rows[0].Name, "the most requests come first")
	require.EqualValues(t, 5, u.Total.Requests)
	require.EqualValues(t, 500, u.Total.InputTokens)
	require.EqualValues(t, 3500, u.Total.CostNanoUSD)
	require.Equal(t, 2, u.Metadata.TotalCount)
	require.InDelta(t, 1600, u.Total.LatencyMeanMillis, 0.1)
	require.InEpsilon(t, 1000, u.Total.LatencyP50Millis, 0.2)

	require.Equal(t, map[string]int64{"alice": 3, "bob": 2}, counts(w.usageOf("root", "groupBy=user")))
	require.Equal(t, map[string]int64{"science": 2, "": 3}, counts(w.usageOf("root", "groupBy=organization")))
	require.Equal(t, map[string]int64{"openai/gpt-4": 5}, counts(w.usageOf("root", "groupBy=model")))
	require.Equal(t, map[string]int64{"climate": 5}, counts(w.usageOf("root", "groupBy=project")))
	require.Equal(t, map[string]int64{"bob": 1}, counts(w.usageOf("root", "groupBy=user&endpointId=b")))
	require.Equal(t, map[string]int64{"bob": 2}, counts(w.usageOf("root", "groupBy=user&organizationId=science")))
	require.Equal(t, map[string]int64{"a": 3}, counts(w.usageOf("root", "groupBy=endpoint&userId=alice&provider=openai&model=gpt-4&project=climate")))
	require.Empty(t, w.usageOf("root", "groupBy=endpoint&project=none").Rows)

	page := w.usageOf("root", "groupBy=user&sortByField=latencyMeanMillis&limit=1")
	require.Equal(t, map[string]int64{"alice": 3}, counts(page))
	require.Equal(t, 2, page.Metadata.TotalCount)
	page = w.usageOf("root", "groupBy=user&sortByField=latencyMeanMillis&shouldSortAscending=true&limit=1")
	require.Equal(t, map[string]int64{"bob": 2}, counts(page))
	require.Equal(t, map[string]int64{"bob": 2}, counts(w.usageOf("root", "groupBy=user&searchFilter=BO")))
	require.Equal(t, "alice", w.usageOf("root", "groupBy=user&sortByField=name").Rows[0].Name)
}

func TestUsageOverTime(t *testing.T) {
	w := used(t)
	u := w.usageOf("root", "")
	require.Equal(t, "day", u.Interval)
	require.GreaterOrEqual(t, len(u.Rows), 8, "days without calls are rows too, and there is no small page")
	require.EqualValues(t, 5, u.Rows[len(u.Rows)-1].Requests+u.Rows[len(u.Rows)-2].Requests)
	require.True(t, u.Rows[0].Start.Before(*u.Rows[1].Start))
	require.Equal(t, "hour", w.usageOf("root", "from="+time.Now().UTC().Add(-time.Hour).Format(time.RFC3339)).Interval)
	for query, field := range map[string]string{
		"interval=hour&from=2020-01-01": "interval", "groupBy=colour": "groupBy", "interval=week": "interval",
		"from=yesterday": "from", "from=2026-02-01&to=2026-01-01": "to", "sortByField=luck": "sortByField", "endpoint=a": "endpoint",
	} {
		require.Equal(t, field, w.as("root", "GET", "/api/sluice/v1/usage?"+query, "").must(http.StatusBadRequest).at("field"), query)
	}
}

func TestUsageOfOthersIsForWhoMaySeeIt(t *testing.T) {
	w := used(t)
	require.Equal(t, map[string]int64{"alice": 3, "bob": 2}, counts(w.usageOf("eve", "groupBy=user")), "an auditor")
	require.Equal(t, map[string]int64{"bob": 2}, counts(w.usageOf("bob", "groupBy=user")))
	require.Equal(t, map[string]int64{"bob": 2}, counts(w.usageOf("bob", "groupBy=user&userId=bob")))
	require.EqualValues(t, 2, w.usageOf("bob", "groupBy=endpoint").Total.Requests)
	require.Equal(t, map[string]int64{"bob": 1}, counts(w.usageOf("bob", "groupBy=user&endpointId=a")), "his own calls of it")
	w.as("bob", "GET", "/api/sluice/v1/usage?userId=alice", "").must(http.StatusForbidden)
	w.as("", "GET", "/api/sluice/v1/usage", "").must(http.StatusUnauthorized)
	w.as("bob", "POST", "/api/sluice/v1/usage/rebuild", "").must(http.StatusForbidden)
	w.as("eve", "POST", "/api/sluice/v1/usage/rebuild", "").must(http.StatusForbidden)

	w.own("a", "bob")
	require.Equal(t, map[string]int64{"alice": 3, "bob": 1}, counts(w.usageOf("bob", "groupBy=user&endpointId=a")), "as its owner")
	require.Equal(t, map[string]int64{"bob": 1}, counts(w.usageOf("bob", "groupBy=user&endpointId=b")))
	require.Equal(t, map[string]int64{"bob": 2}, counts(w.usageOf("bob", "groupBy=user&endpointId=b&endpointId=a")), "one of them is not his")
	require.Equal(t, map[string]int64{"bob": 2}, counts(w.usageOf("bob", "groupBy=user")))
}

// own makes a user the owner of an endpoint.
func (w *world) own(endpoint, user string) {
	w.t.Helper()
	w.as("root", "PATCH", "/api/aigateway/v1/endpoints/"+endpoint+"/permissions",
		fmt.Sprintf(`{"ownerIds":[%q]}`, w.users[user])).must(http.StatusOK)
}

func TestUsageOfWhatIsGone(t *testing.T) {
	w := used(t)
	w.as("root", "DELETE", "/api/aigateway/v1/endpoints/a", "").must(http.StatusOK)
	w.as("root", "DELETE", "/api/sluice/v1/organizations/"+w.science, "").must(http.StatusOK)
	w.as("root", "DELETE", "/api/sluice/v1/users/"+w.users["alice"], "").must(http.StatusOK)
	for group, name := range map[string]string{"endpoint": "a", "organization": "science", "user": "alice"} {
		u := w.usageOf("root", "groupBy="+group)
		i := slices.IndexFunc(u.Rows, func(r api.UsageRow) bool { return r.Name == name })
		require.GreaterOrEqual(t, i, 0, group)
		require.True(t, u.Rows[i].Deleted)
	}
}

func TestUsageAsCSV(t *testing.T) {
	w := used(t)
	w.create("-9cmd", nil)
	w.uses("bob", "-9cmd", time.Second)
	require.NoError(t, w.usage.Flush(t.Context()))
	r := w.as("root", "GET", "/api/sluice/v1/usage?groupBy=endpoint", "", "Accept", "text/csv").must(http.StatusOK)
	require.Equal(t, "text/csv; charset=utf-8", r.header.Get("Content-Type"))
	lines, err := csv.NewReader(strings.NewReader(r.body)).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 4)
	require.Equal(t, []string{"id", "name", "requests"}, lines[0][:3])
	require.Equal(t, []string{"a", "4"}, lines[1][1:3])
	require.Contains(t, r.body, ",'-9cmd,")
	r = w.as("root", "GET", "/api/sluice/v1/usage", "", "Accept", "text/csv, application/json").must(http.StatusOK)
	require.True(t, strings.HasPrefix(r.body, "start,requests,"))
	r = w.as("root", "GET", "/api/sluice/v1/usage", "", "Accept", "application/json, text/csv").must(http.StatusOK)
	require.True(t, strings.HasPrefix(r.body, "{"))
}

func TestUsageIsCountedAnew(t *testing.T) {
	w := used(t)
	require.EqualValues(t, 5, w.usageOf("root", "").Total.Requests)
	w.as("root", "POST", "/api/sluice/v1/usage/rebuild", "").must(http.StatusAccepted)
	require.Eventually(t, func() bool { return w.usage.Status().Rebuilt != nil }, time.Minute, time.Millisecond)
	require.EqualValues(t, 5, w.usageOf("root", "").Total.Requests)
	kinds := map[string]int{}
	for _, r := range w.records() {
		kinds[r.Kind()]++
	}
	require.Equal(t, 1, kinds["RebuildUsage"])

	w.serve(func(d *admin.Deps) { d.Usage = nil })
	w.as("root", "GET", "/api/sluice/v1/usage", "").must(http.StatusServiceUnavailable)
	w.as("root", "POST", "/api/sluice/v1/usage/rebuild", "").must(http.StatusServiceUnavailable)
}
