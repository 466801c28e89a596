package browser_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/e2e/browser"
	"sluice/e2e/rig"
)

// The size of a large company, and what a page of it may weigh.
const (
	manyEndpoints, manyUsers, manyOrganizations = 10_000, 5_000, 500
	heaviest                                    = 300 * 1000
)

// TestPagesStayLight opens every page of a large gateway with an empty cache,
// counts what came over the network, and prints how long the gateway took.
func TestPagesStayLight(t *testing.T) {
	// A busy machine takes its time for ten thousand endpoints in one request.
	g := rig.Start(t, rig.Options{BareEndpoints: true, Limits: "{ idle_timeout: 2m, drain_timeout: 20s }"})
	crowd(t, g)
	b := browser.Open(t, g.URL)
	signIn := b.First("/ui/sign-in")
	require.Less(t, signIn.Bytes, heaviest)
	b.SignIn(g.AdminToken)

	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "page\tkB\trequests\tanswered after\n")
	weigh := func(path string) {
		l := b.First(path)
		require.Less(t, l.Bytes, heaviest, path)
		require.Greater(t, l.Requests, 3, "%s came without its parts: nothing was weighed", path)
		_, _ = fmt.Fprintf(w, "%s\t%.0f\t%d\t%s\n", path, float64(l.Bytes)/1000, l.Requests, l.Wait.Round(time.Millisecond))
	}
	b.Walk(weigh, "/ui/endpoints/endpoint-00042", "/ui/admin/endpoints?view=table")
	for _, search := range []string{
		"/ui/?search=model-17", "/ui/?search=nothing+like+that", "/ui/?page=150", "/ui/admin/endpoints?search=model-17", "/ui/admin/endpoints?sort=-creationDate",
		"/ui/people/users?search=person+4321", "/ui/people/users?sort=email", "/ui/people/organizations?search=-123", "/ui/audit?user=user-00042", "/ui/usage?span=24h",
	} {
		weigh(search)
	}
	require.NoError(t, w.Flush())
	t.Logf("%d endpoints, %d users, %d organizations:\n%s", manyEndpoints, manyUsers, manyOrganizations, table.String())
}

// crowd fills the gateway as administrators fill it: endpoints from a file,
// people by REST.
func crowd(t *testing.T, g *rig.Gateway) {
	t.Helper()
	start := time.Now()
	const atOnce = 1000 // a request: with all in one, the command may not wait long enough on a busy machine
	for first := 0; first < manyEndpoints; first += atOnce {
		var file strings.Builder
		file.WriteString("endpoints:\n")
		for n := first; n < first+atOnce; n++ {
			_, _ = fmt.Fprintf(&file, "- name: endpoint-%05d\n  endpoint_type: llm/v1/chat\n  model: {provider: openai, name: model-%d, config: {openai_api_key: %s}}\n", n, n%60, rig.OpenAIKey)
		}
		path := filepath.Join(t.TempDir(), "endpoints.yaml")
		require.NoError(t, os.WriteFile(path, []byte(file.String()), 0o600))
		out, err := exec.Command(rig.Binary(t), "apply", "-f", path, "--server", g.URL, "--data", g.Data).CombinedOutput()
		require.NoError(t, err, "%.2000s", out)
	}
	t.Logf("%d endpoints applied in %s", manyEndpoints, time.Since(start).Round(time.Millisecond))

	start = time.Now()
	ids := make([]string, manyUsers)
	each(t, manyUsers, func(n int) error {
		name := fmt.Sprintf("user-%05d", n)
		r, err := g.Do("POST", "/api/sluice/v1/users", g.AdminToken, fmt.Sprintf(`{"userName": %q, "fullName": "Person %d", "email": "%s@example.org"}`, name, n, name))
		if err != nil || r.Status != 200 {
			return fmt.Errorf("%s: %d %s %w", name, r.Status, r.Body, err)
		}
		ids[n] = r.JSON(t)["id"].(string)
		return nil
	})
	each(t, manyOrganizations, func(n int) error {
		var members []string
		for m := n; m < manyUsers; m += manyOrganizations {
			members = append(members, `"`+ids[m]+`"`)
		}
		r, err := g.Do("POST", "/api/sluice/v1/organizations", g.AdminToken, fmt.Sprintf(`{"name": "organization-%03d", "members": [%s]}`, n, strings.Join(members, ",")))
		if err != nil || r.Status != 200 {
			return fmt.Errorf("organization %d: %d %s %w", n, r.Status, r.Body, err)
		}
		return nil
	})
	t.Logf("%d users and %d organizations made in %s", manyUsers, manyOrganizations, time.Since(start).Round(time.Millisecond))
}

// each does something for every number below n, sixteen at a time.
func each(t *testing.T, n int, do func(n int) error) {
	t.Helper()
	next, failed := make(chan int), make(chan error, n)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					failed <- err
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	close(failed)
	for err := range failed {
		t.Fatal(err)
	}
}
