package audit

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"
)

// partitionInfo is what is known of a partition without opening its index.
type partitionInfo struct {
	day      day
	first    uint64 // sequence of its first frame
	prev     chainHash
	readable bool // its first frame could be read
	previous *previousMeta
}

// found is what Open learns from the folder.
type found struct {
	trail      string // its id; "": there is none yet
	partitions []partitionInfo
	pos        position // end of the log; seq 0: there is none
	open       map[string]*row
	times      timeRange
	items      []item // frames that the index does not have
	indexed    position
	indexOpen  map[string]*row
	events     []*Event // what has to be told
	head       *head    // as it was kept; nil: there is none, or it can't be read
	gaps       gaps     // what was dropped, and is told of in the trail
	holding    *holding // what is held, as the trail tells
	damaged    []Damage // places that stay as they are
	used       uint64   // the highest sequence that there was, when records are missing at the end
}

// recovery reads the folder and cuts off what is not whole.
type recovery struct {
	found
	dir  string
	boot string
	now  time.Time
	log  *zap.Logger
	look bool   // only look: mend nothing
	lost uint64 // highest sequence seen among what was cut off

	at    position // behind the last good frame
	left  int      // frames that still belong to the one before them
	held  []item   // of a record whose frames were not all read yet
	wound []Damage // passed over, with no whole record behind it yet
	gone  uint64   // how many frames these were
}

// recoverTrail finds the end of the log, and what is under way there.
func recoverTrail(dir, boot string, now time.Time, log *zap.Logger) (*found, error) {
	r := &recovery{dir: dir, boot: boot, now: now, log: log}
	found, err := r.all()
	if err != nil {
		return nil, err
	}
	return found, r.compareHead()
}

// all reads the folder.
func (r *recovery) all() (*found, error) {
	r.times, r.open, r.indexOpen = noTimes, map[string]*row{}, map[string]*row{}
	days, err := listDays(r.dir)
	if err != nil {
		return nil, err
	}
	if days, err = r.dropHeadless(days); err != nil {
		return nil, err
	}
	for _, d := range days {
		b, err := readBegin(r.dir, d)
		if isTorn(err) {
			b, err = segmentBegin{why: err}, nil
		}
		if err != nil {
			return nil, err
		}
		if b.why != nil {
			r.damaged = append(r.damaged, Damage{Day: d.String(), Reason: b.why.Error()})
		} else {
			r.trail, r.gaps = b.meta.Trail, b.meta.Gaps // each segment tells all gaps
			r.holding = r.holding.later(b.meta.Holding)
		}
		r.partitions = append(r.partitions, partitionInfo{d, b.seq, b.prev, b.why == nil, b.meta.Previous})
	}
	if len(days) > 0 {
		if err := r.readTail(r.partitions[len(days)-1]); err != nil {
			return nil, err
		}
	}
	return &r.found, r.nameTrail()
}

// nameTrail finds the id of a trail of which no segment tells it any more.
func (r *recovery) nameTrail() error {
	if r.trail != "" {
		return nil
	}
	kept, err := readHead(r.dir)
	if errors.Is(err, ErrDamaged) {
		return nil // compareHead says so
	}
	if kept != nil {
		r.trail = kept.Trail
	}
	return err
}

// dropHeadless sets segments aside, from the end, of which nothing can be read:
// mostly they were being started when the process died.
func (r *recovery) dropHeadless(days []day) ([]day, error) {
	for len(days) > 0 {
		last := days[len(days)-1]
		_, err := readBegin(r.dir, last)
		if !isTorn(err) {
			return days, err
		}
		if err := r.setAside(last, 0, err); err != nil {
			return nil, err
		}
		if !r.look {
			if err := os.Remove(filepath.Join(r.dir, last.logName())); err != nil {
				return nil, fmt.Errorf("setting a segment aside: %w", err)
			}
		}
		days = days[:len(days)-1]
	}
	return days, nil
}

// isTorn tells bytes that are not a whole record from a disk that can't be
// read and from a record of a version to come, which are not to be cut off.
func isTorn(err error) bool {
	var bad badRecord
	return errors.Is(err, errShort) || errors.As(err, &bad)
}

// readTail goes from where the index of the last partition ends to the end of
// its segment, and cuts off what is not whole there. What is damaged and has
// whole records behind it stays where it is.
func (r *recovery) readTail(last partitionInfo) error {
	d := last.day
	r.pos = position{day: d, seq: last.first - 1, hash: last.prev}
	if !last.readable {
		r.carryOver()
	}
	r.fromIndex(d)
	r.at = r.pos
	off := r.pos.off
	s, err := scanSegment(r.dir, d, off, true)
	if err != nil {
		return err
	}
	defer s.close()
	r.indexed = r.pos
	for id, begun := range r.open {
		r.indexOpen[id] = begun
	}
	for {
		h, content, err := s.next()
		if err == nil {
			err = r.follow(s, &h, content)
		}
		switch {
		case err == nil:
			continue
		case err == io.EOF && r.at == r.pos:
			return nil
		case err == io.EOF:
			err = errShort
		case !isTorn(err):
			return err
		}
		on, lookErr := r.passOver(s, err)
		if lookErr != nil {
			return lookErr
		}
		if !on {
			return r.setAside(d, r.pos.off, err)
		}
	}
}

