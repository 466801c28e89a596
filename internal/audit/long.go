package audit

import (
	"encoding/base64"
	"maps"
	"slices"
	"unicode/utf8"
)

// unread says where the bodies of a record are that were left out of it, since
// they are long.
type unread struct {
	request, response place // off 0: it was not left out
	parts             map[int]place
}

// leaves returns what says where bodies of r are.
func (r *Record) leaves() *unread {
	if r.unread == nil {
		r.unread = &unread{parts: map[int]place{}}
	}
	return r.unread
}

// longStep is how much of a long body is made into JSON at a time.
const longStep = 64 << 10

// long puts a record with bodies that were left out of it: what AppendJSON would
// make of it, of which there is never more in memory than a piece of a body.
func (o *outlet) long(from *frames, r *Record) error {
	whole, err := o.prove(from, r)
	if err != nil {
		return err
	}
	bare := *r
	bare.Parts, bare.RequestBody, bare.ResponseBody = nil, nil, nil
	if o.buf, err = bare.AppendJSON(o.buf); err != nil {
		return err
	}
	o.buf = o.buf[:len(o.buf)-1] // the closing brace
	for i := range r.Parts {
		part := r.Parts[i]
		part.Body = nil
		o.buf = append(o.buf, [2]string{`,"parts":[`, ","}[b2i(i > 0)]...)
		o.buf = part.appendJSON(o.buf)
		o.buf = o.buf[:len(o.buf)-1]
		if err := o.member(from, "body", r.Parts[i].Body, r.unread.parts[i], whole); err != nil {
			return err
		}
		o.buf = append(o.buf, '}')
	}
	if len(r.Parts) > 0 {
		o.buf = append(o.buf, ']')
	}
	if err := o.member(from, "requestBody", r.RequestBody, r.unread.request, whole); err != nil {
		return err
	}
	if err := o.member(from, "responseBody", r.ResponseBody, r.unread.response, whole); err != nil {
		return err
	}
	o.buf = append(o.buf, '}')
	return nil
}

// prove reads the bodies that were left out of r, and tells of each whether it is
// UTF-8. One that is damaged is not among them, and r says so.
func (o *outlet) prove(from *frames, r *Record) (map[place]bool, error) {
	whole := map[place]bool{}
	places := append(slices.Collect(maps.Values(r.unread.parts)), r.unread.request, r.unread.response)
	for _, at := range places {
		if at == (place{}) {
			continue
		}
		valid, err := (&longBody{outlet: o, from: from, at: at}).valid()
		if damaged(err) {
			if err := r.wounded(at, 0, err); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		whole[at] = valid
	}
	return whole, nil
}

// member puts a body, from where it is if it was left out; whole tells of those
// that can be read whether they are UTF-8.
func (o *outlet) member(from *frames, name string, b Body, at place, whole map[place]bool) error {
	valid, there := whole[at]
	if len(b) == 0 && !there {
		return nil
	}
	o.buf = append(append(append(o.buf, `,"`...), name...), `":`...)
	if at == (place{}) {
		o.buf = AppendBody(o.buf, b)
		return nil
	}
	l := &longBody{outlet: o, from: from, at: at}
	if valid {
		o.buf = append(o.buf, '"')
		if err := l.text(); err != nil {
			return err
		}
		o.buf = append(o.buf, '"')
		return nil
	}
	o.buf = append(o.buf, `{"base64":"`...)
	if err := l.base64(); err != nil {
		return err
	}
	o.buf = append(o.buf, `"}`...)
	return nil
}

// longBody is a body that is read piece by piece.
type longBody struct {
	*outlet
	from *frames
	at   place
}

// pieces calls fn with the body piece by piece, before each the bytes that fn left
// of the one before, and last with what it left of all.
func (l *longBody) pieces(how depth, fn func(text []byte, last bool) (left int, err error)) error {
	l.rest = l.rest[:0]
	err := l.from.walk(l.at, &how, func(h *header, content []byte) error {
		if h.kind == frameParts {
			return nil
		}
		var err error
		if l.rest, err = l.from.compressor.restore(l.rest, content[h.meta:], h.codec); err != nil {
			return err
		}
		left, err := fn(l.rest, false)
		l.rest = l.rest[:copy(l.rest, l.rest[len(l.rest)-left:])]
		return err
	})
	if err == nil {
		_, err = fn(l.rest, true)
	}
	return err
}

// valid reports whether the body is UTF-8. It reads all of it, so that none is
// begun that is damaged further on.
func (l *longBody) valid() (bool, error) {
	valid := true
	err := l.pieces(proven, func(text []byte, last bool) (int, error) {
		n := len(text)
		if !last {
			n = wholeRunes(text)
		}
		if valid = valid && utf8.Valid(text[:n]); !valid {
			return 0, nil
		}
		return len(text) - n, nil
	})
	return valid, err
}

// text puts the body as JSON has it within a string.
func (l *longBody) text() error {
	return l.pieces(checked, func(text []byte, last bool) (int, error) {
		for len(text) > 0 {
			n := min(len(text), longStep)
			if n < len(text) || !last {
				n = wholeRunes(text[:n])
			}
			if n == 0 {
				break
			}
			start := len(l.buf)
			l.buf = appendString(l.buf, string(text[:n]))
			// Without the quotes.
			l.buf = append(l.buf[:start], l.buf[start+1:len(l.buf)-1]...)
			if text = text[n:]; l.full() {
				if err := l.flush(); err != nil {
					return 0, err
				}
			}
		}
		return len(text), nil
	})
}

// base64 puts the body as base64.
func (l *longBody) base64() error {
	return l.pieces(checked, func(text []byte, last bool) (int, error) {
		for len(text) > 0 {
			n := min(len(text), longStep/3*3)
			if n == len(text) && !last {
				n -= n % 3
			}
			if n == 0 {
				break
			}
			l.buf = base64.StdEncoding.AppendEncode(l.buf, text[:n])
			if text = text[n:]; l.full() {
				if err := l.flush(); err != nil {
					return 0, err
				}
			}
		}
		return len(text), nil
	})
}

// wholeRunes is the length of text without a character at its end that may go on.
func wholeRunes(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if b := text[len(text)-n:]; utf8.RuneStart(b[0]) {
			if utf8.FullRune(b) {
				return len(text)
			}
			return len(text) - n
		}
	}
	return len(text)
}
