// Package consume reads the trail from a Redis stream as one of a group of
// consumers: an example of how, and a tool. Every record is acknowledged after it
// is where it is to be; those of a consumer that died are taken over; one that
// fails again and again is set aside.
package consume

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/redis/go-redis/v9"

	"sluice/internal/redisclient"
	"sluice/internal/sink/redissink"
)

// Output is where records go.
type Output interface {
	// Write takes a record, a line without its end. After an error the others of
	// the batch are tried all the same.
	Write(ctx context.Context, id string, record []byte) error
	// Flush puts what was written where a crash does not take it. After an error
	// nothing since the last Flush counts as written.
	Flush() error
	// Seen calls f with the ids of records that are there from before, the oldest
	// first.
	Seen(f func(id string)) error
}

// Options say what is read, and by whom.
type Options struct {
	Client                  redis.UniversalClient
	Stream, Group, Consumer string
	// New makes a group that does not exist begin with what comes from now on,
	// not with what the stream holds.
	New    bool
	Output Output
	Batch  int64 // entries that are read at a time
	// ClaimAfter is how long an entry is unacknowledged before another consumer
	// takes it over, or it is tried again.
	ClaimAfter time.Duration
	// MaxDeliveries is how often an entry is tried before it goes to the stream
	// DeadLetter.
	MaxDeliveries int64
	DeadLetter    string
	Remember      int                           // ids by which repeats are told
	Tell          func(format string, a ...any) // what people should know
}

const (
	// block is how long a call waits for entries; a stop waits as long at most.
	block = time.Second
	// lastWords is how long the end of a batch may take after a stop.
	lastWords = 10 * time.Second
)

// Counts is what a consumer has done.
type Counts struct{ Written, Repeats, Failed, Dead, Gone int64 }

// consumer is a running consumer.
type consumer struct {
	Options
	seen    *seen
	decoder *zstd.Decoder
	counts  Counts
	claimed time.Time
	cursor  string
	failing bool
}

// Run consumes until ctx is done; what was read is finished before. It returns an
// error only when the output can't be looked at; that Redis is away is told, and
// waited for.
func Run(ctx context.Context, o Options) (Counts, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30))
	if err != nil {
		return Counts{}, fmt.Errorf("making a decompressor: %w", err)
	}
	defer d.Close()
	c := &consumer{Options: o, seen: newSeen(o.Remember), decoder: d, cursor: "0-0"}
	if err := o.Output.Seen(c.seen.add); err != nil {
		return Counts{}, fmt.Errorf("looking for what was written before: %w", err)
	}
	for ctx.Err() == nil {
		err := c.serve(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		if !c.failing {
			c.failing = true
			o.Tell("%s; it is tried again until it works", describe(err))
		}
		pause(ctx, time.Second)
	}
	return c.counts, nil
}

// describe says what went wrong without what a server wrote.
func describe(err error) string {
	var own *outputError
	if errors.As(err, &own) {
		return own.Error()
	}
	return redisclient.Reason(err)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// serve consumes until something fails.
func (c *consumer) serve(ctx context.Context) error {
	if err := c.join(ctx); err != nil {
		return err
	}
	if err := c.own(ctx); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if time.Since(c.claimed) >= c.ClaimAfter/2 {
			if err := c.claim(ctx); err != nil {
				return err
			}
		}
		read, err := c.Client.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: c.Group, Consumer: c.Consumer, Streams: []string{c.Stream, ">"}, Count: c.Batch, Block: min(block, c.ClaimAfter/2+time.Millisecond),
		}).Result()
		if errors.Is(err, redis.Nil) {
			c.works()
			continue
		}
		if err != nil {
			return err
		}
		c.works()
		if err := c.take(read[0].Messages); err != nil {
			return err
		}
	}
	return nil
}

// works notes that Redis answers.
func (c *consumer) works() {
	if c.failing {
		c.failing = false
		c.Tell("it works again")
	}
}

// join makes the group where there is none. It does not make the stream: whoever
// writes it tells by its absence that it was lost.
func (c *consumer) join(ctx context.Context) error {
	from := "0"
	if c.New {
		from = "$"
	}
	for told := false; ctx.Err() == nil; told = true {
		n, err := c.Client.Exists(ctx, c.Stream).Result()
		if err != nil {
			return err
		}
		if n > 0 {
			break
		}
		// The group of a stream that comes later begins with it: nothing is missed.
		from = "0"
		if !told {
			c.Tell("there is no stream %s yet; waiting for it", c.Stream)
		}
		pause(ctx, time.Second)
	}
	err := c.Client.XGroupCreate(ctx, c.Stream, c.Group, from).Err()
	if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
		return err
	}
	c.New = false // a group that is gone later went with the stream: all is new then
	return nil
}

