package ui_test

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/evidence"
)

func TestHoldsAndEvidence(t *testing.T) {
	w := newWorld(t)
	const holds = "/ui/audit/holds"
	today := time.Now().UTC().Format(time.DateOnly)
	w.get("alice", holds).must(403)
	w.get("eve", holds).must(200).has("No holds", "Holds and evidence").hasNot("New hold").inert()
	w.get("eve", "/ui/audit").must(200).has("Holds and evidence")
	w.get("root", holds+"/new").must(200).has("First day", "Reason").inert()
	w.post("root", holds+"/new", url.Values{"name": {"a/b"}, "from": {today}, "reason": {"x"}}).must(422).has("its name must be").inert()
	w.post("root", holds+"/new", url.Values{"name": {"case-1"}, "from": {today}, "to": {""}, "reason": {bold}}).must(303)
	w.post("root", holds+"/new", url.Values{"name": {"case-1"}, "from": {today}, "reason": {"x"}}).must(422).has("There is a hold of this name")
	w.post("eve", holds+"/new", url.Values{"name": {"case-2"}, "from": {today}, "reason": {"x"}}).must(403)
	w.get("root", holds).must(200).has("case-1", today+" to open", "1 day", "root").inert()
	w.get("eve", holds).must(200).has("case-1").hasNot("/remove")

	file := w.get("eve", "/ui/audit/evidence?from="+today+"&to="+today).must(200)
	require.Contains(t, file.header.Get("Content-Disposition"), ".tar.zst")
	got, err := evidence.Import(t.Context(), strings.NewReader(file.body), filepath.Join(t.TempDir(), "x"), nil)
	require.NoError(t, err)
	require.Equal(t, "eve", got.Manifest.By)
	w.get("alice", "/ui/audit/evidence?from="+today+"&to="+today).must(403)
	w.get("eve", "/ui/audit/evidence?from=2020-01-01&to=2020-01-02").must(404).has("none of these days")

	w.get("root", holds+"/case-1/remove").must(200).has("Remove the hold case-1?").inert()
	w.post("eve", holds+"/case-1/remove", nil).must(403)
	w.post("root", holds+"/case-1/remove", nil).must(303)
	w.get("root", holds).must(200).has("No holds")
}

// TestVerificationOnThePage is started, shown and refused there.
func TestVerificationOnThePage(t *testing.T) {
	w := newWorld(t)
	const holds = "/ui/audit/holds"
	w.get("eve", holds).must(200).has("Proves that no record").inert()
	w.post("alice", "/ui/audit/verify", nil).must(403)
	w.post("eve", "/ui/audit/verify", url.Values{"key": {bold}}).must(400).inert()
	w.post("eve", "/ui/audit/verify", url.Values{"from": {""}, "to": {""}}).must(303)
	require.Eventually(t, func() bool {
		return strings.Contains(w.get("root", holds).must(200).body, "All is as it was written")
	}, time.Minute, 20*time.Millisecond)
	w.get("eve", holds).must(200).has("eve", "records in 1 day").inert()
	w.post("eve", "/ui/audit/verify/stop", nil).must(409).has("No verification runs")
	w.post("eve", "/ui/audit/verify", url.Values{"from": {"2999-01-01"}}).must(400).has("in the future")
}
