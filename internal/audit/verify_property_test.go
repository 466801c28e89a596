package audit_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// signedDays writes a trail of three partitions with every kind of frame, and
// closes it. It returns the folder and the public keys.
func signedDays(t testing.TB) (string, []audit.PublicKey) {
	t.Helper()
	c := newClock(noon)
	dir := t.TempDir()
	trail, err := audit.Open(audit.Options{Dir: dir, Now: c.Now})
	require.NoError(t, err)
	s := newSigner(7)
	require.NoError(t, trail.SetSigner(s))
	for day := range 3 {
		for i := range 6 {
			id := name("x", 10*day+i)
			require.NoError(t, trail.Begin(exchange(id), chatBody(300)))
			if i%2 == 0 {
				require.NoError(t, trail.Part(id, audit.PartProviderRequest, chatBody(200)))
			}
			require.NoError(t, trail.End(id, answered(), chatBody(400)))
			if i%2 == 1 {
				require.NoError(t, trail.Checkpoint())
			}
		}
		require.NoError(t, trail.Refuse(exchange(name("no", day)), chatBody(500), denied()))
		require.NoError(t, trail.Event(&audit.Event{Kind: "CreateUser", TargetName: name("u", day)}))
		require.NoError(t, trail.Begin(exchange(name("late", day)), chatBody(300)))
		if day < 2 {
			c.Add(24 * time.Hour)
		}
	}
	require.NoError(t, trail.Close())
	require.NoError(t, signedWith(t, dir, s.Public()).Err())
	return dir, s.Public()
}

// segments are the files of a trail, and where their frames are.
type segments struct {
	paths []string
	data  [][]byte
	at    [][]int // offsets of the frames, and the end
	first []uint64
}

func readSegments(t testing.TB, dir string) *segments {
	t.Helper()
	var s segments
	var err error
	s.paths, err = filepath.Glob(filepath.Join(dir, "*.log"))
	require.NoError(t, err)
	seq := uint64(1)
	for _, path := range s.paths {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		s.data = append(s.data, data)
		s.at = append(s.at, frameOffsets(t, data))
		s.first = append(s.first, seq)
		seq += uint64(len(s.at[len(s.at)-1]) - 1)
	}
	return &s
}

// times is how often a series repeats: in full with SLUICE_LONG.
func times(short, full int) int {
	if os.Getenv("SLUICE_LONG") != "" {
		return full
	}
	return short
}

// TestEveryEditIsFound changes stored partitions at random in every way that
// the report has to find, and checks that it names the first record that is not
// as it was.
func TestEveryEditIsFound(t *testing.T) {
	dir, _ := signedDays(t)
	s := readSegments(t, dir)
	rounds := times(800, 3000)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 7))
	for round := range rounds {
		n := random.IntN(len(s.paths))
		data := s.data[n]
		edited, what := edit(random, bytes.Clone(data), s.at[n])
		if bytes.Equal(edited, data) {
			continue
		}
		p := 0 // the first change
		for p < len(edited) && p < len(data) && edited[p] == data[p] {
			p++
		}
		i, _ := slices.BinarySearch(s.at[n], p+1)
		i-- // the frame that it is in; behind the last one: what was added
		require.NoError(t, os.WriteFile(s.paths[n], edited, 0o600))
		report, err := audit.VerifyDir(ctx, dir)
		require.NoError(t, err)
		if report.Problem == nil {
			t.Fatalf("seed %d, round %d: not found in %s: %s", seed, round, filepath.Base(s.paths[n]), what)
		}
		where := fmt.Sprintf("seed %d, round %d, %s: %s: %+v", seed, round, filepath.Base(s.paths[n]), what, *report.Problem)
		require.Equal(t, s.first[n]+uint64(i), report.Problem.Sequence, where)
		if report.Problem.File == filepath.Base(s.paths[n]) {
			require.EqualValues(t, s.at[n][i], report.Problem.Offset, where)
		} else { // the end of a segment is missing: the next one shows it
			require.Equal(t, len(edited), p, where)
		}
		require.NoError(t, os.WriteFile(s.paths[n], data, 0o600))
	}
	verifiedDir(t, dir)
}

