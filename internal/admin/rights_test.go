package admin_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/admin"
	"sluice/internal/identity"
)

// rights says, for each route, what nobody, a user, an auditor and an
// administrator get: "-" 401, "x" 403, "o" let in. Paths name things that do
// not exist, so that being let in changes nothing. What others get follows from
// it, or is in otherRights.
var rights = map[string]string{
	"GET /{$}":     "oooo",
	"GET /healthz": "oooo",
	"GET /readyz":  "oooo",

	"GET /api/openapi.json":      "oooo",
	"GET /api/sluice/v1/sign-in": "oooo",

	"GET /api/aigateway/v1/endpoints":                      "-ooo",
	"POST /api/aigateway/v1/endpoints":                     "-xxo",
	"GET /api/aigateway/v1/endpoints/{name}":               "-ooo",
	"PATCH /api/aigateway/v1/endpoints/{name}":             "-xxo",
	"DELETE /api/aigateway/v1/endpoints/{name}":            "-xxo",
	"GET /api/aigateway/v1/endpoints/{name}/permissions":   "-xxo",
	"PATCH /api/aigateway/v1/endpoints/{name}/permissions": "-xxo",
	"POST /api/sluice/v1/apply":                            "-xxo",

	"GET /api/sluice/v1/candidates":                           "-xxo",
	"GET /api/sluice/v1/endpoints/{name}/candidates":          "-xxo",
	"GET /api/sluice/v1/endpoints/{name}/targets":             "-ooo",
	"PUT /api/sluice/v1/endpoints/{name}/targets":             "-xxo",
	"POST /api/sluice/v1/endpoints/{name}/targets":            "-xxo",
	"GET /api/sluice/v1/endpoints/{name}/targets/{target}":    "-ooo",
	"PATCH /api/sluice/v1/endpoints/{name}/targets/{target}":  "-xxo",
	"DELETE /api/sluice/v1/endpoints/{name}/targets/{target}": "-xxo",

	"GET /api/sluice/v1/providers":             "-ooo",
	"GET /api/sluice/v1/providers/{id}/schema": "-ooo",
	"GET /api/sluice/v1/prices":                "-ooo",
	"GET /v4/aigateway/provider-models":        "-ooo",
	"GET /v4/aigateway/provider-configs":       "-ooo",
	"GET /gateway/mlflow/v1/models":            "-ooo",

	"GET /api/sluice/v1/users/self":                           "-ooo",
	"GET /api/sluice/v1/users":                                "-xxo",
	"POST /api/sluice/v1/users":                               "-xxo",
	"GET /api/sluice/v1/users/{id}":                           "-ooo",
	"PATCH /api/sluice/v1/users/{id}":                         "-xxo",
	"DELETE /api/sluice/v1/users/{id}":                        "-xxo",
	"GET /api/sluice/v1/organizations":                        "-ooo",
	"POST /api/sluice/v1/organizations":                       "-xxo",
	"GET /api/sluice/v1/organizations/{id}":                   "-ooo",
	"PATCH /api/sluice/v1/organizations/{id}":                 "-xxo",
	"DELETE /api/sluice/v1/organizations/{id}":                "-xxo",
	"PATCH /api/sluice/v1/organizations/{id}/members":         "-ooo",
	"PUT /api/sluice/v1/organizations/{id}/members/{user}":    "-ooo",
	"DELETE /api/sluice/v1/organizations/{id}/members/{user}": "-ooo",
	"GET /api/sluice/v1/tokens":                               "-ooo",
	"POST /api/sluice/v1/tokens":                              "-ooo",
	"GET /api/sluice/v1/tokens/{id}":                          "-ooo",
	"DELETE /api/sluice/v1/tokens/{id}":                       "-ooo",
	"GET /api/users/v1/self":                                  "-ooo",
	"GET /api/users/v1/users":                                 "-xxo",
	"GET /api/organizations/v1/organizations":                 "-ooo",
	"GET /api/organizations/v1/organizations/all":             "-ooo",
	"POST /api/organizations/v1/organizations":                "-xxo",
	"GET /api/organizations/v1/organizations/{id}":            "-ooo",
	"PUT /api/organizations/v1/organizations/{id}/user":       "-ooo",
	"DELETE /api/organizations/v1/organizations/{id}/user":    "-ooo",

	"GET /api/serviceAccounts/v1/serviceAccounts":                                 "-xxo",
	"POST /api/serviceAccounts/v1/serviceAccounts":                                "-xxo",
	"GET /api/serviceAccounts/v1/serviceAccounts/{id}":                            "-ooo",
	"DELETE /api/serviceAccounts/v1/serviceAccounts/{id}":                         "-xxo",
	"POST /api/serviceAccounts/v1/serviceAccounts/{id}/activate":                  "-xxo",
	"POST /api/serviceAccounts/v1/serviceAccounts/{id}/deactivate":                "-xxo",
	"GET /api/serviceAccounts/v1/serviceAccounts/{id}/tokens":                     "-ooo",
	"POST /api/serviceAccounts/v1/serviceAccounts/{id}/tokens":                    "-ooo",
	"GET /api/serviceAccounts/v1/serviceAccounts/{id}/tokens/{token}":             "-ooo",
	"POST /api/serviceAccounts/v1/serviceAccounts/{id}/tokens/{token}/invalidate": "-ooo",

	"GET /v4/users/self":                 "-ooo",
	"GET /v4/auth/principal":             "-ooo",
	"GET /v4/aigateway/audit/download":   "-xoo",
	"GET /api/audittrail/v1/auditevents": "-xoo",
	"GET /auditevents":                   "-xoo",

	"GET /api/sluice/v1/credentials":         "-xxo",
	"POST /api/sluice/v1/credentials":        "-xxo",
	"GET /api/sluice/v1/credentials/{id}":    "-xxo",
	"PATCH /api/sluice/v1/credentials/{id}":  "-xxo",
	"DELETE /api/sluice/v1/credentials/{id}": "-xxo",
	"GET /api/sluice/v1/audit/keys":          "-xoo",
	"POST /api/sluice/v1/audit/keys/rotate":  "-xxo",
	"GET /api/sluice/v1/vault":               "-xxo",
	"POST /api/sluice/v1/vault/migrate":      "-xxo",
	"POST /api/sluice/v1/vault/rotate":       "-xxo",
	// Which endpoint the body names decides too (see TestWhoMayTestATarget).
	"POST /api/sluice/v1/targets/test": "-xxo",

	"GET /api/sluice/v1/sessions":         "-ooo",
	"DELETE /api/sluice/v1/sessions/{id}": "-ooo",
	"DELETE /api/sluice/v1/sessions":      "-ooo",

	"GET /scim/v2/ServiceProviderConfig": "-xxo",
	"GET /scim/v2/Schemas":               "-xxo",
	"GET /scim/v2/Schemas/{id}":          "-xxo",
	"GET /scim/v2/ResourceTypes":         "-xxo",
	"GET /scim/v2/ResourceTypes/{id}":    "-xxo",
	"POST /scim/v2/.search":              "-xxo",
	"GET /scim/v2/Users":                 "-xxo",
	"POST /scim/v2/Users":                "-xxo",
	"POST /scim/v2/Users/.search":        "-xxo",
	"GET /scim/v2/Users/{id}":            "-xxo",
	"PUT /scim/v2/Users/{id}":            "-xxo",
	"PATCH /scim/v2/Users/{id}":          "-xxo",
	"DELETE /scim/v2/Users/{id}":         "-xxo",
	"GET /scim/v2/Groups":                "-xxo",
	"POST /scim/v2/Groups":               "-xxo",
	"POST /scim/v2/Groups/.search":       "-xxo",
	"GET /scim/v2/Groups/{id}":           "-xxo",
	"PUT /scim/v2/Groups/{id}":           "-xxo",
	"PATCH /scim/v2/Groups/{id}":         "-xxo",
	"DELETE /scim/v2/Groups/{id}":        "-xxo",

	"GET /api/sluice/v1/usage":          "-ooo",
	"POST /api/sluice/v1/usage/rebuild": "-xxo",

	"GET /api/aigateway/v1/audit":                               "-xoo",
	"GET /api/sluice/v1/audit/sinks":                            "-xoo",
	"POST /api/sluice/v1/audit/sinks/{name}/replay":             "-xxo",
	"DELETE /api/sluice/v1/audit/sinks/{name}/replay":           "-xxo",
	"GET /api/sluice/v1/audit/sinks/{name}/dead-letters":        "-xoo",
	"POST /api/sluice/v1/audit/sinks/{name}/dead-letters/retry": "-xxo",

	"GET /api/sluice/v1/audit":                         "-xoo",
	"GET /api/sluice/v1/audit/{id}":                    "-xoo",
	"GET /api/sluice/v1/audit/holds":                   "-xoo",
	"GET /api/sluice/v1/audit/export":                  "-xoo",
	"POST /api/sluice/v1/audit/holds":                  "-xxo",
	"GET /api/sluice/v1/audit/verify":                  "-xoo",
	"POST /api/sluice/v1/audit/verify":                 "-xoo",
	"DELETE /api/sluice/v1/audit/verify":               "-xoo",
	"PUT /api/sluice/v1/audit/holds":                   "-xxo",
	"DELETE /api/sluice/v1/audit/holds/{name}":         "-xxo",
	"GET /api/sluice/v1/policies":                      "-xxo",
	"POST /api/sluice/v1/policies/reload":              "-xxo",
	"GET /api/sluice/v1/status":                        "-xxo",
	"GET /api/sluice/v1/settings":                      "-xxo",
	"GET /api/sluice/v1/roles":                         "-xxo",
	"POST /api/sluice/v1/policies/check":               "-xxo",
	"POST /api/sluice/v1/policies/access":              "-xxo",
	"GET /api/sluice/v1/policies/bundles/{name}/files": "-xxo",
}

