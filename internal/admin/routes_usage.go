package admin

import (
	"sluice/internal/admin/api"
	"sluice/policies"
)

// usageRoutes are about how much is used.
func (s *server) usageRoutes() []route {
	const list = policies.ResourceUsage
	return []route{
		{
			pattern: "GET " + own + "/usage", access: decided, scoped: true, resource: list, verb: policies.VerbList, handle: s.listUsage,
			doc: doc{
				id: "listUsage", tag: tagUsage, query: usageParameters(), out: api.Usage{}, as: []media{"text/csv"},
				summary: "Sum up exchanges: the caller's own, those of endpoints that he owns, or all, as the policy says.",
			},
		},
		{
			pattern: "POST " + own + "/usage/rebuild", access: decided, resource: list, verb: policies.VerbUpdate, handle: s.rebuildUsage,
			doc: doc{
				id: "rebuildUsage", tag: tagUsage, summary: "Count usage anew from the trail, in the background.",
				out: api.UsageRebuild{}, status: 202, also: []int{409},
			},
		},
	}
}

func usageParameters() []parameter {
	p := []parameter{
		{name: "from", kind: kindTime, text: "The beginning. Without it: seven days before the end."},
		{name: "to", kind: kindTime, text: "The end. Without it: now."},
		{name: "groupBy", kind: kindText, text: "What the rows are about.", enum: usageGroups, fallback: api.UsageByTime},
		{
			name: "interval", kind: kindText, enum: []string{api.IntervalHour, api.IntervalDay},
			text: "How long the rows of time are. Without it: hours up to three days, days beyond.",
		},
		{name: "endpointId", kind: kindTexts, text: "Only calls of these endpoints, by id or name."},
		{name: "organizationId", kind: kindTexts, text: "Only calls of who was in one of these organizations at the time, by id or name."},
		{name: "userId", kind: kindTexts, text: "Only calls of these users, by id or name."},
		{name: "provider", kind: kindTexts, text: "Only calls that these providers answered, or failed to."},
		{name: "model", kind: kindTexts, text: "Only calls of these models, by the provider's name."},
		{name: "project", kind: kindTexts, text: "Only calls with a token of these projects."},
	}
	for _, q := range paging(append([]string{"requests", "start", "name"}, api.UsageFields[1:]...)...) {
		switch q.name {
		case "limit":
			q.fallback, q.text = nil, "How many to show. Without it: ten, or all rows of time."
		case "sortByField":
			q.fallback, q.text = nil, "What the list is sorted by. Without it: from the most requests down, or by time."
		case "shouldSortAscending":
			q.fallback = nil
		}
		p = append(p, q)
	}
	return p
}
