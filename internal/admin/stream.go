package admin

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// streamPatience is how long a client may leave a part of a stream unread.
const streamPatience = time.Minute

// compressing is a writer of a compressed reply.
type compressing interface {
	io.WriteCloser
	Flush() error
}

// stream is a reply that is written while it is made, compressed as the client
// likes it. Nothing is sent before the first write, so that an error can be told
// until then.
type stream struct {
	c        *call
	control  *http.ResponseController
	encoding string
	encoder  compressing // nil: as it is
}

// stream begins a reply of a content type.
func (c *call) stream(contentType string) *stream {
	c.w.Header().Set("Content-Type", contentType)
	c.w.Header().Add("Vary", "Accept-Encoding")
	return &stream{c: c, control: http.NewResponseController(c.w), encoding: encodingOf(c.r.Header.Values("Accept-Encoding"))}
}

// encodingOf picks the encoding of a reply: zstd, gzip or "".
func encodingOf(accepted []string) string {
	best := ""
	for _, item := range strings.Split(strings.Join(accepted, ","), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(item), ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if q, ok := strings.CutPrefix(strings.TrimSpace(weight), "q="); ok {
			if w, err := strconv.ParseFloat(q, 64); err != nil || w <= 0 {
				continue
			}
		}
		if name == "zstd" || name == "gzip" && best == "" {
			best = name
		}
	}
	return best
}

func (s *stream) begin() error {
	if s.c.w.begun {
		return nil
	}
	var err error
	switch s.encoding {
	case "zstd":
		s.encoder, err = zstd.NewWriter(s.c.w, zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	case "gzip":
		s.encoder, err = gzip.NewWriterLevel(s.c.w, gzip.BestSpeed)
	}
	if err != nil {
		return err
	}
	if s.encoder != nil {
		s.c.w.Header().Set("Content-Encoding", s.encoding)
	}
	s.c.w.WriteHeader(http.StatusOK)
	return nil
}

// Write implements io.Writer.
func (s *stream) Write(b []byte) (int, error) {
	if err := s.begin(); err != nil {
		return 0, err
	}
	// Whoever reads nothing for long is cut off. A reply that goes nowhere but
	// into this process has no deadline.
	_ = s.control.SetWriteDeadline(time.Now().Add(streamPatience))
	if s.encoder != nil {
		return s.encoder.Write(b)
	}
	return s.c.w.Write(b)
}

// put is Write, for what writes all or fails.
func (s *stream) put(b []byte) error {
	_, err := s.Write(b)
	return err
}

// flush sends what was written to the client.
func (s *stream) flush() error {
	if err := s.begin(); err != nil {
		return err
	}
	if s.encoder != nil {
		if err := s.encoder.Flush(); err != nil {
			return err
		}
	}
	if err := s.control.Flush(); !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// close ends the reply, which is empty when nothing was written.
func (s *stream) close() error {
	if err := s.begin(); err != nil {
		return err
	}
	defer func() { _ = s.control.SetWriteDeadline(time.Time{}) }()
	if s.encoder != nil {
		return s.encoder.Close()
	}
	return nil
}
