package sink_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/sink/sinktest"
)

const crashEnv = "SLUICE_TEST_SINK_CRASH"

// crashSinks are the sinks of a process that is killed, and of the one after it.
func crashSinks(dir, url string) []config.Sink {
	return []config.Sink{
		{Name: "file", Type: "file", File: &config.SinkFile{Path: filepath.Join(dir, "out.ndjson"), RotateBytes: 1 << 30}},
		{Name: "http", Type: "http", HTTP: &config.SinkHTTP{URL: url, PathSecret: "/", Compress: "gzip", Timeout: time.Second}},
	}
}

// TestCrashChild is the process that is killed: it writes, tells each id that is
// in the trail, and sends.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashEnv)
	if dir == "" {
		t.Skip("it is run by TestKilledAtAnyMomentNothingIsLost")
	}
	w := sinktest.Open(t, filepath.Join(dir, "audit"), filepath.Join(dir, "sinks"))
	w.Set(crashSinks(dir, os.Getenv(crashEnv+"_URL"))...)
	for n := 0; ; n++ {
		id := fmt.Sprintf("%s-%06d", os.Getenv(crashEnv+"_RUN"), n)
		require.NoError(t, w.Trail.Begin(&audit.Exchange{ID: id}, []byte(`{"q":1}`)))
		require.NoError(t, w.Trail.End(id, &audit.Outcome{Result: audit.ResultAnswered}, []byte(`{"a":1}`)))
		fmt.Println("recorded", id)
		if n%50 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// TestKilledAtAnyMomentNothingIsLost kills a process that writes and sends with
// SIGKILL, again and again: every record that was recorded is in the file and with
// the service, by id, in order.
func TestKilledAtAnyMomentNothingIsLost(t *testing.T) {
	dir := t.TempDir()
	service := &lines{}
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	var recorded []string
	kills := 12
	if testing.Short() {
		kills = 3
	}
	for run := range kills {
		cmd := exec.Command(os.Args[0], "-test.run=^TestCrashChild$", "-test.v")
		cmd.Env = append(os.Environ(), crashEnv+"="+dir, crashEnv+"_URL="+server.URL, fmt.Sprintf("%s_RUN=%03d", crashEnv, run))
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		s := bufio.NewScanner(out)
		var once sync.Once
		for s.Scan() {
			var id string
			if n, _ := fmt.Sscanf(s.Text(), "recorded %s", &id); n != 1 {
				continue
			}
			recorded = append(recorded, id)
			once.Do(func() {
				time.AfterFunc(time.Duration(rand.IntN(700))*time.Millisecond, func() { _ = cmd.Process.Kill() })
			})
		}
		require.Error(t, cmd.Wait(), "it was killed")
	}
	require.NotEmpty(t, recorded)

	w := sinktest.Open(t, filepath.Join(dir, "audit"), filepath.Join(dir, "sinks"))
	w.Set(crashSinks(dir, server.URL)...)
	w.Through("file")
	w.Through("http")
	f, err := os.Open(filepath.Join(dir, "out.ndjson"))
	require.NoError(t, err)
	defer f.Close()
	file := &lines{}
	for s := bufio.NewScanner(f); s.Scan(); {
		require.NoError(t, file.add(s.Bytes()), "no line is torn")
	}
	for what, got := range map[string]*lines{"file": file, "http": service} {
		// The trail may hold one more of each run, of which nobody was told.
		told := map[string]bool{}
		for _, id := range recorded {
			told[id] = true
		}
		var known []string
		for _, id := range got.got.Unique() {
			if told[id] {
				known = append(known, id)
			}
		}
		require.Equal(t, recorded, known, what)
		t.Logf("%s: %d records, %d lines", what, len(known), got.n)
	}
	report, err := w.Trail.Verify(t.Context())
	require.NoError(t, err)
	require.NoError(t, report.Err())
}

// lines takes lines of JSON, by POST or one by one.
type lines struct {
	mu  sync.Mutex // guards the following field
	n   int
	got sinktest.Got
}

func (l *lines) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := gzip.NewReader(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	s := bufio.NewScanner(body)
	for s.Scan() {
		if l.add(s.Bytes()) != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
	}
	if s.Err() != nil { // the sender was killed
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func (l *lines) add(line []byte) error {
	var r struct{ ID string }
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	l.got.Add(r.ID)
	return nil
}
