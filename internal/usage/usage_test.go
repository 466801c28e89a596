package usage_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/identity"
	"sluice/internal/usage"
)

func TestWhatCounts(t *testing.T) {
	w := newWorld(t, noon)
	w.call(w.ask(alice), answer(800*time.Millisecond))
	for _, result := range []string{
		audit.ResultProviderError, audit.ResultGatewayError, audit.ResultClientGone, audit.ResultDenied, audit.ResultRefused,
	} {
		w.call(w.ask(alice), ended(result))
	}
	w.call(w.ask(nil), ended(audit.ResultUnauthenticated))
	unpriced := answer(time.Second)
	unpriced.CostNanoUSD = audit.Unknown
	whole := w.ask(bob)
	whole.Stream = false
	w.call(whole, unpriced)
	rest := w.ask(bob)
	rest.Operation = "api"
	w.call(rest, ended(audit.ResultDenied))
	require.NoError(t, w.trail.Begin(w.ask(carol), nil)) // under way: counts when it ends

	a := w.sums(usage.Query{})
	require.Len(t, a.Rows, 1)
	require.Equal(t, "e-chat", a.Rows[0].Key)
	require.Equal(t, "chat", a.Rows[0].Name)
	for counter, want := range map[usage.Counter]int64{
		usage.Requests: 8, usage.Answered: 2, usage.ProviderErrors: 1, usage.GatewayErrors: 1, usage.ClientGone: 1,
		usage.Denied: 1, usage.Refused: 1, usage.Unauthenticated: 1, usage.Interrupted: 0,
		usage.InputTokens: 200, usage.OutputTokens: 20, usage.CachedTokens: 14, usage.CacheWriteTokens: 0, usage.ReasoningTokens: 6,
		usage.CostNanoUSD: 5000, usage.Unpriced: 1, usage.Streamed: 1,
	} {
		require.Equal(t, want, a.Total.Count(counter), "counter %d", counter)
		require.Equal(t, want, a.Rows[0].Count(counter), "counter %d", counter)
	}
	require.EqualValues(t, 2, a.Total.Errors())
	require.Equal(t, 900*time.Millisecond, a.Total.LatencyMean())
	require.Equal(t, 400*time.Millisecond, a.Total.FirstByteMean())
}

func TestGroupsAndFilters(t *testing.T) {
	w := newWorld(t, noon)
	for range 3 {
		w.call(w.ask(alice), answer(time.Second))
	}
	w.call(w.ask(bob), answer(time.Second))
	w.call(w.ask(nil), ended(audit.ResultUnauthenticated))
	other := w.ask(carol)
	other.EndpointID, other.EndpointName, other.Provider, other.Model = "e-fast", "fast", "groq", "llama/3"
	second := answer(time.Second)
	second.Provider, second.Model = "anthropic", "claude" // another target answered
	w.call(other, second)
	unknown := w.ask(carol)
	unknown.EndpointID, unknown.EndpointName, unknown.Provider, unknown.Model = "", "no-such", "", ""
	w.call(unknown, ended(audit.ResultRefused))

	for _, c := range []struct {
		name string
		q    usage.Query
		want map[string]int64
	}{
		{"endpoints", usage.Query{GroupBy: usage.ByEndpoint}, map[string]int64{"e-chat": 5, "e-fast": 1, "": 1}},
		{"users", usage.Query{GroupBy: usage.ByUser}, map[string]int64{"u-alice": 3, "u-bob": 1, "u-carol": 2, "": 1}},
		{"organizations overlap", usage.Query{GroupBy: usage.ByOrganization}, map[string]int64{"o-science": 4, "o-sales": 3, "": 3}},
		{"models", usage.Query{GroupBy: usage.ByModel}, map[string]int64{"openai/gpt-4o": 5, "anthropic/claude": 1, "": 1}},
		{"projects", usage.Query{GroupBy: usage.ByProject}, map[string]int64{"churn": 3, "": 4}},
		{"endpoint", usage.Query{GroupBy: usage.ByUser, Endpoints: []string{"e-fast"}}, map[string]int64{"u-carol": 1}},
		{"user", usage.Query{GroupBy: usage.ByEndpoint, Users: []string{"u-carol"}}, map[string]int64{"e-fast": 1, "": 1}},
		{"organization", usage.Query{GroupBy: usage.ByUser, Organizations: []string{"o-science"}}, map[string]int64{"u-alice": 3, "u-bob": 1}},
		{"of an organization only itself", usage.Query{GroupBy: usage.ByOrganization, Organizations: []string{"o-sales"}}, map[string]int64{"o-sales": 3}},
		{"provider", usage.Query{GroupBy: usage.ByUser, Providers: []string{"anthropic"}}, map[string]int64{"u-carol": 1}},
		{"model", usage.Query{GroupBy: usage.ByEndpoint, Models: []string{"gpt-4o"}}, map[string]int64{"e-chat": 5}},
		{"project", usage.Query{GroupBy: usage.ByUser, Projects: []string{"churn"}}, map[string]int64{"u-alice": 3}},
		{"both must match", usage.Query{GroupBy: usage.ByUser, Users: []string{"u-bob"}, Endpoints: []string{"e-fast"}}, map[string]int64{}},
		{"none is selected", usage.Query{GroupBy: usage.ByUser, Endpoints: []string{}}, map[string]int64{}},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, requests(w.sums(c.q))) })
	}
	a := w.sums(usage.Query{GroupBy: usage.ByOrganization})
	require.EqualValues(t, 7, a.Total.Count(usage.Requests), "each exchange once")
}

