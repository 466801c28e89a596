package audit

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"
)

// segmentMeta is the meta data of a segment's first frame: it links the
// segment to the one before and carries over what is under way.
type segmentMeta struct {
	Format   int           `json:"format"`
	Day      string        `json:"day"`
	Trail    string        `json:"trail"`              // the id of the trail
	Previous *previousMeta `json:"previous,omitempty"` // nil: the trail starts here
	Open     []openMeta    `json:"open,omitempty"`
	Gaps     gaps          `json:"gaps,omitempty"`    // what retention dropped, until the segment began
	Holding  *holding      `json:"holding,omitempty"` // what was held when it began
}

// previousMeta is the end of the segment before.
type previousMeta struct {
	Day      string `json:"day"`
	Sequence uint64 `json:"sequence"`
	Hash     string `json:"hash"`
	// From and To bound the times of the records that ended in that segment;
	// both are absent when there is none.
	From *time.Time `json:"from,omitempty"`
	To   *time.Time `json:"to,omitempty"`
}

// openMeta is an exchange that was begun in an earlier segment and not ended
// there.
type openMeta struct {
	ID       string `json:"id"`
	Sequence uint64 `json:"sequence"`
	Day      string `json:"day"`
	Offset   int64  `json:"offset"`
	// Parts are those that were written so far.
	Parts []storedPart `json:"parts,omitempty"`
}

// roll starts the segment of a day and closes the one before, if any. If it
// fails the one before stays in use.
func (w *writer) roll(today day) error {
	if w.file != nil {
		w.ending()
		if err := w.usable(); err != nil {
			return err
		}
	}
	frame, err := w.segmentFrame(today)
	if err != nil {
		return err
	}
	next := position{seq: w.next.seq + 1, day: today, off: int64(len(frame))}
	next.hash = sealChain(frame, next.seq, w.next.hash)
	file, alloc, err := w.create(today, frame)
	if err != nil {
		return refused("starting a segment", err)
	}
	if w.file != nil {
		w.release()
	}
	w.file, w.alloc, w.spared = file, max(alloc, next.off), alloc > 0
	w.next, w.before, w.ended = next, w.ended, noTimes
	w.counters.frames.Add(1)
	w.counters.bytes.Add(int64(len(frame)))
	w.items = append(w.items, item{kind: frameSegment, at: next})
	w.publish()
	w.mu.Lock()
	w.synced = next
	w.mu.Unlock()
	w.items = w.items[:0]
	w.succeeded()
	return nil
}

// segmentFrame builds the first frame of a segment, without its place in the
// chain.
func (w *writer) segmentFrame(today day) ([]byte, error) {
	meta := segmentMeta{Format: formatVersion, Day: today.String(), Trail: w.trail, Gaps: w.gaps, Holding: w.holding}
	if w.next.seq > 0 {
		meta.Previous = &previousMeta{
			Day: w.next.day.String(), Sequence: w.next.seq, Hash: hex.EncodeToString(w.next.hash[:]),
		}
		if w.ended.lo <= w.ended.hi {
			from, to := time.Unix(0, w.ended.lo).UTC(), time.Unix(0, w.ended.hi).UTC()
			meta.Previous.From, meta.Previous.To = &from, &to
		}
	}
	for id, r := range w.open {
		meta.Open = append(meta.Open, openMeta{id, r.seq, r.first.day.String(), r.first.off, r.parts})
	}
	sort.Slice(meta.Open, func(i, j int) bool { return meta.Open[i].Sequence < meta.Open[j].Sequence })
	data, err := json.Marshal(meta)
	if err != nil {
		return nil, fmt.Errorf("encoding the start of a segment: %w", err)
	}
	frame := append(make([]byte, headerSize, headerSize+len(data)), data...)
	sealContent(frame, frameSegment, codecRaw, len(data), 0, w.now().UnixNano())
	return frame, nil
}

// create makes the file of a segment with its first frame and room for what is
// under way. It returns how far that room goes, 0 when the file system can't
// take any.
func (w *writer) create(today day, frame []byte) (segmentFile, int64, error) {
	path := filepath.Join(w.dir, today.logName())
	file, err := w.opener(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, 0, err
	}
	alloc, err := w.begin(file, frame)
	if err != nil {
		file.Close()
		os.Remove(path)
		return nil, 0, err
	}
	return file, alloc, nil
}

// begin writes the first frame of a new file.
func (w *writer) begin(file segmentFile, frame []byte) (alloc int64, err error) {
	alloc, err = takeRoom(file, 0, int64(len(frame))+w.reserved+endReserve)
	if errors.Is(err, errNoPreallocation) {
		alloc, err = 0, nil
	}
	if err != nil {
		return 0, err
	}
	w.counters.writes.Add(1)
	if _, err := file.WriteAt(frame, 0); err != nil {
		return 0, err
	}
	if err := file.Datasync(); err != nil {
		return 0, err
	}
	return alloc, syncDir(w.dir)
}

// release gives the room that was taken ahead back and closes the segment. Its
// frames are with the operating system whatever comes of that.
func (w *writer) release() {
	if err := w.file.Truncate(w.position().off); err == nil {
		w.file.Sync()
	}
	w.file.Close()
}
