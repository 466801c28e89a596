package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// The layout of a frame; all numbers are little endian. docs/audit.md says
// what each field is for.
//
//	  0   4  magic "SLA" and the format version
//	  4   1  kind
//	  5   1  codec of the body; the highest bit: less of the body was kept than given
//	  6   2  how many of the frames that follow belong to it
//	  8   4  length of the meta data
//	 12   4  length of the body as stored
//	 16   4  length of the body as given
//	 20   4  CRC-32C of meta data and stored body
//	 24   8  sequence
//	 32   8  time, nanoseconds since 1970
//	 40  32  chain hash of the previous frame
//	 72  32  SHA-256 of meta data and stored body
//	104  32  chain hash: SHA-256 of bytes 0 to 104
//	136   4  CRC-32C of bytes 0 to 136
//	140      meta data (JSON), then the body
//
// The chain covers the content by its digest, so that a caller digests its own
// content in parallel and only 104 bytes are hashed in turn.
const (
	headerSize    = 140
	formatVersion = 1
	maxContent    = 64 << 20
	maxMeta       = 32 << 20

	offKind    = 4
	offCodec   = 5
	offMore    = 6
	offMetaLen = 8
	offBodyLen = 12
	offRawLen  = 16
	offCRC     = 20
	offSeq     = 24
	offTime    = 32
	offPrev    = 40
	offDigest  = 72
	offChain   = 104
	offHeadCRC = 136
)

type frameKind byte

const (
	frameSegment frameKind = 1 // first of a segment: links it to the one before
	frameBegin   frameKind = 2 // request half
	frameEnd     frameKind = 3 // response half
	frameWhole   frameKind = 4 // both halves of a refused request
	frameEvent   frameKind = 5
	framePart    frameKind = 6 // something more of an exchange under way, as the provider saw it
	framePiece   frameKind = 7 // goes on with the body of the frame before
	frameParts   frameKind = 8 // behind a response half: where the parts of its exchange are
)

// continues reports whether a frame of this kind belongs to one before it.
func (k frameKind) continues() bool { return k == framePiece || k == frameParts }

// flagCut in the byte of the codec says that less of the body was kept than was
// given, for its length.
const flagCut codec = 0x80

type chainHash [sha256.Size]byte

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	magic      = [4]byte{'S', 'L', 'A', formatVersion}
)

// errShort says that the bytes end before the frame does: what a write that
// was cut off leaves behind.
var errShort = errors.New("the file ends inside the record")

// badRecord says why bytes are not a record as it was written. Errors of
// reading the file are not of this type.
type badRecord string

func (b badRecord) Error() string { return string(b) }

// header is the decoded fixed part of a frame.
type header struct {
	kind            frameKind
	codec           codec
	cut             bool  // less of the body was kept than given
	more            int   // frames that follow and belong to this one
	meta, body, raw int64 // lengths
	crc             uint32
	seq             uint64
	time            int64
	prev            chainHash
	digest          chainHash
	chain           chainHash
}

// size is the length of the whole frame.
func (h *header) size() int64 { return headerSize + h.meta + h.body }

// sizeOf is the length of the frame that b begins with.
func sizeOf(b []byte) int {
	le := binary.LittleEndian
	return headerSize + int(le.Uint32(b[offMetaLen:])) + int(le.Uint32(b[offBodyLen:]))
}

// setMore says how many of the frames behind this one belong to it.
func setMore(frame []byte, n int) { binary.LittleEndian.PutUint16(frame[offMore:], uint16(n)) }

func moreOf(frame []byte) int { return int(binary.LittleEndian.Uint16(frame[offMore:])) }

// sealContent fills what the writer of a record knows by itself. frame holds
// the room for the header, then metaLen bytes of meta data, then the body.
func sealContent(frame []byte, kind frameKind, c codec, metaLen, rawLen int, time int64) {
	content := frame[headerSize:]
	le := binary.LittleEndian
	copy(frame, magic[:])
	frame[offKind], frame[offCodec], frame[6], frame[7] = byte(kind), byte(c), 0, 0
	le.PutUint32(frame[offMetaLen:], uint32(metaLen))
	le.PutUint32(frame[offBodyLen:], uint32(len(content)-metaLen))
	le.PutUint32(frame[offRawLen:], uint32(rawLen))
	le.PutUint32(frame[offCRC:], crc32.Checksum(content, castagnoli))
	le.PutUint64(frame[offTime:], uint64(time))
	digest := sha256.Sum256(content)
	copy(frame[offDigest:], digest[:])
}

// sealChain gives a frame its place in the chain and returns its hash.
func sealChain(frame []byte, seq uint64, prev chainHash) chainHash {
	le := binary.LittleEndian
	le.PutUint64(frame[offSeq:], seq)
	copy(frame[offPrev:], prev[:])
	chain := chainHash(sha256.Sum256(frame[:offChain]))
	copy(frame[offChain:], chain[:])
	le.PutUint32(frame[offHeadCRC:], crc32.Checksum(frame[:offHeadCRC], castagnoli))
	return chain
}

// parseHeader decodes and checks the fixed part of a frame. The error is
// errShort when b is the beginning of a header, and only then. The hash is
// compared where it is asked for, and the checksum always.
func parseHeader(b []byte, hashed bool) (header, error) {
	var h header
	n := min(len(b), len(magic))
	if string(b[:n]) != string(magic[:n]) {
		return h, badRecord("no record starts here")
	}
	if len(b) < headerSize {
		return h, errShort
	}
	le := binary.LittleEndian
	if crc32.Checksum(b[:offHeadCRC], castagnoli) != le.Uint32(b[offHeadCRC:]) {
		return h, badRecord("the header does not match its checksum")
	}
	h = header{
		kind: frameKind(b[offKind]), codec: codec(b[offCodec]) &^ flagCut, cut: codec(b[offCodec])&flagCut != 0, more: moreOf(b),
		meta: int64(le.Uint32(b[offMetaLen:])), body: int64(le.Uint32(b[offBodyLen:])), raw: int64(le.Uint32(b[offRawLen:])),
		crc: le.Uint32(b[offCRC:]), seq: le.Uint64(b[offSeq:]), time: int64(le.Uint64(b[offTime:])),
		prev: chainHash(b[offPrev:]), digest: chainHash(b[offDigest:]), chain: chainHash(b[offChain:]),
	}
	if hashed && chainHash(sha256.Sum256(b[:offChain])) != h.chain {
		return h, badRecord("the header does not match its hash")
	}
	if h.meta+h.body > maxContent {
		return h, badRecord("the lengths are out of bounds")
	}
	return h, nil
}

// follows checks that a frame of which left frames are still missing may be
// followed by this one; left is 0 where the one before is whole.
func (h *header) follows(left int) error {
	switch {
	case left == 0 && h.kind.continues():
		return badRecord("it belongs to no record before it")
	case left > 0 && (!h.kind.continues() || h.more != left-1):
		return badRecord("the record before it is not whole")
	}
	return nil
}

// checkContent compares meta data and body with the header, by the checksum,
// and when deep is set by the digest.
func (h *header) checkContent(content []byte, deep bool) error {
	if crc32.Checksum(content, castagnoli) != h.crc {
		return badRecord("the content does not match its checksum")
	}
	if deep && chainHash(sha256.Sum256(content)) != h.digest {
		return badRecord("the content does not match its hash")
	}
	return nil
}
