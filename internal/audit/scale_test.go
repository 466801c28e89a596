package audit_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/identity"
)

// scale is the traffic of many people over many days: 2,000 callers, few of whom
// make most calls, of whom one calls once a week; 40 organizations; 150
// endpoints of five providers; one call in fifty is denied, one in a hundred
// fails at the provider, one in 5,000 is refused as wrong.
type scale struct {
	days, perDay int
	callers      []*identity.Caller
}

var scaleBegin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newScale(records int) *scale {
	s := &scale{days: 184}
	s.perDay = records / s.days
	for i := range 2000 {
		c := &identity.Caller{UserID: fmt.Sprintf("%024x", i), UserName: name("user", i), Roles: []string{"practitioner"}, TokenID: fmt.Sprintf("%024x", i+1<<20)}
		c.Organizations = []string{name("org", i%40)}
		if i%3 == 0 {
			c.Organizations = append(c.Organizations, name("unit", i%7))
		}
		if i%2 == 0 {
			c.Project = name("project", i%60)
		}
		s.callers = append(s.callers, c)
	}
	return s
}

// write writes the exchanges of all days, each of a day from many goroutines as
// behind a gateway, with a clock that stands at the time of each.
func (s *scale) write(t testing.TB, dir string) {
	c := newClock(scaleBegin)
	trail := openTrail(t, audit.Options{Dir: dir, Now: c.Now})
	for day := range s.days {
		c.Set(scaleBegin.AddDate(0, 0, day))
		var group sync.WaitGroup
		const writers = 16
		for w := range writers {
			group.Go(func() {
				random := rand.New(rand.NewPCG(uint64(day), uint64(w)))
				for i := w; i < s.perDay; i += writers {
					at := scaleBegin.AddDate(0, 0, day).Add(time.Duration(i) * (24*time.Hour - time.Minute) / time.Duration(s.perDay))
					s.exchange(t, trail, random, at, day*s.perDay+i, day, i)
				}
			})
		}
		group.Wait()
		for trail.Stats().IndexLag > 20_000 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	require.NoError(t, trail.Close())
}

func scaleID(n int) string {
	return fmt.Sprintf("%08x-%04x-4d52-9a11-%012x", uint32(n*2654435761), n&0xffff, n)
}

func (s *scale) exchange(t testing.TB, trail *audit.Trail, random *rand.Rand, at time.Time, n, day, i int) {
	x := exchange(scaleID(n))
	who := int(float64(len(s.callers)-1) * random.Float64() * random.Float64() * random.Float64())
	endpoint := int(150 * random.Float64() * random.Float64())
	if day%7 == 3 && i == s.perDay/2 {
		who = len(s.callers) - 1
	} else if who == len(s.callers)-1 {
		who = 0
	}
	x.Time, x.Caller = at, s.callers[who]
	x.EndpointID, x.EndpointName = fmt.Sprintf("%024x", endpoint), name("endpoint", endpoint)
	x.Provider, x.Model = name("provider", endpoint%5), name("model", endpoint%20)
	x.ClientAddr = fmt.Sprintf("10.%d.%d.7", who/250, who%250)
	request := fmt.Sprintf(`{"messages":[{"role":"user","content":"Question %d about case %d"}]}`, n, n%977)
	o := answered()
	o.Time, o.Provider, o.Model = at.Add(900*time.Millisecond), x.Provider, x.Model
	switch random.IntN(5000) {
	case 0:
		o.Result, o.Status = audit.ResultRefused, 400
	default:
		if r := random.IntN(100); r < 2 {
			o = denied()
		} else if r == 2 {
			o.Result, o.Status, o.Code = audit.ResultProviderError, 502, "provider_reset"
		}
	}
	o.Time = at.Add(900 * time.Millisecond)
	if o.Result == audit.ResultDenied || o.Result == audit.ResultRefused {
		require.NoError(t, trail.Refuse(x, []byte(request), o))
		return
	}
	require.NoError(t, trail.Begin(x, []byte(request)))
	require.NoError(t, trail.End(x.ID, o, []byte(fmt.Sprintf(`{"choices":[{"message":{"content":"Answer %d"}}]}`, n))))
}

// TestScale measures a trail of many records in the folder SLUICE_SCALE_DIR,
// which it writes when there is none: SLUICE_SCALE_RECORDS, ten million without.
// SLUICE_SCALE_ONLY=export leaves the searches out, for the memory of a download.
// The folder is left for another run; remove it by hand.
func TestScale(t *testing.T) {
	dir := os.Getenv("SLUICE_SCALE_DIR")
	if dir == "" {
		t.Skip("SLUICE_SCALE_DIR names no folder")
	}
	records := 10_000_000
	if n, err := strconv.Atoi(os.Getenv("SLUICE_SCALE_RECORDS")); err == nil {
		records = n
	}
	s := newScale(records)
	if made, _ := filepath.Glob(filepath.Join(dir, "*.log")); len(made) < s.days {
		require.NoError(t, os.RemoveAll(dir))
		begin := time.Now()
		s.write(t, dir)
		t.Logf("written in %v", time.Since(begin).Round(time.Second))
	}
	if os.Getenv("SLUICE_SCALE_ONLY") == "export" {
		c := newClock(scaleBegin.AddDate(0, 0, s.days))
		s.export(t, openTrail(t, audit.Options{Dir: dir, Now: c.Now}))
		return
	}
	s.measure(t, dir)
}

// TestManyRecordsAreFound is TestScale with few enough records for every run,
// and holds what is found to what was written instead of measuring.
func TestManyRecordsAreFound(t *testing.T) {
	s := newScale(8_000)
	dir := t.TempDir()
	s.write(t, dir)
	c := newClock(scaleBegin.AddDate(0, 0, s.days))
	trail := openTrail(t, audit.Options{Dir: dir, Now: c.Now})
	total, byFirst := 0, 0
	first := audit.Filter{Users: []string{"user-0000"}, Results: []string{audit.ResultAnswered}}
	matches := first.Matcher()
	require.NoError(t, trail.Query(ctx, audit.Filter{}, func(r *audit.Record) error {
		if total++; matches(r) {
			byFirst++
		}
		return nil
	}))
	require.GreaterOrEqual(t, total, s.days*s.perDay)
	require.NotZero(t, byFirst)
	require.Len(t, query(t, trail, first), byFirst)
	rare := query(t, trail, audit.Filter{Users: []string{"user-1999"}, Descending: true})
	require.Len(t, rare, (s.days+3)/7)
}

func (s *scale) measure(t *testing.T, dir string) {
	s.awaitNames(t, dir)
	var logs, indexes, names int64
	for pattern, into := range map[string]*int64{"*.log": &logs, "*.db": &indexes, "*.names": &names} {
		made, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, path := range made {
			info, err := os.Stat(path)
			require.NoError(t, err)
			*into += info.Size()
		}
	}
	t.Logf("%d days of %d records: segments %d MB, indexes %d MB, names %d MB", s.days, s.perDay, logs>>20, indexes>>20, names>>20)
	c := newClock(scaleBegin.AddDate(0, 0, s.days))
	opts := audit.Options{Dir: dir, Now: c.Now, RetentionDays: 400}
	begin := time.Now()
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	t.Cleanup(func() { trail.Close() })
	t.Logf("open: %v", time.Since(begin).Round(time.Millisecond))
	for _, q := range []struct {
		name string
		f    audit.Filter
	}{
		{"newest", audit.Filter{}},
		{"frequent caller", audit.Filter{Users: []string{"user-0000"}}},
		{"usual caller", audit.Filter{Users: []string{"user-0700"}}},
		{"rare caller", audit.Filter{Users: []string{"user-1999"}}},
		{"no caller", audit.Filter{Users: []string{"nobody"}}},
		{"frequent endpoint", audit.Filter{EndpointNames: []string{"endpoint-0000"}}},
		{"rare endpoint", audit.Filter{EndpointNames: []string{"endpoint-0149"}}},
		{"organization", audit.Filter{Organizations: []string{"org-0007"}}},
		{"organization of many", audit.Filter{Organizations: []string{"unit-0003"}}},
		{"provider", audit.Filter{Providers: []string{"provider-0003"}}},
		{"model", audit.Filter{Models: []string{"model-0011"}}},
		{"project", audit.Filter{Projects: []string{"project-0024"}}},
		{"denied", audit.Filter{Results: []string{audit.ResultDenied}}},
		{"refused", audit.Filter{Results: []string{audit.ResultRefused}}},
		{"status 5xx", audit.Filter{Statuses: []audit.Status{{Low: 500, High: 599}}}},
		{"address", audit.Filter{ClientAddrs: []string{"10.2.200.7"}}},
		{"kind that is nowhere", audit.Filter{Kinds: []string{"DeleteUser"}}},
		{"caller and endpoint", audit.Filter{Users: []string{"user-0003"}, EndpointNames: []string{"endpoint-0140"}}},
		{"caller and result", audit.Filter{Users: []string{"user-0000"}, Results: []string{audit.ResultProviderError}}},
		{"organization, provider and result", audit.Filter{Organizations: []string{"org-0007"}, Providers: []string{"provider-0001"}, Results: []string{audit.ResultDenied}}},
		{"rare caller and endpoint", audit.Filter{Users: []string{"user-1999"}, EndpointNames: []string{"endpoint-0001"}}},
		{"id", audit.Filter{ID: scaleID(s.days * s.perDay / 3)}},
		{"no such id", audit.Filter{ID: "00000000-0000-4d52-9a11-0242ac120002"}},
	} {
		line := fmt.Sprintf("%-34s", q.name)
		for _, descending := range []bool{true, false} {
			for _, cold := range []bool{true, false} {
				if cold {
					require.NoError(t, trail.Close())
					dropCaches()
					trail, err = audit.Open(opts)
					require.NoError(t, err)
				}
				f := q.f
				f.Limit, f.Descending = 100, descending
				begin, n := time.Now(), 0
				require.NoError(t, trail.Query(ctx, f, func(*audit.Record) error { n++; return nil }))
				line += fmt.Sprintf(" %6.1f", float64(time.Since(begin).Microseconds())/1000)
				if !cold {
					line += fmt.Sprintf(" (%d)", n)
				}
			}
		}
		t.Log(line + "   ms: newest cold, warm, oldest cold, warm")
	}
	s.export(t, trail)
}

// awaitNames waits until the files of names are made, as they are behind a
// gateway soon after midnight.
func (s *scale) awaitNames(t *testing.T, dir string) {
	c := newClock(scaleBegin.AddDate(0, 0, s.days))
	trail, err := audit.Open(audit.Options{Dir: dir, Now: c.Now})
	require.NoError(t, err)
	defer trail.Close()
	begin := time.Now()
	require.Eventually(t, func() bool {
		made, _ := filepath.Glob(filepath.Join(dir, "*.names"))
		return len(made) >= s.days
	}, 20*time.Minute, 100*time.Millisecond)
	t.Logf("files of names: %v", time.Since(begin).Round(time.Second))
}

// dropCaches makes the system forget what it holds of files, where it lets us.
func dropCaches() {
	runtime.GC()
	_ = os.WriteFile("/proc/sys/vm/drop_caches", []byte("1"), 0)
}

func (s *scale) export(t *testing.T, trail *audit.Trail) {
	begin := time.Now()
	var written int64
	n, err := trail.Export(ctx, audit.Filter{}, func(dst []byte, r *audit.Record) ([]byte, error) {
		dst, err := r.AppendJSON(dst)
		return append(dst, '\n'), err
	}, func(text []byte) error { written += int64(len(text)); return nil })
	require.NoError(t, err)
	spent := time.Since(begin)
	t.Logf("everything as JSON: %d records, %d MB in %v, %.0f MB/s, at most %d MB of memory", n, written>>20, spent.Round(time.Second),
		float64(written)/1e6/spent.Seconds(), peakMemory()>>20)
}

// peakMemory is the most that the process has had resident, in bytes.
func peakMemory() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Maxrss << 10
}