func TestHoursAndDays(t *testing.T) {
	w := newWorld(t, time.Date(2026, 3, 10, 23, 59, 59, 0, time.UTC))
	late := w.ask(alice)
	require.NoError(t, w.trail.Begin(late, nil))
	w.clock.Set(time.Date(2026, 3, 11, 0, 0, 0, 0, time.UTC))
	require.NoError(t, w.trail.End(late.ID, answer(time.Second), nil))
	w.call(w.ask(alice), answer(time.Second))
	w.clock.Set(time.Date(2026, 3, 11, 1, 30, 0, 0, time.UTC))
	w.call(w.ask(bob), answer(time.Second))

	counts := func(q usage.Query) (got []int64) {
		q.GroupBy = usage.ByTime
		for _, r := range w.sums(q).Rows {
			got = append(got, r.Count(usage.Requests))
		}
		return got
	}
	at := func(d, h int) time.Time { return time.Date(2026, 3, d, h, 0, 0, 0, time.UTC) }
	require.Equal(t, []int64{0, 1, 2, 0}, counts(usage.Query{From: at(9, 0), To: at(13, 0)}))
	require.Equal(t, []int64{1, 1, 1, 0}, counts(usage.Query{From: at(10, 23), To: at(11, 3), Hourly: true}))
	require.Equal(t, []int64{1, 1}, counts(usage.Query{From: at(10, 23), To: at(11, 1)}), "part of two days")
	require.Equal(t, []int64{1}, counts(usage.Query{From: at(11, 1), To: at(11, 1).Add(time.Minute)}), "rounded to the hour")
	require.Equal(t, []int64{0}, counts(usage.Query{From: at(11, 2), To: at(11, 5)}))
	a := w.sums(usage.Query{From: at(10, 23).Add(time.Minute), To: at(11, 0).Add(time.Minute)})
	require.Equal(t, at(10, 23), a.From)
	require.Equal(t, at(11, 1), a.To)
	require.EqualValues(t, 2, a.Total.Count(usage.Requests))

	w.clock.Set(at(10, 0).AddDate(0, 0, usage.HourDays+2))
	require.Equal(t, []int64{1, 2}, counts(usage.Query{From: at(10, 23), To: at(11, 1)}), "only days are left")
	_, err := w.usage.Query(ctx, usage.Query{From: at(10, 0), To: at(11, 0), GroupBy: usage.ByTime, Hourly: true})
	require.ErrorIs(t, err, usage.ErrHoursGone)
	require.ErrorContains(t, err, "2026-03-12T00:00:00Z")
}

func TestRetention(t *testing.T) {
	w := newWorld(t, noon)
	w.call(w.ask(alice), answer(time.Second))
	require.EqualValues(t, 1, w.total())
	hours := usage.Query{GroupBy: usage.ByTime, Hourly: true, From: noon, To: noon.Add(time.Hour)}
	require.EqualValues(t, 1, w.sums(hours).Total.Count(usage.Requests))

	w.clock.Set(noon.AddDate(0, 0, usage.HourDays+1))
	require.EqualValues(t, 1, w.total())
	w.clock.Set(noon)
	require.Zero(t, w.sums(hours).Total.Count(usage.Requests), "hours are gone")
	require.EqualValues(t, 1, w.total(), "days are not")

	w.clock.Set(noon.AddDate(0, usage.Months, 15))
	require.EqualValues(t, 1, w.total(), "to the end of the month")
	w.clock.Set(noon.AddDate(0, usage.Months+1, 0))
	require.Zero(t, w.total())
}

