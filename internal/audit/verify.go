package audit

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/tidwall/gjson"
)

// VerifyDir walks the trail in dir, reading only: also while a gateway writes
// it. What is not as it was written is in the report (see Report.Err); the
// error tells what could not be read.
func VerifyDir(ctx context.Context, dir string) (Report, error) {
	return VerifyDirWith(ctx, dir, VerifyOptions{})
}

// VerifyDirWith is VerifyDir with other keys, or for a range: then only the
// partitions that hold the range are read, and what links them to those around
// them. An error that wraps ErrNoRange says that there are none.
func VerifyDirWith(ctx context.Context, dir string, o VerifyOptions) (Report, error) {
	if o.Keys == nil {
		keys, err := ReadKeys(dir)
		if err != nil {
			return Report{}, fmt.Errorf("verifying the trail: %w", err)
		}
		o.Keys = keys
	}
	return verifyDir(ctx, dir, o, time.Now(), func() *position { return nil })
}

// verifyDir walks the trail. memory returns the end that the writer knows of,
// nil when it is not at hand; frames behind it are left out.
func verifyDir(ctx context.Context, dir string, o VerifyOptions, now time.Time, memory func() *position) (Report, error) {
	v := &walk{dir: dir, seed: maphash.MakeSeed(), open: map[string]underWay{}, witnesses: map[uint64]string{}}
	v.signed.trust(o.Keys)
	v.signed.demand, v.options = o.Signed, o
	v.report.Checked = now.UTC()
	// Heads are read before the segments, so that a trail that grows meanwhile
	// is ahead of them and not behind.
	if err := v.readWitnesses(memory()); err != nil {
		return v.report, fmt.Errorf("verifying the trail: %w", err)
	}
	if err := v.readHolds(); err != nil {
		return v.report, fmt.Errorf("verifying the trail: %w", err)
	}
	files, err := v.openAll()
	defer func() {
		for _, s := range files {
			s.close()
		}
	}()
	if err != nil {
		return v.report, fmt.Errorf("verifying the trail: %w", err)
	}
	first, last := 0, len(files)-1
	if o.ranged() {
		if first, last, err = o.choose(files); err != nil {
			return v.report, fmt.Errorf("verifying the trail: %w", err)
		}
		v.inside = first > 0
	}
	v.pace.begun = time.Now()
	v.measure(files[first : last+1])
	v.measure(files[max(len(files)-1, 0):]) // gather reads it, too
	if err := v.gather(ctx, files); err != nil {
		return v.report, fmt.Errorf("verifying the trail: %w", err)
	}
	// A range goes on to where a signature covers it and what it says of gaps.
	for i := first; err == nil && (i <= last || i < len(files) && v.unsettled()); i++ {
		last = max(last, i)
		err = v.segment(ctx, files[i], i == first, i == len(files)-1)
		files[i].rest()
	}
	if err == nil && last < len(files)-1 {
		err = v.linked(files[last+1])
	}
	var found *Problem
	switch {
	case errors.As(err, &found):
		v.report.Problem = found
		return v.report, nil
	case err != nil:
		return v.report, fmt.Errorf("verifying the trail: %w", err)
	}
	v.finish(files, last == len(files)-1)
	if v.report.Problem == nil {
		if v.report.Problem, err = v.holdsProblem(ctx, files); err != nil {
			return v.report, fmt.Errorf("verifying the trail: %w", err)
		}
	}
	if v.report.Problem == nil && o.First > v.at.seq {
		return v.report, fmt.Errorf("verifying the trail: %w", ErrNoRange)
	}
	if v.report.Problem == nil {
		err = v.findTwice(ctx, files[first:last+1])
	}
	return v.report, err
}

// Error makes a Problem an error while the walk unwinds.
func (p *Problem) Error() string { return p.Reason }

// walk is the state of a verification.
type walk struct {
	dir    string
	report Report
	at     position // behind the last good frame
	prior  position // the end of the segment before
	open   map[string]underWay
	left   int      // frames that belong to the one before and are still to come
	ended  underWay // the exchange of the response half before
	whole  position // behind the last frame that was followed by all that belong to it
	undo   func()   // takes back what the frames behind whole changed
	// witnesses are hashes by sequence, as kept apart from the segments.
	witnesses map[uint64]string
	furthest  uint64           // the highest sequence among them
	memory    *position        // the end of the log in the writer's memory
	clean     *head            // the trail was closed here
	headless  bool             // there is no head file
	manifest  *excerptManifest // set where the folder holds some days only
	gaps      evidence
	custody   custody
	options   VerifyOptions
	pace      pace
	signed    signed
	inside    bool // the walk begins behind the first segment
	seed      maphash.Seed
	ids       []uint64 // hashes of ids
}

