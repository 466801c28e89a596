// Package eventstream reads streams of AWS's event framing, the content type
// application/vnd.amazon.eventstream (smithy.io/2.0/aws/amazon-eventstream): a
// prelude with two lengths and its checksum, headers, a payload and a checksum
// over all. The Reader finds where frames end in bytes cut anywhere; each whole
// frame is decoded by the AWS SDK's decoder.
package eventstream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// ContentType is the content type of a stream of frames.
const ContentType = "application/vnd.amazon.eventstream"

// MaxFrame bounds a frame, in bytes. Services send at most 16 MiB of payload;
// a longer one is an attack or a broken stream.
const MaxFrame = 16 << 20

// maxHeaders is the framing's own bound on the headers of a frame.
const maxHeaders = 128 << 10

// Errors of a stream. After one of them the Reader is spent.
var (
	ErrTooLarge = errors.New("a frame is too large")
	ErrCorrupt  = errors.New("a frame is corrupt")
	// ErrTruncated is returned by End for a stream that ends within a frame.
	ErrTruncated = errors.New("the stream ends within a frame")
)

// Message is a frame. It is valid during the call that gives it only.
type Message struct {
	Kind string // ":message-type": event, exception or error
	// Type is what the frame is about: ":event-type", ":exception-type" or
	// ":error-code", by its kind.
	Type    string
	Text    string // ":error-message" of an error
	Payload []byte
}

// The kinds of messages.
const (
	Event     = "event"
	Exception = "exception" // a failure that the service's API names; the payload tells it in JSON
	Error     = "error"     // a failure that it does not name: Type and Text are all
)

// IsStream reports whether a content type is ContentType.
func IsStream(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), ContentType)
}

// Sizes of the parts that each frame has.
const (
	lengths    = 8 // of the whole frame, then of its headers
	checksum   = 4
	prelude    = lengths + checksum
	emptyFrame = prelude + checksum
)

// keepBuffer is the largest buffer that is kept for the next frame.
const keepBuffer = 64 << 10

// Reader cuts a stream into frames. The zero value is ready. It holds at most
// one unfinished frame and looks at each byte a fixed number of times. It is
// not safe for concurrent use.
type Reader struct {
	buf     []byte // the unfinished frame, from its first byte
	payload []byte // the last frame's, to be used again
	decoder eventstream.Decoder
	source  bytes.Reader
	err     error
}

// Feed takes the next bytes and calls fn for each frame that they complete. It
// returns ErrTooLarge, ErrCorrupt, or the first error of fn; after an error
// the Reader is spent and returns that error again.
func (r *Reader) Feed(b []byte, fn func(Message) error) error {
	if r.err != nil {
		return r.err
	}
	work := b
	if len(r.buf) > 0 {
		r.buf = append(r.buf, b...)
		work = r.buf
	}
	used, err := r.cut(work, fn)
	if err != nil {
		r.err, r.buf, r.payload = err, nil, nil
		return err
	}
	r.keep(work[used:])
	return nil
}

// End tells that the stream is over. The error is ErrTruncated where a frame
// was under way.
func (r *Reader) End() error {
	if r.err == nil && len(r.buf) > 0 {
		r.err = ErrTruncated
	}
	return r.err
}

// cut calls fn for each whole frame in work and returns how many bytes they
// took.
func (r *Reader) cut(work []byte, fn func(Message) error) (used int, err error) {
	for {
		size, err := frameSize(work[used:])
		if err != nil {
			return used, err
		}
		if size == 0 || size > len(work)-used {
			return used, nil
		}
		m, err := r.decode(work[used : used+size])
		if err != nil {
			return used, err
		}
		used += size
		if err := fn(m); err != nil {
			return used, err
		}
	}
}

// frameSize is the size of the frame that begins b; 0: not known yet. The
// prelude's checksum is looked at as soon as it is there, so that a broken
// length is not waited for.
func frameSize(b []byte) (int, error) {
	if len(b) < prelude {
		return 0, nil
	}
	size, headers := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	switch {
	case crc32.ChecksumIEEE(b[:lengths]) != binary.BigEndian.Uint32(b[lengths:]):
		return 0, ErrCorrupt
	case size > MaxFrame:
		return 0, ErrTooLarge
	case size < emptyFrame, headers > size-emptyFrame, headers > maxHeaders:
		return 0, ErrCorrupt
	}
	return int(size), nil
}

// decode reads a whole frame.
func (r *Reader) decode(frame []byte) (Message, error) {
	r.source.Reset(frame)
	m, err := r.decoder.Decode(&r.source, r.payload[:0])
	if err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if cap(m.Payload) <= keepBuffer {
		r.payload = m.Payload
	}
	out := Message{Kind: text(m.Headers, ":message-type"), Payload: m.Payload}
	switch out.Kind {
	case Exception:
		out.Type = text(m.Headers, ":exception-type")
	case Error:
		out.Type, out.Text = text(m.Headers, ":error-code"), text(m.Headers, ":error-message")
	default:
		out.Type = text(m.Headers, ":event-type")
	}
	return out, nil
}

// text is a header that is a string; of another "".
func text(headers eventstream.Headers, name string) string {
	if v, ok := headers.Get(name).(eventstream.StringValue); ok {
		return string(v)
	}
	return ""
}

// keep holds on to what follows the last whole frame.
func (r *Reader) keep(rest []byte) {
	if len(rest) == 0 && cap(r.buf) > keepBuffer {
		r.buf = nil
		return
	}
	if len(r.buf) > 0 && len(rest) == len(r.buf) {
		return // no frame was complete: buf is the rest already
	}
	r.buf = append(r.buf[:0], rest...)
}

// Append adds a frame of an event or exception with a JSON payload, as
// Bedrock sends it. It is for servers that stand in for Bedrock.
func Append(b []byte, kind, name string, payload []byte) []byte {
	var frame bytes.Buffer
	nameHeader := ":event-type"
	if kind == Exception {
		nameHeader = ":exception-type"
	}
	// Neither a buffer nor headers this short can fail.
	_ = eventstream.NewEncoder().Encode(&frame, eventstream.Message{
		Headers: eventstream.Headers{
			{Name: nameHeader, Value: eventstream.StringValue(name)},
			{Name: ":content-type", Value: eventstream.StringValue("application/json")},
			{Name: ":message-type", Value: eventstream.StringValue(kind)},
		},
		Payload: payload,
	})
	return append(b, frame.Bytes()...)
}
