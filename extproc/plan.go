package extproc

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"
	"time"
)

// SessionHeader is the request header whose value keeps a client's calls at
// one target for as long as that is well, so that its prompt cache is warm.
const SessionHeader = "x-session-id"

// plan is the order in which the targets are tried: by Order; among equals the
// first by weight, at random or by session, and the others after it; those
// that cool down last. Targets that can't be called are left out.
func (e *Entry) plan(now time.Time, session string, random func() float64) []*Target {
	if len(e.Targets) == 1 && e.Targets[0].Problem == "" {
		return e.Targets
	}
	type ranked struct {
		t     *Target
		cool  bool
		score float64 // the highest first
	}
	list := make([]ranked, 0, len(e.Targets))
	for _, t := range e.Targets {
		if t.Problem != "" || t.Auth != nil && t.Auth.Ready() != nil {
			continue
		}
		u := 0.0
		if session == "" {
			u = random()
		} else {
			u = hashed(session, t.Name)
		}
		list = append(list, ranked{t, t.health.cooling(now), score(t.Weight, u)})
	}
	slices.SortStableFunc(list, func(a, b ranked) int {
		if a.cool != b.cool {
			return b2i(a.cool) - b2i(b.cool)
		}
		if c := cmp.Compare(a.t.Order, b.t.Order); c != 0 {
			return c
		}
		return cmp.Compare(b.score, a.score)
	})
	out := make([]*Target, len(list))
	for i := range list {
		out[i] = list[i].t
	}
	return out
}

// score ranks by weight: of several targets, each comes first with the
// probability of its share when u is uniform in [0,1) (weighted rendezvous
// hashing; Efraimidis and Spirakis, "Weighted random sampling", 2006). Without
// weight a target comes after all that have one.
func score(weight int, u float64) float64 {
	if weight <= 0 {
		return math.Inf(-1)
	}
	return math.Log(1-u) / float64(weight)
}

// hashed is a number in [0,1) that follows from both, the same on every node.
func hashed(session, target string) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(session))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(target))
	// FNV's high bits hardly differ between names that differ at their end
	// only; this spreads them (the finalizer of SplitMix64).
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11) / (1 << 53)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
