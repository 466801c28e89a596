package usage

import (
	"cmp"
	"encoding/binary"
	"errors"
	"maps"
	"math/bits"
	"slices"
)

// A block is what was counted in one hour or day, or a part of it: rows in
// order of their series, after the sum of all as that of series 0. Each row is
//
//	difference to the series of the row before (of the first: to 0)
//	length of the rest in bytes
//	bit set of the counters that are not 0, and their values
//	for each of the two histograms: number of buckets counted, then of each
//	  the difference to the bucket before and the count
//
// All numbers are unsigned varints. A query reads a million rows in some tens
// of milliseconds this way, which as rows of a table take seconds.

// errBlock says that the bytes are no block.
var errBlock = errors.New("a block of usage is damaged")

// total is the series that is the sum of all.
const total = 0

// rows are figures by series, without the total.
type rows map[uint32]*Figures

func (r rows) of(series uint32) *Figures {
	f := r[series]
	if f == nil {
		f = &Figures{}
		r[series] = f
	}
	return f
}

// encode makes the block.
func (r rows) encode() []byte {
	var sum Figures
	for _, f := range r {
		sum.add(f)
	}
	var w writer
	w.row(total, &sum)
	for _, series := range slices.Sorted(maps.Keys(r)) {
		w.row(series, r[series])
	}
	return w.out
}

// totalOf returns the beginning of a block: a block of the total alone.
func totalOf(block []byte) []byte {
	p := part{all: reader{data: block, end: len(block)}}
	p.next()
	return block[:p.all.at]
}

// writer makes a block.
type writer struct {
	out, spare []byte
	last       uint32
}

func (w *writer) row(series uint32, f *Figures) {
	w.spare = f.append(w.spare[:0])
	w.out = binary.AppendUvarint(w.out, uint64(series-w.last))
	w.out = binary.AppendUvarint(w.out, uint64(len(w.spare)))
	w.out = append(w.out, w.spare...)
	w.last = series
}

func (f *Figures) append(row []byte) []byte {
	var set uint64
	for c, n := range f.counts {
		if n != 0 {
			set |= 1 << c
		}
	}
	row = binary.AppendUvarint(row, set)
	for _, n := range f.counts {
		if n != 0 {
			row = binary.AppendUvarint(row, n)
		}
	}
	return f.first.append(f.latency.append(row))
}

func (h histogram) append(row []byte) []byte {
	n := 0
	for _, count := range h {
		if count > 0 {
			n++
		}
	}
	row = binary.AppendUvarint(row, uint64(n))
	last := 0
	for bucket, count := range h {
		if count > 0 {
			row = binary.AppendUvarint(row, uint64(bucket-last))
			row = binary.AppendUvarint(row, count)
			last = bucket
		}
	}
	return row
}

// walk calls fn with the rows of a block until it returns false. What fn does
// not read is passed over.
func walk(block []byte, fn func(series uint32, r *reader) bool) error {
	p := part{all: reader{data: block, end: len(block)}, row: reader{data: block}}
	for p.next() {
		more := fn(p.series, &p.row)
		if p.row.bad {
			return errBlock
		}
		if !more {
			return nil
		}
	}
	if p.all.bad {
		return errBlock
	}
	return nil
}

// reader reads the numbers of a row, or of a whole block: data from at to end.
type reader struct {
	data    []byte
	at, end int
	bad     bool
}

func (r *reader) number() uint64 {
	if r.at < r.end && r.data[r.at] < 0x80 {
		r.at++
		return uint64(r.data[r.at-1])
	}
	return r.long()
}

func (r *reader) long() uint64 {
	n, size := binary.Uvarint(r.data[r.at:r.end])
	if size <= 0 {
		r.bad, r.at = true, r.end
		return 0
	}
	r.at += size
	return n
}

// addTo adds the row to figures.
func (r *reader) addTo(f *Figures) {
	r.counters(f)
	r.histograms(f)
}

// counters adds the row's counters; histograms is to be called then, or never.
func (r *reader) counters(f *Figures) {
	set := r.number()
	if set >= 1<<counters {
		r.bad = true
		return
	}
	for ; set != 0; set &= set - 1 {
		f.counts[bits.TrailingZeros64(set)] += r.number()
	}
}

func (r *reader) histograms(f *Figures) {
	r.histogram(&f.latency)
	r.histogram(&f.first)
}

func (r *reader) histogram(h *histogram) {
	n := r.number()
	if n == 0 {
		return
	}
	if *h == nil {
		*h = make(histogram, buckets)
	}
	counts := *h
	for bucket := uint64(0); n > 0; n-- {
		bucket += r.number()
		if bucket >= uint64(len(counts)) || r.bad {
			r.bad = true
			return
		}
		counts[bucket] += r.number()
	}
}

// merge makes one block of several.
func merge(parts [][]byte) ([]byte, error) {
	heads := make([]*part, 0, len(parts))
	for _, block := range parts {
		p := &part{all: reader{data: block, end: len(block)}, row: reader{data: block}}
		if p.next() {
			heads = append(heads, p)
		}
		if p.all.bad {
			return nil, errBlock
		}
	}
	var w writer
	for len(heads) > 0 {
		series := slices.MinFunc(heads, func(a, b *part) int { return cmp.Compare(a.series, b.series) }).series
		var sum Figures
		for _, p := range heads {
			if p.series == series {
				p.row.addTo(&sum)
				p.over = !p.next()
				if p.row.bad || p.all.bad {
					return nil, errBlock
				}
			}
		}
		heads = slices.DeleteFunc(heads, func(p *part) bool { return p.over })
		w.row(series, &sum)
	}
	return w.out, nil
}

// part is a block that is being merged, at one of its rows.
type part struct {
	all    reader
	row    reader
	series uint32
	over   bool
}

// next goes to the next row; false at the end, or where the block is damaged.
func (p *part) next() bool {
	a := &p.all
	if a.at == a.end {
		return false
	}
	p.series += uint32(a.number())
	n := a.number()
	if a.bad || n > uint64(a.end-a.at) {
		a.bad = true
		return false
	}
	p.row.at, p.row.end, p.row.bad = a.at, a.at+int(n), false
	a.at = p.row.end
	return true
}
