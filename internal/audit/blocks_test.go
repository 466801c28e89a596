package audit_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// TestBlocksHoldWhatIsInTheFile reads places of a file forwards, backwards and at
// random, some near each other and some far away.
func TestBlocksHoldWhatIsInTheFile(t *testing.T) {
	const size = 12 << 20
	content := randomBody(size)
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, content[:size-1000], 0o600))
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer file.Close()
	random := rand.New(rand.NewPCG(3, 4))
	var blocks audit.Blocks
	off := int64(size / 2)
	for i := range 6_000 {
		switch step := int64(random.IntN(3000)); {
		case i%200 == 0:
			off = random.Int64N(size)
		case i%3 == 0:
			off -= step * int64(i/1000)
		default:
			off += step
		}
		off = max(0, min(off, size))
		n := 140 + random.IntN(2000)
		if i%50 == 0 {
			n = random.IntN(128 << 10)
		}
		got, err := blocks.At(file, off, n)
		require.NoError(t, err)
		end := min(off+int64(n), size-1000)
		if off >= end {
			require.Empty(t, got)
			continue
		}
		require.GreaterOrEqual(t, len(got), int(end-off))
		require.True(t, bytes.Equal(content[off:end], got[:end-off]), "%d bytes at %d", n, off)
	}
	_, err = blocks.At(file, size-2000, 2000)
	require.NoError(t, err)
	_, err = file.WriteAt(content[size-1000:], size-1000)
	require.NoError(t, err)
	blocks.Drop(size - 2000)
	got, err := blocks.At(file, size-2000, 2000)
	require.NoError(t, err)
	require.Equal(t, string(content[size-2000:]), string(got))
}
