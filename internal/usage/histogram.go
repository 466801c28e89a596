package usage

import (
	"math"
	"time"
)

// A histogram has perOctave buckets for each doubling, so that a bucket is 19 %
// wide. Bucket 0 is below a millisecond; the last one is open.
const (
	perOctave = 4
	buckets   = 1 + 21*perOctave // up to 2^21 ms: 35 minutes
)

// bucketOf returns the bucket of a duration.
func bucketOf(d time.Duration) int {
	if d < time.Millisecond {
		return 0
	}
	return min(1+int(perOctave*math.Log2(float64(d)/float64(time.Millisecond))), buckets-1)
}

// bounds returns where a bucket begins and ends.
func bounds(bucket int) (from, to time.Duration) {
	edge := func(n int) time.Duration {
		return time.Duration(float64(time.Millisecond) * math.Exp2(float64(n)/perOctave))
	}
	if bucket == 0 {
		return 0, time.Millisecond
	}
	return edge(bucket - 1), edge(bucket)
}

// histogram is nil until something is counted, then it has buckets elements.
type histogram []uint64

func (h *histogram) add(bucket int, n uint64) {
	if *h == nil {
		*h = make(histogram, buckets)
	}
	(*h)[bucket] += n
}

// quantile returns the value below which the share q of what was counted lies,
// within the width of a bucket. 0: nothing was counted.
func (h histogram) quantile(q float64) time.Duration {
	var total uint64
	for _, n := range h {
		total += n
	}
	if total == 0 {
		return 0
	}
	rank := min(max(uint64(math.Ceil(q*float64(total))), 1), total)
	for bucket, n := range h {
		if rank <= n {
			from, to := bounds(bucket)
			return from + time.Duration(float64(to-from)*(float64(rank)-0.5)/float64(n))
		}
		rank -= n
	}
	return 0 // not reached: the counts sum up to total
}
