package audit_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// heldDays is the folder of a signed trail with two holds, of which one keeps a
// day that is older than the retention, and has just been lifted and set again on
// the last day.
func heldDays(t *testing.T) (opts audit.Options, c *clock) {
	t.Helper()
	c = newClock(noon)
	opts = audit.Options{Dir: t.TempDir(), Now: c.Now, RetentionDays: 2, Signed: true}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	require.NoError(t, trail.SetSigner(newSigner(1)))
	require.NoError(t, trail.AddHold(hold("case", "2026-03-10", "2026-03-10"), nil))
	for day := range 3 {
		record(t, trail, name("d", day))
		c.Add(24 * time.Hour)
	}
	require.NoError(t, trail.AddHold(hold("other", "2026-03-12", "2026-03-12"), nil))
	record(t, trail, "last")
	require.NoError(t, trail.Close())
	require.NoError(t, verifiedDir(t, opts.Dir).Err())
	require.NoError(t, signedWith(t, opts.Dir, newSigner(1).Public()).Err())
	return opts, c
}

func copied(t *testing.T, opts audit.Options) audit.Options {
	t.Helper()
	from := opts.Dir
	opts.Dir = t.TempDir()
	require.NoError(t, os.CopyFS(opts.Dir, os.DirFS(from)))
	return opts
}

func kinds(t *testing.T, trail *audit.Trail, kind string) []*audit.Record {
	t.Helper()
	return query(t, trail, audit.Filter{Kinds: []string{kind}})
}

// keepsHeld opens a trail long after, and looks that the held day is still there
// when retention has looked.
func keepsHeld(t *testing.T, opts audit.Options, c *clock, what string) *audit.Trail {
	t.Helper()
	trail := openTrail(t, opts)
	require.NoError(t, trail.SetSigner(newSigner(1)))
	record(t, trail, "after")
	c.Add(24 * time.Hour)
	record(t, trail, "the day after")
	require.Contains(t, logs(t, opts.Dir), "2026-03-10", what)
	return trail
}

// TestEveryChangeOfTheFileOfHoldsIsFound edits or removes the file while the
// gateway is down: verify says so, the next start tells of it and writes the file
// again, and no held day is dropped.
func TestEveryChangeOfTheFileOfHoldsIsFound(t *testing.T) {
	opts, c := heldDays(t)
	begin := c.Now()
	text, err := os.ReadFile(filepath.Join(opts.Dir, audit.HoldsFile))
	require.NoError(t, err)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 3))
	edits := map[string][]byte{"removed": nil, "none": []byte("[]\n"), "empty": {}, "no JSON": []byte("?"), "longer": append(slices.Clone(text), ' ')}
	for i := range 30 {
		edited := slices.Clone(text)
		switch at := random.IntN(len(edited)); i % 3 {
		case 0:
			edited[at] ^= byte(1 + random.IntN(255))
		case 1:
			edited = slices.Delete(edited, at, at+1)
		default:
			edited = edited[:at]
		}
		edits[fmt.Sprintf("seed %d, edit %d", seed, i)] = edited
	}
	var list []audit.Hold
	require.NoError(t, json.Unmarshal(text, &list))
	list[0].To = "2026-03-09"
	list[0].From = "2026-03-09"
	moved, err := json.MarshalIndent(list, "", "  ")
	require.NoError(t, err)
	edits["another day"] = append(moved, '\n')
	var checks sync.WaitGroup // verify waits a second for a gateway that may be writing the file
	folders := map[string]audit.Options{}
	for what, edited := range edits {
		opts := copied(t, opts)
		folders[what] = opts
		file := filepath.Join(opts.Dir, audit.HoldsFile)
		require.NoError(t, os.Remove(file))
		if what != "removed" {
			require.NoError(t, os.WriteFile(file, edited, 0o600))
		}
		checks.Go(func() {
			for _, o := range []audit.VerifyOptions{{}, {Keys: newSigner(1).Public(), Signed: true}} {
				report, err := audit.VerifyDirWith(ctx, opts.Dir, o)
				if assert.NoError(t, err, what) && assert.NotNil(t, report.Problem, what) {
					assert.Equal(t, audit.HoldsFile, report.Problem.File, what)
				}
			}
		})
	}
	checks.Wait()
	opened := 0
	for what, opts := range folders {
		file := filepath.Join(opts.Dir, audit.HoldsFile)
		if opened++; opened > 8 && what != "removed" && what != "none" {
			continue
		}
		c.Set(begin)
		trail := keepsHeld(t, opts, c, what)
		require.Len(t, kinds(t, trail, audit.KindHoldsFileChanged), 1, what)
		require.Error(t, trail.HoldsAltered(), what)
		require.NoError(t, trail.HoldsDoubt(), what)
		again, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, text, again, what)
		verified(t, trail)
		require.NoError(t, verifiedDir(t, opts.Dir).Err(), what)
		require.NoError(t, trail.Close())
	}
}

