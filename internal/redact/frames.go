package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	"sluice/extproc/dialect/jsontext"
)

// The framing of AWS's event streams: two lengths and their checksum, headers, a
// payload, and a checksum over all.
const (
	frameLengths = 8
	framePrelude = frameLengths + 4
	frameLeast   = framePrelude + 4
)

// frames looks at a body of frames of AWS's event streams: at what the payloads
// say together, as at the events of other streams. Frames that change are framed
// anew. What follows the last whole frame, as where a provider or client broke
// off, is looked at as it stands. ok is false where the body is something else.
func (j *job) frames(b []byte) (edits []edit, ok bool) {
	if !framed(b) {
		return nil, false
	}
	var list []frame
	torn := 0
	for torn < len(b) {
		f, ok := frameAt(b[torn:])
		if !ok {
			break
		}
		f.start = torn
		list, torn = append(list, f), torn+f.size
	}
	var text []byte // what they say, a line each
	for i := range list {
		f := &list[i]
		f.line = len(text)
		text = append(append(text, bytes.ReplaceAll(f.says(b), []byte{'\n'}, []byte{' '})...), '\n')
	}
	inner := j.lines(text)
	for i := range list {
		f := &list[i]
		end := len(text)
		if i+1 < len(list) {
			end = list[i+1].line
		}
		var own []edit
		for len(inner) > 0 && inner[0].start < end {
			e := inner[0]
			inner = inner[1:]
			own = append(own, edit{e.start - f.line, min(e.end, end-1) - f.line, e.text})
		}
		if len(own) > 0 {
			edits = append(edits, edit{f.start, f.start + f.size, f.saying(b, apply(text[f.line:end-1], own))})
		}
	}
	return appendShifted(edits, j.torn(b[torn:]), torn), true
}

// torn looks at a frame that is not whole.
func (j *job) torn(b []byte) []edit {
	if len(j.r.fields) > 0 && bytes.IndexByte(b, '{') >= 0 { // fields can't be told from the rest
		return []edit{{0, len(b), j.mark(field, b)}}
	}
	return j.loose(b, 0)
}

// frame is one frame of a body.
type frame struct {
	start, size int
	payload     int // where its payload begins, from its start
	line        int // where what it says begins
	// chunk is where in the payload the base64 stands that is what it says; 0, 0:
	// the payload itself is.
	chunk, chunkEnd int
}

// framed reports whether b begins with the lengths of a frame.
func framed(b []byte) bool {
	return len(b) >= framePrelude && crc32.ChecksumIEEE(b[:frameLengths]) == binary.BigEndian.Uint32(b[frameLengths:])
}

// frameAt is the frame that b begins with; ok is false where it is not whole.
func frameAt(b []byte) (f frame, ok bool) {
	if len(b) < frameLeast || !framed(b) {
		return f, false
	}
	size, headers := int(binary.BigEndian.Uint32(b)), int(binary.BigEndian.Uint32(b[4:]))
	if size > len(b) || size < frameLeast || headers > size-frameLeast ||
		crc32.ChecksumIEEE(b[:size-4]) != binary.BigEndian.Uint32(b[size-4:]) {
		return f, false
	}
	return frame{size: size, payload: framePrelude + headers}, true
}

// says is the text of a frame: the payload, or what is in it in base64, as
// InvokeModel has it.
func (f *frame) says(b []byte) []byte {
	payload := b[f.start+f.payload : f.start+f.size-4]
	if !jsontext.Valid(payload) {
		return payload
	}
	piece := jsontext.View(payload).Get("bytes")
	if len(piece.Raw) < 2 || piece.Raw[0] != '"' || piece.Index == 0 {
		return payload
	}
	plain, err := base64.StdEncoding.DecodeString(piece.Str)
	if err != nil {
		return payload
	}
	f.chunk, f.chunkEnd = piece.Index+1, piece.Index+len(piece.Raw)-1
	return plain
}

// saying is the frame with another text.
func (f *frame) saying(b, text []byte) []byte {
	payload := b[f.start+f.payload : f.start+f.size-4]
	if f.chunkEnd > 0 {
		text = append(base64.StdEncoding.AppendEncode(append([]byte(nil), payload[:f.chunk]...), text), payload[f.chunkEnd:]...)
	}
	out := append(make([]byte, 0, f.payload+len(text)+4), b[f.start:f.start+f.payload]...)
	out = append(out, text...)
	binary.BigEndian.PutUint32(out, uint32(len(out)+4)) //nolint:gosec // of a body that is held
	binary.BigEndian.PutUint32(out[frameLengths:], crc32.ChecksumIEEE(out[:frameLengths]))
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
}
