// Package sse reads and writes Server-Sent Events as the WHATWG HTML standard
// defines them (section 9.2, "Server-sent events"). The Reader takes bytes cut
// anywhere, as a proxy sees them, and gives the same events however they were
// cut.
package sse

import (
	"bytes"
	"errors"
)

// MaxEvent is how many raw bytes one event may have, its line ends included,
// before a Reader refuses it.
const MaxEvent = 8 << 20

// keepBuffer is how large a buffer an idle Reader holds on to: a stream with
// one huge event must not pin that much memory until its end.
const keepBuffer = 64 << 10

// ErrTooLarge is returned by Feed when an event exceeds MaxEvent.
var ErrTooLarge = errors.New("server-sent event exceeds 8 MiB")

// Event is one block of a stream: the lines up to and including a blank line.
// Its slices are valid only until the function it was given to returns.
type Event struct {
	Name  []byte // the last "event" field, nil if there was none
	Data  []byte // the "data" fields joined with LF; nil if there was none
	ID    []byte // the last "id" field without NUL, nil if there was none
	Retry []byte // the last "retry" field made of digits, nil if there was none
	// Raw is the block as it arrived. The Raws of all events of a stream, put
	// together, are the stream.
	Raw []byte
	// Partial is true for what End found after the last blank line. By the
	// standard it is not an event; it shows that the stream was cut.
	Partial bool
}

// Reader cuts a stream into events. The zero value is ready for use. It holds
// at most one unfinished event, and looks at each byte a fixed number of
// times. It is not safe for concurrent use.
type Reader struct {
	buf    []byte // the unfinished event, from its first byte
	joined []byte // data of the last event that had several data lines
	scan   int    // bytes of buf that hold no line end still to be found
	line   int    // start of the unfinished line in buf
	begun  bool   // the first line end was seen: no byte order mark any more
	marked bool   // the first block was parsed, its byte order mark removed
	bare   bool   // the last line of this event ended with CR alone
	skipLF bool   // an LF that comes next belongs to a CR already taken as a line end
	err    error
}

// Feed takes the next bytes and calls fn for each event that they complete.
// It also calls fn for blocks that are no events by the standard, comments and
// stray blank lines, with Data nil, so that a caller who copies Raw copies the
// whole stream. It returns ErrTooLarge, or the first error of fn; after an
// error the Reader is spent and returns that error again.
func (r *Reader) Feed(b []byte, fn func(Event) error) error {
	if r.err != nil {
		return r.err
	}
	work := b
	if len(r.buf) > 0 {
		r.buf = append(r.buf, b...)
		work = r.buf
	}
	used, err := r.cut(work, fn)
	if err == nil && len(work)-used > MaxEvent {
		err = ErrTooLarge
	}
	if err != nil {
		r.err, r.buf, r.joined = err, nil, nil
		return err
	}
	r.keep(work, used)
	return nil
}

// End tells that the stream is over. What came after the last blank line is
// given to fn with Partial set; nothing is when the stream ended well.
func (r *Reader) End(fn func(Event) error) error {
	if r.err != nil || len(r.buf) == 0 {
		return r.err
	}
	rest := r.buf
	r.buf = nil
	// A CR at the very end was held back in case an LF followed.
	whole := r.line == len(rest)-1 && rest[r.line] == '\r'
	leftover := r.skipLF && len(rest) == 1 && rest[0] == '\n'
	ev := r.parse(rest)
	ev.Partial = !whole && !leftover
	return fn(ev)
}

// cut calls fn for each whole event in work and returns how many bytes they
// took.
func (r *Reader) cut(work []byte, fn func(Event) error) (used int, err error) {
	var next lineEnds
	next.work = work
	for {
		if r.skipLF && r.line == 0 && used < len(work) {
			if work[used] == '\n' {
				r.line, r.scan = 1, 1
			} else {
				r.skipLF = false
			}
		}
		end, blank, ok := r.nextLine(&next, used)
		if !ok {
			return used, nil
		}
		if !blank {
			continue
		}
		if end-used > MaxEvent {
			return used, ErrTooLarge
		}
		ev := r.parse(work[used:end])
		used = end
		r.skipLF = r.bare && work[end-1] == '\r'
		r.scan, r.line, r.bare = 0, 0, false
		if err := fn(ev); err != nil {
			return used, err
		}
	}
}

// nextLine finds the end of the unfinished line of the event that starts at
// work[used]: the position after its line end, and whether it is blank.
//
// A CR that is the last byte so far may be half of a CRLF, so it waits for one
// byte more. The exception keeps streams that end lines with CR alone from
// lagging an event behind: after such a line, a blank line's CR counts at once
// and an LF that follows goes with the next event. This depends on the bytes
// alone, not on where they were cut.
func (r *Reader) nextLine(next *lineEnds, used int) (end int, blank, ok bool) {
	work := next.work
	at := next.from(used + r.scan)
	if at < 0 {
		r.scan = len(work) - used
		return 0, false, false
	}
	if !r.begun {
		if bytes.HasPrefix(work, byteOrderMark) {
			r.line = len(byteOrderMark)
		}
	}
	blank = at == used+r.line
	end = at + 1
	if work[at] == '\r' && !(blank && r.bare) {
		if end == len(work) {
			r.scan = at - used
			return 0, false, false
		}
		r.bare = work[end] != '\n'
		if !r.bare {
			end++
		}
	} else if work[at] == '\n' {
		r.bare = false
	}
	r.begun = true
	r.line, r.scan = end-used, end-used
	return end, blank, true
}

// keep holds on to what follows the last whole event.
func (r *Reader) keep(work []byte, used int) {
	rest := work[used:]
	switch {
	case len(rest) == 0 && cap(r.buf) > keepBuffer:
		r.buf = nil
	case len(r.buf) == 0 || used > 0:
		r.buf = append(r.buf[:0], rest...)
	}
	if used > 0 && cap(r.joined) > keepBuffer {
		r.joined = nil
	}
}

// lineEnds finds CRs and LFs. It remembers the next one of each kind, so that
// a stream with only one kind is not searched for the other again and again.
type lineEnds struct {
	work   []byte
	cr, lf int // position of the next one, at or after from; 0: not searched yet
}

// from returns the position of the first CR or LF at or after pos, or -1. pos
// must not go back.
func (l *lineEnds) from(pos int) int {
	l.cr = l.find(l.cr, pos, '\r')
	l.lf = l.find(l.lf, pos, '\n')
	if at := min(l.cr, l.lf); at <= len(l.work) {
		return at - 1
	}
	return -1
}

// find returns 1 + the position of c at or after pos; more than the length of
// work if there is none. known is the last result for c.
func (l *lineEnds) find(known, pos int, c byte) int {
	if known > pos {
		return known
	}
	if i := bytes.IndexByte(l.work[pos:], c); i >= 0 {
		return pos + i + 1
	}
	return len(l.work) + 1
}

var byteOrderMark = []byte("\xEF\xBB\xBF")