// TestTheFileOfHoldsIsWatched: also while the gateway runs.
func TestTheFileOfHoldsIsWatched(t *testing.T) {
	opts, _ := heldDays(t)
	trail := openTrail(t, opts)
	require.NoError(t, trail.SetSigner(newSigner(1)))
	require.NoError(t, os.Remove(filepath.Join(opts.Dir, audit.HoldsFile)))
	require.Eventually(t, func() bool { return trail.HoldsAltered() != nil }, time.Minute, 20*time.Millisecond)
	require.FileExists(t, filepath.Join(opts.Dir, audit.HoldsFile))
	require.NoError(t, trail.Close())
}

// TestRebuiltRecordsOfHoldsAreDoubted: who can write the folder can take the
// record of a hold out of the log, together with the file, the index and the head.
// He can't sign what he puts in their place: nothing is dropped.
func TestRebuiltRecordsOfHoldsAreDoubted(t *testing.T) {
	opts, c := heldDays(t)
	begin := c.Now()
	s := readSegments(t, opts.Dir)
	kept, err := os.ReadFile(filepath.Join(opts.Dir, "head.json"))
	require.NoError(t, err)
	var head map[string]any
	require.NoError(t, json.Unmarshal(kept, &head))
	without := func(held []audit.Hold) [][]*forged {
		all := takeApart(s)
		for n := range all {
			all[n] = slices.DeleteFunc(all[n], func(f *forged) bool {
				var e audit.Event
				return f.kind() == 5 && json.Unmarshal(f.meta, &e) == nil && e.Kind == audit.KindCreateHold
			})
			var m map[string]any
			require.NoError(t, json.Unmarshal(all[n][0].meta, &m))
			delete(m, "holding")
			if held != nil {
				m["holding"] = map[string]any{"version": time.Now().AddDate(5, 0, 0).UnixNano(), "holds": held, "keyId": head["keyId"], "signature": head["signature"]}
			}
			all[n][0].meta, err = json.Marshal(m)
			require.NoError(t, err)
		}
		return all
	}
	for what, attack := range map[string]struct {
		all  [][]*forged
		head func(h map[string]any)
	}{
		"the records removed, the head unsigned": {without(nil), func(map[string]any) {}},
		"the records removed, the head kept": {without(nil), func(h map[string]any) {
			for k, v := range head {
				h[k] = v
			}
		}},
		"the signature of the head on another": {without(nil), func(h map[string]any) {
			for _, k := range []string{"trail", "time", "keyId", "signature", "holding"} {
				h[k] = head[k]
			}
		}},
		"other records put in": {without([]audit.Hold{}), func(h map[string]any) {
			for k, v := range head {
				h[k] = v
			}
		}},
	} {
		t.Run(what, func(t *testing.T) {
			opts := copied(t, opts)
			removeIndexes(t, opts.Dir)
			require.NoError(t, os.Remove(filepath.Join(opts.Dir, audit.HoldsFile)))
			putTogether(t, opts.Dir, s, attack.all, attack.head)
			require.Error(t, signedWith(t, opts.Dir, newSigner(1).Public()).Err())
			c.Set(begin)
			trail := keepsHeld(t, opts, c, what)
			require.ErrorIs(t, trail.HoldsDoubt(), audit.ErrHoldsDoubted)
			require.Len(t, kinds(t, trail, audit.KindHoldsDoubted), 1)
			require.ErrorIs(t, trail.AddHold(hold("more", "2026-03-10", ""), nil), audit.ErrHoldsDoubted)
			require.ErrorIs(t, trail.RemoveHold("case", nil), audit.ErrHoldsDoubted)
			require.NoError(t, trail.Close())
			trail = keepsHeld(t, opts, c, "the doubt outlives a start")
			require.ErrorIs(t, trail.HoldsDoubt(), audit.ErrHoldsDoubted)

			require.NoError(t, trail.SetHolds([]audit.Hold{hold("case", "2026-03-10", "2026-03-10")}, nil))
			require.NoError(t, trail.HoldsDoubt())
			require.Eventually(t, func() bool { return !slices.Contains(logs(t, opts.Dir), "2026-03-12") }, time.Minute, 10*time.Millisecond)
			require.Contains(t, logs(t, opts.Dir), "2026-03-10")
			require.NoError(t, trail.Close())
			trail = openTrail(t, opts)
			require.NoError(t, trail.SetSigner(newSigner(1)))
			require.NoError(t, trail.HoldsDoubt())
			require.NoError(t, trail.RemoveHold("case", nil))
			require.Eventually(t, func() bool { return !slices.Contains(logs(t, opts.Dir), "2026-03-10") }, time.Minute, 10*time.Millisecond)
		})
	}
}