func (v *walk) readWitnesses(memory *position) error {
	v.memory = memory
	if memory != nil {
		v.witness(memory.seq, hex.EncodeToString(memory.hash[:]))
		return nil
	}
	kept, err := readHead(v.dir)
	if errors.Is(err, ErrDamaged) {
		kept, err = nil, nil
	}
	if err != nil {
		return err
	}
	if kept == nil {
		v.headless = true
	} else {
		v.signed.head = kept
		v.witness(kept.Sequence, kept.Hash)
		if kept.Clean {
			v.clean = kept
		}
	}
	if err := v.excerpt(); err != nil {
		return err
	}
	return v.readIndexHead()
}

func (v *walk) witness(seq uint64, hash string) {
	v.witnesses[seq] = hash
	v.furthest = max(v.furthest, seq)
}

// readIndexHead takes the end that the last index knows of as a witness, if
// the index was closed in order: then reading it changes nothing.
func (v *walk) readIndexHead() error {
	days, err := listDays(v.dir)
	if err != nil || len(days) == 0 {
		return err
	}
	last := days[len(days)-1]
	path := filepath.Join(v.dir, last.dbName())
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	if _, err := os.Stat(path + "-wal"); err == nil {
		return nil
	}
	state, err := peekIndex(path, last)
	if err == nil && state.clean && state.pos.seq > 0 {
		v.witness(state.pos.seq, hex.EncodeToString(state.pos.hash[:]))
	}
	return nil // an index is not part of the trail: it may be missing or broken
}

// problem makes the error that names the record at the place the walk has
// reached.
func (v *walk) problem(s *scanner, format string, args ...any) error {
	return &Problem{s.day.logName(), s.off, v.at.seq + 1, fmt.Sprintf(format, args...)}
}

// underWay is an exchange that was begun and not ended.
type underWay struct {
	seq   uint64
	parts []uint64 // sequences
}

// segment walks one file.
func (v *walk) segment(ctx context.Context, s *scanner, first, last bool) error {
	v.report.Segments++
	v.prior = v.at
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		start := *s
		if v.memory != nil && s.day == v.memory.day && s.off == v.memory.off {
			return nil // what follows was written after the walk began
		}
		h, content, err := s.next()
		var bad badRecord
		switch {
		case err == io.EOF && n > 0 && v.left == 0:
			return nil
		case err == io.EOF, errors.Is(err, errShort):
			if !last || v.clean != nil || v.memory != nil {
				return v.problem(s, "%v", errShort)
			}
			return v.torn(s, n > 0)
		case errors.As(err, &bad):
			return v.problem(s, "%v", bad)
		case err != nil:
			return err
		}
		if err := v.frame(&start, &h, content, first, n == 0); err != nil {
			return err
		}
		if v.at = s.at(&h); h.more == 0 {
			v.whole = v.at
		}
		v.left = h.more
		if err := v.advance(ctx, h.size()); err != nil {
			return err
		}
	}
}

// torn notes a record at the end of the log that is not whole. Frames of it
// may be there already; begun says that the segment has one before it.
func (v *walk) torn(s *scanner, begun bool) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	v.report.TailBytes = info.Size()
	if begun {
		v.report.TailBytes -= v.whole.off
		v.report.Frames -= int64(v.at.seq - v.whole.seq)
		v.at = v.whole
		if v.left > 0 {
			v.undo()
		}
	}
	return nil
}

// frame checks one frame against everything before it.
func (v *walk) frame(s *scanner, h *header, content []byte, firstFile, firstFrame bool) error {
	meta := content[:h.meta]
	if (h.kind == frameSegment) != firstFrame {
		return v.problem(s, "a segment begins with its own record, and only there")
	}
	if firstFile && firstFrame {
		if err := v.start(s, h, meta); err != nil {
			return err
		}
	}
	if firstFrame && !firstFile && h.seq > v.at.seq+1 {
		if err := v.jump(s, h, meta); err != nil {
			return err
		}
	}
	if h.seq != v.at.seq+1 {
		return v.problem(s, "the sequence is %d", h.seq)
	}
	if h.prev != v.at.hash {
		return v.problem(s, "it is not linked to the record before")
	}
	if kept, known := v.witnesses[h.seq]; known && kept != hex.EncodeToString(h.chain[:]) {
		return v.problem(s, "it is not the record that was at the head of the trail")
	}
	var wrong badRecord
	if err := h.follows(v.left); errors.As(err, &wrong) {
		return v.problem(s, "%s", string(wrong))
	}
	if h.kind != framePiece && !gjson.ValidBytes(meta) {
		return v.problem(s, "the meta data is not JSON")
	}
	v.report.Frames++
	v.signed.lastAt = h.time
	return v.record(s, h, meta)
}

