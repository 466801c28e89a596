package trail_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// collector is a stand-in for a SIEM's HTTP input. It refuses and breaks off
// some of what it is sent, as such inputs do; what it has confirmed counts.
type collector struct {
	*httptest.Server
	mu  sync.Mutex // guards the following field
	ids []string   // of the records, in order of arrival
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = z
	}
	ids, err := recordIDs(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError) // cut off: comes again
		return
	}
	switch rand.IntN(20) {
	case 0:
		http.Error(w, "busy", http.StatusTooManyRequests)
		return
	case 1:
		http.Error(w, "broken", http.StatusInternalServerError)
		return
	case 2: // taken, and the reply is lost
		c.take(ids)
		panic(http.ErrAbortHandler)
	}
	c.take(ids)
}

func (c *collector) take(ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids = append(c.ids, ids...)
}

func (c *collector) taken() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.ids)
}

// recordIDs reads one record a line.
func recordIDs(r io.Reader) ([]string, error) {
	var ids []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var record struct {
			RecordID string `json:"recordId"`
		}
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			return nil, err
		}
		ids = append(ids, record.RecordID)
	}
	return ids, lines.Err()
}

// fileIDs reads what the sink of type file has written, the oldest first. A
// line that a kill cut off is not counted: it comes again.
func fileIDs(t *testing.T, path string) []string {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	slices.SortFunc(files, func(a, b string) int { // path.2 is older than path.1, path the newest
		return strings.Compare(b, a)
	})
	var ids []string
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		for line := range strings.Lines(string(data)) {
			if found, err := recordIDs(strings.NewReader(line)); err == nil {
				ids = append(ids, found...)
			}
		}
	}
	return ids
}