func TestQuantilesAreExactToABucket(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	w := newWorld(t, noon)
	var took []time.Duration
	for range 1500 {
		d := time.Duration(math.Exp(random.NormFloat64()*1.5+6) * float64(time.Millisecond)) // around 400 ms
		took = append(took, d)
		w.call(w.ask(alice), answer(d))
	}
	slices.Sort(took)
	a := w.sums(usage.Query{})
	for _, q := range []float64{0.01, 0.25, 0.5, 0.95, 0.99, 1} {
		exact := took[int(math.Ceil(q*float64(len(took))))-1]
		require.InEpsilon(t, exact, a.Total.Latency(q), 0.19, "quantile %v", q)
		require.InEpsilon(t, exact/2, a.Total.FirstByte(q), 0.19, "quantile %v of the first byte", q)
	}
	none := usage.Figures{}
	require.Zero(t, none.Latency(0.5))
	require.Zero(t, none.LatencyMean())
}

func TestExtremeDurations(t *testing.T) {
	w := newWorld(t, noon)
	for _, d := range []time.Duration{0, -time.Second, time.Microsecond, 100 * time.Hour} {
		w.call(w.ask(alice), answer(d))
	}
	a := w.sums(usage.Query{})
	require.Less(t, a.Total.Latency(0.5), time.Millisecond)
	require.Greater(t, a.Total.Latency(1), 30*time.Minute)
}

func TestCrashLosesAndDoublesNothing(t *testing.T) {
	w := newWorld(t, noon)
	w.call(w.ask(alice), answer(time.Second))
	require.EqualValues(t, 1, w.total())
	for range 5 {
		w.call(w.ask(alice), answer(time.Second))
	}
	open := w.ask(bob)
	require.NoError(t, w.trail.Begin(open, nil))
	usage.Crash(w.usage)                // what was not flushed is gone
	require.NoError(t, w.trail.Close()) // leaves the open exchange to the next start

	w.clock.Set(noon.AddDate(0, 0, 1))
	w.start()
	a := w.sums(usage.Query{GroupBy: usage.ByUser})
	require.Equal(t, map[string]int64{"u-alice": 6, "u-bob": 1}, requests(a))
	require.EqualValues(t, 1, a.Total.Count(usage.Interrupted))
	w.stop()
	w.start()
	require.EqualValues(t, 7, w.total())
	require.Zero(t, w.usage.Status().Missed)
}

func TestOverflowIsMadeGood(t *testing.T) {
	w := &world{t: t, dir: t.TempDir(), clock: &clock{now: noon}, room: 4}
	w.start()
	defer w.stop()
	require.NoError(t, w.usage.Flush(ctx))
	for range 50 {
		w.call(w.ask(alice), answer(time.Second))
	}
	require.EqualValues(t, 50, w.total())
	require.NotZero(t, w.usage.Status().Missed)
	require.Zero(t, w.usage.Status().Behind)
}

func TestUnderLoadAndRebuild(t *testing.T) {
	w := &world{t: t, dir: t.TempDir(), clock: &clock{now: noon}, room: 16}
	w.start()
	defer w.stop()
	const workers, each = 4, 150
	var group sync.WaitGroup
	for n := range workers {
		group.Go(func() {
			for i := range each {
				by := &identity.Caller{UserID: fmt.Sprint("u-", i%7), UserName: "n"}
				x := &audit.Exchange{ID: fmt.Sprint(n, "-", i), Caller: by, EndpointID: fmt.Sprint("e-", i%5), Time: noon}
				if w.trail.Begin(x, nil) != nil || w.trail.End(x.ID, answer(time.Second), nil) != nil {
					t.Error("the trail refused a record")
				}
			}
		})
	}
	rebuilt := 0
	for range 30 {
		require.NoError(t, w.usage.Flush(ctx))
		if err := w.usage.Rebuild(); err == nil {
			rebuilt++
		} else {
			require.ErrorIs(t, err, usage.ErrRebuilding)
		}
		a := w.sums(usage.Query{})
		require.LessOrEqual(t, a.Total.Count(usage.Requests), int64(workers*each))
	}
	group.Wait()
	require.NotZero(t, rebuilt)
	require.EqualValues(t, workers*each, w.total())
	w.rebuild()
	require.EqualValues(t, workers*each, w.total())
	require.Len(t, w.sums(usage.Query{GroupBy: usage.ByUser}).Rows, 7)
}

// rebuild counts anew and waits for it.
func (w *world) rebuild() {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return w.usage.Rebuild() == nil }, time.Minute, time.Millisecond)
	require.Eventually(w.t, func() bool { return !w.usage.Status().Rebuilding }, time.Minute, time.Millisecond)
}

