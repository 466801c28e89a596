package admin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// doc describes a route: GET /api/openapi.json is made of it, and the query
// parameters that it names are those that the route takes.
type doc struct {
	id      string // operation id, unique; Domino's own where Domino has the route
	tag     string // one of tags
	summary string // one sentence
	query   []parameter
	// in and out are the bodies of the request and of the reply: a value of the
	// type of its JSON shape, or a media. Nil: there is none.
	in, out any
	as      []media // other forms of out, for clients whose Accept asks for them
	// optional: the body of the request may be left out.
	optional bool
	status   int // of success; 0: 200
	// also are statuses besides status and those that follow from the row: 401,
	// 403, 429 and 503 from its access; 400 where there are parameters or a body; 413
	// from a body; 400 and 404 from a name in the path; 304 or 412 from versioned.
	also []int
	// versioned: the reply carries an ETag; a read takes If-None-Match, a change
	// If-Match.
	versioned bool
}

// media is the content type of a body that has no JSON shape here.
type media string

// Kinds of parameter.
const (
	kindText    = "string"
	kindInteger = "integer"
	kindBoolean = "boolean"
	kindTime    = "date-time"
	kindTexts   = "strings" // may be repeated, with "[]" behind its name or without
)

// parameter is a query parameter.
type parameter struct {
	name, kind, text string
	enum             []string
	low, high        int // of an integer; both 0: unbounded
	fallback         any // what holds where it is not given
	required         bool
}

// paging are the parameters of lists; readPage reads them. The first of
// sortFields is the default.
func paging(sortFields ...string) []parameter {
	return []parameter{
		{name: "offset", kind: kindInteger, text: "How many of the list to pass over.", high: 1<<31 - 1, fallback: 0},
		{name: "limit", kind: kindInteger, text: "How many to show.", low: 1, high: maxLimit, fallback: defaultLimit},
		{name: "searchFilter", kind: kindText, text: "Shows only what has this text in its names, in any case."},
		{name: "sortByField", kind: kindText, text: "What the list is sorted by.", enum: sortFields, fallback: sortFields[0]},
		{name: "shouldSortAscending", kind: kindBoolean, text: "False turns the order round.", fallback: true},
	}
}

// with puts parameters before others.
func with(more []parameter, first ...parameter) []parameter { return append(first, more...) }

// success is the status of a reply that is no error.
func (d doc) success() int {
	if d.status == 0 {
		return http.StatusOK
	}
	return d.status
}

// sortFields are those of a list's parameters.
func (d doc) sortFields() []string {
	for _, p := range d.query {
		if p.name == "sortByField" {
			return p.enum
		}
	}
	return nil
}

// method and path are the halves of the row's pattern.
func (rt *route) method() string { m, _, _ := strings.Cut(rt.pattern, " "); return m }
func (rt *route) path() string   { _, p, _ := strings.Cut(rt.pattern, " "); return p }

// strict reports whether the route refuses parameters that it does not know.
// Domino's, MLflow's and OpenAI's routes are not so strict: their clients send
// what they like.
func (rt *route) strict() bool { return strings.HasPrefix(rt.path(), own+"/") }

// statuses are all that the route may answer with, sorted.
func (rt *route) statuses() []int {
	d := rt.doc
	all := append([]int{d.success(), http.StatusInternalServerError}, d.also...)
	if rt.access != open {
		all = append(all, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	}
	if rt.access == decided || rt.access == authenticated && !rt.narrow {
		all = append(all, http.StatusForbidden)
	}
	if rt.strict() || len(d.query) > 0 || d.in != nil {
		all = append(all, http.StatusBadRequest)
	}
	if d.in != nil {
		all = append(all, http.StatusRequestEntityTooLarge)
	}
	if rt.named() {
		// Envoy refuses a path that can't be read, such as one with an encoded slash.
		all = append(all, http.StatusNotFound, http.StatusBadRequest)
	}
	if status, _, _ := rt.precondition(); status != 0 {
		all = append(all, status)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// named reports whether the path names a thing.
func (rt *route) named() bool {
	return strings.Contains(strings.ReplaceAll(rt.path(), "{$}", ""), "{")
}

// precondition is the header of a versioned route that names an ETag, and the
// status where it has changed, or has not; 0 where the route takes none.
func (rt *route) precondition() (status int, header, text string) {
	switch {
	case !rt.doc.versioned, rt.method() == http.MethodPost && !rt.named(): // what is created was not there
		return 0, "", ""
	case rt.method() == http.MethodGet:
		return http.StatusNotModified, "If-None-Match", "The ETag of what was read: the reply is 304 where it is still the same."
	}
	return http.StatusPreconditionFailed, "If-Match", "The ETag of what was read: the change is refused where it is another by now."
}

// checkParameters refuses a query parameter that the route does not know: a
// filter that is misspelt must not select everything in silence.
func (rt *route) checkParameters(r *http.Request) error {
	if r.URL.RawQuery == "" || !rt.strict() {
		return nil
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badRequest("invalid_parameter", "", "The query of the address can't be read; encode its values.")
	}
	var known []string
	for _, p := range rt.doc.query {
		known = append(known, p.name)
	}
	for _, name := range sortedKeys(q) {
		switch {
		case rt.takes(name):
		case len(known) == 0:
			return badRequest("unknown_parameter", name, "The parameter %s is not known here; this route takes none.", name)
		default:
			return badRequest("unknown_parameter", name, "The parameter %s is not known here; expected: %s.",
				name, strings.Join(known, ", "))
		}
	}
	return nil
}

func (rt *route) takes(name string) bool {
	return slices.ContainsFunc(rt.doc.query, func(p parameter) bool {
		return name == p.name || p.kind == kindTexts && name == p.name+"[]"
	})
}
