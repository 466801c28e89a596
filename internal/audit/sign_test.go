package audit_test

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// signer signs with the last of its keys.
type signer struct {
	keys []ed25519.PrivateKey
	away error
}

func newSigner(n byte) *signer {
	return &signer{keys: []ed25519.PrivateKey{ed25519.NewKeyFromSeed(slices.Repeat([]byte{n}, 32))}}
}

func (s *signer) Key() (string, crypto.Signer, error) {
	k := s.keys[len(s.keys)-1]
	return audit.KeyID(k.Public().(ed25519.PublicKey)), k, s.away
}

func (s *signer) Public() []audit.PublicKey {
	var list []audit.PublicKey
	for _, k := range s.keys {
		p := k.Public().(ed25519.PublicKey)
		list = append(list, audit.PublicKey{ID: audit.KeyID(p), Key: p})
	}
	return list
}

func signedWith(t testing.TB, dir string, keys []audit.PublicKey) audit.Report {
	t.Helper()
	report, err := audit.VerifyDirWith(ctx, dir, audit.VerifyOptions{Keys: keys, Signed: true})
	require.NoError(t, err)
	return report
}

func TestCheckpoints(t *testing.T) {
	c := newClock(noon)
	dir := t.TempDir()
	trail, err := audit.Open(audit.Options{Dir: dir, Now: c.Now})
	require.NoError(t, err)
	s := newSigner(1)
	require.NoError(t, trail.SetSigner(s))
	checkpoints := func() []*audit.Record { return query(t, trail, audit.Filter{Kinds: []string{audit.KindCheckpoint}}) }
	require.NoError(t, trail.Checkpoint())
	require.Empty(t, checkpoints(), "there was no traffic")
	record(t, trail, "1")
	require.NoError(t, trail.Checkpoint())
	require.NoError(t, trail.Checkpoint())
	require.Len(t, checkpoints(), 1)
	m := checkpoints()[0].Event.Metadata
	require.Equal(t, "3", m["sequence"])
	require.Equal(t, s.Public()[0].ID, m["keyId"])

	record(t, trail, "2")
	c.Add(24 * time.Hour)
	require.NoError(t, trail.Begin(exchange("3"), nil))
	list := checkpoints()
	require.Len(t, list, 2, "one at the end of the segment")
	require.EqualValues(t, 7, list[1].Sequence)
	require.NoError(t, trail.End("3", answered(), nil))
	report := verified(t, trail)
	require.Equal(t, 2, report.Signatures.Checkpoints)
	require.EqualValues(t, 6, report.Signatures.Until)
	require.Equal(t, []audit.Unsigned{{From: 7, To: 10, Reason: "they were written since the last signature"}}, report.Signatures.Unsigned)
	require.NoError(t, trail.Close())

	report = signedWith(t, dir, s.Public())
	require.NoError(t, report.Err())
	require.Equal(t, 3, report.Signatures.Checkpoints)
	require.Empty(t, report.Signatures.Unsigned)
	require.Equal(t, report.LastSequence, report.Signatures.Until, "the head covers the rest")
	require.NoError(t, verifiedDir(t, dir).Err(), "with the keys in the folder")
	other := signedWith(t, dir, newSigner(2).Public())
	require.ErrorContains(t, other.Err(), "not among those to verify with")
	require.EqualValues(t, 4, other.Problem.Sequence)
	require.NoError(t, os.Remove(filepath.Join(dir, "keys.json")))
	report = verifiedDir(t, dir)
	require.Zero(t, report.Signatures.Until)
	require.Equal(t, []audit.Unsigned{{From: 1, To: report.LastSequence, Reason: "there is no key to verify with"}}, report.Signatures.Unsigned)
}

// TestCheckpointsEveryMinute: the keeper signs by itself.
func TestCheckpointsEveryMinute(t *testing.T) {
	c := newClock(noon)
	trail := openTrail(t, audit.Options{Dir: t.TempDir(), Now: c.Now})
	require.NoError(t, trail.SetSigner(newSigner(1)))
	count := func() int { return len(query(t, trail, audit.Filter{Kinds: []string{audit.KindCheckpoint}})) }
	record(t, trail, "1")
	require.Eventually(t, func() bool { return count() == 1 }, time.Minute, 20*time.Millisecond)
	record(t, trail, "2")
	time.Sleep(2 * time.Second)
	require.Equal(t, 1, count(), "a minute has not passed")
	c.Add(time.Minute)
	require.Eventually(t, func() bool { return count() == 2 }, time.Minute, 20*time.Millisecond)
	c.Add(time.Hour)
	time.Sleep(2 * time.Second)
	require.Equal(t, 2, count(), "there was no traffic")
}