// passOver goes on behind a place that is damaged. It is false when no whole
// record is there: then a crash has torn the end.
func (r *recovery) passOver(s *scanner, why error) (bool, error) {
	from := r.at
	h, off, found, err := s.resync(from.off, from.seq, math.MaxInt64)
	if err != nil || !found {
		if len(r.wound) > 0 {
			r.at = r.pos // all from the damage on is cut off
		}
		return false, err
	}
	if from.off > 0 || !slices.ContainsFunc(r.damaged, func(x Damage) bool { return x.Day == s.day.String() }) {
		r.wound = append(r.wound, Damage{Day: s.day.String(), Offset: from.off, Sequence: from.seq + 1, Reason: why.Error()})
	}
	r.gone += h.seq - 1 - from.seq
	r.at = position{day: s.day, seq: h.seq - 1, hash: h.prev, off: off}
	r.left = 0 // a response half without the rest of its body still ends its exchange
	s.seek(off)
	return true, nil
}

// carryOver makes up for the first frame of the last segment, which can't be
// read: it would tell of gaps and of what was under way.
func (r *recovery) carryOver() {
	n := len(r.partitions)
	if n < 2 {
		return
	}
	before := r.partitions[n-2].day
	if state, err := peekIndex(filepath.Join(r.dir, before.dbName()), before); err == nil {
		for _, p := range state.open {
			if begun, err := p.read(r.dir); err == nil {
				r.open[begun.id] = begun
			}
		}
	}
	s, err := scanSegment(r.dir, before, 0, false)
	if err != nil {
		return
	}
	defer s.close()
	for {
		h, meta, err := s.skimOn()
		if err != nil {
			return
		}
		r.heed(toldIn(h.kind, meta))
	}
}

// follow adds one frame to the end of the log, if it is the last of those that
// belong together.
func (r *recovery) follow(s *scanner, h *header, content []byte) error {
	at := s.at(h)
	if h.seq != r.at.seq+1 || h.prev != r.at.hash {
		return badRecord("the record does not follow the one before")
	}
	if err := h.follows(r.left); err != nil {
		return err
	}
	it, err := decodeItem(h, content[:h.meta], at, func(id string) *row { return r.open[id] })
	if isTorn(err) {
		r.wound = append(r.wound, Damage{Day: at.day.String(), Offset: at.last, Sequence: h.seq, Reason: err.Error()})
		err = nil
	}
	if err != nil {
		return err
	}
	if h.kind == frameSegment {
		var meta segmentMeta
		if err := json.Unmarshal(content, &meta); err == nil { // else it was noted when the segments were listed
			r.open = carriedOver(r.dir, meta)
		}
	}
	r.at, r.left = at, h.more
	it.lost, r.gone = r.gone, 0
	r.held = append(r.held, it)
	r.trailIn(h.kind, content[:h.meta])
	if h.more > 0 {
		return nil
	}
	r.damaged, r.wound = append(r.damaged, r.wound...), nil
	r.heed(toldIn(h.kind, content[:h.meta]))
	for _, it := range r.held {
		it.keep(r.open)
		if it.completes() {
			r.times.add(it.row.time)
		}
		if len(r.items) <= indexQueue {
			r.items = append(r.items, it)
		}
	}
	r.pos, r.held = at, r.held[:0]
	return nil
}

func (r *recovery) heed(t told) {
	r.gaps, r.holding = r.gaps.withAll(t.gaps), r.holding.later(t.holding)
}

// trailIn takes the id of the trail from a checkpoint, where no segment tells it.
func (r *recovery) trailIn(kind frameKind, meta []byte) {
	if r.trail != "" || kind != frameEvent {
		return
	}
	var e Event
	if json.Unmarshal(meta, &e) == nil && e.Kind == KindCheckpoint {
		r.trail = e.TargetName
	}
}

// fromIndex goes to the end of the index of d if that agrees with the
// segment.
func (r *recovery) fromIndex(d day) {
	path := filepath.Join(r.dir, d.dbName())
	if _, err := os.Stat(path); err != nil {
		return
	}
	t, state, err := openTable(path, r.boot, d)
	if err != nil {
		r.log.Warn("the index of the trail can't be read; it will be built anew", zap.Error(err))
		return
	}
	telling, err := t.firsts(tellingKinds...)
	t.close()
	if err != nil || state.pos.seq == 0 || !r.agrees(d, state.pos) {
		return
	}
	open := map[string]*row{}
	for _, p := range state.open {
		begun, err := p.read(r.dir)
		if err != nil {
			return
		}
		open[begun.id] = begun
	}
	all, err := r.toldAt(d, telling)
	if err != nil {
		return
	}
	r.pos, r.open, r.times = state.pos, open, state.times
	for _, t := range all {
		r.heed(t)
	}
}