// mlflowRights are the same for the routes that are served with Domino's
// prefix and without it.
var mlflowRights = map[string]string{
	"GET /health":                          "oooo",
	"GET /api/2.0/endpoints":               "-ooo",
	"GET /api/2.0/endpoints/{$}":           "-ooo",
	"GET /api/2.0/endpoints/{name}":        "-ooo",
	"GET /api/2.0/gateway/routes":          "-ooo",
	"GET /api/2.0/gateway/routes/{$}":      "-ooo",
	"GET /api/2.0/gateway/routes/{name}":   "-ooo",
	"GET /api/3.0/gateway/endpoint/{name}": "-ooo",
	"GET /api/3.0/gateway/route/{name}":    "-ooo",
	"GET /api/2.0/endpoints/limits/{name}": "-ooo",
	"POST /api/2.0/endpoints/limits/{$}":   "-ooo",
	"GET /api/2.0/gateway/limits/{name}":   "-ooo",
	"POST /api/2.0/gateway/limits/{$}":     "-ooo",
	"GET /v1/models":                       "-ooo",
	"GET /v1/models/{name}":                "-ooo",
}

// otherRights says, where it does not follow, what these get: a member of an
// organization (else what a user does); the owner of the endpoint that the path
// names (else what a user does); and a user's token that is bound to endpoints
// (else what the user does where boundMay has the route, and 403 where not).
var otherRights = map[string]string{
	// Owners manage their endpoints, and read their part of the trail.
	"PATCH /api/aigateway/v1/endpoints/{name}":                "xox",
	"DELETE /api/aigateway/v1/endpoints/{name}":               "xox",
	"GET /api/aigateway/v1/endpoints/{name}/permissions":      "xox",
	"PATCH /api/aigateway/v1/endpoints/{name}/permissions":    "xox",
	"GET /api/sluice/v1/endpoints/{name}/candidates":          "xox",
	"PUT /api/sluice/v1/endpoints/{name}/targets":             "xox",
	"POST /api/sluice/v1/endpoints/{name}/targets":            "xox",
	"PATCH /api/sluice/v1/endpoints/{name}/targets/{target}":  "xox",
	"DELETE /api/sluice/v1/endpoints/{name}/targets/{target}": "xox",
	"GET /api/aigateway/v1/audit":                             "xox",
	"GET /api/sluice/v1/audit":                                "xox",
	"GET /api/sluice/v1/audit/{id}":                           "xox",
	"GET /v4/aigateway/audit/download":                        "xox",
	"GET /api/audittrail/v1/auditevents":                      "xox",
	"GET /auditevents":                                        "xox",
}