func TestRebuildKeepsWhatTheTrailHasForgotten(t *testing.T) {
	w := &world{t: t, dir: t.TempDir(), clock: &clock{now: noon}, keep: 2}
	w.start()
	for range 3 {
		w.call(w.ask(alice), answer(time.Second))
	}
	require.EqualValues(t, 3, w.total())
	w.stop()
	w.clock.Set(noon.AddDate(0, 0, 10))
	w.start()
	w.call(w.ask(bob), answer(time.Second))
	require.Eventually(t, func() bool { return w.trail.Stats().Partitions == 1 }, time.Minute, 10*time.Millisecond)
	w.rebuild()
	require.NotNil(t, w.usage.Status().Rebuilt)
	require.Equal(t, map[string]int64{"u-alice": 3, "u-bob": 1}, requests(w.sums(usage.Query{GroupBy: usage.ByUser})))
	w.stop()
	w.start()
	require.EqualValues(t, 4, w.total())

	w.stop()
	require.NoError(t, os.Remove(w.file()))
	w.start()
	require.EqualValues(t, 1, w.total(), "without the file there is the trail only")
	w.stop()
}

func TestFilesThatCantBeUsed(t *testing.T) {
	for name, spoil := range map[string]func(w *world){
		"missing": func(w *world) { require.NoError(t, os.Remove(w.file())) },
		"damaged": func(w *world) {
			require.NoError(t, os.WriteFile(w.file(), []byte("this is no database, whatever its name says"), 0o600))
		},
		"another version": func(w *world) { usage.Exec(t, w.file(), "PRAGMA user_version = 99") },
		"a broken mark":   func(w *world) { usage.Exec(t, w.file(), "UPDATE meta SET value = 'x' WHERE key = 'mark'") },
		"counted more than the trail has": func(w *world) {
			require.NoError(t, os.RemoveAll(w.dir+"/audit"))
			w.openTrail()
			for range 4 {
				w.call(w.ask(alice), answer(time.Second))
			}
			require.NoError(t, w.trail.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, dir: t.TempDir(), clock: &clock{now: noon}}
			w.start()
			for range 4 {
				w.call(w.ask(alice), answer(time.Second))
			}
			require.EqualValues(t, 4, w.total())
			w.stop()
			spoil(w)
			w.start()
			defer w.stop()
			require.EqualValues(t, 4, w.total())
			info, err := os.Stat(w.file())
			require.NoError(t, err)
			require.EqualValues(t, 0o600, info.Mode().Perm())
		})
	}
}

func TestNamesThatAreGone(t *testing.T) {
	w := newWorld(t, noon)
	event := func(kind, target, id, name string) {
		require.NoError(t, w.trail.Event(&audit.Event{Kind: kind, TargetType: target, TargetID: id, TargetName: name}))
	}
	event("CreateOrganization", "organization", "o-science", "sciense")
	w.call(w.ask(bob), answer(time.Second))
	event("UpdateOrganization", "organization", "o-science", "science")
	event("DeleteOrganization", "organization", "o-science", "science")
	event("UpdateUser", "user", "u-bob", "robert")
	event("UpdateEndpoint", "endpoint", "e-chat", "chat-2")
	check := func() {
		t.Helper()
		require.Equal(t, "science", w.sums(usage.Query{GroupBy: usage.ByOrganization}).Rows[0].Name)
		require.Equal(t, "robert", w.sums(usage.Query{GroupBy: usage.ByUser}).Rows[0].Name)
		require.Equal(t, "chat-2", w.sums(usage.Query{}).Rows[0].Name)
	}
	check()
	w.stop()
	w.start()
	check()
	w.rebuild()
	check()
}

func TestManyPartsAreMerged(t *testing.T) {
	w := newWorld(t, noon)
	for range 120 {
		w.call(w.ask(alice), answer(time.Second))
		require.NoError(t, w.usage.Flush(ctx))
	}
	require.EqualValues(t, 120, w.total())
	require.Less(t, usage.Blocks(t, w.usage), 150)
	w.clock.Set(noon.AddDate(0, 0, 2))
	require.EqualValues(t, 120, w.total())
	require.Less(t, usage.Blocks(t, w.usage), 2+50, "an hour and a day are one each, the month goes on")
}

func TestFilledDiskIsMadeGood(t *testing.T) {
	w := newWorld(t, noon)
	w.call(w.ask(alice), answer(time.Second))
	usage.Fail(w.usage, true)
	require.Error(t, w.usage.Flush(ctx))
	require.NotEmpty(t, w.usage.Status().Error)
	w.call(w.ask(alice), answer(time.Second))
	usage.Fail(w.usage, false)
	require.EqualValues(t, 2, w.total())
	require.Empty(t, w.usage.Status().Error)
}
