package redact

import (
	"fmt"
	"strings"
)

// maxSegments bounds a path.
const maxSegments = 32

// path is a pattern of Options.Fields.
type path struct {
	segments []string // "*": any one
	anywhere bool     // any number of keys and indexes may come before
}

func parsePath(text string) (path, error) {
	p := path{segments: strings.Split(text, ".")}
	if p.segments[0] == "*" && len(p.segments) > 1 {
		p.anywhere, p.segments = true, p.segments[1:]
	}
	if len(p.segments) > maxSegments {
		return path{}, fmt.Errorf("field %q has more than %d parts", text, maxSegments)
	}
	for _, s := range p.segments {
		if s == "" {
			return path{}, fmt.Errorf("field %q is not a path: write keys with dots between, * for any", text)
		}
	}
	return p, nil
}

// matches reports whether a place in a document is meant. Of an index, the key
// is nil.
func (p path) matches(place [][]byte) bool {
	if len(place) < len(p.segments) || !p.anywhere && len(place) > len(p.segments) {
		return false
	}
	place = place[len(place)-len(p.segments):]
	for i, s := range p.segments {
		if s != "*" && (place[i] == nil || string(place[i]) != s) {
			return false
		}
	}
	return true
}