// TestWithoutTheKeysNothingIsDropped: at a start retention waits for the keys.
func TestWithoutTheKeysNothingIsDropped(t *testing.T) {
	opts, c := heldDays(t)
	trail := openTrail(t, opts)
	c.Add(30 * 24 * time.Hour)
	record(t, trail, "after")
	time.Sleep(2 * time.Second)
	require.Contains(t, logs(t, opts.Dir), "2026-03-11")
	require.NoError(t, trail.SetSigner(newSigner(1)))
	require.Eventually(t, func() bool { return !slices.Contains(logs(t, opts.Dir), "2026-03-11") }, time.Minute, 10*time.Millisecond)
	require.Contains(t, logs(t, opts.Dir), "2026-03-10")
	require.Contains(t, logs(t, opts.Dir), "2026-03-12")
}

// TestCrashBetweenRecordAndFile: the record of a change counts, and the file
// follows.
func TestCrashBetweenRecordAndFile(t *testing.T) {
	opts, _ := heldDays(t)
	old, err := os.ReadFile(filepath.Join(opts.Dir, audit.HoldsFile))
	require.NoError(t, err)
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	require.NoError(t, trail.SetSigner(newSigner(1)))
	require.NoError(t, trail.AddHold(hold("third", "2026-03-10", ""), nil))
	audit.CrashFiles(trail)
	require.NoError(t, os.WriteFile(filepath.Join(opts.Dir, audit.HoldsFile), old, 0o600))
	require.NoError(t, verifiedDir(t, opts.Dir).Err(), "nothing came after the record")
	trail = openTrail(t, opts)
	require.NoError(t, trail.SetSigner(newSigner(1)))
	require.NoError(t, trail.HoldsDoubt())
	require.Len(t, trail.Holds(), 3)
	list, err := audit.ReadHolds(opts.Dir)
	require.NoError(t, err)
	require.Equal(t, trail.Holds(), list)
}