// edit changes data in a random way.
func edit(random *rand.Rand, data []byte, offsets []int) (edited []byte, what string) {
	frames := len(offsets) - 1
	i := random.IntN(frames)
	from, to := offsets[i], offsets[i+1]
	switch random.IntN(9) {
	case 0, 1:
		at := random.IntN(len(data))
		data[at] ^= byte(1 + random.IntN(255))
		return data, fmt.Sprint("byte ", at)
	case 2:
		return append(data[:from:from], data[to:]...), fmt.Sprint("without frame ", i)
	case 3:
		j := random.IntN(frames)
		inserted := append(bytes.Clone(data[:from]), data[offsets[j]:offsets[j+1]]...)
		return append(inserted, data[from:]...), fmt.Sprintf("frame %d before %d", j, i)
	case 4:
		if i == frames-1 {
			i--
			from, to = offsets[i], offsets[i+1]
		}
		end := offsets[i+2]
		swapped := append(bytes.Clone(data[:from]), data[to:end]...)
		return append(append(swapped, data[from:to]...), data[end:]...), fmt.Sprint("swapped ", i)
	case 5:
		return data[:from], fmt.Sprint("cut before frame ", i)
	case 6:
		cut := random.IntN(len(data))
		return data[:cut], fmt.Sprint("cut at ", cut)
	case 7:
		return append(data, data[from:to]...), fmt.Sprint("again at the end: frame ", i)
	}
	at := random.IntN(len(data) + 1)
	junk := make([]byte, 1+random.IntN(300))
	for i := range junk {
		junk[i] = byte(random.IntN(256))
	}
	return append(append(bytes.Clone(data[:at]), junk...), data[at:]...), fmt.Sprintf("%d bytes at %d", len(junk), at)
}

// forged is a frame that somebody who can write all files makes anew.
type forged struct {
	raw  []byte // header and content as they were
	meta []byte
	body []byte
}

func (f *forged) kind() byte { return f.raw[4] }

func (f *forged) checkpoint() bool { return bytes.Contains(f.meta, []byte(`"TrailCheckpoint"`)) }

func takeApart(s *segments) [][]*forged {
	all := make([][]*forged, len(s.data))
	for n, data := range s.data {
		for i := range len(s.at[n]) - 1 {
			raw := data[s.at[n][i]:s.at[n][i+1]]
			metaLen := int(raw[8]) | int(raw[9])<<8 | int(raw[10])<<16
			f := &forged{raw, raw[audit.HeaderSize : audit.HeaderSize+metaLen], raw[audit.HeaderSize+metaLen:]}
			all[n] = append(all[n], f)
		}
	}
	return all
}

var (
	sequenceOf = regexp.MustCompile(`"sequence":"\d+"`)
	hashOf     = regexp.MustCompile(`"hash":"[0-9a-f]{64}"`)
	partAt     = regexp.MustCompile(`"sequence":(\d+),"day":"([0-9-]+)","offset":\d+`)
)

// putTogether writes the frames with checksums, hashes, links, places of parts
// and a head that all fit each other. Checkpoints get their numbers and keep
// their signatures.
func putTogether(t testing.TB, dir string, s *segments, all [][]*forged, head func(map[string]any)) {
	t.Helper()
	seq, prev := uint64(0), [32]byte{}
	var previous string
	was := map[uint64]string{} // places of frames by their old sequences
	old := uint64(0)
	for n, frames := range all {
		day := filepath.Base(s.paths[n])[:10]
		var out []byte
		for _, f := range frames {
			meta := f.meta
			switch {
			case f.kind() == 1:
				var m audit.SegmentMeta
				require.NoError(t, json.Unmarshal(meta, &m))
				if m.Previous != nil {
					m.Previous.Sequence, m.Previous.Hash, m.Previous.Day = seq, hex.EncodeToString(prev[:]), previous
				}
				for i := range m.Open {
					require.NoError(t, json.Unmarshal([]byte(was[m.Open[i].Sequence]), &m.Open[i]))
				}
				var err error
				meta, err = json.Marshal(m)
				require.NoError(t, err)
			case f.kind() == 8:
				meta = partAt.ReplaceAllFunc(meta, func(text []byte) []byte {
					m := partAt.FindSubmatch(text)
					seq, err := strconv.ParseUint(string(m[1]), 10, 64)
					require.NoError(t, err)
					return []byte(was[seq][1 : len(was[seq])-1])
				})
			case f.checkpoint():
				meta = sequenceOf.ReplaceAll(meta, fmt.Appendf(nil, `"sequence":"%d"`, seq))
				meta = hashOf.ReplaceAll(meta, fmt.Appendf(nil, `"hash":"%x"`, prev))
			}
			seq++
			if old = oldSequence(f); old != 0 {
				was[old] = fmt.Sprintf(`{"sequence":%d,"day":"%s","offset":%d}`, seq, day, len(out))
			}
			var frame []byte
			frame, prev = audit.SealFrame(f.raw, meta, f.body, seq, prev)
			out = append(out, frame...)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(s.paths[n])), out, 0o600))
		previous = day
		if n == len(all)-1 {
			h := map[string]any{"sequence": seq, "hash": hex.EncodeToString(prev[:]), "day": day, "offset": len(out), "clean": true}
			head(h)
			encoded, err := json.Marshal(h)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "head.json"), encoded, 0o600))
		}
	}
}

func oldSequence(f *forged) (seq uint64) {
	for i := range 8 {
		seq |= uint64(f.raw[24+i]) << (8 * i)
	}
	return seq
}

