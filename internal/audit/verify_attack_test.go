package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// editHead changes the head in the folder of a trail.
func editHead(t *testing.T, dir string, edit func(map[string]any)) {
	t.Helper()
	path := filepath.Join(dir, "head.json")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var head map[string]any
	require.NoError(t, json.Unmarshal(data, &head))
	edit(head)
	data, err = json.Marshal(head)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

// removeIndexes takes away what else knows where the trail ends.
func removeIndexes(t *testing.T, dir string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.db*"))
	require.NoError(t, err)
	for _, path := range paths {
		require.NoError(t, os.Remove(path))
	}
}

// appendForged adds an event behind the end of the trail, linked as it has to be.
func appendForged(t *testing.T, dir string, s *segments, event *audit.Event) {
	t.Helper()
	all := takeApart(s)
	last := all[len(all)-1]
	end := last[len(last)-1]
	model := last[slices.IndexFunc(last, func(f *forged) bool { return f.kind() == 5 })]
	meta, err := json.Marshal(event)
	require.NoError(t, err)
	frame, _ := audit.SealFrame(model.raw, meta, nil, oldSequence(end)+1, chainOf(end))
	path := filepath.Join(dir, filepath.Base(s.paths[len(s.paths)-1]))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.Write(frame)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// chainOf is the chain hash of a frame: that of a frame with the same content.
func chainOf(f *forged) [32]byte {
	var prev [32]byte
	copy(prev[:], f.raw[audit.OffPrev:])
	_, hash := audit.SealFrame(f.raw, f.meta, f.body, oldSequence(f), prev)
	return hash
}

// TestForgedRetentionIsFound removes a day from the middle and writes, behind
// the last signature, that retention had done so.
func TestForgedRetentionIsFound(t *testing.T) {
	dir, keys := signedDays(t)
	s := readSegments(t, dir)
	all := takeApart(s)
	gone := all[1]
	first, last := gone[0], gone[len(gone)-1]
	before := chainOf(all[0][len(all[0])-1])
	after := chainOf(last)
	appendForged(t, dir, s, &audit.Event{Time: noon, Kind: audit.KindPartitionDropped, Metadata: map[string]string{
		"gapFirstSequence": fmt.Sprint(oldSequence(first)), "gapPreviousHash": hex.EncodeToString(before[:]),
		"gapLastSequence": fmt.Sprint(oldSequence(last)), "gapHash": hex.EncodeToString(after[:]),
	}})
	require.NoError(t, os.Remove(s.paths[1]))
	removeIndexes(t, dir)
	report := signedWith(t, dir, keys)
	require.Error(t, report.Err(), "closed, and then added to")

	editHead(t, dir, func(h map[string]any) { h["clean"] = false })
	report = signedWith(t, dir, keys)
	require.ErrorContains(t, report.Err(), "the signature of the head", "that it was closed is signed")

	// A signed head of a trail that was not closed is in every copy.
	running, keys := signedDaysUnclosed(t)
	s = readSegments(t, running)
	all = takeApart(s)
	gone = all[1]
	first, last = gone[0], gone[len(gone)-1]
	before, after = chainOf(all[0][len(all[0])-1]), chainOf(last)
	require.NoError(t, signedWith(t, running, keys).Err())
	appendForged(t, running, s, &audit.Event{Time: noon, Kind: audit.KindPartitionDropped, Metadata: map[string]string{
		"gapFirstSequence": fmt.Sprint(oldSequence(first)), "gapPreviousHash": hex.EncodeToString(before[:]),
		"gapLastSequence": fmt.Sprint(oldSequence(last)), "gapHash": hex.EncodeToString(after[:]),
	}})
	require.NoError(t, os.Remove(s.paths[1]))
	removeIndexes(t, running)
	report = signedWith(t, running, keys)
	require.ErrorContains(t, report.Err(), "is not signed")
	require.Equal(t, oldSequence(first), report.Problem.Sequence)
	days := func(from, to time.Time) audit.Report {
		report, err := audit.VerifyDirWith(ctx, running, audit.VerifyOptions{Keys: keys, Signed: true, From: from, To: to})
		require.NoError(t, err)
		return report
	}
	require.ErrorContains(t, days(noon, noon.AddDate(0, 0, 3)).Err(), "is not signed", "for a range as well")
	require.NoError(t, days(noon, noon.Add(time.Hour)).Err(), "the first day is whole")
}

// signedDaysUnclosed is a copy of a trail that is being written, as signedDays
// makes it, with a signed head.
func signedDaysUnclosed(t *testing.T) (string, []audit.PublicKey) {
	t.Helper()
	c := newClock(noon)
	dir := t.TempDir()
	trail := openTrail(t, audit.Options{Dir: dir, Now: c.Now})
	s := newSigner(7)
	require.NoError(t, trail.SetSigner(s))
	for day := range 3 {
		record(t, trail, name("x", day))
		require.NoError(t, trail.Event(&audit.Event{Kind: "CreateUser", TargetName: name("u", day)}))
		require.NoError(t, trail.Checkpoint())
		if day < 2 {
			c.Add(24 * time.Hour)
		}
	}
	audit.KeepHead(trail)
	return copyTrail(t, dir), s.Public()
}

// copyTrail copies a trail that is being written, without what is reserved behind
// its end.
func copyTrail(t *testing.T, from string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(from)))
	removeIndexes(t, dir)
	editHead(t, dir, func(h map[string]any) {
		require.NoError(t, os.Truncate(filepath.Join(dir, h["day"].(string)+".log"), int64(h["offset"].(float64))))
	})
	return dir
}

