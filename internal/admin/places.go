package admin

import "sync"

// places counts what users have under way.
type places struct {
	mu  sync.Mutex // guards the following fields
	all int
	of  map[string]int // by user id
}

// vacancy is whether there is room for one more.
type vacancy int

const (
	room      vacancy = iota
	fullOfOne         // the user has as many as one may
	fullOfAll         // all users together have as many as they may
)

// take counts one more of a user where there is room: he has less than ofOne, and
// all together have less than ofAll. leave gives it back.
func (p *places) take(user string, ofOne, ofAll int) vacancy {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.of[user] >= ofOne:
		return fullOfOne
	case p.all >= ofAll:
		return fullOfAll
	}
	if p.of == nil {
		p.of = map[string]int{}
	}
	p.all++
	p.of[user]++
	return room
}

func (p *places) leave(user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all--
	if p.of[user]--; p.of[user] == 0 {
		delete(p.of, user)
	}
}
