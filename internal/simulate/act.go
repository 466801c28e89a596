package simulate

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fault is a way to answer wrongly.
type Fault string

// The faults. What each does is told in the package comment, under the name
// "fault-" plus the constant's value.
const (
	NoFault    Fault = ""
	Fail       Fault = "status" // Act.Status in the provider's error shape
	ResetHead  Fault = "reset-head"
	Reset      Fault = "reset"
	Truncate   Fault = "truncate"
	Stall      Fault = "stall"
	StallHead  Fault = "stall-head"
	HTML       Fault = "html" // with Act.Status, or 200
	Garbage    Fault = "garbage"
	Gzip       Fault = "gzip"
	ErrorEvent Fault = "error-event"
)

// Act says how one request is answered. The zero Act is a right answer at once.
type Act struct {
	Fault      Fault
	Status     int           // for Fail and HTML
	RetryAfter string        // Retry-After header of a Fail; empty: none
	HeadDelay  time.Duration // before the head
	ChunkDelay time.Duration // between chunks of a stream
	Hold       bool          // wait for Release after the first chunk
	HoldFor    time.Duration // wait that long after the first chunk
	Words      int           // length of the answer in words; 0: as it comes
	Bytes      int           // length of the answer's text in bytes; 0: as it comes
	Refuse     bool          // the model declines
}

var faultNames = map[string]Fault{
	"reset-head": ResetHead, "reset": Reset, "truncate": Truncate, "stall": Stall,
	"stall-head": StallHead, "html": HTML, "garbage": Garbage, "gzip": Gzip, "error-event": ErrorEvent,
}

// ActOfModel returns what the name of a model asks for. ok is false for a name
// that asks for nothing.
func ActOfModel(model string) (act Act, ok bool) {
	if model == "hold" {
		return Act{Hold: true}, true
	}
	if model == "refusal" {
		return Act{Refuse: true}, true
	}
	kind, rest, found := strings.Cut(model, "-")
	if !found {
		return Act{}, false
	}
	switch kind {
	case "fault":
		return actOfFault(rest)
	case "slow":
		n, err := strconv.Atoi(rest)
		return Act{HeadDelay: milliseconds(n)}, err == nil
	case "hold":
		n, err := strconv.Atoi(rest)
		return Act{HoldFor: milliseconds(n)}, err == nil
	case "big":
		n, err := strconv.Atoi(rest)
		return Act{Bytes: n}, err == nil
	case "words":
		words, gap, _ := strings.Cut(rest, "-")
		n, err := strconv.Atoi(words)
		ms, _ := strconv.Atoi(gap)
		return Act{Words: n, ChunkDelay: milliseconds(ms)}, err == nil
	}
	return Act{}, false
}

// actOfName is ActOfModel for a name that may stand behind those of its maker:
// "anthropic.fault-429", "meta/hold".
func actOfName(model string) Act {
	for _, sign := range []string{"", "/", "."} {
		name := model
		if sign != "" {
			name = model[strings.LastIndex(model, sign)+1:]
		}
		if act, ok := ActOfModel(name); ok {
			return act
		}
	}
	return Act{}
}

// actOfFault reads what follows "fault-" in a model's name, or the value of
// x-practice-fail: a status or the name of a fault.
func actOfFault(name string) (Act, bool) {
	if status, err := strconv.Atoi(name); err == nil && validFailure(status) {
		return failAct(status), true
	}
	if page, ok := strings.CutPrefix(name, "html-"); ok {
		status, err := strconv.Atoi(page)
		return Act{Fault: HTML, Status: status}, err == nil && validFailure(status)
	}
	fault, ok := faultNames[name]
	return Act{Fault: fault}, ok
}

func validFailure(status int) bool { return status >= 400 && status <= 599 }

// failAct is a failure as providers send it: with Retry-After where they do.
func failAct(status int) Act {
	act := Act{Fault: Fail, Status: status}
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, statusOverloaded:
		act.RetryAfter = "1"
	}
	return act
}

// actOfHeaders reads the x-practice-* headers. ok is false when there is none;
// a value that can't be read is an error sentence for a 400.
func actOfHeaders(h http.Header) (act Act, ok bool, wrong string) {
	if v := h.Get("X-Practice-Fail"); v != "" {
		if act, ok = actOfFault(v); !ok {
			return act, false, "x-practice-fail must be a status from 400 to 599, or one of " +
				"reset-head, reset, truncate, stall, stall-head, html, garbage, gzip, error-event."
		}
	}
	for name, set := range map[string]func(int){
		"X-Practice-Delay-Ms":       func(n int) { act.HeadDelay = milliseconds(n) },
		"X-Practice-Chunk-Delay-Ms": func(n int) { act.ChunkDelay = milliseconds(n) },
		"X-Practice-Words":          func(n int) { act.Words = n },
	} {
		v := h.Get(name)
		if v == "" {
			continue
		}
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > maxPracticeValue {
			return act, false, strings.ToLower(name) + " must be a whole number from 0 to " +
				strconv.Itoa(maxPracticeValue) + "."
		}
		set(n)
		ok = true
	}
	return act, ok, ""
}

// maxPracticeValue bounds what a client can ask of the practice provider: 100 s
// of delay, 100,000 words.
const maxPracticeValue = 100_000

func milliseconds(n int) time.Duration { return time.Duration(n) * time.Millisecond }
