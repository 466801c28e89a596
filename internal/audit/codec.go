package audit

import (
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// codec says how a body is stored in a frame.
type codec byte

const (
	codecRaw  codec = 0
	codecZstd codec = 1
	codecS2   codec = 2
)

const (
	// compressFrom is the length below which compressing costs more than the
	// bytes it saves.
	compressFrom = 192
	// zstdFrom is the length from which zstd's better ratio is worth its
	// cost; see docs/decisions for the numbers.
	zstdFrom = 16 << 10
	// pieceBytes is how much of a body a frame holds; what is longer goes on
	// in frames behind it, so that no reader needs room for a whole one.
	pieceBytes = 1 << 20
)

// compressor compresses and restores bodies; it is safe for concurrent use.
type compressor struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func newCompressor() (*compressor, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("making the compressor: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(togetherMost), zstd.WithDecoderMaxMemory(4*pieceBytes))
	if err != nil {
		return nil, fmt.Errorf("making the decompressor: %w", err)
	}
	return &compressor{enc: enc, dec: dec}, nil
}

func (c *compressor) close() { c.dec.Close() }

// appendFrames makes the frame that buf holds the meta data of, behind the room
// for its header, and the frames that go on with its body. given is the length
// of the body before anything was cut off.
func (c *compressor) appendFrames(buf []byte, kind frameKind, body []byte, given int, at int64) []byte {
	metaLen := len(buf) - headerSize
	n := min(len(body), pieceBytes)
	buf, used := c.appendBody(buf, body[:n])
	if len(body) > 0 && len(body) < given {
		used |= flagCut
	}
	sealContent(buf, kind, used, metaLen, given, at)
	pieces := (len(body) - n + pieceBytes - 1) / pieceBytes
	setMore(buf, pieces)
	for body = body[n:]; len(body) > 0; body = body[n:] {
		n = min(len(body), pieceBytes)
		start := len(buf)
		buf = append(buf, make([]byte, headerSize)...)
		buf, used = c.appendBody(buf, body[:n])
		pieces--
		sealContent(buf[start:], framePiece, used, 0, n, at)
		setMore(buf[start:], pieces)
	}
	return buf
}

// appendBody appends body to buf in the form that suits its length.
func (c *compressor) appendBody(buf, body []byte) ([]byte, codec) {
	start := len(buf)
	used := codecRaw
	switch {
	case len(body) >= zstdFrom:
		buf, used = c.enc.EncodeAll(body, buf), codecZstd
	case len(body) >= compressFrom:
		room := s2.MaxEncodedLen(len(body))
		buf = slices.Grow(buf, room)
		out := s2.Encode(buf[start:start+room], body)
		buf, used = buf[:start+len(out)], codecS2
	}
	if used == codecRaw || len(buf)-start >= len(body) {
		return append(buf[:start], body...), codecRaw
	}
	return buf, used
}

// restore appends what a frame holds of a body to dst.
func (c *compressor) restore(dst, stored []byte, used codec) ([]byte, error) {
	var err error
	switch used {
	case codecRaw:
		dst = append(dst, stored...)
	case codecS2:
		dst, err = restoreS2(dst, stored)
	case codecZstd:
		dst, err = c.restoreZstd(dst, stored)
	default:
		err = fmt.Errorf("codec %d is not known", used)
	}
	if err != nil {
		return nil, badRecord("its body can't be restored: " + err.Error())
	}
	return dst, nil
}

func restoreS2(dst, stored []byte) ([]byte, error) {
	n, err := s2.DecodedLen(stored)
	if err == nil && n > pieceBytes {
		err = errors.New("it is longer than a frame may hold")
	}
	if err != nil {
		return nil, err
	}
	dst = slices.Grow(dst, n)
	out, err := s2.Decode(dst[len(dst):len(dst)+n], stored)
	return dst[:len(dst)+len(out)], err
}

// restoreZstd gives the decoder the room behind dst: what dst holds already would
// count against how much it may restore.
func (c *compressor) restoreZstd(dst, stored []byte) ([]byte, error) {
	n := len(dst)
	out, err := c.dec.DecodeAll(stored, dst[n:])
	if n == 0 || err != nil {
		return out, err
	}
	if len(out) > 0 && cap(dst) > n && &dst[:n+1][n] == &out[0] {
		return dst[:n+len(out)], nil
	}
	return append(dst, out...), nil
}
