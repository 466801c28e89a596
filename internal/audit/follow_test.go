package audit_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// follow fetches until nothing new has ended, a few at a time.
func follow(t testing.TB, f *audit.Follower) (got []audit.Ended, at audit.Mark) {
	t.Helper()
	for {
		list, mark, err := f.Next(ctx, 3)
		require.NoError(t, err)
		if len(list) == 0 {
			return got, mark
		}
		got, at = append(got, list...), mark
	}
}

func following(t testing.TB, trail *audit.Trail, from audit.Mark, room int) *audit.Follower {
	t.Helper()
	f, err := trail.Follow(from, room)
	require.NoError(t, err)
	t.Cleanup(f.Close)
	return f
}

func TestFollowerIsToldOnceOfAllThatEnds(t *testing.T) {
	for _, room := range []int{1, 4, 1000} {
		t.Run(fmt.Sprint("room ", room), func(t *testing.T) {
			trail := openTrail(t, audit.Options{Dir: t.TempDir()})
			require.NoError(t, trail.Begin(exchange("long"), nil))
			for n := range 5 {
				record(t, trail, name("before", n))
			}
			f := following(t, trail, audit.Mark{}, room)
			for n := range 10 {
				record(t, trail, name("after", n))
			}
			require.NoError(t, trail.Refuse(exchange("no"), nil, denied()))
			require.NoError(t, trail.Event(&audit.Event{Kind: "CreateOrganization", TargetType: "organization", TargetID: "o1", TargetName: "science"}))
			require.NoError(t, trail.Event(&audit.Event{Kind: "StartGateway", TargetType: "gateway", TargetName: "1.0"}))
			require.NoError(t, trail.End("long", answered(), nil))

			got, at := follow(t, f)
			require.Len(t, got, 5+10+1+1+1)
			for i := 1; i < len(got); i++ {
				require.Greater(t, got[i].Sequence, got[i-1].Sequence)
			}
			require.Equal(t, trail.Stats().Sequence, at.Sequence())
			require.Equal(t, room > 10, f.Missed() == 0)
			require.Zero(t, f.Behind())

			first, refusal, event, last := got[0], got[15], got[16], got[17]
			require.Equal(t, alice, first.Caller)
			require.Equal(t, "openai", first.Provider)
			require.Equal(t, "gpt-4o", first.Model)
			require.Equal(t, "chat", first.EndpointName)
			require.Equal(t, "chat", first.Operation)
			require.EqualValues(t, 120, first.Outcome.InputTokens)
			require.Equal(t, audit.ResultDenied, refusal.Outcome.Result)
			require.Equal(t, &audit.Event{TargetType: "organization", TargetID: "o1", TargetName: "science"}, event.Event)
			require.Nil(t, event.Outcome)
			require.Equal(t, alice, last.Caller, "its request half came long before")
		})
	}
}

func TestFollowerGoesOnFromAMark(t *testing.T) {
	dir, clock := t.TempDir(), newClock(noon)
	trail := openTrail(t, audit.Options{Dir: dir, Now: clock.Now})
	f := following(t, trail, audit.Mark{}, 100)
	record(t, trail, "one")
	require.NoError(t, trail.Begin(exchange("over midnight"), nil))
	require.NoError(t, trail.Begin(exchange("interrupted"), nil))
	got, at := follow(t, f)
	require.Len(t, got, 1)

	again, err := audit.ParseMark(at.String())
	require.NoError(t, err)
	require.Equal(t, at, again)

	clock.Add(24 * time.Hour)
	record(t, trail, "two")
	require.NoError(t, trail.End("over midnight", answered(), nil))
	audit.CrashFiles(trail)

	clock.Add(24 * time.Hour)
	trail = openTrail(t, audit.Options{Dir: dir, Now: clock.Now})
	f = following(t, trail, again, 100)
	record(t, trail, "three")
	got, at = follow(t, f)
	require.Len(t, got, 4)
	require.Equal(t, noon, got[1].Time, "by the arrival")
	require.Equal(t, alice, got[1].Caller)
	require.Equal(t, audit.ResultInterrupted, got[2].Outcome.Result)
	require.Equal(t, alice, got[2].Caller)

	got, _ = follow(t, following(t, trail, at, 100))
	require.Empty(t, got)
	got, _ = follow(t, following(t, trail, audit.Mark{}, 100))
	require.Len(t, got, 5)
}

func TestFollowerOfAnotherTrail(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir()})
	record(t, trail, "one")
	_, at := follow(t, following(t, trail, audit.Mark{}, 10))

	other := openTrail(t, audit.Options{Dir: t.TempDir()})
	_, err := other.Follow(at, 10)
	require.ErrorIs(t, err, audit.ErrNoMark, "it is shorter")
	for n := range 3 {
		record(t, other, name("other", n))
	}
	_, err = other.Follow(at, 10)
	require.ErrorIs(t, err, audit.ErrNoMark, "it is another")

	for _, text := range []string{"x", "2026-03-10 1 2 3", "2026-03-10 1 2 3 abcd", "2026-03-10 1 2 x 00"} {
		_, err := audit.ParseMark(text)
		require.ErrorIs(t, err, audit.ErrNoMark, text)
	}
}

func TestFollowerSkipsWhatRetentionDropped(t *testing.T) {
	dir, clock := t.TempDir(), newClock(noon)
	trail := openTrail(t, audit.Options{Dir: dir, Now: clock.Now})
	record(t, trail, "one")
	_, at := follow(t, following(t, trail, audit.Mark{}, 10))
	require.NoError(t, trail.Close())

	clock.Add(10 * 24 * time.Hour)
	trail = openTrail(t, audit.Options{Dir: dir, Now: clock.Now, RetentionDays: 2})
	record(t, trail, "two")
	require.Eventually(t, func() bool { return trail.Stats().Partitions == 1 }, time.Minute, 10*time.Millisecond)
	got, _ := follow(t, following(t, trail, at, 10))
	require.Len(t, got, 1)
}

func TestFollowersUnderLoad(t *testing.T) {
	trail := openTrail(t, audit.Options{Dir: t.TempDir()})
	f := following(t, trail, audit.Mark{}, 7)
	const workers, each = 4, 60
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for n := range each {
				record(t, trail, name(fmt.Sprint("w", w), n))
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	seen := map[uint64]bool{}
	for over := false; !over || len(seen) < workers*each; {
		select {
		case <-done:
			over = true
		default:
		}
		list, _, err := f.Next(ctx, 5)
		require.NoError(t, err)
		if over && len(list) == 0 {
			break
		}
		for _, e := range list {
			require.False(t, seen[e.Sequence])
			require.Equal(t, alice, e.Caller)
			seen[e.Sequence] = true
		}
	}
	require.Len(t, seen, workers*each)
}
