package redissink_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/redisclient"
	"sluice/internal/redistest"
	"sluice/internal/sink"
	"sluice/internal/sink/redissink"
)

const (
	stream = "sluice:audit"
	trail  = "00112233445566aa"
)

func options(s *redistest.Server) redissink.Options {
	return redissink.Options{
		Connection: redisclient.Options{Addresses: []string{s.Address}, Timeout: 2 * time.Second},
		Stream:     stream, Trail: trail, Node: "node-1", Compress: redissink.EncodingNone, MaxLength: 100_000, HardLength: 1_000_000,
		MaxAge: 24 * time.Hour,
	}
}

func open(t testing.TB, o redissink.Options) *redissink.Target {
	t.Helper()
	target, err := redissink.Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, target.Close()) })
	return target
}

// entries are records that were completed at the sequences first to last.
func entries(first, last uint64) []sink.Entry { return entriesOf(trail, first, last, 0) }

func entriesOf(trail string, first, last uint64, size int) []sink.Entry {
	start := time.Now().Truncate(time.Hour)
	var out []sink.Entry
	for seq := first; seq <= last; seq++ {
		r := &audit.Record{
			RecordID: fmt.Sprintf("%s-%d", trail, seq-1), Sequence: seq - 1, EndSequence: seq, ID: fmt.Sprint("exchange-", seq),
			Time:     start.Add(time.Duration(seq) * time.Millisecond),
			Exchange: &audit.Exchange{EndpointName: "practice"},
			Outcome:  &audit.Outcome{Time: start.Add(time.Duration(seq+1) * time.Millisecond), Result: audit.ResultAnswered},
		}
		data := fmt.Sprintf(`{"recordId":%q,"filling":%q}`, r.RecordID, strings.Repeat("x", size))
		out = append(out, sink.Entry{Record: r, Data: []byte(data)})
	}
	return out
}

func ids(all []sink.Entry) []string {
	out := make([]string, len(all))
	for i, e := range all {
		out[i] = e.Record.RecordID
	}
	return out
}

// worker hands entries to a target as the worker of a sink does.
type worker struct {
	all  []sink.Entry
	at   int
	lost int // how often it was told that records were lost
}

// step delivers once, up to max entries.
func (w *worker) step(ctx context.Context, target sink.Target, max int) error {
	n, err := target.Deliver(ctx, w.all[w.at:min(len(w.all), w.at+max)])
	w.at += n
	return w.back(err)
}

// back goes back where records were lost.
func (w *worker) back(err error) error {
	var lost *sink.Lost
	if !errors.As(err, &lost) {
		return err
	}
	w.lost++
	for w.at = 0; w.at < len(w.all); w.at++ {
		if e := w.all[w.at]; e.Completed() > lost.After && !e.Record.Time.Before(lost.Since) {
			break
		}
	}
	return nil
}

// finish delivers all that is left and takes failures as something that passes.
func (w *worker) finish(t testing.TB, target sink.Target, limit time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for w.at < len(w.all) {
		require.NoError(t, ctx.Err())
		if err := w.step(ctx, target, 500); err != nil {
			require.NoError(t, ctx.Err(), err)
			time.Sleep(20 * time.Millisecond)
		}
	}
}