// start takes the first frame of the first segment as it is, and notes what it
// says about a segment before it.
func (v *walk) start(s *scanner, h *header, meta []byte) error {
	var m segmentMeta
	if err := json.Unmarshal(meta, &m); err != nil {
		return v.problem(s, "%v", err)
	}
	v.report.FirstSequence = h.seq
	v.at.seq, v.at.hash = h.seq-1, h.prev
	v.open = carriedIn(m)
	v.signed.covered = h.seq - 1
	if m.Previous == nil {
		v.at = position{}
		return nil
	}
	if err := v.missing(s, h, gap{1, h.seq - 1, beginning, hex.EncodeToString(h.prev[:])}); err != nil {
		return err
	}
	v.prior = v.at
	if d, err := parseDay(m.Previous.Day); err == nil {
		v.prior.day = d
	}
	return nil
}

// record checks what the frame means.
func (v *walk) record(s *scanner, h *header, meta []byte) error {
	id := gjson.GetBytes(meta, "id").String()
	begun, known := v.open[id]
	if h.more > 0 && (h.kind == frameSegment || h.kind == frameEvent) {
		return v.problem(s, "nothing can belong to a record of kind %d", h.kind)
	}
	switch h.kind {
	case frameSegment:
		v.heed(h.seq, toldIn(h.kind, meta))
		return v.link(s, meta)
	case frameBegin, frameWhole:
		if known {
			return v.problem(s, "the exchange %q is under way already", id)
		}
		if h.kind == frameBegin {
			v.open[id] = underWay{seq: h.seq}
		}
		v.ids = append(v.ids, maphash.String(v.seed, id))
		v.report.Exchanges++
		if h.more > 0 {
			v.undo = func() {
				delete(v.open, id)
				v.ids = v.ids[:len(v.ids)-1]
				v.report.Exchanges--
			}
		}
	case framePart, frameEnd:
		if !known {
			return v.problem(s, "the exchange %q was not begun", id)
		}
		if h.more > 0 {
			v.undo = func() { v.open[id] = begun }
		}
		if h.kind == framePart {
			v.open[id] = underWay{begun.seq, append(slices.Clip(begun.parts), h.seq)}
			return nil
		}
		v.ended = begun
		delete(v.open, id)
		if len(begun.parts) > 0 && h.more == 0 {
			return v.problem(s, "it does not list the parts of its exchange")
		}
	case framePiece:
		if len(v.ended.parts) > 0 {
			return v.problem(s, "the parts of the exchange are not listed before it")
		}
	case frameParts:
		return v.parts(s, h, meta)
	case frameEvent:
		v.report.Events++
		return v.event(s, h, meta)
	default:
		return v.problem(s, "its kind is %d", h.kind)
	}
	return nil
}

// parts compares the list behind a response half with the parts that were
// walked.
func (v *walk) parts(s *scanner, h *header, meta []byte) error {
	var m partsMeta
	if err := json.Unmarshal(meta, &m); err != nil {
		return v.problem(s, "%v", err)
	}
	listed := make([]uint64, len(m.Parts))
	for i := range m.Parts {
		listed[i] = m.Parts[i].Sequence
	}
	if !slices.Equal(listed, v.ended.parts) {
		return v.problem(s, "it lists other parts than its exchange has")
	}
	v.ended = underWay{}
	return nil
}

// carriedIn is what a segment says was under way when it began.
func carriedIn(m segmentMeta) map[string]underWay {
	open := map[string]underWay{}
	for _, o := range m.Open {
		u := underWay{seq: o.Sequence}
		for i := range o.Parts {
			u.parts = append(u.parts, o.Parts[i].Sequence)
		}
		open[o.ID] = u
	}
	return open
}