// boundMay are the routes that a token that is bound to endpoints is good for,
// besides the open ones.
var boundMay = map[string]bool{
	"GET /api/2.0/endpoints":                               true,
	"GET /api/2.0/endpoints/{$}":                           true,
	"GET /api/2.0/endpoints/{name}":                        true,
	"GET /api/2.0/gateway/routes":                          true,
	"GET /api/2.0/gateway/routes/{$}":                      true,
	"GET /api/2.0/gateway/routes/{name}":                   true,
	"GET /api/3.0/gateway/endpoint/{name}":                 true,
	"GET /api/3.0/gateway/route/{name}":                    true,
	"GET /v1/models":                                       true,
	"GET /v1/models/{name}":                                true,
	"GET /gateway/mlflow/v1/models":                        true,
	"GET /api/aigateway/v1/endpoints":                      true,
	"GET /api/aigateway/v1/endpoints/{name}":               true,
	"GET /api/sluice/v1/endpoints/{name}/targets":          true,
	"GET /api/sluice/v1/endpoints/{name}/targets/{target}": true,
	"GET /api/sluice/v1/users/self":                        true,
	"GET /api/users/v1/self":                               true,
	"GET /v4/auth/principal":                               true,
	"GET /v4/users/self":                                   true,
}

// callers are those that the tables are about, in their order.
var callers = []struct{ name, user string }{
	{"nobody", ""}, {"user", "alice"}, {"auditor", "eve"}, {"administrator", "root"},
	{"member", "bob"}, {"owner", "olga"}, {"bound token", "bound"},
}

