package usage_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/usage"
)

// Half a year of 10,000 endpoints and 5,000 users, a million rows of days: each
// day some 2,500 users call two or three endpoints each, few of which are liked
// by most.
const (
	benchDays      = 184
	benchEndpoints = 10_000
	benchUsers     = 5_000
	benchRows      = 5_500 // a day
)

func filled(b *testing.B) *world {
	w := newWorld(b, noon)
	random := rand.New(rand.NewPCG(3, 4))
	liked := rand.NewZipf(random, 1.2, 20, benchEndpoints-1)
	uses := make([][12]int, benchUsers)
	for u := range uses {
		for n := range uses[u] {
			uses[u][n] = int(liked.Uint64())
		}
	}
	usage.Fill(b, w.usage, benchDays, func(_ int, add func(endpoint, user, organizations, model string, f *usage.Figures)) {
		for n := range benchRows {
			user := (n/2*2 + n%2*random.IntN(benchUsers)) % benchUsers
			endpoint := uses[user][random.IntN(12)]
			f := &usage.Figures{}
			for range 1 + random.IntN(6) {
				f.Add(answer(time.Duration(math.Exp(random.NormFloat64()+6.5)*float64(time.Millisecond))), n%2 == 0)
			}
			add(fmt.Sprintf("%024x", endpoint), fmt.Sprintf("%024x", 1<<20+user),
				fmt.Sprintf("%024x,%024x", 1<<30+user%500, 1<<30+user%11), fmt.Sprintf("openai/model-%d", endpoint%60), f)
		}
	})
	return w
}

func BenchmarkQuery(b *testing.B) {
	w := filled(b)
	status := w.usage.Status()
	fmt.Printf("%d rows, %d series, %d MB\n", benchDays*benchRows, status.Series, status.Bytes>>20)
	for _, c := range []struct {
		name string
		q    usage.Query
	}{
		{name: "days", q: usage.Query{GroupBy: usage.ByTime}},
		{name: "endpoints", q: usage.Query{GroupBy: usage.ByEndpoint}},
		{name: "users", q: usage.Query{GroupBy: usage.ByUser}},
		{name: "organizations", q: usage.Query{GroupBy: usage.ByOrganization}},
		{name: "models", q: usage.Query{GroupBy: usage.ByModel}},
		{name: "one endpoint by user", q: usage.Query{GroupBy: usage.ByUser, Endpoints: []string{fmt.Sprintf("%024x", 0)}}},
		{name: "one user by day", q: usage.Query{GroupBy: usage.ByTime, Users: []string{fmt.Sprintf("%024x", 1<<20+14)}}},
		{name: "last week by hour", q: usage.Query{GroupBy: usage.ByTime, Hourly: true, From: noon.AddDate(0, 0, -7), To: noon}},
		{name: "today by endpoint", q: usage.Query{GroupBy: usage.ByEndpoint, From: noon.Truncate(24 * time.Hour), To: noon}},
	} {
		b.Run(c.name, func(b *testing.B) {
			if c.q.From.IsZero() {
				c.q.From, c.q.To = noon.AddDate(0, 0, -benchDays), noon.AddDate(0, 0, 1)
			}
			before := cpuTime()
			for b.Loop() {
				a, err := w.usage.Query(b.Context(), c.q)
				require.NoError(b, err)
				require.NotZero(b, a.Total.Count(usage.Requests))
			}
			b.ReportMetric(float64((cpuTime()-before).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

// cpuTime is the CPU time of this process: on a shared machine it says more
// than the clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // can't fail with these arguments
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
