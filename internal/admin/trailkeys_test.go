package admin_test

import (
	"encoding/base64"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

const trailKeysPath = "/api/sluice/v1/audit/keys"

// TestTrailKeys: the keys are there for auditors, a rotation is recorded and
// signed with the old key, and the trail verifies with either.
func TestTrailKeys(t *testing.T) {
	w := newWorld(t)
	list := w.as("eve", "GET", trailKeysPath, "").must(200)
	require.Len(t, list.at("keys"), 1)
	require.Equal(t, true, list.at("signing"))
	before := w.trailKeys.Public()
	w.as("eve", "POST", trailKeysPath+"/rotate", "").must(403)
	w.as("root", "POST", trailKeysPath+"/rotate", "").must(200)
	after := w.trailKeys.Public()
	require.Len(t, after, 2)
	require.NotNil(t, after[0].Retired)
	require.NoError(t, w.trail.Checkpoint())
	for _, keys := range [][]audit.PublicKey{before, after} {
		report, err := audit.VerifyDirWith(t.Context(), filepath.Join(w.dir, "audit"), audit.VerifyOptions{Keys: keys, Signed: true})
		require.NoError(t, err)
		require.NoError(t, report.Err())
		require.Len(t, report.Signatures.Keys, 2)
	}
	var events []*audit.Record
	require.NoError(t, w.trail.Query(t.Context(), audit.Filter{Kinds: []string{audit.KindKeyRotated}}, func(r *audit.Record) error {
		events = append(events, r)
		return nil
	}))
	require.Len(t, events, 1)
	require.Equal(t, base64.StdEncoding.EncodeToString(after[1].Key), events[0].Event.Metadata["publicKey"])

	w.trail.broken.Store(true)
	w.as("root", "POST", trailKeysPath+"/rotate", "").must(503)
	require.Len(t, w.trailKeys.Public(), 2, "the old one stays")
}
