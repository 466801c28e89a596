package audit

import (
	"errors"
	"os"
)

// searching is a search for texts in frames. It is for one goroutine, and its
// memory does not depend on how long bodies are.
type searching struct {
	*finder
	from   *frames
	bodies []bool // which texts were seen in a body
	metas  []bool // which were seen in meta data, where they may be what is not searched
	left   int    // texts that were seen in neither
	piece  []byte // what was read last of a body, with the end of what was before
}

func (f *finder) through(from *frames) *searching {
	return &searching{finder: f, from: from, bodies: make([]bool, len(f.texts)), metas: make([]bool, len(f.texts))}
}

// mayHold reports whether each text is somewhere in the frames of a record. It
// decodes no record, which would take longer than the search does, and goes by
// checksums: what the disk has changed is an error, and what somebody has changed
// is for Verify. After an error that says nothing of a frame of a day that retention
// has dropped, nothing is known.
func (s *searching) mayHold(h hit) (bool, error) {
	clear(s.bodies)
	clear(s.metas)
	s.left = len(s.texts)
	if h.first.off >= 0 {
		err := s.frame(h.first)
		if err != nil && !(errors.Is(err, os.ErrNotExist) && h.second.off > 0) {
			return false, err
		}
	}
	if h.second.off > 0 && s.left > 0 {
		if err := s.frame(h.second); err != nil {
			return false, err
		}
	}
	return s.left == 0, nil
}

// frame looks into a frame and what belongs to it.
func (s *searching) frame(p place) error {
	parts, err := s.walk(p, true)
	for i := range parts {
		if s.left == 0 || err != nil {
			break
		}
		var at place
		if at, err = parts[i].place(); err == nil {
			if _, err = s.walk(at, false); errors.Is(err, os.ErrNotExist) {
				err = nil // retention dropped it
			}
		}
	}
	return err
}

// walk looks into a frame, and returns the parts of its exchange. The pieces of
// a body are one text.
func (s *searching) walk(p place, meta bool) (parts []storedPart, err error) {
	s.piece = s.piece[:0]
	how := checked
	err = s.from.walk(p, &how, func(h *header, content []byte) error {
		if h.kind == frameParts {
			parts, err = readParts(content[:h.meta])
			return err
		}
		if meta && h.kind != framePiece {
			s.look(content[:h.meta], s.metas)
		}
		kept := min(len(s.piece), max(s.longest-1, 0))
		if h.kind != framePiece {
			kept = 0
		}
		copy(s.piece, s.piece[len(s.piece)-kept:])
		if h.body > 0 {
			if s.piece, err = s.from.compressor.restore(s.piece[:kept], content[h.meta:], h.codec); err != nil {
				return err
			}
		}
		s.look(s.piece, s.bodies)
		return nil
	})
	return parts, err
}

// look notes which texts are in a text.
func (s *searching) look(text []byte, seen []bool) {
	for i, needles := range s.texts {
		if !seen[i] && anyIn(needles, text) {
			if !s.bodies[i] && !s.metas[i] {
				s.left--
			}
			seen[i] = true
		}
	}
}
