package s3sink_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/awstest"
	"sluice/internal/identity"
	"sluice/internal/sink/s3sink"
)

// signer signs checkpoints.
type signer struct{ key ed25519.PrivateKey }

func (s signer) public() ed25519.PublicKey { return s.key.Public().(ed25519.PublicKey) }

func (s signer) Key() (string, crypto.Signer, error) { return audit.KeyID(s.public()), s.key, nil }

func (s signer) Public() []audit.PublicKey {
	return []audit.PublicKey{{ID: audit.KeyID(s.public()), Key: s.public()}}
}

// writeDays writes exchanges on three days and returns the open trail.
func writeDays(t testing.TB, dir string, each int) *audit.Trail {
	t.Helper()
	var now atomic.Int64
	now.Store(start.UnixNano())
	tr, err := audit.Open(audit.Options{Dir: dir, Now: func() time.Time { return time.Unix(0, now.Load()).UTC() }})
	require.NoError(t, err)
	require.NoError(t, tr.SetSigner(signer{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))}))
	for day := range 3 {
		for i := range each {
			id := fmt.Sprintf("exchange-%d-%d", day, i)
			x := &audit.Exchange{ID: id, EndpointName: "practice", Caller: &identity.Caller{UserID: fmt.Sprint("u", i%5), UserName: fmt.Sprint("user-", i%5)}}
			require.NoError(t, tr.Begin(x, []byte("question "+id)))
			now.Add(int64(time.Millisecond))
			require.NoError(t, tr.End(id, &audit.Outcome{Result: audit.ResultAnswered, Status: 200}, []byte(strings.Repeat("answer "+id, 20))))
		}
		now.Add(int64(24 * time.Hour))
	}
	return tr
}

// archived waits until days are archived.
func archived(t testing.TB, b *awstest.Bucket, days int) []string {
	t.Helper()
	var keys []string
	require.Eventually(t, func() bool {
		keys = b.Keys(t, "gw/manifest/segments/", ".json")
		return len(keys) == days
	}, time.Minute, 50*time.Millisecond)
	return keys
}

