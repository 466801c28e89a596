package plain

import (
	"bytes"
	"strings"

	"sluice/extproc/dialect/sse"
)

// Lines cuts a stream of lines (newline-delimited JSON), cut anywhere, into its
// lines. The zero value is ready for use. It holds at most one unfinished
// line and looks at each byte a fixed number of times.
type Lines struct {
	buf []byte // the unfinished line
}

// Feed takes the next bytes and calls fn for each line that they complete,
// without its line end, unless it is blank. A line is valid during the call
// only. It returns sse.ErrTooLarge for a line longer than sse.MaxEvent.
func (l *Lines) Feed(b []byte, fn func(line []byte)) error {
	for {
		i := bytes.IndexByte(b, '\n')
		if len(l.buf)+max(i, 0) > sse.MaxEvent || i < 0 && len(l.buf)+len(b) > sse.MaxEvent {
			return sse.ErrTooLarge
		}
		if i < 0 {
			l.buf = append(l.buf, b...)
			return nil
		}
		line := b[:i]
		if len(l.buf) > 0 {
			l.buf = append(l.buf, line...)
			line = l.buf
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			fn(line)
		}
		l.buf = l.buf[:0]
		b = b[i+1:]
	}
}

// End tells that the stream is over and gives what came after the last line
// end to fn, unless it is blank.
func (l *Lines) End(fn func(line []byte)) {
	if line := bytes.TrimSpace(l.buf); len(line) > 0 {
		fn(line)
	}
	l.buf = nil
}

// isLines reports whether a content type is that of a stream of lines.
func isLines(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/stream+json", "application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-seq":
		return true
	}
	return false
}
