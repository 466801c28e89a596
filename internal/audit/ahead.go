package audit

import "context"

// mostAhead bounds how many partitions are opened before their turn.
const mostAhead = 4

// ahead opens partitions in turn, and when one after the other yields little,
// some before their turn and at the same time.
type ahead struct {
	open   func(context.Context, part) (*stream, error)
	opened []chan opened // of the partitions that come next
	far    int           // how many are opened before their turn
}

type opened struct {
	stream *stream // nil: nothing is in it
	err    error
}

// next opens the first of parts and begins with those behind it.
func (a *ahead) next(ctx context.Context, parts []part) (*stream, error) {
	for len(a.opened) < min(1+a.far, len(parts)) {
		done := make(chan opened, 1)
		p := parts[len(a.opened)]
		if a.far == 0 {
			s, err := a.open(ctx, p)
			done <- opened{s, err}
		} else {
			go func() {
				s, err := a.open(ctx, p)
				done <- opened{s, err}
			}()
		}
		a.opened = append(a.opened, done)
	}
	a.far = min(a.far+1, mostAhead)
	first := <-a.opened[0]
	a.opened = a.opened[1:]
	return first.stream, first.err
}

// close closes what was opened before its turn and is not needed.
func (a *ahead) close() {
	for _, done := range a.opened {
		if o := <-done; o.stream != nil {
			o.stream.close()
		}
	}
}
