// Package splunksink is the sink type splunk_hec: events for Splunk's HTTP Event
// Collector. The endpoints, headers, codes and the acknowledgement of indexers
// are those of Splunk's manual "Get data in", chapters "Format events for HTTP
// Event Collector", "Troubleshoot HTTP Event Collector" and "About HTTP Event
// Collector Indexer Acknowledgment".
package splunksink

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/sink"
	"sluice/internal/sink/httpsink"
)

const (
	eventPath = "/services/collector/event"
	ackPath   = "/services/collector/ack"
	// chunk is how much is sent in one request; HEC's own limit was 1 MB for long.
	chunk = 1 << 20
)

// Answers of HEC, by their code.
const (
	codeSuccess      = 0
	codeNoData       = 5
	codeInvalid      = 6 // with the number of the event that is
	codeWrongIndex   = 7
	codeServerError  = 8
	codeBusy         = 9
	codeEventMissing = 12
	codeEventBlank   = 13
	codeNoAck        = 14
	codeFields       = 15
)

// Target sends events.
type Target struct {
	c       *config.SinkHTTP
	json    bool // the format is JSON
	host    string
	poster  *httpsink.Poster
	channel string
	now     func() time.Time
	buf     []byte
	pause   func(ctx context.Context, d time.Duration) error
}

// Open makes a Target for records in a format; host is what events come from
// where the settings do not say. It does not connect.
func Open(c *config.SinkHTTP, format, host string, dial httpsink.Dial, secure *tls.Config, now func() time.Time) (*Target, error) {
	channel, err := uuid.NewRandomFromReader(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("drawing a channel: %w", err)
	}
	t := &Target{
		c: c, json: format != config.FormatCEF, host: host, poster: httpsink.NewPoster(c, dial, secure, now),
		channel: channel.String(), now: now, pause: pause,
	}
	if c.Host != "" {
		t.host = c.Host
	}
	return t, nil
}

// Batch implements sink.Batcher. An acknowledgement takes seconds, and many
// requests can wait for theirs together.
func (t *Target) Batch() sink.Batch {
	if t.c.Acknowledge {
		return sink.Batch{Entries: 10_000, Bytes: 8 * chunk}
	}
	return sink.Batch{}
}

// Deliver implements sink.Target.
func (t *Target) Deliver(ctx context.Context, entries []sink.Entry) (int, error) {
	var acks []int64
	done := 0
	var failed error
	for done < len(entries) && failed == nil {
		n := t.fit(entries[done:])
		sent, err := t.send(ctx, entries[done:done+n], &acks)
		done += sent
		failed = err
	}
	if t.c.Acknowledge && done > 0 {
		if err := t.acknowledged(ctx, acks); err != nil {
			return 0, err
		}
	}
	return done, failed
}

// fit is how many entries, from the first, are for one request.
func (t *Target) fit(entries []sink.Entry) int {
	size := 0
	for i := range entries {
		if size += len(entries[i].Data); size > chunk && i > 0 {
			return i
		}
	}
	return len(entries)
}

// answer is HEC's own.
type answer struct {
	Text    string `json:"text"`
	Code    *int   `json:"code"`
	Invalid *int   `json:"invalid-event-number"`
	Ack     *int64 `json:"ackId"`
}

// wrongEvent is the error of an answer that says which event is wrong.
type wrongEvent struct {
	at int // its place in the request
	*sink.Refused
}

// Unwrap makes it one of a refused record.
func (w *wrongEvent) Unwrap() error { return w.Refused }

// send sends entries in one request. Where HEC calls one wrong and says which,
// those before it are sent, then it alone to see whether that is so, then the
// rest; where it does not say, it is found by halves. It returns as Deliver does.
func (t *Target) send(ctx context.Context, entries []sink.Entry, acks *[]int64) (int, error) {
	if len(entries) == 0 {
		return 0, nil
	}
	post := func(some []sink.Entry) error { return t.post(ctx, some, acks) }
	err := post(entries)
	var wrong *wrongEvent
	var refused *sink.Refused
	switch {
	case err == nil:
		return len(entries), nil
	case !errors.As(err, &refused) || len(entries) == 1:
		return 0, err
	case !errors.As(err, &wrong) || wrong.at < 0 || wrong.at >= len(entries):
		return httpsink.Halves(entries, post)
	}
	n, err := t.send(ctx, entries[:wrong.at], acks)
	if err != nil {
		return n, err
	}
	if err := post(entries[n : n+1]); err != nil {
		return n, err
	}
	rest, err := t.send(ctx, entries[n+1:], acks)
	return n + 1 + rest, err
}

