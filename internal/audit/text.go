package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// finder looks for texts in records. It is safe for concurrent use.
type finder struct {
	texts   [][]needle
	longest int // of the needles, in bytes
}

// newFinder prepares the search for all of texts.
func newFinder(texts []string) *finder {
	f := &finder{}
	for _, text := range texts {
		if text == "" {
			continue
		}
		var needles []needle
		seen := map[string]bool{}
		for _, spelled := range spellings(text) {
			inJSON, inASCII := jsonText(spelled), asciiText(spelled)
			for _, written := range []string{spelled, inJSON, inASCII, forHTML.Replace(inJSON), forHTML.Replace(inASCII)} {
				if n := newNeedle(written); !seen[string(n.text)] {
					seen[string(n.text)] = true
					needles = append(needles, n)
					f.longest = max(f.longest, len(n.text))
				}
			}
		}
		f.texts = append(f.texts, needles)
	}
	return f
}

// in reports whether each text is somewhere in the record.
func (f *finder) in(r *Record) bool { return f.except(r, nil) }

// except is in, without the texts that were found already.
func (f *finder) except(r *Record, found []bool) bool {
	var changed []byte
	if e := r.Event; e != nil && len(e.Changes)+len(e.Metadata) > 0 {
		var b bytes.Buffer
		to := json.NewEncoder(&b)
		to.SetEscapeHTML(false)
		_ = to.Encode([]any{e.Changes, e.Metadata}) // structs and maps of strings always marshal
		changed = b.Bytes()
	}
	for i, needles := range f.texts {
		if found != nil && found[i] {
			continue
		}
		inParts := slices.ContainsFunc(r.Parts, func(p Part) bool { return anyIn(needles, p.Body) })
		found := inParts || anyIn(needles, r.RequestBody) || anyIn(needles, r.ResponseBody) || anyIn(needles, changed) ||
			r.Outcome != nil && anyIn(needles, []byte(r.Outcome.Message))
		if !found {
			return false
		}
	}
	return true
}

func anyIn(needles []needle, text []byte) bool {
	for i := range needles {
		if needles[i].in(text) {
			return true
		}
	}
	return false
}

// maxSpelled bounds the letters outside ASCII of which each is looked for in
// upper and lower case by itself; of more, all are in the one or the other.
const maxSpelled = 3

// spellings are the texts that differ from a text in the case of letters outside
// ASCII; letters of ASCII are compared without case.
func spellings(text string) []string {
	out, count := []string{""}, 0
	for _, r := range text {
		if r >= utf8.RuneSelf && unicode.ToUpper(r) != unicode.ToLower(r) {
			count++
		}
	}
	switch {
	case count == 0:
		return []string{text}
	case count > maxSpelled:
		return []string{text, strings.ToLower(text), strings.ToUpper(text)}
	}
	for _, r := range text {
		upper, lower := unicode.ToUpper(r), unicode.ToLower(r)
		if r < utf8.RuneSelf || upper == lower {
			upper, lower = r, r
		}
		var next []string
		for _, begun := range out {
			next = append(next, begun+string(lower))
			if upper != lower {
				next = append(next, begun+string(upper))
			}
		}
		out = next
	}
	return out
}

// jsonText is a text as JSON writes it within a string.
func jsonText(text string) string {
	quoted := appendString(nil, text)
	return string(quoted[1 : len(quoted)-1])
}

// forHTML makes of JSON what may stand within HTML, as encoding/json does.
var forHTML = strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`)

// asciiText is a text as JSON writes it where it keeps to ASCII.
func asciiText(text string) string {
	var b strings.Builder
	for _, r := range jsonText(text) {
		switch {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// needle is a text that is looked for. Letters of ASCII match in either case.
type needle struct {
	text []byte // in lower case
	rare int    // where the byte is by which places are found
	low  byte   // that byte
	high byte   // the same in upper case
}

// common are bytes of JSON and prose, the most frequent first: a search goes by
// the byte of a text that comes last here, or not at all.
const common = " \"etaoinsrhldc,:umpfgyw.b\\{}[]v-0k1_2x3549876jqz"

func newNeedle(text string) needle {
	n := needle{text: []byte(text)}
	for i, c := range n.text {
		if 'A' <= c && c <= 'Z' {
			n.text[i] = c + 'a' - 'A'
		}
	}
	best := -1
	for i, c := range n.text {
		rank := strings.IndexByte(common, c)
		if rank < 0 {
			rank = len(common)
		}
		if rank > best {
			best, n.rare = rank, i
		}
	}
	n.low = n.text[n.rare]
	n.high = n.low
	if 'a' <= n.low && n.low <= 'z' {
		n.high = n.low - 'a' + 'A'
	}
	return n
}

// in reports whether the needle is in text.
func (n *needle) in(text []byte) bool {
	last := len(text) - (len(n.text) - n.rare)
	nextLow, nextHigh := -1, -1 // where the byte comes next; len(text): nowhere
	for at := n.rare; at <= last; at++ {
		if nextLow < at {
			nextLow = next(text, at, n.low)
		}
		if n.high == n.low {
			nextHigh = len(text)
		} else if nextHigh < at {
			nextHigh = next(text, at, n.high)
		}
		if at = min(nextLow, nextHigh); at > last {
			return false
		}
		if n.equal(text[at-n.rare:]) {
			return true
		}
	}
	return false
}

func next(text []byte, from int, c byte) int {
	if i := bytes.IndexByte(text[from:], c); i >= 0 {
		return from + i
	}
	return len(text)
}

// equal compares the needle with the beginning of text, which is as long.
func (n *needle) equal(text []byte) bool {
	for i, c := range n.text {
		d := text[i]
		if d != c && (d < 'A' || d > 'Z' || d+'a'-'A' != c) {
			return false
		}
	}
	return true
}
