package extproc

import (
	"bytes"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// parts takes parts.
type parts struct {
	Trail
	got []string
}

func (p *parts) Part(_, _ string, body []byte) error {
	p.got = append(p.got, string(body))
	return nil
}

// TestPackedRepliesAreNotKeptUnredacted: a provider's reply that does not unpack to
// what is allowed can't be redacted.
func TestPackedRepliesAreNotKeptUnredacted(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(bytes.Repeat([]byte("jane.roe@example.com "), 1000))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	for mode, kept := range map[string]string{audit.BodiesFull: packed.String(), audit.BodiesRedacted: audit.MarkUnredacted} {
		trail := &parts{}
		x := &exchange{s: &Server{Options: Options{ProviderBodies: true, BodyBytes: 100, Trail: trail}}, zipped: true}
		x.record.Bodies = mode
		x.gotUpstream(packed.Bytes())
		require.Equal(t, []string{kept}, trail.got)
		require.NoError(t, x.unkept)
	}
}
