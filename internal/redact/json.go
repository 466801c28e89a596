package redact

import (
	"bytes"

	"sluice/extproc/dialect/jsontext"
)

// minNumber is how many digits a number of JSON has at least to be looked at.
const minNumber = 8

// json finds what is to be replaced in valid JSON. level counts the strings of
// JSON around it.
func (j *job) json(b []byte, level int) []edit {
	w := walker{job: j, b: b, level: level}
	w.value(nil)
	return w.edits
}

// walker walks over valid JSON, whose depth is bounded (jsontext.MaxDepth, or
// gjson's for short texts).
type walker struct {
	*job
	b     []byte
	i     int
	level int
	edits []edit
}

func (w *walker) space() byte {
	for w.i < len(w.b) && w.b[w.i] <= ' ' {
		w.i++
	}
	if w.i == len(w.b) {
		return 0
	}
	return w.b[w.i]
}

// inside moves over the string that begins here and returns where its inside
// is.
func (w *walker) inside() (start, end int) {
	w.i++
	start = w.i
	for {
		quote := bytes.IndexByte(w.b[w.i:], '"')
		slash := bytes.IndexByte(w.b[w.i:w.i+quote], '\\')
		if slash < 0 {
			end = w.i + quote
			w.i = end + 1
			return start, end
		}
		w.i += slash + 2
	}
}

// value looks at the value that begins here. key is the name of the member that
// it is the value of.
func (w *walker) value(key []byte) {
	c := w.space()
	wanted := w.meant()
	if wanted {
		w.whole++
	}
	switch c {
	case '{':
		w.object()
	case '[':
		w.array(key)
	case '"':
		w.str(key)
	default:
		w.number(key)
	}
	if wanted {
		w.whole--
	}
}

// meant reports whether the value here is to be replaced whole.
func (w *walker) meant() bool {
	for _, p := range w.r.fields {
		if p.matches(w.place) {
			return true
		}
	}
	return false
}

func (w *walker) object() {
	w.i++
	w.join.enter()
	for w.space() != '}' {
		if w.b[w.i] == ',' {
			w.i++
			w.space()
		}
		start, end := w.inside()
		key := w.b[start:end]
		if bytes.IndexByte(key, '\\') >= 0 {
			key = unescaped(key)
		}
		w.found(w.string(start, end, nil), start)
		w.space()
		w.i++ // the colon
		if w.tokens(key) {
			continue
		}
		w.place = append(w.place, key)
		w.join.key(key)
		w.value(key)
		w.place = w.place[:len(w.place)-1]
	}
	w.i++
	w.join.leave()
}

// tokens replaces the list of a text's tokens by null: it spells out the text in
// pieces in which nothing can be found.
func (w *walker) tokens(key []byte) bool {
	switch string(key) {
	case "logprobs", "logprobsResult", "top_logprobs":
	default:
		return false
	}
	c := w.space()
	if c != '{' && c != '[' {
		return false
	}
	start := w.i
	if w.skip(); w.i-start > 2 {
		w.edits = append(w.edits, edit{start, w.i, []byte("null")})
	}
	return true
}

// skip moves over an object or array.
func (w *walker) skip() {
	depth := 0
	for {
		switch w.b[w.i] {
		case '"':
			w.inside()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if w.i++; depth == 0 {
			return
		}
	}
}

func (w *walker) array(key []byte) {
	w.i++
	w.join.enter()
	w.place = append(w.place, nil)
	for n := 0; w.space() != ']'; n++ {
		if w.b[w.i] == ',' {
			w.i++
		}
		w.join.item(n)
		w.value(key)
	}
	w.place = w.place[:len(w.place)-1]
	w.i++
	w.join.leave()
}

func (w *walker) found(edits []edit, by int) { w.edits = appendShifted(w.edits, edits, by) }

// str looks at a string that is a value.
func (w *walker) str(key []byte) {
	start, end := w.inside()
	if start == end {
		return
	}
	switch {
	case w.whole > 0:
		w.edits = append(w.edits, edit{start, end, w.mark(field, unescaped(w.b[start:end]))})
	case w.r.kinds.has(namedSecret) && isSecret(key):
		if markAt(w.b[start:end]) == end-start { // it was redacted before
			return
		}
		w.edits = append(w.edits, edit{start, end, w.mark(namedSecret, unescaped(w.b[start:end]))})
	case w.level == 0 && w.join.takes(key):
		w.join.add(start, end)
	default:
		w.found(w.string(start, end, key), start)
	}
}

// string finds what is in a string: in what it stands for, and in what that
// stands for where it is JSON again.
func (w *walker) string(start, end int, key []byte) []edit {
	return w.job.string(w.b[start:end], key, w.level)
}

func (j *job) string(raw, key []byte, level int) []edit {
	if bytes.IndexByte(raw, '\\') < 0 {
		return j.text(raw, key)
	}
	plain := unescaped(raw)
	if level < maxLevels && looksJSON(plain) && jsontext.Valid(plain) {
		return outside(raw, j.json(plain, level+1), true)
	}
	return outside(raw, j.looseAbout(plain, key, level+1), false)
}

func looksJSON(b []byte) bool {
	b = bytes.TrimSpace(b)
	return len(b) > 1 && (b[0] == '{' && b[len(b)-1] == '}' || b[0] == '[' && b[len(b)-1] == ']')
}

// wholeNumber is a number without its sign and a fraction of zeros, as numbers
// have that were once read as floating point.
func wholeNumber(raw []byte) []byte {
	raw = bytes.TrimPrefix(raw, []byte{'-'})
	if n, zeros, ok := bytes.Cut(raw, []byte{'.'}); ok && len(bytes.Trim(zeros, "0")) == 0 {
		return n
	}
	return raw
}

// number looks at a number, true, false or null. What stands in place of a number
// is a string.
func (w *walker) number(key []byte) {
	start := w.i
	for w.i < len(w.b) && w.b[w.i] != ',' && w.b[w.i] != '}' && w.b[w.i] != ']' && w.b[w.i] > ' ' {
		w.i++
	}
	if c := w.b[start]; c != '-' && !isDigit(c) {
		return
	}
	raw := w.b[start:w.i]
	w.join.number(key, raw)
	var edits []edit
	switch {
	case w.whole > 0:
		edits = []edit{{0, len(raw), w.mark(field, raw)}}
	case len(raw) >= minNumber && allDigits(wholeNumber(raw)):
		edits = w.text(wholeNumber(raw), key)
	}
	for _, e := range edits {
		quoted := append(append([]byte{'"'}, e.text...), '"')
		w.edits = append(w.edits, edit{start, w.i, quoted})
	}
}
