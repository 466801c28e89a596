package extproc

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"

	"sluice/extproc/provider"
	"sluice/internal/audit"
)

// A provider is never asked to compress, and some do all the same. Envoy's
// decompressor filter does not go together with whole replies to ext_proc
// (docs/decisions), so it is done here: such a reply, a stream too, is taken
// whole. Encodings other than gzip are refused by the translators.

// isGzip reports whether a content-encoding is gzip.
func isGzip(encoding string) bool {
	e := strings.ToLower(strings.TrimSpace(encoding))
	return e == "gzip" || e == "x-gzip"
}

// keptReply records what the provider sent of a whole reply, and returns the
// body of the response half.
func (x *exchange) keptReply(o *audit.Outcome, body []byte, r *provider.Reply) []byte {
	if !x.zipped || !x.eventStream() {
		x.gotUpstream(body)
		return r.Body
	}
	// It was taken whole, and is a stream all the same.
	x.streamed.begin(x)
	if plain, err := gunzip(body, x.s.BodyBytes); err == nil {
		x.streamed.received(x, plain)
	}
	x.streamed.sent(x, r.Body)
	return x.streamed.end(x, o, r.Error != nil)
}

// gunzip unpacks a body. One that is larger than limit is refused: a small
// reply must not fill the memory.
func gunzip(body []byte, limit int64) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("reading a gzip reply: %w", err)
	}
	out, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading a gzip reply: %w", err)
	}
	if int64(len(out)) > limit {
		return nil, fmt.Errorf("reading a gzip reply: it is larger than %d bytes", limit)
	}
	return out, nil
}