// own takes up what this consumer read before it died.
func (c *consumer) own(ctx context.Context) error {
	for at := "0"; ctx.Err() == nil; {
		read, err := c.Client.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: c.Group, Consumer: c.Consumer, Streams: []string{c.Stream, at}, Count: c.Batch,
		}).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		if len(read) == 0 || len(read[0].Messages) == 0 {
			return nil
		}
		if err := c.take(read[0].Messages); err != nil {
			return err
		}
		at = read[0].Messages[len(read[0].Messages)-1].ID
	}
	return nil
}

// claim takes over what nobody has acknowledged for a while: of consumers that
// died, and what failed here.
func (c *consumer) claim(ctx context.Context) error {
	for ctx.Err() == nil {
		messages, next, err := c.Client.XAutoClaim(ctx, &redis.XAutoClaimArgs{
			Stream: c.Stream, Group: c.Group, Consumer: c.Consumer, MinIdle: c.ClaimAfter, Start: c.cursor, Count: c.Batch,
		}).Result()
		if err != nil {
			return err
		}
		if messages, err = c.bury(ctx, messages); err != nil {
			return err
		}
		if err := c.take(messages); err != nil {
			return err
		}
		if c.cursor = next; next == "0-0" {
			break
		}
	}
	c.claimed = time.Now()
	return nil
}

// bury sets aside what was tried too often, and returns the others.
func (c *consumer) bury(ctx context.Context, messages []redis.XMessage) ([]redis.XMessage, error) {
	if len(messages) == 0 {
		return nil, nil
	}
	pending, err := c.Client.XPendingExt(ctx, &redis.XPendingExtArgs{
		Stream: c.Stream, Group: c.Group, Consumer: c.Consumer, Start: messages[0].ID, End: messages[len(messages)-1].ID, Count: 2 * c.Batch,
	}).Result()
	if err != nil {
		return nil, err
	}
	tried := map[string]int64{}
	for _, p := range pending {
		tried[p.ID] = p.RetryCount
	}
	left := messages[:0]
	for _, m := range messages {
		if tried[m.ID] <= c.MaxDeliveries || m.Values == nil {
			left = append(left, m)
			continue
		}
		values := map[string]any{"stream": c.Stream, "group": c.Group, "entry": m.ID, "deliveries": tried[m.ID]}
		for name, value := range m.Values {
			values[name] = value
		}
		if err := c.Client.XAdd(ctx, &redis.XAddArgs{Stream: c.DeadLetter, Values: values}).Err(); err != nil {
			return nil, err
		}
		if err := c.Client.XAck(ctx, c.Stream, c.Group, m.ID).Err(); err != nil {
			return nil, err
		}
		c.counts.Dead++
		c.Tell("the entry %s failed %d times and was set aside in %s", m.ID, tried[m.ID]-1, c.DeadLetter)
	}
	return left, nil
}

// take writes entries and acknowledges them. It goes on to its end also when the
// consumer is to stop.
func (c *consumer) take(messages []redis.XMessage) error {
	if len(messages) == 0 {
		return nil
	}
	ctx := context.Background()
	var done, ids []string
	batch := map[string]bool{}
	for _, m := range messages {
		id, _ := m.Values["id"].(string)
		switch {
		case m.Values == nil: // the stream was bounded before it was read
			c.counts.Gone++
		case c.seen.has(id) || batch[id]:
			c.counts.Repeats++
		default:
			data, err := c.data(m.Values)
			if err == nil {
				err = c.Output.Write(ctx, id, data)
			}
			if err != nil {
				c.counts.Failed++
				c.Tell("the entry %s was not taken: %v", m.ID, err)
				continue
			}
			ids, batch[id] = append(ids, id), true
		}
		done = append(done, m.ID)
	}
	if err := c.Output.Flush(); err != nil {
		return &outputError{err}
	}
	for _, id := range ids {
		c.seen.add(id)
	}
	c.counts.Written += int64(len(ids))
	if len(done) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	return c.Client.XAck(ctx, c.Stream, c.Group, done...).Err()
}

// outputError is a failure of the output's.
type outputError struct{ err error }

func (e *outputError) Error() string { return "writing records: " + e.err.Error() }
func (e *outputError) Unwrap() error { return e.err }

// data is the record in an entry.
func (c *consumer) data(values map[string]any) ([]byte, error) {
	raw, _ := values[redissink.FieldData].(string)
	switch values[redissink.FieldEncoding] {
	case redissink.EncodingNone:
	case redissink.EncodingZstd:
		data, err := c.decoder.DecodeAll([]byte(raw), nil)
		if err != nil {
			return nil, errors.New("its data is no zstd")
		}
		raw = string(data)
	default:
		return nil, errors.New("its encoding is not known")
	}
	if raw == "" {
		return nil, errors.New("it has no data")
	}
	return []byte(raw), nil
}
