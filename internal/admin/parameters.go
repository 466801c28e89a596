package admin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// parameters are the query parameters of the project's own routes; a route
// that is not here takes none. Domino's, MLflow's and OpenAI's routes are not
// so strict: their clients send what they like.
var parameters = func() map[string][]string {
	paging := []string{"offset", "limit", "searchFilter", "sortByField", "shouldSortAscending"}
	return map[string][]string{
		"GET " + own + "/users":         paging,
		"GET " + own + "/organizations": paging,
		"GET " + own + "/tokens":        append([]string{"userId"}, paging...),
		"POST " + own + "/apply":        {"isEveryoneAllowed"},
		"GET " + own + "/audit": {
			"endpointIds", "endpointIds[]", "endpointNames", "endpointNames[]", "users", "users[]", "results", "results[]",
			"kinds", "kinds[]", "id", "startTime", "endTime", "descending", "limit", "cursor",
		},
	}
}()

// checkParameters refuses a query parameter that the route does not know: a
// filter that is misspelt must not select everything in silence.
func checkParameters(pattern string, r *http.Request) error {
	_, path, _ := strings.Cut(pattern, " ")
	if r.URL.RawQuery == "" || !strings.HasPrefix(path, own+"/") {
		return nil
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badRequest("invalid_parameter", "", "The query of the address can't be read; encode its values.")
	}
	known := parameters[pattern]
	for _, name := range sortedKeys(q) {
		switch {
		case slices.Contains(known, name):
		case len(known) == 0:
			return badRequest("unknown_parameter", name, "The parameter %s is not known here; this route takes none.", name)
		default:
			return badRequest("unknown_parameter", name, "The parameter %s is not known here; expected: %s.",
				name, strings.Join(known, ", "))
		}
	}
	return nil
}
