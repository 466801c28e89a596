package audit

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
)

// evidence is what a walk knows of what is rightly missing.
type evidence struct {
	told []toldGap // by the trail itself, or by the manifest of an excerpt
	// whole says that the end of the trail was read for it before the walk, so
	// that a gap can be judged where it is met.
	whole bool
	// unproven are gaps that nothing had told of when they were met.
	unproven []unproven
	met      []unproven // all of them
}

// toldGap is a gap and the frame that tells of it: whoever can write the folder
// can write one behind the last signature.
type toldGap struct {
	gap
	by uint64
}

type unproven struct {
	gap
	problem *Problem
}

// problem is the first gap that nothing tells of.
func (e *evidence) problem() *Problem {
	for _, u := range e.unproven {
		if !e.proves(u.gap) {
			return u.problem
		}
	}
	return nil
}

func (e *evidence) tell(by uint64, list ...gap) {
	for _, x := range list {
		e.told = append(e.told, toldGap{x, by})
	}
}

func (e *evidence) proves(x gap) bool { return e.provesBy(x, math.MaxUint64) }

// provesBy reports whether a frame up to the sequence last tells of x.
func (e *evidence) provesBy(x gap, last uint64) bool {
	return slices.ContainsFunc(e.told, func(t toldGap) bool { return t.gap == x && t.by <= last })
}

// unsettled reports whether signatures are asked for and none covers yet all
// that was walked and what tells of the gaps in it.
func (v *walk) unsettled() bool {
	g := &v.signed
	return g.demand && (v.at.seq > g.covered && v.at.seq != g.self || v.signedGaps() != nil)
}

// signedGaps is the first gap of which only records tell that no signature
// covers, where signatures are asked for.
func (v *walk) signedGaps() *Problem {
	if !v.signed.demand {
		return nil
	}
	for _, u := range v.gaps.met {
		if !v.gaps.provesBy(u.gap, v.signed.covered) {
			p := *u.problem
			p.Reason = "the segments before it are missing, and what says that retention removed them is not signed"
			return &p
		}
	}
	return nil
}

// gather reads the last segment for what it tells of gaps: its first frame
// repeats all that were before, its events tell of those since. A segment that
// can't be read to its end is left to the walk.
func (v *walk) gather(ctx context.Context, files []*scanner) error {
	if len(files) == 0 {
		return nil
	}
	last := files[len(files)-1]
	s := newScanner(last.file, last.day, 0, false)
	for n := 0; ; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		h, meta, err := s.skim()
		if err != nil {
			v.gaps.whole = n > 0 && !isBad(err)
			return nil
		}
		v.heed(h.seq, toldIn(h.kind, meta))
		if err := v.advance(ctx, h.size()); err != nil {
			return err
		}
	}
}

// isBad tells damage from the end of a segment.
func isBad(err error) bool {
	var bad badRecord
	return errors.As(err, &bad)
}

// skim returns the next frame, with its meta data only where that tells of
// the trail itself; the rest is passed over and not checked.
func (s *scanner) skim() (header, []byte, error) {
	b, err := s.reader().Peek(headerSize)
	if err != nil {
		return header{}, nil, err
	}
	h, err := parseHeader(b, true)
	if err != nil {
		return h, nil, err
	}
	s.r.Discard(headerSize)
	var meta []byte
	skip := h.meta + h.body
	if h.kind == frameEvent || h.kind == frameSegment {
		if meta, err = s.content(int(h.meta)); err != nil {
			return h, nil, err
		}
		skip = h.body
	}
	if n, err := s.r.Discard(int(skip)); int64(n) < skip {
		return h, nil, errors.Join(errShort, err)
	}
	s.off += h.size()
	return h, meta, nil
}

// skimOn is skim that goes on behind what is damaged. Its error is io.EOF at the
// end, also where that is torn.
func (s *scanner) skimOn() (header, []byte, error) {
	h, meta, err := s.skim()
	if err == nil || !isTorn(err) {
		return h, meta, err
	}
	// The sequence before is not known here: where a frame is whole, it is taken.
	if _, found, lookErr := s.passDamage(0, err); lookErr != nil || !found {
		return h, nil, cmp.Or(lookErr, io.EOF)
	}
	return s.skim()
}

// missing judges what is not there before the segment that begins with h.
func (v *walk) missing(s *scanner, h *header, x gap) error {
	v.at.seq, v.at.hash = h.seq-1, h.prev
	if v.inside && x.First == 1 {
		return nil
	}
	p := &Problem{s.day.logName(), 0, x.First, "the segments before it are missing, and no retention removed them"}
	v.gaps.met = append(v.gaps.met, unproven{x, p})
	if v.gaps.proves(x) {
		return nil
	}
	if v.gaps.whole {
		return p
	}
	v.gaps.unproven = append(v.gaps.unproven, unproven{x, p})
	return nil
}

// jump takes the first frame of a segment that does not follow on what was
// walked: partitions between were dropped. What is under way then is what the
// segment says, as far as that can be known.
func (v *walk) jump(s *scanner, h *header, meta []byte) error {
	var m segmentMeta
	if err := json.Unmarshal(meta, &m); err != nil {
		return v.problem(s, "%v", err)
	}
	p := m.Previous
	if p == nil || p.Sequence <= v.at.seq || h.seq != p.Sequence+1 || p.Hash != hex.EncodeToString(h.prev[:]) {
		return nil // link says what is wrong
	}
	d, err := parseDay(p.Day)
	if err != nil || d <= v.prior.day {
		return nil
	}
	x := gap{v.at.seq + 1, p.Sequence, hex.EncodeToString(v.at.hash[:]), p.Hash}
	open := carriedIn(m)
	for id, u := range open {
		if known := v.open[id]; u.seq < x.First && (known.seq != u.seq || len(known.parts) > len(u.parts)) {
			return v.problem(s, "it carries over %q, which is not under way", id)
		}
	}
	if err := v.missing(s, h, x); err != nil {
		return err
	}
	v.open, v.prior = open, v.at
	v.prior.day = d
	return nil
}

// openAll opens every segment at once, so that retention can't take one away
// during the walk.
func (v *walk) openAll() ([]*scanner, error) {
	for try := 0; ; try++ {
		files, err := v.tryOpenAll()
		if err == nil || !errors.Is(err, errDropped) || try == 10 {
			return files, err
		}
		for _, s := range files {
			s.close()
		}
	}
}

func (v *walk) tryOpenAll() ([]*scanner, error) {
	days, err := listDays(v.dir)
	if err != nil {
		return nil, err
	}
	var files []*scanner
	for _, d := range days {
		if v.memory != nil && d > v.memory.day {
			continue
		}
		s, err := scanSegment(v.dir, d, 0, true)
		if errors.Is(err, os.ErrNotExist) {
			return files, fmt.Errorf("opening %s: %w", d.logName(), errDropped) // just now
		}
		if err != nil {
			return files, err
		}
		files = append(files, s)
	}
	return files, nil
}
