package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// allowance are the ways in which the gateway is meant to differ from MLflow's
// server (docs/compatibility: being better breaks no client).
type allowance struct {
	// recent: the clock is not frozen; a "created" of the frozen second is any
	// of the last minutes, and so is the time in an id that holds it.
	recent bool
	// beside: an error has members beside MLflow's "detail": "code", which is
	// stable, and "exchange_id", which an administrator can look up.
	beside bool
}

var besideDetail = []string{"code", "exchange_id"}

// compare returns where two JSON values differ, "" if nowhere. Numbers are
// compared by value.
func (a allowance) compare(want, got []byte) string {
	var w, g any
	if err := json.Unmarshal(want, &w); err != nil {
		return "what is wanted is not JSON: " + err.Error()
	}
	if err := json.Unmarshal(got, &g); err != nil {
		return "it is not JSON: " + err.Error()
	}
	return a.differ("", w, g)
}

func (a allowance) differ(at string, want, got any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return different(at, want, got)
		}
		return a.differMembers(at, w, g)
	case []any:
		g, ok := got.([]any)
		if !ok || len(w) != len(g) {
			return different(at, want, got)
		}
		for i := range w {
			if d := a.differ(fmt.Sprintf("%s[%d]", at, i), w[i], g[i]); d != "" {
				return d
			}
		}
		return ""
	}
	if reflect.DeepEqual(want, got) || a.recent && sameMoment(want, got) {
		return ""
	}
	return different(at, want, got)
}

func (a allowance) differMembers(at string, want, got map[string]any) string {
	for name, w := range want {
		g, ok := got[name]
		if !ok {
			return at + "." + name + " is missing"
		}
		if d := a.differ(at+"."+name, w, g); d != "" {
			return d
		}
	}
	for name, g := range got {
		if _, ok := want[name]; ok || a.beside && at == "" && slices.Contains(besideDetail, name) {
			continue
		}
		return fmt.Sprintf("%s.%s is there: %v", at, name, g)
	}
	return ""
}

func different(at string, want, got any) string {
	w, _ := json.Marshal(want)
	g, _ := json.Marshal(got)
	return fmt.Sprintf("%s is %s, not %s", at, g, w)
}

// sameMoment reports whether the frozen second was wanted and a recent one came.
func sameMoment(want, got any) bool {
	now := time.Now().Unix()
	recent := func(n int64) bool { return n > now-600 && n <= now+5 }
	if w, ok := want.(float64); ok && w == frozen {
		g, ok := got.(float64)
		return ok && recent(int64(g))
	}
	w, ok := want.(string)
	g, both := got.(string)
	if !ok || !both || !strings.HasSuffix(w, "-"+itoa(frozen)) {
		return false
	}
	var n int64
	_, err := fmt.Sscanf(strings.TrimPrefix(g, strings.TrimSuffix(w, itoa(frozen))), "%d", &n)
	return err == nil && recent(n)
}

// report fails the test with what differs and both bodies.
func report(t *testing.T, what, difference string, want, got []byte) {
	t.Helper()
	if difference != "" {
		t.Errorf("%s: %s\n got %s\nwant %s", what, difference, compact(got), compact(want))
	}
}

// compact is a body on one line, cut where it is long.
func compact(b []byte) string {
	var out bytes.Buffer
	if json.Compact(&out, b) != nil {
		out.Reset()
		out.Write(bytes.ReplaceAll(bytes.TrimSpace(b), []byte("\n"), []byte("⏎")))
	}
	const most = 4000
	if out.Len() > most {
		return out.String()[:most] + "…"
	}
	return out.String()
}

// dataOf are the data of a stream's events, without OpenAI's [DONE].
func dataOf(t *testing.T, stream []byte) []json.RawMessage {
	t.Helper()
	var list []json.RawMessage
	for _, ev := range eventsOf(t, stream) {
		if string(ev.data) != "[DONE]" {
			list = append(list, ev.data)
		}
	}
	return list
}

type event struct {
	name string
	data json.RawMessage
}

// eventsOf reads server-sent events as the gateway writes them: "event" and
// "data" lines, one of each at most, and a blank line after.
func eventsOf(t *testing.T, stream []byte) []event {
	t.Helper()
	var list []event
	text := strings.ReplaceAll(string(stream), "\r\n", "\n")
	if text != "" && !strings.HasSuffix(text, "\n\n") {
		t.Errorf("the stream does not end with a blank line: %q", text[max(0, len(text)-80):])
	}
	for _, block := range strings.Split(text, "\n\n") {
		var ev event
		for _, line := range strings.Split(block, "\n") {
			name, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch name {
			case "event":
				ev.name = value
			case "data":
				ev.data = append(ev.data, value...)
			}
		}
		if len(ev.data) > 0 {
			list = append(list, ev)
		}
	}
	return list
}
