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
	rank := max(q*float64(total), 1)
	for bucket, n := range h {
		if n == 0 {
			continue
		}
		if rank <= float64(n) || bucket == len(h)-1 {
			from, to := bounds(bucket)
			return from + time.Duration(float64(to-from)*min(rank/float64(n), 1))
		}
		rank -= float64(n)
	}
	// Rounding may leave a rank behind the last one that was counted.
	for bucket := len(h) - 1; bucket >= 0; bucket-- {
		if h[bucket] > 0 {
			_, to := bounds(bucket)
			return to
		}
	}
	return 0
}
