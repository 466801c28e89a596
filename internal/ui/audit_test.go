package ui_test

import (
	"encoding/csv"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheTrailIsFoundReadAndExported(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"=cmd|calc", bold, "carol"} {
		w.post("root", "/ui/people/organizations/new", url.Values{"name": {name}}).must(303)
	}
	w.get("alice", "/ui/people/users").must(403)

	list := w.get("eve", "/ui/audit").must(200).has("CreateOrganization", "carol", "root", "Denied by policy")
	list.inert()
	for _, q := range []string{"kind=CreateOrganization", "user=root&span=1h", "result=denied", "endpoint=none-such", "span=nonsense"} {
		w.get("eve", "/ui/audit?"+q).must(200).inert()
	}
	w.get("eve", "/ui/audit?result=denied").must(200).has("alice").hasNot("CreateOrganization")
	w.get("eve", "/ui/audit?user=nobody-such").must(200).has("No records")
	w.get("eve", "/ui/audit?span=between").must(200).has("Give the first day")
	w.get("eve", "/ui/audit?span=between&from=2030-01-02&to=2030-01-01").must(200).has("not before the first")
	w.get("eve", "/ui/audit?span=between&from=2020-01-01&to=2020-01-02").must(200).has("No records")

	var record string
	for _, l := range list.links() {
		if strings.HasPrefix(l, "/ui/audit/exchange-") {
			record = l
			break
		}
	}
	require.NotEmpty(t, record)
	w.get("eve", record).must(200).has("In the chain", "Sequence").inert()
	w.get("eve", "/ui/audit/none-such").must(404).inert()

	lines := strings.Split(strings.TrimSpace(w.get("eve", "/ui/audit/export?format=json&kind=CreateOrganization").must(200).body), "\n")
	require.Len(t, lines, 3)
	for _, l := range lines {
		require.True(t, json.Valid([]byte(l)))
	}
	export := w.get("eve", "/ui/audit/export?format=csv&kind=CreateOrganization").must(200)
	require.Contains(t, export.header.Get("Content-Disposition"), ".csv")
	rows, err := csv.NewReader(strings.NewReader(export.body)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	for _, r := range rows {
		for _, text := range r {
			require.NotRegexp(t, `^[=+\-@]`, text)
		}
	}
	for _, user := range []string{"alice", "bob"} {
		w.get(user, "/ui/audit").must(403)
		w.get(user, "/ui/audit/export").must(403)
		w.get(user, record).must(403)
	}
}
