// Package redissink is the sink type redis: it adds records to a Redis stream,
// each once, and keeps the stream within bounds. docs/sinks-redis.md describes the
// entries and the rule of the bounds.
package redissink

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/redis/go-redis/v9"

	"sluice/internal/audit"
	"sluice/internal/redisclient"
	"sluice/internal/sink"
)

// Fields of an entry.
const (
	FieldID       = "id"       // Record.RecordID
	FieldKind     = "kind"     // Record.Kind
	FieldTime     = "time"     // Record.Time, RFC 3339
	FieldNode     = "node"     // the gateway that recorded it
	FieldEncoding = "encoding" // of data: EncodingNone or EncodingZstd
	FieldData     = "data"     // the record in the sink's format
)

// Encodings of the field data.
const (
	EncodingNone = "none"
	EncodingZstd = "zstd"
)

const (
	// callEntries and callBytes bound what one call adds: it holds up the other
	// clients of Redis for about that many microseconds.
	callEntries = 512
	callBytes   = 2 << 20
	// maxValue is the longest value that Redis takes.
	maxValue  = 512 << 20
	trimEvery = time.Second
	fields    = 12 // names and values of an entry
)

// Options are the settings of a sink.
type Options struct {
	Connection redisclient.Options
	Stream     string // key of the stream
	Trail      string // id of the trail
	Sink       string // its name; with the trail it names how far the stream is
	Node       string // for records that name none
	Compress   string // an Encoding constant
	// MaxLength is how long the stream becomes where every group has
	// acknowledged what is before; HardLength is never passed.
	MaxLength, HardLength int64
	MaxAge                time.Duration // as MaxLength, by age; 0: any
	Now                   func() time.Time
}

// Target is a sink.Target.
type Target struct {
	o       Options
	client  redis.UniversalClient
	state   string
	encoder *zstd.Encoder
	known   uint64 // the last record that Redis confirmed
	window  window
	trimmed time.Time
	added   int64 // since trimmed
	packed  []byte

	mu      sync.Mutex // guards the following fields
	length  int64      // of the stream
	dropped int64      // entries that went unread
	holder  string     // the group that holds most back
	beyond  int64      // entries it holds beyond MaxLength
}

//go:embed add.lua
var addSource string

//go:embed trim.lua
var trimSource string

//go:embed accept.lua
var acceptSource string

var (
	addScript    = redis.NewScript(addSource)
	trimScript   = redis.NewScript(trimSource)
	acceptScript = redis.NewScript(acceptSource)
)

// Open returns a target. It connects when something is to be sent.
func Open(o Options) (*Target, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	t := &Target{o: o, client: redisclient.New(o.Connection), state: stateKey(o.Stream), window: newWindow(o.HardLength)}
	if o.Compress == EncodingZstd {
		var err error
		if t.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest)); err != nil {
			return nil, fmt.Errorf("making a compressor: %w", err)
		}
	}
	return t, nil
}

// stateKey is the key beside the stream, in the same slot of a cluster.
func stateKey(stream string) string {
	if open := strings.IndexByte(stream, '{'); open >= 0 && strings.IndexByte(stream[open:], '}') > 1 {
		return stream + ":trails"
	}
	return "{" + stream + "}:trails"
}

// place is the field of the state that says how far this sink is. Two sinks of a
// trail in one stream, by two names of its server, each have their own: else each
// would take what the other has sent for sent.
func (t *Target) place() string {
	if t.o.Sink == "" {
		return t.o.Trail
	}
	return t.o.Trail + "/" + t.o.Sink
}

