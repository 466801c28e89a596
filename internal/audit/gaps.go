package audit

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
)

// gap is a run of frames that are not in the trail any more. What says that
// they are rightly gone is in the trail itself: retention's events, and the
// first frame of each segment, which repeats all gaps of its day. Whoever has
// the last segment can so tell dropped partitions from those that were
// taken away, also around a partition that a hold keeps.
type gap struct {
	First uint64 `json:"firstSequence"`
	Last  uint64 `json:"lastSequence"`
	Prev  string `json:"previousHash"` // chain hash of the frame before First, hex
	Hash  string `json:"hash"`         // chain hash of Last, hex
}

// beginning is the chain hash before the first frame of a trail.
var beginning = hex.EncodeToString(make([]byte, len(chainHash{})))

// gaps are what was dropped, in order; neighbours are one.
type gaps []gap

// with returns g and x, joined to what it touches. g itself stays.
func (g gaps) with(x gap) gaps {
	var out gaps
	for _, e := range g {
		switch {
		case e.First <= x.First && x.Last <= e.Last:
			return g // known
		case x.First <= e.First && e.Last <= x.Last: // x tells more
		case e.Last+1 == x.First && e.Hash == x.Prev:
			x.First, x.Prev = e.First, e.Prev
		case x.Last+1 == e.First && x.Hash == e.Prev:
			x.Last, x.Hash = e.Last, e.Hash
		default:
			out = append(out, e)
		}
	}
	out = append(out, x)
	slices.SortFunc(out, func(a, b gap) int { return int(int64(a.First - b.First)) })
	return out
}

// at returns the gap that holds the frame seq.
func (g gaps) at(seq uint64) (gap, bool) {
	for _, e := range g {
		if e.First <= seq && seq <= e.Last {
			return e, true
		}
	}
	return gap{}, false
}

// after returns the first gap behind the frame seq.
func (g gaps) after(seq uint64) (gap, bool) {
	for _, e := range g {
		if e.First > seq {
			return e, true
		}
	}
	return gap{}, false
}

// Names in the metadata of KindPartitionDropped and KindRecordsMissing.
const (
	metaFirst, metaLast, metaPrev, metaHash = "firstSequence", "lastSequence", "previousHash", "hash"
	metaGapFirst, metaGapPrev               = "gapFirstSequence", "gapPreviousHash"
	metaGapLast, metaGapHash                = "gapLastSequence", "gapHash"
)

// describe puts the gap into the metadata of the event that makes it.
func (x gap) describe(metadata map[string]string) {
	metadata[metaGapFirst], metadata[metaGapPrev] = strconv.FormatUint(x.First, 10), x.Prev
	metadata[metaGapLast], metadata[metaGapHash] = strconv.FormatUint(x.Last, 10), x.Hash
}

// gapOf is the gap that an event tells of.
func gapOf(e *Event) (gap, bool) {
	if e.Kind != KindPartitionDropped && e.Kind != KindRecordsMissing {
		return gap{}, false
	}
	m := e.Metadata
	x := gap{Prev: m[metaGapPrev], Hash: m[metaGapHash]}
	var err, lastErr error
	x.First, err = strconv.ParseUint(m[metaGapFirst], 10, 64)
	x.Last, lastErr = strconv.ParseUint(m[metaGapLast], 10, 64)
	return x, err == nil && lastErr == nil && x.First <= x.Last && x.Prev != "" && x.Hash != ""
}

// told is what a frame tells of the trail itself.
type told struct {
	gaps    []gap
	holding *holding
}

// toldIn is what a frame of the trail tells of what retention may and did drop.
func toldIn(kind frameKind, meta []byte) (t told) {
	switch kind {
	case frameSegment:
		var m segmentMeta
		if json.Unmarshal(meta, &m) == nil {
			return told{m.Gaps, m.Holding}
		}
	case frameEvent:
		var e Event
		if json.Unmarshal(meta, &e) != nil {
			return t
		}
		if x, ok := gapOf(&e); ok {
			t.gaps = []gap{x}
		}
		t.holding = holdingOf(&e)
	}
	return t
}

// withAll returns g and all of more.
func (g gaps) withAll(more []gap) gaps {
	for _, x := range more {
		g = g.with(x)
	}
	return g
}