// rowOf is the whole row of a route, by callers.
func rowOf(pattern, row string) string {
	more, given := otherRights[strings.Replace(pattern, " /mlflow-deployments/", " /", 1)]
	if given {
		return row + more
	}
	user, bound := row[1:2], "x"
	if row == "oooo" || boundMay[strings.Replace(pattern, " /mlflow-deployments/", " /", 1)] {
		bound = user
	}
	return row + user + user + bound
}

func TestEveryRouteHasItsRights(t *testing.T) {
	want := map[string]string{}
	for pattern, row := range rights {
		want[pattern] = row
	}
	for pattern, row := range mlflowRights {
		want[pattern] = row
		method, path, found := strings.Cut(pattern, " ")
		if !found {
			method, path = "", pattern
		}
		want[strings.TrimSpace(method+" /mlflow-deployments"+path)] = row
	}
	w := newWorld(t)
	w.person("olga")
	w.as("root", "POST", endpoints, newEndpoint("mine", map[string]any{"endpointPermissions": map[string]any{
		"isEveryoneAllowed": false, "userIds": []string{}, "ownerIds": []string{w.users["olga"]},
	}})).must(200)
	mine, _ := w.catalog.Snapshot().Get("mine")
	w.tokens["bound"] = w.issue(identity.Token{Name: "bound", UserID: w.users["alice"], EndpointIDs: []string{mine.ID}})
	for _, route := range admin.Routes() {
		row, known := want[route.Pattern]
		require.True(t, known, "the route %q has no row in the table of rights", route.Pattern)
		delete(want, route.Pattern)
		t.Run(route.Pattern, func(t *testing.T) { w.checkRights(t, route.Pattern, rowOf(route.Pattern, row)) })
	}
	assert.Empty(t, want, "rows without a route")
	for pattern := range otherRights {
		assert.Contains(t, rights, pattern)
	}
	_, still := w.catalog.Snapshot().Get("mine")
	assert.True(t, still, "being let in changed nothing")
}

func (w *world) checkRights(t *testing.T, pattern, row string) {
	method, path, found := strings.Cut(pattern, " ")
	if !found {
		method, path = "GET", pattern
	}
	for i, c := range callers {
		name, headers := "nothing", []string(nil)
		if c.user == "olga" && strings.Contains(pattern, "/endpoints/{name}") {
			// Who is let in is stopped by a precondition, so that nothing changes.
			name, headers = "mine", []string{"If-Match", `"none"`}
		}
		path := strings.NewReplacer("{$}", "", "{name}", name, "{target}", "nothing", "{id}", "000000000000000000000000",
			"{user}", "000000000000000000000000", "{token}", "nothing").Replace(path)
		got := w.as(c.user, method, path, "{}", headers...).status
		switch row[i] {
		case '-':
			assert.Equal(t, 401, got, c.name)
		case 'x':
			assert.Equal(t, 403, got, c.name)
		default:
			assert.NotContains(t, []int{401, 403, 500}, got, c.name)
		}
	}
}

