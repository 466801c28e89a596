package trail_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
	"sluice/internal/audit"
	"sluice/internal/simulate"
)

const (
	stream = "sluice:audit"
	hello  = `{"messages":[{"role":"user","content":"hello"}]}`
)

// rounds is how many processes are killed: 100 with SLUICE_LONG.
func rounds() int {
	if os.Getenv("SLUICE_LONG") != "" {
		return 100
	}
	return 9
}

// TestWhateverIsKilledEachAnswerIsRecordedAndReachesEachSink kills the gateway,
// its Envoy and Redis in turn at random moments under load. Then each answer
// that a client got has its record, no exchange has two, the chain verifies, and
// every record of the log has reached each sink.
func TestWhateverIsKilledEachAnswerIsRecordedAndReachesEachSink(t *testing.T) {
	store, siem := startRedis(t, "--appendonly", "yes"), startCollector(t)
	lines := filepath.Join(t.TempDir(), "audit.ndjson")
	g := rig.Start(t, rig.Options{Config: fmt.Sprintf(`audit:
  sinks:
    - { name: lines, type: file, start: oldest, path: %s, rotate_bytes: 1073741824 }
    - { name: siem, type: http, start: oldest, url: %q }
    - { name: store, type: redis, start: oldest, addresses: ["%s"], stream: %q }
`, lines, siem.URL, store.Addr, stream)})
	load := startLoad(t, g)
	killed := map[string]int{}
	for n := range rounds() {
		victim := []string{"gateway", "envoy", "redis"}[n%3]
		time.Sleep(100*time.Millisecond + time.Duration(rand.Int64N(int64(900*time.Millisecond))))
		switch victim {
		case "gateway":
			g.Kill()
			load.pause()
			g.Launch()
			load.resume()
		case "envoy":
			require.NoError(t, syscall.Kill(g.EnvoyPID(), syscall.SIGKILL))
		case "redis":
			store.kill()
			time.Sleep(time.Duration(rand.Int64N(int64(500 * time.Millisecond))))
			store.start()
		}
		killed[victim]++
	}
	answered := load.stop()
	require.Greater(t, len(answered), rounds(), "there was load")
	caughtUp(t, g)
	g.Stop()

	all, late, exchanges := logOf(t, g)
	for _, id := range answered {
		require.Equal(t, audit.ResultAnswered, exchanges[id], "exchange %s was answered", id)
	}
	t.Logf("killed %v; %d answers, %d records, %d exchanges", killed, len(answered), len(all), len(exchanges))
	for name, got := range map[string][]string{
		"file": fileIDs(t, lines), "http": siem.taken(), "redis": store.entries(stream, "id"),
	} {
		times := map[string]int{}
		for _, id := range got {
			times[id]++
		}
		var missing []string
		for _, id := range all {
			if times[id] == 0 {
				missing = append(missing, id)
			}
			delete(times, id)
		}
		for _, id := range late {
			delete(times, id)
		}
		require.Empty(t, missing, "records did not reach the sink %s, which has %d of %d", name, len(got), len(all))
		require.Empty(t, times, "the sink %s has records that the log has not", name)
		t.Logf("%s: %d records, %d of them sent again", name, len(all), len(got)-len(all))
	}
}

// logOf reads the trail of a stopped gateway: the ids of all records until its
// stop, those that it made while it stopped, which may be sent after the next
// start only, and the results of exchanges by their ids.
func logOf(t *testing.T, g *rig.Gateway) (records, late []string, results map[string]string) {
	t.Helper()
	dir := filepath.Join(g.Data, "audit")
	report, err := audit.VerifyDir(context.Background(), dir)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	trail, err := audit.Open(audit.Options{Dir: dir})
	require.NoError(t, err)
	defer func() { require.NoError(t, trail.Close()) }()
	results = map[string]string{}
	stopped := false
	require.NoError(t, trail.Query(context.Background(), audit.Filter{}, func(r *audit.Record) error {
		if stopped = stopped || r.Kind() == "StopGateway"; stopped {
			late = append(late, r.RecordID)
		} else {
			records = append(records, r.RecordID)
		}
		if r.Exchange != nil {
			require.NotContains(t, results, r.ID, "an exchange has one record")
			require.NotNil(t, r.Outcome, "exchange %s has ended", r.ID)
			results[r.ID] = r.Outcome.Result
		}
		return nil
	}))
	return records, late, results
}

// caughtUp waits until no sink has anything left to send.
func caughtUp(t *testing.T, g *rig.Gateway) {
	t.Helper()
	eventually(t, "the sinks have caught up", func() bool {
		r, err := g.Do("GET", "/api/sluice/v1/audit/sinks", g.AdminToken, "")
		if err != nil || r.Status != http.StatusOK {
			return false
		}
		sinks, _ := r.JSON(t)["sinks"].([]any)
		for _, s := range sinks {
			if lag, _ := s.(map[string]any)["lag"].(float64); lag > 0 {
				return false
			}
		}
		return len(sinks) == 3
	})
}

// load is a number of clients that call without end.
type load struct {
	g       *rig.Gateway
	clients sync.WaitGroup
	gate    sync.RWMutex // held for writing while there is no gateway
	over    atomic.Bool

	mu       sync.Mutex // guards the following field
	answered []string   // exchange ids of whole answers
}

func startLoad(t *testing.T, g *rig.Gateway) *load {
	t.Helper()
	// One provider is slow, so that exchanges are under way at every moment.
	g.Anthropic.Always(&simulate.Act{HeadDelay: 50 * time.Millisecond})
	l := &load{g: g}
	for i := range 6 {
		l.clients.Go(func() {
			for n := 0; !l.over.Load(); n++ {
				l.call([]string{"openai", "anthropic"}[i%2], n%3 == 0)
			}
		})
	}
	return l
}

func (l *load) call(provider string, streamed bool) {
	l.gate.RLock()
	defer l.gate.RUnlock()
	body := hello
	if streamed {
		body = `{"stream":true,` + hello[1:]
	}
	r, err := l.g.Do("POST", "/endpoints/chat-"+provider+"/invocations", l.g.UserToken, body)
	if err != nil || r.Status != http.StatusOK {
		time.Sleep(time.Millisecond)
		return
	}
	if streamed && !strings.Contains(string(r.Body), "[DONE]") {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered = append(l.answered, r.Header.Get("X-Request-Id"))
}

func (l *load) pause()  { l.gate.Lock() }
func (l *load) resume() { l.gate.Unlock() }

func (l *load) stop() []string {
	l.over.Store(true)
	l.clients.Wait()
	return l.answered
}
