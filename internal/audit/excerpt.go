package audit

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// ExcerptName is the file that says, in the folder of a trail, that it holds
// some days of one only: an Excerpt, which may have more fields.
const ExcerptName = "manifest.json"

// ExcerptSignature is the file with the Ed25519 signature, 64 bytes, of the bytes
// of ExcerptName; its field keyId names the key. It may be missing.
const ExcerptSignature = "manifest.sig"

// ErrNoDays says that the trail has no partition of the days that were asked for.
var ErrNoDays = errors.New("the trail has none of these days")

// ExcerptSegment is a day of a trail as its file holds it.
type ExcerptSegment struct {
	Day  string `json:"day"`           // YYYY-MM-DD, of UTC
	File string `json:"file"`          // name of the file
	Size int64  `json:"bytes"`         // up to the end of the last whole record
	From uint64 `json:"firstSequence"` // of the first frame
	Prev string `json:"previousHash"`  // chain hash of the frame before, hex; zeros: the trail begins here
	To   uint64 `json:"lastSequence"`
	Hash string `json:"hash"` // chain hash of the last frame, hex
}

// Excerpt are some days of a trail, in order.
type Excerpt struct {
	Trail    string           `json:"trail"` // the id of the trail
	Segments []ExcerptSegment `json:"segments"`
}