// toldAt is what the events at these offsets tell.
func (r *recovery) toldAt(d day, offsets []int64) (all []told, err error) {
	frames := newFrames(nil, r.dir, nil)
	defer frames.close()
	for _, off := range offsets {
		fr, err := frames.read(place{d, off}, false)
		if err != nil {
			return nil, err
		}
		all = append(all, toldIn(fr.kind, fr.metaData))
	}
	return all, nil
}

// agrees reports whether the frame that the index saw last is in the segment.
func (r *recovery) agrees(d day, pos position) bool {
	s, err := scanSegment(r.dir, d, pos.last, true)
	if err != nil {
		return false
	}
	defer s.close()
	h, _, err := s.next()
	return err == nil && s.at(&h) == pos && h.more == 0
}

// setAside moves what follows off in a segment to a file of its own.
func (r *recovery) setAside(d day, off int64, reason error) error {
	if r.look {
		return nil
	}
	name := fmt.Sprintf("%s.torn-%d-%d", d.logName(), off, r.now.UnixNano())
	size, digest, err := copyTail(filepath.Join(r.dir, d.logName()), filepath.Join(r.dir, name), off)
	if err != nil {
		return fmt.Errorf("keeping a torn record aside: %w", err)
	}
	// Frames that are whole and wait for others of their record are no loss.
	highest, err := highestSequence(filepath.Join(r.dir, name), max(r.at.off-off, 0), r.at.seq)
	if err != nil {
		return fmt.Errorf("reading a torn record: %w", err)
	}
	r.lost = max(r.lost, highest)
	if err := os.Truncate(filepath.Join(r.dir, d.logName()), off); err != nil {
		return fmt.Errorf("cutting a torn record off: %w", err)
	}
	r.log.Warn("the log ended in a record that is not whole; it was cut off and kept aside",
		zap.String("file", name), zap.Int64("bytes", size), zap.String("reason", reason.Error()))
	r.events = append(r.events, &Event{Kind: KindTailCut, TargetType: "segment", TargetName: d.logName(), Metadata: map[string]string{
		"offset": strconv.FormatInt(off, 10), "bytes": strconv.FormatInt(size, 10),
		"file": name, "sha256": digest, "reason": reason.Error(),
	}})
	return nil
}

func copyTail(from, to string, off int64) (size int64, digest string, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, "", err
	}
	defer in.Close()
	if _, err := in.Seek(off, io.SeekStart); err != nil {
		return 0, "", err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, "", err
	}
	sum := sha256.New()
	size, err = io.Copy(io.MultiWriter(out, sum), in)
	if err == nil {
		err = out.Sync()
	}
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	return size, hex.EncodeToString(sum.Sum(nil)), err
}

// highestSequence looks for whole frames in bytes that were cut off, from an
// offset on, and returns the highest sequence among them, 0 when there is none.
func highestSequence(path string, from int64, last uint64) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	var highest uint64
	const step = 1 << 20
	buf := make([]byte, step+headerSize)
	// What is within a frame whose header is whole is somebody's body.
	if n, _ := f.ReadAt(buf[:headerSize], from); n == headerSize {
		if h, err := parseHeader(buf[:headerSize], true); err == nil && from+h.size() > info.Size() {
			from += h.size()
		}
	}
	most := last + uint64((info.Size()-from)/headerSize) + 1
	for off := from; off < info.Size(); off += step {
		n, err := f.ReadAt(buf, off)
		if err != nil && err != io.EOF {
			return 0, err
		}
		for i := 0; i < step && i+headerSize <= n; i++ {
			if buf[i] != magic[0] {
				continue
			}
			h, err := parseHeader(buf[i:n], true)
			if err != nil || off+int64(i)+h.size() > info.Size() || last > 0 && h.seq > most {
				continue
			}
			content := make([]byte, h.meta+h.body)
			if _, err := f.ReadAt(content, off+int64(i)+headerSize); err != nil && err != io.EOF {
				return 0, err
			}
			if h.checkContent(content, false) == nil {
				highest = max(highest, h.seq)
			}
		}
	}
	return highest, nil
}

// compareHead finds out whether whole records are missing at the end.
func (r *recovery) compareHead() error {
	kept, err := readHead(r.dir)
	if err != nil {
		r.log.Error("the head of the trail can't be read", zap.Error(err))
	}
	if r.head = kept; kept != nil {
		r.lost = max(r.lost, kept.Sequence)
	}
	if r.lost <= r.pos.seq {
		return nil
	}
	r.used = r.lost
	r.damaged = append(r.damaged, Damage{Day: cmp.Or(r.pos.day, dayOf(r.now)).String(), Offset: r.pos.off, Sequence: r.pos.seq + 1,
		Reason: fmt.Sprintf("the records up to %d are missing behind it", r.lost)})
	r.log.Error("records are missing at the end of the trail",
		zap.Uint64("first", r.pos.seq+1), zap.Uint64("last", r.lost))
	r.events = append(r.events, &Event{Kind: KindRecordsMissing, TargetType: "trail", Metadata: map[string]string{
		"firstMissed": strconv.FormatUint(r.pos.seq+1, 10), "lastMissed": strconv.FormatUint(r.lost, 10),
	}})
	return nil
}