// TestWithoutTheKey: the trail goes on, says that it is not signed, and is
// signed again when the key is there.
func TestWithoutTheKey(t *testing.T) {
	dir := t.TempDir()
	opts := audit.Options{Dir: dir, Now: newClock(noon).Now}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	s := newSigner(1)
	require.NoError(t, trail.SetSigner(s))
	record(t, trail, "1")
	require.NoError(t, trail.Checkpoint())
	s.away = errors.New("the vault is away")
	record(t, trail, "2")
	require.NoError(t, trail.Close())
	report := signedWith(t, dir, s.Public())
	require.ErrorContains(t, report.Err(), "the head of the trail is not signed")
	require.Equal(t, []audit.Unsigned{{From: 4, To: 7, Reason: "the vault is away"}}, report.Signatures.Unsigned)
	require.NoError(t, verifiedDir(t, dir).Err(), "nobody asked for signatures")

	s.away = nil
	trail, err = audit.Open(opts)
	require.NoError(t, err)
	require.NoError(t, trail.SetSigner(s))
	record(t, trail, "3")
	require.NoError(t, trail.Close())
	report = signedWith(t, dir, s.Public())
	require.NoError(t, report.Err())
	require.Equal(t, []audit.Unsigned{{From: 4, To: 9, Reason: "the vault is away"}}, report.Signatures.Unsigned)
}

// TestKeyRotation: who trusts the key before trusts the next, because the one
// signed for the other; a key that nobody signed for is found.
func TestKeyRotation(t *testing.T) {
	dir := t.TempDir()
	trail, err := audit.Open(audit.Options{Dir: dir, Now: newClock(noon).Now})
	require.NoError(t, err)
	s := newSigner(1)
	first := s.Public()
	require.NoError(t, trail.SetSigner(s))
	record(t, trail, "1")
	next := ed25519.NewKeyFromSeed(slices.Repeat([]byte{2}, 32))
	public := base64.StdEncoding.EncodeToString(next.Public().(ed25519.PublicKey))
	require.NoError(t, trail.Event(&audit.Event{Kind: audit.KindKeyRotated, Metadata: map[string]string{"publicKey": public}}))
	require.NoError(t, trail.Checkpoint())
	s.keys = append(s.keys, next)
	require.NoError(t, trail.SetSigner(s))
	record(t, trail, "2")
	require.NoError(t, trail.Close())
	report := signedWith(t, dir, first)
	require.NoError(t, report.Err())
	require.Len(t, report.Signatures.Keys, 2)
	keys, err := audit.ReadKeys(dir)
	require.NoError(t, err)
	require.Equal(t, s.Public(), keys)

	dir = t.TempDir()
	trail, err = audit.Open(audit.Options{Dir: dir, Now: newClock(noon).Now})
	require.NoError(t, err)
	require.NoError(t, trail.SetSigner(newSigner(1)))
	record(t, trail, "1")
	require.NoError(t, trail.Checkpoint())
	require.NoError(t, trail.Event(&audit.Event{Kind: audit.KindKeyRotated, Metadata: map[string]string{"publicKey": public}}))
	require.NoError(t, trail.SetSigner(newSigner(2)))
	require.NoError(t, trail.Close())
	require.ErrorContains(t, signedWith(t, dir, first).Err(), "not among those to verify with")
}

func TestParseKeys(t *testing.T) {
	want := newSigner(1).Public()
	encoded, err := json.Marshal(want)
	require.NoError(t, err)
	text := base64.StdEncoding.EncodeToString(want[0].Key)
	for _, given := range []string{string(encoded), `{"keys":` + string(encoded) + `}`, text, "\n" + text + "\n",
		"-----BEGIN PUBLIC KEY-----\n" + base64.StdEncoding.EncodeToString(append([]byte{
			0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}, want[0].Key...)) + "\n-----END PUBLIC KEY-----\n",
	} {
		got, err := audit.ParseKeys([]byte(given))
		require.NoError(t, err)
		require.Equal(t, want[0].Key, got[0].Key)
		require.Equal(t, want[0].ID, got[0].ID)
	}
	for _, bad := range []string{"", "x", "[]", "{", "AAAA", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		_, err := audit.ParseKeys([]byte(bad))
		require.ErrorContains(t, err, "reading the public keys", bad)
	}
}
