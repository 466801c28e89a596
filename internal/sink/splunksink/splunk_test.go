package splunksink_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/config"
	"sluice/internal/sink"
	"sluice/internal/sink/sinktest"
)

// event is one of HEC.
type event struct {
	Time       float64 `json:"time"`
	Host       string  `json:"host"`
	Source     string  `json:"source"`
	SourceType string  `json:"sourcetype"`
	Index      string  `json:"index"`
	Fields     map[string]string
	Event      json.RawMessage `json:"event"`
}

func (e *event) id() string {
	var r struct{ ID string }
	if json.Unmarshal(e.Event, &r) != nil {
		return ""
	}
	return r.ID
}

// hec stands in for an HTTP Event Collector, as Splunk's manual describes it.
type hec struct {
	*httptest.Server
	got sinktest.Got

	mu     sync.Mutex // guards the following fields
	events []event
	bad    func(e *event) bool
	fail   func() (status, code int, text string) // code 0: it does not
	ack    bool
	asks   int
	acks   int
	calls  int
}

func newHEC(t *testing.T) *hec {
	h := &hec{bad: func(*event) bool { return false }, fail: func() (int, int, string) { return 0, 0, "" }}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /services/collector/event", h.take)
	mux.HandleFunc("POST /services/collector/ack", h.asked)
	h.Server = httptest.NewServer(mux)
	t.Cleanup(h.Close)
	return h
}

func reply(w http.ResponseWriter, status int, body map[string]any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (h *hec) take(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	if r.Header.Get("Authorization") != "Splunk canary-token" {
		reply(w, http.StatusForbidden, map[string]any{"text": "Invalid token", "code": 4})
		return
	}
	if status, code, text := h.fail(); code != 0 {
		reply(w, status, map[string]any{"text": text, "code": code})
		return
	}
	body, err := gzip.NewReader(r.Body)
	if err != nil {
		reply(w, http.StatusBadRequest, map[string]any{"text": "Invalid data format", "code": 6})
		return
	}
	var events []event
	for d := json.NewDecoder(body); d.More(); {
		var e event
		if err := d.Decode(&e); err != nil || h.bad(&e) {
			reply(w, http.StatusBadRequest, map[string]any{"text": "Invalid data format", "code": 6, "invalid-event-number": len(events)})
			return
		}
		events = append(events, e)
	}
	h.events = append(h.events, events...)
	if !h.ack {
		h.indexed(events)
		reply(w, http.StatusOK, map[string]any{"text": "Success", "code": 0})
		return
	}
	if r.Header.Get("X-Splunk-Request-Channel") == "" {
		reply(w, http.StatusBadRequest, map[string]any{"text": "Data channel is missing", "code": 10})
		return
	}
	h.acks++
	h.indexed(events)
	reply(w, http.StatusOK, map[string]any{"text": "Success", "code": 0, "ackId": h.acks})
}

func (h *hec) indexed(events []event) {
	for i := range events {
		h.got.Add(events[i].id())
	}
}

// asked acknowledges the second time that it is asked.
func (h *hec) asked(w http.ResponseWriter, r *http.Request) {
	var in struct{ Acks []int64 }
	if json.NewDecoder(unzip(r)).Decode(&in) != nil || r.URL.Query().Get("channel") == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asks++
	out := map[string]bool{}
	for _, a := range in.Acks {
		out[fmt.Sprint(a)] = h.asks > 1
	}
	reply(w, http.StatusOK, map[string]any{"acks": out})
}

func unzip(r *http.Request) *gzip.Reader {
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		panic(err)
	}
	return z
}

func to(url string, change ...func(*config.SinkHTTP)) config.Sink {
	c := &config.SinkHTTP{
		URL: url, PathSecret: "/", Token: "canary-token", Compress: "gzip", Timeout: 5 * time.Second, Source: "sluice", SourceType: "sluice:audit",
	}
	for _, f := range change {
		f(c)
	}
	return config.Sink{Name: "a", Type: "splunk_hec", Splunk: c}
}

func TestEventsOfHEC(t *testing.T) {
	w := sinktest.New(t)
	h := newHEC(t)
	ids := w.Write("x", 50)
	w.Set(to(h.URL, func(c *config.SinkHTTP) { c.Index = "ai" }))
	w.Through("a")
	require.Equal(t, ids, h.got.Unique())
	e := h.events[0]
	require.Equal(t, []string{"gw-1", "sluice", "sluice:audit", "ai"}, []string{e.Host, e.Source, e.SourceType, e.Index})
	require.InDelta(t, float64(time.Now().UnixMilli())/1000, e.Time, 60)
	require.Equal(t, map[string]string{"record_id": w.Trail.ID() + "-2", "kind": "AccessEndpoint"}, e.Fields)

	// What is no JSON is a text.
	w.Set(config.Sink{Name: "a", Type: "splunk_hec", Format: config.FormatCEF, Splunk: to(h.URL).Splunk})
	w.Write("y", 1)
	w.Through("a")
	var line string
	require.NoError(t, json.Unmarshal(h.events[len(h.events)-1].Event, &line))
	require.True(t, strings.HasPrefix(line, "CEF:"), line)
}

