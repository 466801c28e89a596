package audit

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"
)

// wholeSegment as the last frame of an index is the last whole one there is.
const wholeSegment = math.MaxUint64

// buildIndex makes the index of a partition from its segment, up to and with
// the frame last, and puts it in place whole. complete says that the segment
// has ended there. saw is told of what is damaged.
func buildIndex(ctx context.Context, dir string, d day, last uint64, boot string, complete bool, saw func(Damage)) (tableState, error) {
	state := tableState{times: noTimes, complete: complete, pos: position{day: d}}
	path := filepath.Join(dir, d.dbName())
	building := path + ".building"
	if err := removeIndex(building); err != nil {
		return state, fmt.Errorf("building an index: %w", err)
	}
	t, _, err := openTable(building, boot, d)
	if err != nil {
		return state, err
	}
	if state, err = fillIndex(ctx, t, dir, state, last, saw); err != nil {
		t.close()
		removeIndex(building)
		return state, fmt.Errorf("building %s: %w", d.dbName(), err)
	}
	if err := t.finish(state); err != nil {
		return state, err
	}
	if err := removeIndex(path); err != nil {
		return state, fmt.Errorf("building an index: %w", err)
	}
	if err := os.Rename(building, path); err != nil {
		return state, fmt.Errorf("building an index: %w", err)
	}
	return state, nil
}

func fillIndex(ctx context.Context, t *table, dir string, state tableState, last uint64, saw func(Damage)) (tableState, error) {
	d := state.pos.day
	b, err := readBegin(dir, d)
	if err != nil {
		return state, err
	}
	known := carriedOver(dir, b.meta)
	seq := b.seq - 1
	s, err := scanSegment(dir, d, 0, false)
	if err != nil {
		return state, err
	}
	defer s.close()
	s.saw = saw
	for state.pos.seq < last {
		if err := ctx.Err(); err != nil {
			return state, err
		}
		var items []item
		items, seq, err = readItems(s, known, seq, last)
		if err != nil && err != io.EOF && !isTorn(err) {
			return state, err
		}
		if len(items) == 0 {
			if last == wholeSegment {
				return state, nil
			}
			// The end is damaged: the index is as far as it can be.
			s.noted(Damage{Day: d.String(), Offset: s.off, Sequence: state.pos.seq + 1,
				Reason: fmt.Sprintf("the records up to %d can't be read", last)})
			state.pos.seq = last
			return state, t.commit(nil, state)
		}
		var rows []*row
		for _, it := range items {
			if it.completes() {
				rows = append(rows, it.row)
				state.times.add(it.row.time)
			}
		}
		state.pos = items[len(items)-1].at
		state.open = state.open[:0]
		for _, r := range known {
			state.open = append(state.open, r.openPlace())
		}
		if err := t.commit(rows, state); err != nil {
			return state, err
		}
	}
	return state, nil
}

// carriedOver returns the exchanges that were under way when a segment began.
// Of those whose request half is not there any more it knows id and day only.
func carriedOver(dir string, meta segmentMeta) map[string]*row {
	known := map[string]*row{}
	for _, o := range meta.Open {
		d, err := parseDay(o.Day)
		if err != nil {
			continue
		}
		at := place{d, o.Offset}
		r, err := readBegun(dir, at)
		if err != nil {
			r = exchangeRow(&Exchange{ID: o.ID}, time.Unix(int64(d)*86400, 0))
			r.seq, r.first = o.Sequence, at
		}
		r.parts = o.Parts
		known[o.ID] = r
	}
	return known
}

// readBegun makes the row of a request half from its frame.
func readBegun(dir string, p place) (*row, error) {
	s, err := scanSegment(dir, p.day, p.off, false)
	if err != nil {
		return nil, err
	}
	defer s.close()
	h, content, err := s.next()
	if err != nil {
		return nil, fmt.Errorf("reading %s at %d: %w", p.day.logName(), p.off, err)
	}
	if h.kind != frameBegin {
		return nil, fmt.Errorf("%w: %s at %d is not the request half of an exchange", ErrDamaged, p.day.logName(), p.off)
	}
	it, err := decodeItem(&h, content[:h.meta], s.at(&h), nil)
	return it.row, err
}

// bootID names the run of the machine; it is "" where the system has none, and
// then no index that was not closed in order is relied on.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown since " + time.Now().String()
	}
	return string(id)
}
