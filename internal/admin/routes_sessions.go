package admin

import (
	"sluice/internal/admin/api"
	"sluice/policies"
)

// sessionRoutes are about browsers that have signed in to the web UI.
func (s *server) sessionRoutes() []route {
	const sessions = policies.ResourceSessions
	return []route{
		{
			pattern: "GET " + own + "/sessions", access: decided, resource: sessions, verb: policies.VerbList, handle: s.listSessions,
			doc: doc{
				id: "listSessions", tag: tagTokens, summary: "List the browsers in which the caller, or others for who may see them, have signed in.",
				query: with(paging("created", "lastSeen", "expires", "userName"),
					parameter{name: "userId", kind: kindText, text: "Only those of this user."}),
				out: api.SessionList{},
			},
		},
		{
			pattern: "DELETE " + own + "/sessions/{id}", access: decided, resource: sessions, verb: policies.VerbDelete, handle: s.endSession,
			doc: doc{id: "endSession", tag: tagTokens, summary: "Sign a browser out."},
		},
		{
			pattern: "DELETE " + own + "/sessions", access: decided, resource: sessions, verb: policies.VerbDelete, handle: s.endSessions,
			doc: doc{
				id: "endSessions", tag: tagTokens, summary: "Sign a user out of all browsers.",
				query: []parameter{{name: "userId", kind: kindText, text: "Whose sessions end.", required: true}},
				out:   api.SessionsEnded{}, also: []int{404},
			},
		},
	}
}
