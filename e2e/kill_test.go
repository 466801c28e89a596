package e2e_test

import (
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
	"sluice/internal/simulate"
)

// TestKillLosesNoRecordOfAnAnsweredCall kills the gateway at random moments
// under load: each answer that a client got has its record, the trail proves
// whole, and what was half-written is completed as interrupted.
func TestKillLosesNoRecordOfAnAnsweredCall(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	interrupted := 0
	for round := range times(3, 20) {
		answered := killUnderLoad(t, g)
		require.NotEmpty(t, answered)
		verify(t, g)
		g.Launch()
		for _, id := range answered {
			require.Equal(t, "answered", outcome(t, record(t, g, id))["result"], "round %d, exchange %s", round, id)
		}
		r := g.Admin("GET", "/api/sluice/v1/audit?results=interrupted&limit=1000", "").JSON(t)
		interrupted = len(r["records"].([]any))
		require.Equal(t, 200, g.Call("POST", "/endpoints/chat-openai/invocations", g.UserToken, hello).Status)
		t.Logf("round %d: %d answered, %d interrupted in all", round, len(answered), interrupted)
	}
	verify(t, g)
}

// killUnderLoad returns the exchange ids of the whole answers that clients got.
func killUnderLoad(t *testing.T, g *rig.Gateway) []string {
	t.Helper()
	// Some providers are slow, so that exchanges are under way at every moment.
	g.Anthropic.Always(&simulate.Act{HeadDelay: 50 * time.Millisecond})
	defer g.Anthropic.Always(nil)
	var mu sync.Mutex
	var answered []string
	stop := make(chan struct{})
	var load sync.WaitGroup
	for i := range 6 {
		load.Add(1)
		go func() {
			defer load.Done()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				body := hello
				if n%3 == 0 {
					body = `{"stream":true,` + hello[1:]
				}
				r, err := g.Do("POST", "/endpoints/chat-"+[]string{"openai", "anthropic"}[i%2]+"/invocations", g.UserToken, body)
				if err == nil && r.Status == http.StatusOK {
					mu.Lock()
					answered = append(answered, r.Header.Get("X-Request-Id"))
					mu.Unlock()
				}
			}
		}()
	}
	eventually(t, "calls are answered", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(answered) > 0
	})
	time.Sleep(200*time.Millisecond + time.Duration(rand.Int64N(int64(400*time.Millisecond))))
	g.Kill()
	close(stop)
	load.Wait()
	return answered
}

// TestEnvoyIsBackAfterAKill: the supervisor starts it again.
func TestEnvoyIsBackAfterAKill(t *testing.T) {
	g := rig.Start(t, rig.Options{BareEndpoints: true})
	for range times(2, 10) {
		pid := g.EnvoyPID()
		start := time.Now()
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		eventually(t, "a call is answered again", func() bool {
			r, err := g.Do("POST", "/endpoints/practice/invocations", g.UserToken, hello)
			return err == nil && r.Status == 200
		})
		t.Logf("answered again %s after kill -9 of Envoy", time.Since(start).Round(time.Millisecond))
	}
	verify(t, g)
}

// TestNoEnvoyIsLeftBehind by a gateway that was killed.
func TestNoEnvoyIsLeftBehind(t *testing.T) {
	g := rig.Start(t, rig.Options{BareEndpoints: true})
	pid := g.EnvoyPID()
	g.Kill()
	eventually(t, "Envoy is gone", func() bool { return syscall.Kill(pid, 0) != nil || rig.Zombie(pid) })
}

// TestAFullDiskRefusesAndResumes: with no room for the record there is no
// answer; with room again there is, and the trail is whole.
func TestAFullDiskRefusesAndResumes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system takes root")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("this machine does not let us mount a tmpfs: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	g := rig.Start(t, rig.Options{Data: filepath.Join(dir, "data")})
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)

	seen := map[int]int{}
	body := `{"messages":[{"role":"user","content":"` + noise(64<<10) + `"}]}`
	eventually(t, "calls are refused", func() bool {
		g.OpenAI.Forget()
		r := g.Call("POST", "/endpoints/chat-openai/invocations", g.UserToken, body)
		seen[r.Status]++
		if r.Status == 503 {
			require.Contains(t, string(r.Body), "audit_unavailable")
			require.Empty(t, g.OpenAI.Requests(), "nothing goes upstream without a record")
		} else {
			require.Equal(t, 200, r.Status, "%s", r.Body)
		}
		return seen[503] > 3
	})
	t.Logf("replies until the disk was full: %v", seen)
	require.NoError(t, os.Remove(ballast))
	eventually(t, "calls are answered again", func() bool {
		return g.Call("POST", "/endpoints/chat-openai/invocations", g.UserToken, body).Status == 200
	})
	verify(t, g)
	g.Stop()
	g.Launch()
	verify(t, g)
}

// fill leaves about a megabyte.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	block := make([]byte, 64<<10)
	for {
		if _, err := f.Write(block); err != nil {
			break
		}
	}
	info, err := f.Stat()
	require.NoError(t, err)
	require.NoError(t, f.Truncate(max(0, info.Size()-1<<20)))
}

// noise does not compress.
func noise(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))]
	}
	return string(b)
}
