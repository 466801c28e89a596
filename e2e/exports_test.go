package e2e_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
)

// exported is what sluice audit export gives out of the trail of a gateway that
// runs, by where it is: each member of the evidence, the records in the folder
// that is made of it with their bodies unpacked, and records to read.
func exported(t *testing.T, g *rig.Gateway) map[string]string {
	t.Helper()
	given := map[string]string{}
	dir, from := t.TempDir(), time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
	file := filepath.Join(dir, "case.tar.zst")
	sluice(t, g, "audit", "export", file, "--from", from)
	unpacked, err := zstd.NewReader(bytes.NewReader([]byte(readFile(t, file))))
	require.NoError(t, err)
	defer unpacked.Close()
	for members := tar.NewReader(unpacked); ; {
		h, err := members.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		text, err := io.ReadAll(members)
		require.NoError(t, err)
		given["evidence: "+h.Name] = string(text)
	}
	require.Contains(t, given, "evidence: manifest.json")
	imported := filepath.Join(dir, "case")
	sluice(t, g, "audit", "import", file, "--into", imported)
	given["evidence: records"] = sluice(t, g, "audit", "search", "--dir", imported, "--from", from, "-o", "ndjson", "--bodies")
	for _, bodies := range []string{"none", "redacted", "full"} {
		lines := filepath.Join(dir, bodies+".ndjson")
		sluice(t, g, "audit", "export", lines, "--from", from, "--format", "ndjson", "--bodies", bodies)
		given["records to read, "+bodies] = readFile(t, lines)
	}
	for where, text := range given {
		require.NotEmpty(t, text, where)
	}
	require.Contains(t, given["evidence: records"], `"requestBytes"`)
	require.Contains(t, given["records to read, full"], `"requestBytes"`)
	return given
}
