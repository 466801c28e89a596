// Package variant carries exchanges with servers whose API is OpenAI's but for
// some members: the calls of package openai with what goes out and what comes
// back edited on the way.
package variant

import (
	"net/http"
	"strings"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// Variant is how an API differs from OpenAI's. Each function gets valid JSON
// and returns it edited, or as it is; a nil one changes nothing.
type Variant struct {
	// Path replaces that of OpenAI's call; "" for the same.
	Path string
	// Request edits the body of a request.
	Request func(body []byte) ([]byte, *dialect.Error)
	// Reply edits a whole reply of status 2xx.
	Reply func(body []byte) []byte
	// Event begins a stream: what it returns edits the data of each event; nil
	// for an event that comes to nothing.
	Event func() func(data []byte) []byte
}

// Wrap puts a variant around a call of OpenAI's API.
func Wrap(inner kit.Call, v Variant) (kit.Call, *dialect.Error) {
	w := &wrapped{Call: inner, variant: v, up: inner.Upstream()}
	if v.Path != "" {
		w.up.Path = v.Path
	}
	if v.Request != nil {
		body, e := v.Request(w.up.Body)
		if e != nil {
			return nil, e
		}
		w.up.Body = body
	}
	return w, nil
}

type wrapped struct {
	kit.Call
	variant Variant
	up      kit.Upstream

	reader sse.Reader
	edit   func(data []byte) []byte // of the stream's events; set by the first chunk
	in     []byte                   // what the current chunk is for the inner call
}

func (w *wrapped) Upstream() kit.Upstream { return w.up }

func (w *wrapped) Complete(status int, header func(string) string, body []byte) kit.Reply {
	edited := body
	isJSON := strings.Contains(strings.ToLower(header("content-type")), "application/json")
	if status < http.StatusMultipleChoices && isJSON && w.variant.Reply != nil && jsontext.Valid(body) {
		edited = w.variant.Reply(body)
	}
	reply := w.Call.Complete(status, header, edited)
	reply.Unchanged = reply.Unchanged && same(edited, body)
	return reply
}

// same reports whether an edit returned what it was given.
func same(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func (w *wrapped) Chunk(b []byte, end bool) (out []byte, done bool) {
	if w.variant.Event == nil {
		return w.Call.Chunk(b, end)
	}
	if w.edit == nil {
		w.edit = w.variant.Event()
	}
	w.in = make([]byte, 0, len(b)+64)
	err := w.reader.Feed(b, w.event)
	if err == nil && end {
		err = w.reader.End(w.event)
	}
	in := w.in
	w.in = nil
	if err != nil { // an event too large: the answer is cut off here
		end = true
	}
	if len(in) == 0 && !end {
		return nil, false
	}
	return w.Call.Chunk(in, end)
}

// event hands an event on, edited. It returns no errors.
func (w *wrapped) event(ev sse.Event) error {
	if ev.Data != nil && jsontext.Valid(ev.Data) {
		edited := w.edit(ev.Data)
		if edited == nil {
			return nil
		}
		if !same(edited, ev.Data) {
			w.in = sse.Append(w.in, string(ev.Name), edited)
			return nil
		}
	}
	w.in = append(w.in, ev.Raw...)
	return nil
}

var _ kit.Call = (*wrapped)(nil)
