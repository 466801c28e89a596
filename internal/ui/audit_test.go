package ui_test

import (
	"encoding/csv"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
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

	w.get("eve", "/ui/audit?text=CAROL&span=1h").must(200).has("carol", "More filters").hasNot("=cmd")
	w.get("eve", "/ui/audit?target=carol&kind=CreateOrganization").must(200).has("carol").inert()
	for _, q := range []string{"organization=none", "project=none", "provider=none", "model=none", "address=10.9.9.9"} {
		page := w.get("eve", "/ui/audit?"+q).must(200).has("No records")
		page.inert()
		require.Contains(t, page.body, `<details class="more" open>`)
	}

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

// TestARecordShowsAllThatIsKept: what the connection agreed on, what was kept of
// bodies and why, and what the provider was sent and answered.
func TestARecordShowsAllThatIsKept(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.trail.Begin(&audit.Exchange{
		ID: "one", Time: time.Now(), EndpointID: "e", EndpointName: "chat", Node: "gw-7", Bodies: audit.BodiesFull,
		Certificate: "CN=batch", TLS: &audit.TLS{Version: "TLSv1.3", Cipher: "TLS_X", ServerName: "gw.example"}, Applied: []string{"audit.bodies"},
	}, []byte(`{"q":1}`)))
	for _, p := range [][2]string{
		{audit.PartProviderRequest, "first " + bold}, {audit.PartProviderRequest, "second"},
		{audit.PartStreamEvents, "data: a"}, {audit.PartStreamEvents, "nd b"},
	} {
		require.NoError(t, w.trail.Part("one", p[0], []byte(p[1])))
	}
	require.NoError(t, w.trail.End("one", &audit.Outcome{Result: audit.ResultClientGone, BodyForm: audit.FormMessage, Partial: true}, []byte("hello")))
	page := w.get("eve", "/ui/audit/one").must(200).has("TLSv1.3 TLS_X gw.example", "CN=batch", "gw-7", "audit.bodies",
		"kept in full; the reply was streamed and is shown put together, as far as it came",
		"Sent to the provider", "second", "Events as they were sent", "data: and b")
	page.inert()
}

func TestWhatTheTrailKeepsIsChosenByAdministrators(t *testing.T) {
	w := newWorld(t)
	form := newEndpoint("quiet")
	form.Set("auditBodies", "none")
	w.post("root", "/ui/admin/endpoints/~new", form).must(303)
	require.Equal(t, "none", w.stored("quiet").AuditBodies)
	page := w.get("root", "/ui/admin/endpoints/quiet/edit").must(200).has("Audit trail keeps bodies")
	require.Equal(t, "none", page.value("auditBodies"))
	w.get("root", "/ui/endpoints/quiet").must(200).has("without what is asked and answered")
}