// TestHoldsWithoutTheKey: a change is signed or is none, and a key that was away
// for a whole run leaves no doubt.
func TestHoldsWithoutTheKey(t *testing.T) {
	opts, _ := heldDays(t)
	s := newSigner(1)
	s.away = fmt.Errorf("the vault is away")
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	require.NoError(t, trail.SetSigner(s))
	require.ErrorIs(t, trail.AddHold(hold("third", "2026-03-10", ""), nil), audit.ErrHoldsUnsigned)
	require.Len(t, trail.Holds(), 2)
	record(t, trail, "unsigned")
	require.NoError(t, trail.Close())
	trail = openTrail(t, opts)
	require.NoError(t, trail.SetSigner(newSigner(1)))
	require.NoError(t, trail.HoldsDoubt())
	require.NoError(t, trail.AddHold(hold("third", "2026-03-10", ""), nil))
}

// TestHoldsThatAreSetAreChecked, and bounded.
func TestHoldsThatAreSetAreChecked(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir()})
	require.ErrorIs(t, trail.SetHolds([]audit.Hold{hold("a", "", "")}, nil), audit.ErrBadHold)
	require.ErrorIs(t, trail.SetHolds([]audit.Hold{hold("a", "2026-03-10", ""), hold("a", "2026-03-11", "")}, nil), audit.ErrHoldExists)
	var many []audit.Hold
	for i := range 3000 {
		many = append(many, hold(name("h", i), "2026-03-10", ""))
	}
	require.ErrorIs(t, trail.SetHolds(many, nil), audit.ErrTooManyHolds)
	require.Empty(t, trail.Holds())
	require.NoError(t, trail.SetHolds(many[:500], nil))
	require.Len(t, trail.Holds(), 500)
}

// retired is a signer whose first key signs no more.
type retired struct {
	*signer
	at time.Time
}

func (r retired) Public() []audit.PublicKey {
	list := r.signer.Public()
	list[0].Retired = &r.at
	return list
}

// TestARetiredKeyHoldsNothing: holds are signed with the new key when there is
// one, and what the old one says of them from then on counts for nothing.
func TestARetiredKeyHoldsNothing(t *testing.T) {
	opts, c := heldDays(t)
	rotated := retired{newSigner(1), c.Now()}
	rotated.keys = append(rotated.keys, newSigner(2).keys[0])
	trail := openTrail(t, opts)
	require.NoError(t, trail.SetSigner(newSigner(1)))
	c.Add(time.Second)
	public := base64.StdEncoding.EncodeToString(newSigner(2).Public()[0].Key)
	require.NoError(t, trail.Event(&audit.Event{Kind: audit.KindKeyRotated, Metadata: map[string]string{"publicKey": public}}))
	require.NoError(t, trail.Checkpoint())
	c.Add(time.Second)
	rotated.at = c.Now()
	c.Add(time.Second)
	require.NoError(t, trail.SetSigner(rotated))
	require.NoError(t, trail.SetSigner(rotated))
	again := kinds(t, trail, audit.KindSetHolds)
	require.Len(t, again, 1)
	require.Equal(t, newSigner(2).Public()[0].ID, again[0].Event.Metadata["holdsKeyId"])
	require.Len(t, trail.Holds(), 2)
	require.NoError(t, trail.Close())
	require.NoError(t, signedWith(t, opts.Dir, rotated.Public()).Err())

	// Somebody who has kept the old key goes on with the trail while it is down.
	c.Add(time.Minute)
	forged := openTrail(t, opts)
	require.NoError(t, forged.SetSigner(newSigner(1)))
	require.NoError(t, forged.SetHolds(nil, nil))
	require.NoError(t, forged.Close())
	require.Error(t, signedWith(t, opts.Dir, rotated.Public()).Err())
	trail = openTrail(t, opts)
	require.NoError(t, trail.SetSigner(rotated))
	require.ErrorIs(t, trail.HoldsDoubt(), audit.ErrHoldsDoubted)
	c.Add(48 * time.Hour)
	record(t, trail, "later")
	require.Contains(t, logs(t, opts.Dir), "2026-03-10")
}
