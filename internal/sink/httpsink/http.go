package httpsink

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"

	"sluice/internal/config"
	"sluice/internal/sink"
)

// Target posts lines of JSON.
type Target struct {
	poster *Poster
	path   string
	token  string
	buf    []byte
}

// Open makes a Target; it does not connect.
func Open(c *config.SinkHTTP, dial Dial, secure *tls.Config, now func() time.Time) *Target {
	return &Target{poster: NewPoster(c, dial, secure, now), path: c.PathSecret, token: c.Token}
}

// Deliver implements sink.Target. A reply of 2xx confirms a batch. One of 400,
// 406, 413 or 422 refuses it: it is sent again by halves until the record is
// found that is refused. Anything else is tried again.
func (t *Target) Deliver(ctx context.Context, entries []sink.Entry) (int, error) {
	return Halves(entries, func(some []sink.Entry) error { return t.post(ctx, some) })
}

func (t *Target) post(ctx context.Context, entries []sink.Entry) error {
	t.buf = t.buf[:0]
	for i := range entries {
		t.buf = append(append(t.buf, entries[i].Data...), '\n')
	}
	header := http.Header{
		"Content-Type":    {"application/x-ndjson"},
		"Idempotency-Key": {entries[0].Record.RecordID + ".." + entries[len(entries)-1].Record.RecordID},
	}
	if t.token != "" {
		header.Set("Authorization", "Bearer "+t.token)
	}
	r, err := t.poster.Post(ctx, t.path, t.buf, header)
	if cap(t.buf) > 32<<20 {
		t.buf = nil
	}
	if err != nil || r.Status/100 == 2 {
		return err
	}
	return t.poster.Failure(r, StatusText(r.Status))
}

// Close implements sink.Target.
func (t *Target) Close() error {
	t.poster.Close()
	return nil
}
