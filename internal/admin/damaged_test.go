package admin_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// TestDamagedRecordOverREST: searches, streams and Domino's routes go past a record
// that is damaged, and the status warns of it.
func TestDamagedRecordOverREST(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"w-1", "w-2", "w-3"} {
		require.NoError(t, w.trail.Begin(&audit.Exchange{ID: id, Time: time.Now(), EndpointName: "chat", Method: "POST"}, []byte(`{"q":1}`)))
		require.NoError(t, w.trail.End(id, &audit.Outcome{Time: time.Now(), Result: audit.ResultAnswered, Status: 200}, []byte(`{"a":1}`)))
	}
	logs, err := filepath.Glob(filepath.Join(w.dir, "audit", "*.log"))
	require.NoError(t, err)
	require.Len(t, logs, 1)
	data, err := os.ReadFile(logs[0])
	require.NoError(t, err)
	at := bytes.Index(data, []byte(`{"id":"w-2"`))
	require.Positive(t, at)
	file, err := os.OpenFile(logs[0], os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteAt([]byte("?"), int64(at))
	require.NoError(t, err)
	require.NoError(t, file.Close())

	r := w.as("eve", "GET", "/api/sluice/v1/audit?kinds=AccessEndpoint", "").must(200)
	assert.Contains(t, r.body, `"damaged":[{"day":`)
	for _, id := range []string{"w-1", "w-2", "w-3"} {
		assert.Contains(t, r.body, `"id":"`+id+`"`)
	}
	lines := w.as("eve", "GET", "/api/sluice/v1/audit?kinds=AccessEndpoint&bodies=true", "", "Accept", "application/x-ndjson").must(200)
	assert.Contains(t, lines.body, "w-3")
	w.as("eve", "GET", "/api/aigateway/v1/audit", "").must(200)
	w.as("eve", "GET", "/api/sluice/v1/audit/w-2", "").must(200)
	assert.Contains(t, w.as("root", "GET", "/api/sluice/v1/status", "").must(200).body, "The audit trail is damaged")
}
