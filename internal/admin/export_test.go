package admin

// Route is a row of the table of routes, for the test that holds each to its
// rights.
type Route struct{ Pattern, Access, Resource, Verb, Operation, Tag, Summary string }

// Routes lists the table.
func Routes() []Route {
	var out []Route
	for _, r := range (&server{}).routes() {
		access := map[access]string{open: "open", authenticated: "authenticated", decided: "decided"}[r.access]
		out = append(out, Route{Pattern: r.pattern, Access: access, Resource: r.resource, Verb: r.verb,
			Operation: r.doc.id, Tag: r.doc.tag, Summary: r.doc.summary})
	}
	return out
}
