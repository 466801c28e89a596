package consume

// seen remembers the last so many ids.
type seen struct {
	ids  map[string]struct{}
	ring []string
	next int
}

func newSeen(most int) *seen { return &seen{ids: map[string]struct{}{}, ring: make([]string, 0, most)} }

func (s *seen) has(id string) bool {
	_, is := s.ids[id]
	return is && id != ""
}

func (s *seen) add(id string) {
	if id == "" || cap(s.ring) == 0 || s.has(id) {
		return
	}
	s.ids[id] = struct{}{}
	if len(s.ring) < cap(s.ring) {
		s.ring = append(s.ring, id)
		return
	}
	delete(s.ids, s.ring[s.next])
	s.ring[s.next] = id
	s.next = (s.next + 1) % len(s.ring)
}
