package audit_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// crashDirEnv makes the test binary the process that is killed.
const crashDirEnv = "SLUICE_AUDIT_CRASH_DIR"

// crashSyncEnv is Options.Sync of that process.
const crashSyncEnv = "SLUICE_AUDIT_CRASH_SYNC"

// crashRoundsEnv is how often TestKilledUnderLoad kills; the default is short.
const crashRoundsEnv = "SLUICE_AUDIT_CRASH_ROUNDS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirEnv); dir != "" {
		writeUntilKilled(dir)
		return
	}
	os.Exit(m.Run())
}

// writeUntilKilled writes under load and prints what was acknowledged: "b id"
// when the request half was, "e id" when the response half was.
func writeUntilKilled(dir string) {
	trail, err := audit.Open(audit.Options{Dir: dir, Sync: os.Getenv(crashSyncEnv)})
	if err == nil {
		err = trail.SetSigner(newSigner(1))
	}
	if err != nil {
		fmt.Println("error", err)
		return
	}
	fmt.Println("ready")
	say := make(chan string, 1024)
	for w := range 16 {
		go func() {
			random := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(w)))
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, n)
				if err := trail.Begin(exchange(id), chatBody(random.IntN(20000))); err != nil {
					say <- "error " + err.Error()
				}
				say <- "b " + id
				if n%5 == 0 {
					if err := trail.Part(id, audit.PartProviderResponse, randomBody(random.IntN(1<<21))); err != nil {
						say <- "error " + err.Error()
					}
					say <- "p " + id
				}
				if n%50 == 0 {
					if err := trail.Checkpoint(); err != nil {
						say <- "error " + err.Error()
					}
				}
				if random.IntN(4) == 0 {
					time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
				}
				if err := trail.End(id, answered(), chatBody(random.IntN(5000))); err != nil {
					say <- "error " + err.Error()
				}
				say <- "e " + id
			}
		}()
	}
	for line := range say {
		os.Stdout.WriteString(line + "\n")
	}
}

func TestKilledUnderLoad(t *testing.T) {
	for _, mode := range []string{audit.SyncOS, audit.SyncFsync} {
		t.Run(mode, func(t *testing.T) { killUnderLoad(t, mode) })
	}
}

func killUnderLoad(t *testing.T, mode string) {
	rounds := 3
	if n, err := strconv.Atoi(os.Getenv(crashRoundsEnv)); err == nil {
		rounds = n
	}
	dir := t.TempDir()
	begun, ended, parts := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for round := range rounds {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), crashDirEnv+"="+dir, crashSyncEnv+"="+mode)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		ready, first := make(chan struct{}), make(chan struct{})
		var done sync.WaitGroup
		done.Go(func() {
			sure := sync.OnceFunc(func() { close(first) })
			defer sure()
			lines := bufio.NewScanner(out)
			for lines.Scan() {
				verb, id, _ := strings.Cut(lines.Text(), " ")
				switch verb {
				case "ready":
					close(ready)
				case "b":
					begun[id] = true
				case "p":
					parts[id] = true
				case "e":
					ended[id] = true
					if len(ended) > 4*(round+1) {
						sure()
					}
				default:
					t.Error(lines.Text())
				}
			}
		})
		<-ready
		<-first // a busy machine takes its time
		time.Sleep(time.Duration(20+rand.IntN(400)) * time.Millisecond)
		require.NoError(t, child.Process.Kill())
		done.Wait()
		child.Wait()
		report, err := audit.VerifyDir(ctx, dir)
		require.NoError(t, err)
		require.NoError(t, report.Err(), "as the kill left it")
		require.NoError(t, signedWith(t, dir, newSigner(1).Public()).Err(), "and signed")
	}
	trail := openTrail(t, audit.Options{Dir: dir})
	results := map[string]string{}
	require.NoError(t, trail.Query(ctx, audit.Filter{}, func(r *audit.Record) error {
		if r.Exchange != nil {
			require.NotContains(t, results, r.ID, "recorded twice")
			results[r.ID] = r.Outcome.Result
			if parts[r.ID] {
				require.Len(t, r.Parts, 1, "what was acknowledged is there, whatever became of the exchange")
			}
		}
		return nil
	}))
	for id := range begun {
		require.Contains(t, results, id)
	}
	interrupted := 0
	for id := range ended {
		require.Equal(t, audit.ResultAnswered, results[id])
	}
	for _, result := range results {
		if result == audit.ResultInterrupted {
			interrupted++
		}
	}
	require.Greater(t, len(ended), rounds)
	require.Zero(t, verified(t, trail).UnderWay)
	t.Logf("%d kills: %d acknowledged, %d records, %d interrupted", rounds, len(ended), len(results), interrupted)
}

func TestManyWritersAndReaders(t *testing.T) {
	dir := t.TempDir()
	c := newClock(noon)
	trail := openTrail(t, audit.Options{Dir: dir, Now: c.Now, RetentionDays: 2})
	const writers, each = 12, 60
	var done sync.WaitGroup
	for w := range writers {
		done.Go(func() {
			for n := range each {
				id := name(fmt.Sprint("w", w), n)
				switch {
				case n%7 == 0:
					if err := trail.Refuse(exchange(id), chatBody(300), denied()); err != nil {
						t.Error(err)
					}
				case n%11 == 0:
					if err := trail.Event(&audit.Event{Kind: "UpdateUser", RequestID: id}); err != nil {
						t.Error(err)
					}
				default:
					if err := trail.Begin(exchange(id), chatBody(n*400)); err != nil {
						t.Error(err)
					}
					if err := trail.End(id, answered(), chatBody(n*100)); err != nil {
						t.Error(err)
					}
				}
				if w == 0 && n%20 == 19 {
					c.Add(13 * time.Hour)
				}
				if r, err := trail.Get(ctx, id); n%7 != 0 && n%11 == 0 {
					if err == nil {
						t.Error("an event is no exchange")
					}
				} else if err != nil || r.ID != id {
					t.Error(id, err)
				}
			}
		})
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for _, read := range []func(){
		func() { trail.Stats(); trail.Healthy() },
		func() {
			if report, err := trail.Verify(ctx); err != nil || report.Err() != nil {
				t.Error(err, report.Err())
			}
		},
		func() {
			if report, err := audit.VerifyDir(ctx, dir); err != nil || report.Err() != nil {
				t.Error(err, report.Err())
			}
		},
		func() {
			if err := trail.Query(ctx, audit.Filter{Descending: true, Limit: 50, Bodies: true}, func(*audit.Record) error { return nil }); err != nil {
				t.Error(err)
			}
		},
	} {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					read()
				}
			}
		})
	}
	done.Wait()
	close(stop)
	readers.Wait()
	require.Equal(t, writers*each, len(query(t, trail, audit.Filter{})))
	verified(t, trail)
}