func TestTheArchiveAloneIsATrail(t *testing.T) {
	a := awstest.Start(t)
	b := a.Bucket(t, "alone", false)
	dir := t.TempDir()
	tr := writeDays(t, dir, 50)
	o := options(t, a, b)
	o.Trail, o.Segments = tr.ID(), tr
	target := open(t, o)
	manifests := archived(t, b, 2) // the third is still written
	require.Empty(t, target.Notes())
	require.NoError(t, target.Close())

	// The next start archives nothing again.
	again := newGate(t, a.URL)
	o.Endpoint = again.URL
	target = open(t, o)
	time.Sleep(300 * time.Millisecond)
	require.NoError(t, target.Close())
	require.Zero(t, again.requests.Load())

	// The gateway is gone, with its disk.
	public := tr.PublicKeys()
	require.NoError(t, tr.Close())
	require.NoError(t, os.RemoveAll(dir))
	copied := t.TempDir()
	for _, key := range manifests {
		var m s3sink.SegmentManifest
		require.NoError(t, json.Unmarshal(b.Get(t, key), &m))
		packed := b.Get(t, m.Key)
		log := unpack(t, packed)
		for _, c := range []struct {
			data []byte
			n    int64
			sum  string
		}{{packed, m.Bytes, m.SHA256}, {log, m.LogBytes, m.LogSHA256}} {
			sum := sha256.Sum256(c.data)
			require.Equal(t, c.sum, hex.EncodeToString(sum[:]))
			require.EqualValues(t, c.n, len(c.data))
		}
		require.NoError(t, os.WriteFile(filepath.Join(copied, m.Day+".log"), log, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(copied, "keys.json"), b.Get(t, "gw/segments/"+o.Trail+"/keys.json"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(copied, audit.HoldsFile), b.Get(t, "gw/segments/"+o.Trail+"/holds.json"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(copied, "head.json"), b.Get(t, "gw/segments/"+o.Trail+"/head.json"), 0o600))
	kept, err := audit.ReadKeys(copied)
	require.NoError(t, err)
	require.Equal(t, public, kept)

	report, err := audit.VerifyDirWith(t.Context(), copied, audit.VerifyOptions{Keys: public, Signed: true})
	require.NoError(t, err)
	require.Nil(t, report.Problem)
	require.NotZero(t, report.Signatures.Checkpoints)

	read, err := audit.OpenRead(copied)
	require.NoError(t, err)
	defer read.Close()
	var found []string
	err = read.Query(context.Background(), audit.Filter{Users: []string{"u3"}, Bodies: true}, func(r *audit.Record) error {
		found = append(found, r.ID)
		require.Equal(t, "question "+r.ID, string(r.RequestBody))
		require.Equal(t, strings.Repeat("answer "+r.ID, 20), string(r.ResponseBody))
		return nil
	})
	require.NoError(t, err)
	require.Len(t, found, 20)
}

func TestADayThatIsNotTakenIsTold(t *testing.T) {
	a := awstest.Start(t)
	b := a.Bucket(t, "denied", false)
	g := newGate(t, a.URL)
	g.set(fails(http.StatusForbidden, "AccessDenied"))
	tr := writeDays(t, t.TempDir(), 3)
	defer tr.Close()
	o := options(t, a, b)
	o.Trail, o.Segments, o.Endpoint = tr.ID(), tr, g.URL
	target := open(t, o)
	require.Eventually(t, func() bool { return target.Trouble().Failures == 1 }, time.Minute, 20*time.Millisecond)
	trouble := target.Trouble()
	require.Contains(t, trouble.Error, "archiving the day 2026-11-30: sending gw/segments/")
	require.Contains(t, trouble.Error, "; archiving the day 2026-12-01: sending gw/segments/")
	require.Contains(t, trouble.Error, "S3 denies it")
	require.NotContains(t, trouble.Error, "canary")
	require.False(t, trouble.Since.IsZero())
	require.NoError(t, target.Close())
	require.Empty(t, b.Keys(t, "gw/manifest/segments/", ""))
}

// TestADayThatFailsHoldsUpNoOther: it is archived later, and the head stays that of
// the newest day.
func TestADayThatFailsHoldsUpNoOther(t *testing.T) {
	a := awstest.Start(t)
	b := a.Bucket(t, "holdsup", false)
	g := newGate(t, a.URL)
	denied := fails(http.StatusForbidden, "AccessDenied")
	g.set(func(w http.ResponseWriter, r *http.Request) bool {
		return strings.Contains(r.URL.Path, "2026-11-30") && denied(w, r)
	})
	tr := writeDays(t, t.TempDir(), 3)
	defer tr.Close()
	o := options(t, a, b)
	o.Trail, o.Segments, o.Endpoint = tr.ID(), tr, g.URL
	target := open(t, o)
	require.Equal(t, []string{"gw/manifest/segments/" + tr.ID() + "/2026-12-01.json"}, archived(t, b, 1))
	require.Eventually(t, func() bool { return target.Trouble().Failures == 1 }, time.Minute, 20*time.Millisecond)
	require.NotContains(t, target.Trouble().Error, "2026-12-01")
	head := b.Get(t, "gw/segments/"+tr.ID()+"/head.json")
	require.Contains(t, string(head), `"day":"2026-12-01"`)
	require.NoError(t, target.Close())

	g.set(func(http.ResponseWriter, *http.Request) bool { return false })
	target = open(t, o)
	archived(t, b, 2)
	require.Empty(t, target.Trouble())
	require.Equal(t, head, b.Get(t, "gw/segments/"+tr.ID()+"/head.json"))
}

// TestASinkThatBeginsNowArchivesFromToday on, also after a restart.
func TestASinkThatBeginsNowArchivesFromToday(t *testing.T) {
	a := awstest.Start(t)
	b := a.Bucket(t, "today", false)
	tr := writeDays(t, t.TempDir(), 3)
	defer tr.Close()
	o := options(t, a, b)
	o.Trail, o.Segments, o.FromToday = tr.ID(), tr, true
	o.Now = func() time.Time { return start.Add(24 * time.Hour) } // the second of three days
	require.NoError(t, open(t, o).Close())
	o.Now = func() time.Time { return start.Add(72 * time.Hour) }
	open(t, o)
	require.Equal(t, []string{"gw/manifest/segments/" + tr.ID() + "/2026-12-01.json"}, archived(t, b, 1))
	require.Empty(t, b.Keys(t, "gw/segments/"+tr.ID()+"/2026-11-30", ""))
}

// TestADamagedStateIsSetAside, and everything archived again.
func TestADamagedStateIsSetAside(t *testing.T) {
	a := awstest.Start(t)
	b := a.Bucket(t, "damaged", false)
	tr := writeDays(t, t.TempDir(), 3)
	defer tr.Close()
	o := options(t, a, b)
	o.Trail, o.Segments, o.FromToday = tr.ID(), tr, true
	require.NoError(t, os.WriteFile(o.State, nil, 0o600))
	target := open(t, o)
	archived(t, b, 2)
	require.Contains(t, target.Notes()[0], "archive.s3.json.damaged-1")
	require.FileExists(t, o.State+".damaged-1")
	require.NoError(t, target.Close())
	require.Empty(t, open(t, o).Notes())
}
