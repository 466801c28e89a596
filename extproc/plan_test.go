package extproc_test

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"context"

	"sluice/extproc"
	"sluice/extproc/provider"
	"sluice/internal/catalog"
)

// entry has targets named by their place, from "a".
func entry(targets ...*extproc.Target) *extproc.Entry {
	for i, t := range targets {
		t.Name = string(rune('a' + i))
	}
	return &extproc.Entry{Endpoint: &catalog.Endpoint{Name: "e"}, Targets: targets}
}

func names(plan []*extproc.Target) (s string) {
	for _, t := range plan {
		s += t.Name
	}
	return s
}

// source is random, and the same in every run.
func source() func() float64 { return rand.New(rand.NewPCG(1, 2)).Float64 }

// TestSplit: of 10,000 calls, each target gets its share within one point.
func TestSplit(t *testing.T) {
	e := entry(&extproc.Target{Weight: 90}, &extproc.Target{Weight: 10}, &extproc.Target{Weight: 0})
	first, last, random := map[string]int{}, map[string]int{}, source()
	for range 10_000 {
		plan := names(extproc.Plan(e, time.Time{}, "", random))
		require.Len(t, plan, 3)
		first[plan[:1]]++
		last[plan[2:]]++
	}
	require.InDelta(t, 9000, first["a"], 100)
	require.InDelta(t, 1000, first["b"], 100)
	require.Equal(t, 10_000, last["c"], "without weight a target comes last of its order")
}

// TestSessionsStay: a session's calls go to one target, sessions to all of
// them by weight.
func TestSessionsStay(t *testing.T) {
	e := entry(&extproc.Target{Weight: 3}, &extproc.Target{Weight: 1})
	first := map[string]int{}
	for i := range 4000 {
		session := "user/" + strconv.Itoa(i)
		plan := names(extproc.Plan(e, time.Time{}, session, nil))
		require.Equal(t, plan, names(extproc.Plan(e, time.Time{}, session, nil)))
		first[plan[:1]]++
	}
	require.InDelta(t, 3000, first["a"], 120)
}

func TestOrderAndWhatIsLeftOut(t *testing.T) {
	e := entry(
		&extproc.Target{Weight: 1, Order: 2}, &extproc.Target{Weight: 1, Order: 1},
		&extproc.Target{Weight: 1, Problem: "no key"},
		&extproc.Target{Weight: 1, Auth: cold{}}, &extproc.Target{Weight: 1},
	)
	require.Equal(t, "eba", names(extproc.Plan(e, time.Time{}, "", source())))
	alone := entry(&extproc.Target{Auth: cold{}})
	require.Equal(t, "a", names(extproc.Plan(alone, time.Time{}, "", source())), "with one target its own error is told")
}

type cold struct{}

func (cold) Authorize(context.Context, *provider.Upstream, string) error { return errors.New("no") }
func (cold) Ready() error                                                { return errors.New("no") }