// TestRangeNeedsSignatures: a day that was forged, with all that follows, and has
// no checkpoint any more, is not whole because only it is looked at.
func TestRangeNeedsSignatures(t *testing.T) {
	origin, keys := signedDays(t)
	s := readSegments(t, origin)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(origin)))
	removeIndexes(t, dir)
	all := takeApart(s)
	i := slices.IndexFunc(all[0], func(f *forged) bool { return bytes.Contains(f.meta, []byte("alice")) })
	all[0][i] = &forged{all[0][i].raw, bytes.ReplaceAll(all[0][i].meta, []byte("alice"), []byte("bobby")), all[0][i].body}
	each(all, 0, 0, func(f *forged) *forged {
		if f.checkpoint() {
			return nil
		}
		return f
	})
	putTogether(t, dir, s, all, func(map[string]any) {})
	for _, o := range []audit.VerifyOptions{
		{From: noon, To: noon.Add(time.Hour)}, {First: 1, Last: 3}, {From: noon.AddDate(0, 0, 1), To: noon.AddDate(0, 0, 1).Add(time.Hour)},
	} {
		o.Keys, o.Signed = keys, true
		report, err := audit.VerifyDirWith(ctx, dir, o)
		require.NoError(t, err)
		require.ErrorContains(t, report.Err(), "not signed", "%+v", o)
		report, err = audit.VerifyDirWith(ctx, origin, o)
		require.NoError(t, err)
		require.NoError(t, report.Err(), "%+v", o)
	}
}

// TestAReplacedKeySignsNoMore: whoever has got hold of a key can't go on with it
// when it was rotated.
func TestAReplacedKeySignsNoMore(t *testing.T) {
	c := newClock(noon)
	dir := t.TempDir()
	trail, err := audit.Open(audit.Options{Dir: dir, Now: c.Now})
	require.NoError(t, err)
	s := newSigner(1)
	stolen := s.keys[0]
	require.NoError(t, trail.SetSigner(s))
	record(t, trail, "1")
	next := ed25519.NewKeyFromSeed(slices.Repeat([]byte{2}, 32))
	public := base64.StdEncoding.EncodeToString(next.Public().(ed25519.PublicKey))
	require.NoError(t, trail.Event(&audit.Event{Kind: audit.KindKeyRotated, Metadata: map[string]string{"publicKey": public}}))
	require.NoError(t, trail.Checkpoint())
	s.keys = append(s.keys, next)
	require.NoError(t, trail.SetSigner(s))
	record(t, trail, "2")
	require.NoError(t, trail.Checkpoint())
	record(t, trail, "3")
	published := s.Public()
	s.keys = []ed25519.PrivateKey{next, stolen}
	require.NoError(t, trail.SetSigner(s))
	require.NoError(t, trail.Checkpoint())
	require.NoError(t, trail.Close())
	report := signedWith(t, dir, published)
	require.ErrorContains(t, report.Err(), "after which another key had signed")

	// What was cut back to before the rotation can't go on with times of today
	// either, for who has the list of keys.
	dir = t.TempDir()
	trail, err = audit.Open(audit.Options{Dir: dir, Now: c.Now})
	require.NoError(t, err)
	s = newSigner(1)
	require.NoError(t, trail.SetSigner(s))
	record(t, trail, "1")
	require.NoError(t, trail.Checkpoint())
	retired := c.Now()
	c.Add(time.Hour)
	record(t, trail, "2")
	require.NoError(t, trail.Close())
	keys := s.Public()
	require.NoError(t, signedWith(t, dir, keys).Err())
	keys[0].Retired = &retired
	require.ErrorContains(t, signedWith(t, dir, keys).Err(), "which was retired before that")
}

// TestRetentionIsSigned: who verifies with keys at any moment finds the drop of a
// day signed.
func TestRetentionIsSigned(t *testing.T) {
	c := newClock(noon)
	dir := t.TempDir()
	trail := openTrail(t, audit.Options{Dir: dir, Now: c.Now, RetentionDays: 1})
	s := newSigner(7)
	require.NoError(t, trail.SetSigner(s))
	for range 4 {
		record(t, trail, name("x", int(c.Now().Unix())))
		c.Add(24 * time.Hour)
	}
	require.Eventually(t, func() bool { return len(logs(t, dir)) == 2 }, time.Minute, 20*time.Millisecond)
	audit.KeepHead(trail)
	require.NoError(t, signedWith(t, copyTrail(t, dir), s.Public()).Err())
}

// TestNothingBelongsToAnEvent: whoever can write the folder adds an event that
// says that more of it is to come.
func TestNothingBelongsToAnEvent(t *testing.T) {
	signed, _ := signedDays(t)
	plain := t.TempDir()
	trail, err := audit.Open(audit.Options{Dir: plain, Now: newClock(noon).Now})
	require.NoError(t, err)
	require.NoError(t, trail.Event(&audit.Event{Kind: "UpdateUser"}))
	require.NoError(t, trail.Close())
	for _, dir := range []string{plain, signed} {
		s := readSegments(t, dir)
		appendForged(t, dir, s, &audit.Event{Time: noon, Kind: "UpdateUser"})
		path := s.paths[len(s.paths)-1]
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		offsets := frameOffsets(t, data)
		last := offsets[len(offsets)-2]
		require.NoError(t, os.WriteFile(path, append(data[:last:last], audit.EditHeader(data[last:], audit.OffMore, 1)...), 0o600))
		editHead(t, dir, func(h map[string]any) { h["clean"] = false })
		report, err := audit.VerifyDir(ctx, dir)
		require.NoError(t, err)
		require.ErrorContains(t, report.Err(), "nothing can belong to a record of kind 5")
		require.EqualValues(t, last, report.Problem.Offset)
	}
}
