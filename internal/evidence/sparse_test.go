package evidence_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"sluice/internal/evidence"
)

// header is a block of a tar archive, as no writer of Go makes it.
func header(name string, kind byte, size int) []byte {
	b := make([]byte, 512)
	copy(b, name)
	copy(b[100:], "0000600\x000000000\x000000000\x00")
	copy(b[124:], fmt.Sprintf("%011o\x00%011o\x00        ", size, 0))
	b[156] = kind
	copy(b[257:], "ustar\x0000")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

func padded(b []byte) []byte { return append(b, make([]byte, (512-len(b)%512)%512)...) }

// TestSparseMemberIsRefused: a member of which the archive holds next to nothing,
// and that unpacks to as much as its header says.
func TestSparseMemberIsRefused(t *testing.T) {
	var records []byte
	for _, kv := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=2026-03-10.log", "GNU.sparse.realsize=300000000"} {
		n := len(kv) + 4
		records = append(records, fmt.Sprintf("%d %s\n", n, kv)...)
		require.Len(t, fmt.Sprintf("%d %s\n", n, kv), n)
	}
	content := padded([]byte("1\n299999999\n1\n"))
	content = append(content, 'x')
	archive := append(header("PaxHeaders/x", tar.TypeXHeader, len(records)), padded(records)...)
	archive = append(append(archive, header("2026-03-10.log", tar.TypeReg, len(content))...), padded(content)...)
	archive = append(archive, make([]byte, 1024)...)
	h, err := tar.NewReader(bytes.NewReader(archive)).Next()
	require.NoError(t, err)
	require.EqualValues(t, 300_000_000, h.Size)
	encoder, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	_, err = evidence.Import(t.Context(), bytes.NewReader(encoder.EncodeAll(archive, nil)), filepath.Join(t.TempDir(), "into"), nil)
	require.ErrorIs(t, err, evidence.ErrDamaged)
	require.ErrorContains(t, err, "2026-03-10.log")
}
