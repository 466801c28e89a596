package redact_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/redact"
)

// TestTrail: of what the data file names nothing is in any file of a trail that
// keeps bodies redacted, nor in what a sink is given of one that keeps them in
// full.
func TestTrail(t *testing.T) {
	var texts, values []string
	for _, line := range lines(t, "found.txt") {
		_, text, _ := strings.Cut(line, "\t")
		for _, m := range between.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(m[1], "\n") {
				values = append(values, m[1])
			}
		}
		texts = append(texts, strings.NewReplacer("«", "", "»", "").Replace(text))
	}
	body, err := json.Marshal(map[string]any{"messages": texts, "arguments": quoted(strings.Join(texts, "\n"))})
	require.NoError(t, err)
	r := newRedactor(t, redact.Options{Detectors: names(), Key: key})
	for _, keeps := range []string{audit.BodiesRedacted, audit.BodiesFull} {
		dir := t.TempDir()
		trail, err := audit.Open(audit.Options{Dir: dir, Bodies: keeps})
		require.NoError(t, err)
		trail.SetRedactor(r)
		require.NoError(t, trail.Begin(&audit.Exchange{ID: "one", Path: "/v1/x?key=AKIAIOSFODNN7EXAMPLE"}, body))
		require.NoError(t, trail.Part("one", audit.PartProviderRequest, body))
		require.NoError(t, trail.Part("one", audit.PartStreamEvents, []byte("data: "+string(body)+"\n\n")))
		require.NoError(t, trail.End("one", &audit.Outcome{Result: audit.ResultAnswered, Message: texts[0]}, body))
		var found []byte
		require.NoError(t, trail.Query(context.Background(), audit.Filter{Bodies: true}, func(rec *audit.Record) error {
			require.NotEmpty(t, rec.Parts)
			found, err = json.Marshal(trail.Outgoing(rec, audit.BodiesRedacted, 1<<20))
			return err
		}))
		if keeps == audit.BodiesRedacted {
			require.NoError(t, trail.Close())
			require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				b, err := os.ReadFile(path)
				found = append(found, b...)
				return err
			}))
		}
		require.True(t, bytes.Contains(found, []byte("[api_key:")))
		for _, v := range values {
			require.NotContains(t, string(found), v, keeps)
			require.NotContains(t, string(found), strings.Trim(quoted(v), `"`), keeps)
		}
	}
}