func TestTheEventThatHECRefusesIsSetAside(t *testing.T) {
	w := sinktest.New(t)
	h := newHEC(t)
	h.bad = func(e *event) bool { return strings.HasSuffix(e.id(), "7") }
	ids := w.Write("x", 100)
	w.Set(to(h.URL))
	w.Through("a")
	require.Equal(t, slices.DeleteFunc(ids, func(id string) bool { return strings.HasSuffix(id, "7") }), h.got.Unique())
	letters, err := w.M.Letters("a")
	require.NoError(t, err)
	require.Len(t, letters, 10)
	require.Equal(t, "400 Bad Request, HEC code 6 (not valid data)", letters[0].Reason)
	require.Less(t, h.calls, 60)
}

func TestWrongSettingsOfHECAreNoFaultOfRecords(t *testing.T) {
	for code, status := range map[int]int{1: 403, 4: 403, 7: 400, 8: 500, 9: 503, 11: 400, 14: 400} {
		t.Run(fmt.Sprint("code ", code), func(t *testing.T) {
			w := sinktest.New(t)
			h := newHEC(t)
			n := 0
			h.fail = func() (int, int, string) {
				if n++; n <= 2 {
					return status, code, "no"
				}
				return 0, 0, ""
			}
			ids := w.Write("x", 10)
			w.Set(to(h.URL))
			w.Through("a")
			require.Equal(t, ids, h.got.Unique())
			s := w.Status("a")
			require.Zero(t, s.DeadLetters)
			require.EqualValues(t, 2, s.Errors)
			require.Contains(t, s.LastError, fmt.Sprintf("HEC code %d", code))
			require.NotContains(t, s.LastError, "canary")
		})
	}
}

// TestWhatIsNoHECConfirmsNothing: a portal in between answers 200 to anything.
func TestWhatIsNoHECConfirmsNothing(t *testing.T) {
	for name, body := range map[string]string{
		"nothing": "", "a page": "<html>Sign in</html>", "other JSON": `{"status":"ok"}`, "no object": `[]`, "a word": `{"code":"0"}`,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHEC(t)
			var portal atomic.Bool
			portal.Store(true)
			between := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if portal.Load() {
					_, _ = rw.Write([]byte(body))
					return
				}
				h.Config.Handler.ServeHTTP(rw, r)
			}))
			t.Cleanup(between.Close)
			w := sinktest.New(t)
			w.Set(to(between.URL))
			ids := w.Write("x", 3)
			w.Eventually("it fails", func() bool { return w.Status("a").State == sink.StateFailing })
			require.Contains(t, w.Status("a").LastError, "this does not look like a HEC")
			require.Zero(t, w.Status("a").Sent)
			require.Zero(t, w.Status("a").DeadLetters)
			portal.Store(false)
			w.Through("a")
			require.Equal(t, ids, h.got.Unique())
		})
	}
}

func TestIndexersAcknowledge(t *testing.T) {
	w := sinktest.New(t)
	h := newHEC(t)
	h.ack = true
	ids := w.Write("x", 100)
	w.Set(to(h.URL, func(c *config.SinkHTTP) { c.Acknowledge = true }))
	w.Eventually("it was asked", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.asks == 1 })
	require.Positive(t, w.Status("a").Lag, "nothing is confirmed before the indexers have it")
	w.Through("a")
	require.Equal(t, ids, h.got.Unique())

	h.mu.Lock()
	h.ack = false
	h.mu.Unlock()
	w.Write("y", 1)
	w.Eventually("it says what is wrong", func() bool { return strings.Contains(w.Status("a").LastError, "HEC does not acknowledge") })
}

func TestNothingIsLostWhateverHECDoes(t *testing.T) {
	w := sinktest.New(t)
	h := newHEC(t)
	h.fail = func() (int, int, string) {
		if rand.IntN(2) == 0 {
			return http.StatusServiceUnavailable, 9, "Server is busy"
		}
		return 0, 0, ""
	}
	w.Set(to(h.URL))
	var ids []string
	for n := range 8 {
		ids = append(ids, w.Write(fmt.Sprint("load", n), 50)...)
		time.Sleep(20 * time.Millisecond)
	}
	w.Through("a")
	require.Equal(t, ids, slices.DeleteFunc(h.got.Unique(), func(id string) bool { return id == "" }))
	w.Eventually("it works again", func() bool { return w.Status("a").State == sink.StateRunning })
}
