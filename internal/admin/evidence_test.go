package admin_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/evidence"
)

func TestEvidence(t *testing.T) {
	w := newWorld(t)
	today := time.Now().UTC().Format(time.DateOnly)
	path := "/api/sluice/v1/audit/export?from=" + today + "&to=" + today
	r := w.as("eve", "GET", path, "").must(200)
	assert.Equal(t, "application/zstd", r.header.Get("Content-Type"))
	assert.Equal(t, `attachment; filename="sluice-evidence-`+today+"-"+today+`.tar.zst"`, r.header.Get("Content-Disposition"))
	got, err := evidence.Import(t.Context(), strings.NewReader(r.body), filepath.Join(t.TempDir(), "x"), nil)
	require.NoError(t, err)
	assert.Equal(t, "eve", got.Manifest.By)
	e := w.lastEvent("ExportEvidence")
	assert.Equal(t, map[string]string{"from": today, "to": today}, e.Metadata)
	assert.Equal(t, "eve", e.By.UserName)

	assert.Equal(t, "no_days", w.as("root", "GET", "/api/sluice/v1/audit/export?from=2020-01-01&to=2020-01-02", "").must(404).at("code"))
	for _, bad := range []string{"", "?from=" + today, "?from=x&to=" + today, "?from=" + today + "&to=2020-01-01"} {
		assert.Equal(t, "invalid_parameter", w.as("root", "GET", "/api/sluice/v1/audit/export"+bad, "").must(400).at("code"), bad)
	}
}