// Deliver implements sink.Target.
func (t *Target) Deliver(ctx context.Context, entries []sink.Entry) (int, error) {
	done := 0
	for done < len(entries) {
		n, err := t.add(ctx, entries[done:])
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, t.trim(ctx)
}

// add adds the first entries in one call, all or none.
func (t *Target) add(ctx context.Context, entries []sink.Entry) (int, error) {
	again := entries[0].Again
	args := []any{t.place(), t.known, flag(again), fields}
	n, size := 0, 0
	t.packed = t.packed[:0]
	for i := range entries {
		e := &entries[i]
		if e.Again != again || n == callEntries || n > 0 && size+len(e.Data) > callBytes {
			break
		}
		if len(e.Data) > maxValue {
			if n == 0 {
				return 0, &sink.Refused{Reason: "it is longer than the 512 MB that Redis takes"}
			}
			break
		}
		args = t.entry(args, e)
		n, size = n+1, size+len(e.Data)
	}
	reply, err := addScript.Run(ctx, t.client, []string{t.o.Stream, t.state}, args...).Int64Slice()
	if err != nil {
		return 0, wrap("adding to the stream", err)
	}
	if reply[1] < 0 {
		return 0, t.lost(ctx, reply[0])
	}
	last := entries[n-1].Completed()
	if !again {
		t.known = last
	}
	if int(reply[1]) != n { // repeats: where in the trail the stream begins is not known
		t.window.clear()
	}
	for i := range entries[:n] {
		t.window.note(entries[i].Completed())
	}
	t.added += reply[1]
	t.noteLength(reply[2])
	return n, nil
}

// entry adds the arguments of an entry.
func (t *Target) entry(args []any, e *sink.Entry) []any {
	data, encoding := e.Data, EncodingNone
	if t.encoder != nil {
		from := len(t.packed)
		t.packed = t.encoder.EncodeAll(e.Data, t.packed)
		data, encoding = t.packed[from:], EncodingZstd
	}
	node := t.o.Node
	if x := e.Record.Exchange; x != nil && x.Node != "" {
		node = x.Node
	}
	return append(args, e.Completed(), completedAt(e.Record).UnixMicro(),
		FieldID, e.Record.RecordID, FieldKind, e.Record.Kind(), FieldTime, e.Record.Time.UTC().Format(time.RFC3339Nano),
		FieldNode, node, FieldEncoding, encoding, FieldData, data)
}

// completedAt is when the record became whole.
func completedAt(r *audit.Record) time.Time {
	if r.Outcome != nil && !r.Outcome.Time.IsZero() {
		return r.Outcome.Time
	}
	return r.Time
}

// lost makes the error of a stream that has less than it had confirmed: has is
// the sequence that it still has. Redis is told where it will go on from, so that
// the loss is told of once.
func (t *Target) lost(ctx context.Context, has int64) error {
	t.mu.Lock()
	length := t.length
	t.mu.Unlock()
	l := &sink.Lost{
		After:  max(uint64(max(has, 0)), t.window.back(max(t.o.MaxLength, length))),
		Reason: "the stream ends before it, or is gone; was Redis started without its data?",
	}
	now := t.o.Now()
	if t.o.MaxAge > 0 {
		l.Since = now.Add(-t.o.MaxAge)
	}
	err := acceptScript.Run(ctx, t.client, []string{t.o.Stream, t.state}, t.place(), l.After, now.UnixMicro()).Err()
	if err != nil {
		return wrap("going on in a stream that was lost", err)
	}
	t.known = l.After
	t.window.clear()
	return l
}

// Check implements sink.Checker.
func (t *Target) Check(ctx context.Context, confirmed uint64) error {
	t.known = max(t.known, confirmed)
	reply, err := addScript.Run(ctx, t.client, []string{t.o.Stream, t.state}, t.place(), t.known, flag(false), fields).Int64Slice()
	if err != nil {
		return wrap("asking for the stream", err)
	}
	if reply[1] < 0 {
		return t.lost(ctx, reply[0])
	}
	t.noteLength(reply[2])
	return t.trim(ctx)
}

// trim bounds the stream, now and then.
func (t *Target) trim(ctx context.Context) error {
	now := t.o.Now()
	if now.Sub(t.trimmed) < trimEvery && t.added < max(t.o.MaxLength/100, callEntries) {
		return nil
	}
	reply, err := trimScript.Run(ctx, t.client, []string{t.o.Stream}, t.o.MaxLength, t.o.HardLength,
		int64(t.o.MaxAge/time.Second)).Slice()
	if err != nil {
		return wrap("bounding the stream", err)
	}
	t.trimmed, t.added = now, 0
	t.mu.Lock()
	defer t.mu.Unlock()
	dropped, beyond := int64(0), int64(0)
	t.length, _ = reply[0].(int64)
	dropped, _ = reply[1].(int64)
	t.holder, _ = reply[2].(string)
	beyond, _ = reply[3].(int64)
	t.dropped, t.beyond = t.dropped+dropped, beyond
	return nil
}

func (t *Target) noteLength(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.length = n
}

// Dropped is how many entries were taken from the stream although a group had
// not acknowledged them, since Open.
func (t *Target) Dropped() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dropped
}

// Notes implements sink.Noter.
func (t *Target) Notes() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var notes []string
	if t.holder != "" && t.beyond > t.o.MaxLength/10 {
		notes = append(notes, fmt.Sprintf("the group %q has not acknowledged %d entries beyond max_length; they are kept up to hard_length",
			t.holder, t.beyond))
	}
	if t.dropped > 0 {
		notes = append(notes, fmt.Sprintf("%d entries were taken from the stream unread, because it was longer than hard_length", t.dropped))
	}
	return notes
}

// Close implements sink.Target.
func (t *Target) Close() error {
	if t.encoder != nil {
		t.encoder.Close()
	}
	if err := t.client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("closing the connections to Redis: %w", err)
	}
	return nil
}

// failure keeps the error for errors.Is, and shows what may be shown.
type failure struct {
	doing, reason string
	err           error
}

func (f *failure) Error() string { return f.doing + ": " + f.reason }
func (f *failure) Unwrap() error { return f.err }

func wrap(doing string, err error) error { return &failure{doing, redisclient.Reason(err), err} }

func flag(b bool) string {
	if b {
		return strconv.Itoa(1)
	}
	return strconv.Itoa(0)
}

var (
	_ sink.Target  = (*Target)(nil)
	_ sink.Checker = (*Target)(nil)
	_ sink.Noter   = (*Target)(nil)
)

// Commands are what an ACL must let the sink's user do, as rules of an ACL.
func Commands() []string {
	return []string{"+eval", "+evalsha", "+xadd", "+xdel", "+xlen", "+xtrim", "+xinfo|groups", "+xpending", "+exists", "+del", "+hget", "+hset", "+time"}
}

// ClusterCommands are what the user needs besides in a cluster: to find the node,
// and to ask the one to which a slot is moving.
func ClusterCommands() []string { return []string{"+cluster|slots", "+command", "+asking"} }

// SentinelCommands are what the user needs at the sentinels.
func SentinelCommands() []string {
	return []string{"+sentinel|get-master-addr-by-name", "+sentinel|sentinels", "+subscribe", "&+switch-master", "&+replica-reconf-done"}
}