func TestCredentials(t *testing.T) {
	w := newWorld(t)
	path := "/api/sluice/v1/users/self"
	for _, c := range []struct {
		name    string
		headers []string
		status  int
		code    string
	}{
		{"none", nil, 401, "no_credential"},
		{"bearer", []string{"Authorization", "Bearer " + w.tokens["alice"]}, 200, ""},
		{"Domino's header", []string{"X-Domino-Api-Key", w.tokens["alice"]}, 200, ""},
		{"OpenAI on Azure", []string{"Api-Key", w.tokens["alice"]}, 200, ""},
		{"two different", []string{"X-Api-Key", w.tokens["alice"], "Api-Key", w.tokens["bob"]}, 401, "ambiguous_credential"},
		{"malformed", []string{"Authorization", "Bearer hello"}, 401, "malformed_token"},
		{"unknown", []string{"Authorization", "Bearer " + newWorldToken(t)}, 401, "unknown_token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := w.as("", "GET", path, "", c.headers...)
			require.Equal(t, c.status, r.status, r.body)
			if c.status == 401 {
				assert.Equal(t, c.code, r.at("code"))
				assert.Equal(t, []string{"code", "errors", "requestId"}, keys(r.json()))
				assert.Contains(t, r.header.Get("WWW-Authenticate"), "Bearer")
			}
		})
	}
}

// newWorldToken is a well-formed token of another gateway.
func newWorldToken(t *testing.T) string { return newWorld(t).tokens["root"] }

func TestRefusalsAreRecorded(t *testing.T) {
	w := newWorld(t)
	w.create("a", nil)
	w.as("", "GET", endpoints, "", "X-Request-Id", "r-401").must(401)
	w.as("alice", "DELETE", endpoints+"/a", "", "X-Request-Id", "r-403").must(403)
	w.as("alice", "GET", "/api/2.0/endpoints/a", "", "X-Request-Id", "r-404").must(404)
	found := map[string]string{}
	for _, r := range w.records() {
		if r.Exchange != nil {
			found[r.ID] = r.Outcome.Result + " " + r.Outcome.Code + " " + r.Exchange.Path + " " + r.Exchange.ClientAddr
			if r.ID == "r-403" {
				assert.Equal(t, "alice", r.Exchange.Caller.UserName)
				assert.Equal(t, "a", r.Exchange.EndpointName)
			}
		}
	}
	assert.Equal(t, map[string]string{
		"r-401": "unauthenticated no_credential /api/aigateway/v1/endpoints 192.0.2.7",
		"r-403": "denied not_permitted /api/aigateway/v1/endpoints/a 192.0.2.7",
		"r-404": "denied endpoint_not_found /api/2.0/endpoints/a 192.0.2.7",
	}, found)
}

func TestUnknownPathsAndMethods(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		method, path string
		status       int
		allow, body  string
	}{
		{"GET", "/nothing", 404, "", `"error"`},
		{"GET", "/api/aigateway/v1/nothing", 404, "", `"error"`},
		{"PUT", "/api/aigateway/v1/endpoints", 405, "GET, HEAD, POST", `"error":"This path does not take PUT; it takes GET, HEAD, POST."`},
		{"DELETE", "/api/2.0/endpoints/", 405, "GET, HEAD", `{"detail":"Method Not Allowed"`},
		{"GET", "/api/2.0/nothing/at/all", 404, "", `{"detail":"Not Found"`},
		{"GET", "/endpoints/x/invocations", 405, "POST", `{"detail":"Method Not Allowed"`},
		{"GET", "/mlflow-deployments/nothing", 404, "", `{"detail":"Not Found"`},
		{"GET", "/v1/nothing", 404, "", `{"error":{"message"`},
		{"GET", "/v1/chat/completions", 405, "POST", `{"error":{"message"`},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			r := w.as("root", c.method, c.path, "").must(c.status)
			assert.Contains(t, r.body, c.body)
			assert.Equal(t, c.allow, r.header.Get("Allow"))
			assert.Equal(t, "application/json", r.header.Get("Content-Type"))
		})
	}
}
