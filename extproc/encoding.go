package extproc

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
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
