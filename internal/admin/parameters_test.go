package admin_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnknownParametersAreRefused(t *testing.T) {
	w := newWorld(t)
	for path, field := range map[string]string{
		"/api/sluice/v1/audit?result=denied":                    "result",
		"/api/sluice/v1/audit?limit=1&Users=alice":              "Users",
		"/api/sluice/v1/users?userId=x":                         "userId",
		"/api/sluice/v1/tokens?user=alice":                      "user",
		"/api/sluice/v1/organizations?search=a":                 "search",
		"/api/sluice/v1/status?verbose=true":                    "verbose",
		"/api/sluice/v1/users/self?x":                           "x",
		"/api/sluice/v1/users/" + w.users["alice"] + "?limit=1": "limit",
	} {
		r := w.as("root", "GET", path, "")
		require.Equal(t, http.StatusBadRequest, r.status, "%s: %s", path, r.body)
		require.Equal(t, "unknown_parameter", r.json()["code"], path)
		require.Equal(t, field, r.json()["field"], path)
	}
	r := w.as("root", "GET", "/api/sluice/v1/audit?limit=%zz", "")
	require.Equal(t, http.StatusBadRequest, r.status, "a value that can't be read is not the same as none")

	for _, path := range []string{
		"/api/sluice/v1/audit?users[]=alice&results=denied&kinds=DenyEndpoint&endpointNames[]=a&descending=false&limit=1",
		"/api/sluice/v1/users?offset=0&limit=1&searchFilter=a&sortByField=email&shouldSortAscending=false",
		"/api/aigateway/v1/endpoints?whatDominoSends=1",
		"/api/2.0/endpoints/?x=1",
	} {
		r := w.as("root", "GET", path, "")
		require.Equal(t, http.StatusOK, r.status, "%s: %s", path, r.body)
	}
	r = w.as("alice", "GET", "/api/sluice/v1/audit?result=denied", "")
	require.Equal(t, http.StatusForbidden, r.status, "who may not ask is not told how to")
}