// link compares what the first frame of a segment says with what was walked.
func (v *walk) link(s *scanner, meta []byte) error {
	var m segmentMeta
	if err := json.Unmarshal(meta, &m); err != nil {
		return v.problem(s, "%v", err)
	}
	v.signed.trail = m.Trail
	if m.Format != formatVersion || m.Day != s.day.String() {
		return v.problem(s, "it is the segment of %s in format %d", m.Day, m.Format)
	}
	if m.Previous != nil {
		hash := hex.EncodeToString(v.prior.hash[:])
		if m.Previous.Sequence != v.prior.seq || m.Previous.Hash != hash || m.Previous.Day != v.prior.day.String() {
			return v.problem(s, "the segment before it is missing or another")
		}
	} else if v.prior.seq != 0 {
		return v.problem(s, "it claims to begin the trail")
	}
	open := carriedIn(m)
	if len(open) != len(v.open) {
		return v.problem(s, "it carries over %d exchanges instead of %d", len(open), len(v.open))
	}
	for id, u := range open {
		if known := v.open[id]; known.seq != u.seq || !slices.Equal(known.parts, u.parts) {
			return v.problem(s, "it carries over %q, which is not under way", id)
		}
	}
	return nil
}

// event heeds what the trail says about itself.
func (v *walk) event(s *scanner, h *header, meta []byte) error {
	var e Event
	if err := json.Unmarshal(meta, &e); err != nil {
		return v.problem(s, "%v", err)
	}
	if x, ok := gapOf(&e); ok {
		v.gaps.tell(h.seq, x)
	}
	v.custody.tell(h.seq, holdingOf(&e))
	switch e.Kind {
	case KindCheckpoint:
		return v.checkpoint(s, h, &e)
	case KindKeyRotated:
		v.rotated(&e)
	case KindRecordsMissing:
		first, _ := strconv.ParseUint(e.Metadata["firstMissed"], 10, 64)
		last, _ := strconv.ParseUint(e.Metadata["lastMissed"], 10, 64)
		v.report.Losses = append(v.report.Losses, Loss{h.seq, first, last})
	}
	return nil
}

// finish compares the end of the walk with what is kept apart. toEnd says that
// the walk came to the end of the trail.
func (v *walk) finish(files []*scanner, toEnd bool) {
	r := &v.report
	r.LastSequence, r.Hash, r.UnderWay = v.at.seq, hex.EncodeToString(v.at.hash[:]), len(v.open)
	defer v.signedEnd()
	if !toEnd {
		if r.Problem = v.gaps.problem(); r.Problem == nil {
			r.Problem = v.signedGaps()
		}
		return
	}
	fail := func(file string, off int64, seq uint64, reason string) {
		r.Problem = &Problem{file, off, seq, reason}
	}
	end := headName
	if n := len(files); n > 0 {
		end = files[n-1].day.logName()
	}
	switch {
	case v.furthest > v.at.seq:
		fail(end, v.at.off, v.at.seq+1, fmt.Sprintf("records up to %d are missing at the end", v.furthest))
	case v.gaps.problem() != nil:
		r.Problem = v.gaps.problem()
	case v.headless && len(files) > 0:
		fail(headName, 0, v.at.seq, "the head of the trail is missing")
	case v.clean != nil && (v.clean.Sequence != v.at.seq || v.clean.Offset != v.at.off):
		fail(end, v.clean.Offset, v.clean.Sequence+1, "it was added after the trail was closed")
	default:
		if r.Problem = v.signedHead(); r.Problem == nil {
			r.Problem = v.signedGaps()
		}
	}
}

// findTwice looks for an id that more than one exchange has. Only hashes of
// ids are kept during the walk; the rare equal ones are compared in a second.
func (v *walk) findTwice(ctx context.Context, files []*scanner) error {
	slices.Sort(v.ids)
	suspects := map[uint64]bool{}
	for i := 1; i < len(v.ids); i++ {
		if v.ids[i] == v.ids[i-1] {
			suspects[v.ids[i]] = true
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	seen := map[string]bool{}
	for _, walked := range files {
		s := newScanner(walked.file, walked.day, 0, false)
		for ctx.Err() == nil {
			start := s.off
			h, content, err := s.next()
			if err != nil || h.seq > v.report.LastSequence {
				break
			}
			if h.kind != frameBegin && h.kind != frameWhole {
				continue
			}
			id := gjson.GetBytes(content[:h.meta], "id").String()
			if !suspects[maphash.String(v.seed, id)] {
				continue
			}
			if seen[id] {
				v.report.Problem = &Problem{s.day.logName(), start, h.seq, fmt.Sprintf("the exchange %q was recorded before", id)}
				return nil
			}
			seen[id] = true
		}
	}
	return ctx.Err()
}