// TestWithoutTheKeyNothingCanBeRebuilt edits a record and then everything that
// has to fit it: the chain alone is deceived, the signatures are not.
func TestWithoutTheKeyNothingCanBeRebuilt(t *testing.T) {
	origin, keys := signedDays(t)
	s := readSegments(t, origin)
	kept, err := os.ReadFile(filepath.Join(origin, "head.json"))
	require.NoError(t, err)
	var oldHead map[string]any
	require.NoError(t, json.Unmarshal(kept, &oldHead))
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(origin)))
	indexes, err := filepath.Glob(filepath.Join(dir, "*.db"))
	require.NoError(t, err)
	for _, path := range indexes {
		require.NoError(t, os.Remove(path)) // the attacker removes that witness too
	}
	putTogether(t, dir, s, takeApart(s), func(h map[string]any) {
		for _, key := range []string{"trail", "time", "keyId", "signature", "holding"} {
			h[key] = oldHead[key]
		}
	})
	require.NoError(t, signedWith(t, dir, keys).Err(), "put together without an edit it is what it was")

	rounds := times(400, 1000)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 7))
	for round := range rounds {
		all := takeApart(s)
		n, first, what := forge(random, all)
		strategy := random.IntN(4)
		switch strategy {
		case 0: // checkpoints stay, with numbers that fit
		case 1: // from the edit on they say that they are not signed
			each(all, n, first, func(f *forged) *forged {
				if f.checkpoint() {
					meta := regexp.MustCompile(`"keyId":"[^"]*",`).ReplaceAll(f.meta, nil)
					meta = regexp.MustCompile(`"signature":"[^"]*"`).ReplaceAll(meta, []byte(`"unsigned":"the vault is away"`))
					return &forged{f.raw, meta, f.body}
				}
				return f
			})
		case 2: // from the edit on there is none
			each(all, n, first, func(f *forged) *forged {
				if f.checkpoint() {
					return nil
				}
				return f
			})
		case 3: // nowhere is one
			each(all, 0, 0, func(f *forged) *forged {
				if f.checkpoint() {
					return nil
				}
				return f
			})
		}
		headKept := random.IntN(2) == 0
		putTogether(t, dir, s, all, func(h map[string]any) {
			if headKept {
				for _, key := range []string{"trail", "time", "keyId", "signature", "holding"} {
					h[key] = oldHead[key]
				}
			}
		})
		report := signedWith(t, dir, keys)
		where := fmt.Sprintf("seed %d, round %d, strategy %d, head kept %v: %s: %+v", seed, round, strategy, headKept, what, report)
		require.NotNil(t, report.Problem, where)
		if strategy == 0 {
			// The first checkpoint behind the edit, or the head, names it.
			require.Regexp(t, "signature|not signed", report.Problem.Reason, where)
			require.GreaterOrEqual(t, report.Problem.Sequence, sequenceIn(all, n, first), where)
		}
		require.Less(t, report.Signatures.Until, max(sequenceIn(all, n, first), 1), where)
	}
}

// sequenceIn is the sequence of frame i of segment n.
func sequenceIn(all [][]*forged, n, i int) uint64 {
	seq := uint64(1)
	for _, frames := range all[:n] {
		seq += uint64(len(frames))
	}
	return seq + uint64(i)
}

// each replaces every frame from one on; nil takes it out.
func each(all [][]*forged, n, i int, change func(*forged) *forged) {
	for m := n; m < len(all); m++ {
		var out []*forged
		for j, f := range all[m] {
			if m > n || j >= i {
				f = change(f)
			}
			if f != nil {
				out = append(out, f)
			}
		}
		all[m] = out
	}
}

// forge makes a change that is whole in itself, and tells the first frame that
// is not as it was.
func forge(random *rand.Rand, all [][]*forged) (n, i int, what string) {
	for {
		n = random.IntN(len(all))
		i = 1 + random.IntN(len(all[n])-1)
		f := all[n][i]
		if f.checkpoint() {
			continue
		}
		switch random.IntN(4) {
		case 0: // who did it
			meta := bytes.ReplaceAll(f.meta, []byte(`alice`), []byte(`bobby`))
			if bytes.Equal(meta, f.meta) {
				continue
			}
			all[n][i] = &forged{f.raw, meta, f.body}
			return n, i, "another caller"
		case 1: // what was said
			if len(f.body) == 0 {
				continue
			}
			body := bytes.Clone(f.body)
			body[random.IntN(len(body))] ^= 1
			all[n][i] = &forged{f.raw, f.meta, body}
			return n, i, "another body"
		case 2: // a denial or an event is gone
			if f.kind() != 4 && f.kind() != 5 {
				continue
			}
			all[n] = slices.Delete(slices.Clone(all[n]), i, i+1)
			return n, i, "removed"
		case 3: // one is made up
			if f.kind() != 5 {
				continue
			}
			all[n] = slices.Insert(slices.Clone(all[n]), i, &forged{f.raw, bytes.ReplaceAll(f.meta, []byte("CreateUser"), []byte("DeleteUser")), nil})
			return n, i, "made up"
		}
	}
}