// ReadExcerpt reads what dir holds of a trail; nil says that it is no excerpt.
func ReadExcerpt(dir string) (*Excerpt, error) {
	data, err := os.ReadFile(filepath.Join(dir, ExcerptName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var x Excerpt
	if err == nil {
		err = json.Unmarshal(data, &x)
	}
	if err == nil && len(x.Segments) == 0 {
		err = errors.New("it names no days")
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", ExcerptName, err)
	}
	return &x, nil
}

// excerptManifest is the manifest of an excerpt that is verified.
type excerptManifest struct {
	Excerpt
	KeyID string `json:"keyId"`
	Files []struct {
		Name   string `json:"name"`
		SHA256 string `json:"sha256"`
	} `json:"files"`
	text []byte
}

// excerpt heeds that the folder holds some days of a trail only: what is missing
// around them is not the trail's loss, and where they end is known. Where there
// is a head the folder is that of a gateway, and no such file counts.
func (v *walk) excerpt() error {
	x, err := ReadExcerpt(v.dir)
	if x == nil || err != nil || !v.headless {
		return err
	}
	m := &excerptManifest{}
	if m.text, err = os.ReadFile(filepath.Join(v.dir, ExcerptName)); err == nil {
		err = json.Unmarshal(m.text, m)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", ExcerptName, err)
	}
	last, hash := uint64(0), beginning
	for _, s := range m.Segments {
		if s.From > last+1 {
			v.gaps.tell(0, gap{last + 1, s.From - 1, hash, s.Prev}) // what is signed is the manifest
		}
		last, hash = s.To, s.Hash
	}
	v.witness(last, hash)
	v.headless, v.manifest, v.report.Excerpt = false, m, true
	return nil
}

// signedExcerpt verifies the signature of the manifest, where there is one and
// a key to do so.
func (v *walk) signedExcerpt() *Problem {
	g, m := &v.signed, v.manifest
	last := m.Segments[len(m.Segments)-1].To
	signature, err := os.ReadFile(filepath.Join(v.dir, ExcerptSignature))
	switch {
	case err != nil && m.KeyID == "" && !g.demand:
		return nil
	case err != nil:
		return &Problem{ExcerptName, 0, last, "it is not signed: nothing shows that these are all records of these days"}
	case len(g.keys) == 0:
		return nil
	}
	key, known := g.keys[m.KeyID]
	switch {
	case !known:
		return &Problem{ExcerptName, 0, last, fmt.Sprintf("it is signed with the key %q, which is not among those to verify with", m.KeyID)}
	case m.Trail != g.trail || !ed25519.Verify(key.Key, m.text, signature):
		return &Problem{ExcerptName, 0, last, "its signature is not that of the key " + m.KeyID}
	}
	v.covers(m.KeyID, last, false)
	return nil
}

// OpenExcerpt is an open copy of some days of a trail, from which it is read.
type OpenExcerpt struct {
	Excerpt
	// IDs is the content of IDsFile; nil where no restore has changed the id.
	IDs   []byte
	files []*os.File
}

// Close gives the files back.
func (o *OpenExcerpt) Close() {
	for _, f := range o.files {
		f.Close()
	}
}

// Segment reads the segment n.
func (o *OpenExcerpt) Segment(n int) io.Reader {
	return io.NewSectionReader(o.files[n], 0, o.Segments[n].Size)
}

// Excerpt opens the partitions of the UTC days of from to to, up to what is
// written now. What retention drops meanwhile stays readable. The errors are
// ErrNoDays and what the disk says.
func (t *Trail) Excerpt(ctx context.Context, from, to time.Time) (*OpenExcerpt, error) {
	end := t.arrivals.position()
	return excerptOf(ctx, t.dir, from, to, &end)
}

// ExcerptOf is Excerpt for the trail in dir, also while a gateway writes it.
func ExcerptOf(ctx context.Context, dir string, from, to time.Time) (*OpenExcerpt, error) {
	return excerptOf(ctx, dir, from, to, nil)
}

func excerptOf(ctx context.Context, dir string, from, to time.Time, end *position) (o *OpenExcerpt, err error) {
	days, err := listDays(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the trail: %w", err)
	}
	o = &OpenExcerpt{}
	defer func() {
		if err != nil {
			o.Close()
		}
	}()
	if o.IDs, err = os.ReadFile(filepath.Join(dir, IDsFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("reading the ids of the trail: %w", err)
	}
	days = slices.DeleteFunc(days, func(d day) bool {
		return d < dayOf(from) || d > dayOf(to) || end != nil && d > end.day
	})
	for _, d := range days {
		f, err := os.Open(filepath.Join(dir, d.logName()))
		if errors.Is(err, os.ErrNotExist) {
			continue // retention dropped it just now
		}
		if err != nil {
			return o, fmt.Errorf("reading the trail: %w", err)
		}
		o.files = append(o.files, f)
		o.Segments = append(o.Segments, ExcerptSegment{Day: d.String(), File: d.logName()})
	}
	for n := len(o.files) - 1; n >= 0; n-- {
		if err := o.measure(ctx, n, end); err != nil {
			return o, fmt.Errorf("reading %s: %w", o.Segments[n].File, err)
		}
	}
	if len(o.files) == 0 {
		return o, ErrNoDays
	}
	return o, nil
}

// measure finds out where the segment n begins and ends. Those behind it are
// measured.
func (o *OpenExcerpt) measure(ctx context.Context, n int, end *position) error {
	s := &o.Segments[n]
	d, err := parseDay(s.Day)
	if err != nil {
		return err
	}
	scan := newScanner(o.files[n], d, 0, true)
	h, content, err := scan.next()
	if err == io.EOF || errors.Is(err, errShort) { // it is being started
		o.files[n].Close()
		o.files, o.Segments = o.files[:n], o.Segments[:n]
		return nil
	}
	if err != nil {
		return err
	}
	var meta segmentMeta
	if err := json.Unmarshal(content[:h.meta], &meta); err != nil {
		return wrapMeta(err)
	}
	o.Trail = meta.Trail
	s.From, s.Prev = h.seq, hex.EncodeToString(h.prev[:])
	switch {
	case end != nil && d == end.day:
		s.Size, s.To, s.Hash = end.off, end.seq, hex.EncodeToString(end.hash[:])
		return nil
	case n+1 < len(o.Segments):
		if next, err := o.previous(n + 1); err == nil && next != nil && next.Day == s.Day {
			info, err := o.files[n].Stat()
			if err != nil {
				return err
			}
			s.Size, s.To, s.Hash = info.Size(), next.Sequence, next.Hash
			return nil
		}
	}
	s.Size, s.To, s.Hash = scan.off, h.seq, hex.EncodeToString(h.chain[:])
	for frames := 0; ; frames++ {
		if frames%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		h, _, err := scan.skim()
		if err != nil {
			return nil // the end, or damage, which whoever verifies finds
		}
		if h.more == 0 {
			s.Size, s.To, s.Hash = scan.off, h.seq, hex.EncodeToString(h.chain[:])
		}
	}
}

// previous is what the segment n says of the one before it.
func (o *OpenExcerpt) previous(n int) (*previousMeta, error) {
	h, content, err := newScanner(o.files[n], 0, 0, true).next()
	if err != nil {
		return nil, err
	}
	var meta segmentMeta
	err = json.Unmarshal(content[:h.meta], &meta)
	return meta.Previous, err
}