func (t *Target) post(ctx context.Context, entries []sink.Entry, acks *[]int64) error {
	t.buf = t.buf[:0]
	for i := range entries {
		t.buf = t.event(t.buf, &entries[i])
	}
	r, err := t.poster.Post(ctx, eventPath, t.buf, t.header())
	if cap(t.buf) > 32*chunk {
		t.buf = nil
	}
	if err != nil {
		return err
	}
	var a answer
	if err := json.Unmarshal(r.Body, &a); err != nil {
		a = answer{} // what is not HEC's answer has no code
	}
	if r.Status/100 == 2 && a.Code == nil && a.Ack == nil {
		// A portal, a proxy or another service says 200 to anything.
		return fmt.Errorf("%s was the answer, but it is none of HEC: this does not look like a HEC, but like a proxy or a page to sign in for example",
			httpsink.StatusText(r.Status))
	}
	if r.Status/100 == 2 && (a.Code == nil || *a.Code == codeSuccess) {
		if t.c.Acknowledge {
			if a.Ack == nil {
				return errors.New("HEC does not acknowledge: the token has no indexer acknowledgement; take out acknowledge: true, or turn it on")
			}
			*acks = append(*acks, *a.Ack)
		}
		return nil
	}
	return t.failure(r, &a)
}

// failure is the error of an answer. HEC answers 400 also where the token or its
// settings are wrong; that is no fault of a record.
func (t *Target) failure(r httpsink.Reply, a *answer) error {
	what := httpsink.StatusText(r.Status)
	if a.Code == nil {
		return t.poster.Failure(r, what)
	}
	what = fmt.Sprintf("%s, HEC code %d%s", what, *a.Code, meanings[*a.Code])
	switch *a.Code {
	case codeInvalid, codeEventMissing, codeEventBlank, codeFields:
		refused := &sink.Refused{Reason: what}
		if a.Invalid != nil {
			return &wrongEvent{*a.Invalid, refused}
		}
		return refused
	}
	if r.Status == http.StatusRequestEntityTooLarge {
		return &sink.Refused{Reason: what}
	}
	if r.Status == http.StatusBadRequest {
		r.Status = http.StatusForbidden
	}
	return t.poster.Failure(r, what)
}

// meanings of the codes that say what to do.
var meanings = map[int]string{
	1: " (the token is disabled)", 2: " (a token is needed)", 3: " (the authorization is not valid)", 4: " (the token is not valid)",
	codeNoData: " (no data)", codeInvalid: " (not valid data)", codeWrongIndex: " (the token may not write to the index)",
	codeServerError: " (an error of the server)", codeBusy: " (the server is busy)", 10: " (a channel is needed)",
	11: " (the channel is not valid)", codeEventMissing: " (no event)", codeEventBlank: " (an empty event)",
	codeNoAck: " (the token has no indexer acknowledgement)", codeFields: " (its fields can't be indexed)",
	18: " (the queues are full)", 19: " (the acknowledgement service is not there)", 20: " (the queues are full)", 23: " (the server is stopping)",
}

func (t *Target) header() http.Header {
	return http.Header{
		"Authorization": {"Splunk " + t.c.Token}, "Content-Type": {"application/json"}, "X-Splunk-Request-Channel": {t.channel},
	}
}

// event appends an event of HEC.
func (t *Target) event(buf []byte, e *sink.Entry) []byte {
	at := e.Record.Time
	buf = append(buf, `{"time":`...)
	buf = strconv.AppendInt(buf, at.Unix(), 10)
	buf = fmt.Appendf(buf, ".%03d", at.Nanosecond()/1e6)
	for _, m := range [][2]string{{"host", t.host}, {"source", t.c.Source}, {"sourcetype", t.c.SourceType}, {"index", t.c.Index}} {
		if m[1] != "" {
			buf = member(buf, m[0], m[1])
		}
	}
	buf = append(buf, `,"fields":{"record_id":`...)
	buf = quoted(buf, e.Record.RecordID)
	buf = member(buf, "kind", e.Record.Kind())
	buf = append(buf, `},"event":`...)
	if t.json {
		buf = append(buf, e.Data...)
	} else {
		buf = quoted(buf, string(e.Data))
	}
	return append(buf, '}', '\n')
}

func member(buf []byte, name, value string) []byte {
	buf = append(append(append(buf, ',', '"'), name...), '"', ':')
	return quoted(buf, value)
}

func quoted(buf []byte, text string) []byte { return audit.AppendBody(buf, audit.Body(text)) }

// Close implements sink.Target.
func (t *Target) Close() error {
	t.poster.Close()
	return nil
}
