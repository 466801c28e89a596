package admin_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/admin"
	"sluice/internal/catalog"
	"sluice/internal/identity"
)

// crowd fills a world: each endpoint is open to a user, an organization or
// nobody, each user is in two organizations.
func (w *world) crowd(endpoints, users, organizations int) {
	w.t.Helper()
	tx, err := w.db.Begin()
	require.NoError(w.t, err)
	now := time.Now().UnixMilli()
	id := func(kind, n int) string { return fmt.Sprintf("%04x%020x", kind, n) }
	exec := func(query string, args ...any) {
		_, err := tx.Exec(query, args...)
		require.NoError(w.t, err)
	}
	for n := range users {
		name := fmt.Sprintf("user-%05d", n)
		exec("INSERT INTO users (id, name, name_key, full_name, email, disabled, created) VALUES (?, ?, ?, ?, ?, 0, ?)",
			id(1, n), name, name, fmt.Sprint("Person ", n), name+"@example.org", now)
	}
	for n := range organizations {
		name := fmt.Sprintf("organization-%03d", n)
		exec("INSERT INTO organizations (id, name, name_key, created) VALUES (?, ?, ?, ?)", id(2, n), name, name, now)
	}
	for n := range users {
		for _, o := range []int{n % organizations, (n/7 + 1) % organizations} {
			exec("INSERT OR IGNORE INTO organization_members (organization_id, user_id) VALUES (?, ?)", id(2, o), id(1, n))
		}
	}
	require.NoError(w.t, tx.Commit())
	w.identity, err = identity.NewStore(w.db, time.Now, catalog.NewID)
	require.NoError(w.t, err)
	var list []catalog.Endpoint
	for n := range endpoints {
		e := catalog.Endpoint{
			Name: fmt.Sprintf("endpoint-%05d", n), Type: catalog.TypeChat,
			Targets: []catalog.Target{{
				Name: catalog.DefaultTarget, Weight: 1, Provider: "openai", Model: fmt.Sprint("model-", n%60),
				Secrets: catalog.Secrets{"openai_api_key": canary},
			}},
		}
		switch n % 3 {
		case 0:
			e.Permissions.Organizations = []string{id(2, n%organizations)}
		case 1:
			e.Permissions.Users = []string{id(1, n%users), w.users["alice"]}
		}
		list = append(list, e)
	}
	_, err = w.catalog.Apply(w.t.Context(), list)
	require.NoError(w.t, err)
	token, _, err := w.identity.IssueToken(w.t.Context(), identity.Token{Name: "crowd", UserID: id(1, 3)})
	require.NoError(w.t, err)
	w.tokens["one of them"] = token
}

var lists = []string{
	"/api/aigateway/v1/endpoints?limit=50", "/api/aigateway/v1/endpoints?limit=50&searchFilter=model-17",
	"/api/aigateway/v1/endpoints?limit=50&sortByField=creationDate&shouldSortAscending=false", "/v1/models",
	"/api/sluice/v1/users?limit=50", "/api/sluice/v1/users?limit=50&searchFilter=person+4321",
	"/api/sluice/v1/users?limit=50&sortByField=email", "/api/sluice/v1/organizations?limit=50",
	"/api/sluice/v1/organizations?limit=50&searchFilter=-123", "/api/sluice/v1/tokens?limit=50",
}

// A list asks the policy a few times, however many endpoints there are.
func TestListsOfManyAskThePolicyAFewTimes(t *testing.T) {
	w := newWorld(t)
	w.crowd(600, 60, 20)
	w.serve(func(*admin.Deps) {})
	for _, user := range []string{"root", "alice", "one of them"} {
		for _, path := range lists {
			before := w.policy.Evaluations()
			w.as(user, "GET", path, "")
			require.LessOrEqual(t, w.policy.Evaluations()-before, uint64(40), "%s for %s", path, user)
		}
	}
}

// BenchmarkListOfMany prints how long lists take at 10,000 endpoints, 5,000 users and
// 500 organizations, the first time and later.
func BenchmarkListOfMany(b *testing.B) {
	w := newWorld(b)
	w.crowd(10_000, 5_000, 500)
	w.serve(func(*admin.Deps) {})
	for _, user := range []string{"root", "one of them"} {
		for _, path := range lists {
			start := time.Now()
			if w.as(user, "GET", path, "").status != http.StatusOK {
				continue // not for this one
			}
			first := time.Since(start)
			b.Run(user+path, func(b *testing.B) {
				for b.Loop() {
					w.as(user, "GET", path, "").must(http.StatusOK)
				}
				b.ReportMetric(float64(first.Microseconds())/1000, "first-ms")
			})
		}
	}
}
