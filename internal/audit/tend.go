package audit

import (
	"context"
	"errors"
	"os"
	"time"

	"go.uber.org/zap"
)

// tendEvery is how often partitions that have ended are looked for.
const tendEvery = 5 * time.Second

// tend makes files of names, behind everything else, until readers are closed.
// reached tells how far the indexer is.
func (r *readers) tend(reached func() position, log *zap.Logger) {
	r.over = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-r.stop
		cancel()
	}()
	go func() {
		defer close(r.over)
		ticker := time.NewTicker(tendEvery)
		defer ticker.Stop()
		for {
			for _, p := range r.list() {
				if p.span.last == 0 || p.span.day >= reached().day || p.named.Load() {
					continue
				}
				if err := r.name(ctx, p); err != nil && ctx.Err() == nil {
					log.Warn("names of an index are not written; queries do without", zap.String("day", p.span.day.String()), zap.Error(err))
				}
			}
			select {
			case <-ticker.C:
			case <-r.stop:
				return
			}
		}
	}()
}

// name makes the file of names of a partition that has ended. One whose index is
// not whole waits for the query that makes it so.
func (r *readers) name(ctx context.Context, p part) error {
	p.building.Lock()
	defer p.building.Unlock()
	if n, err := openNames(r.dir, p.span); err == nil {
		n.file.Close()
		p.named.Store(true)
		return nil
	}
	if r.gone(p) {
		return nil
	}
	if !p.checked {
		state, ok := r.whole(ctx, p)
		if !ok {
			return nil
		}
		r.settle(p, state)
	}
	db, err := r.open(p.span.day, endedIndex)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := makeNames(ctx, db, r.dir, p.span); err != nil {
		return err
	}
	p.named.Store(true)
	return nil
}

// mayHold reports whether there may be records that f selects in a partition
// that has ended. It opens no index.
func (r *readers) mayHold(p part, f *Filter) bool {
	if f.ID == "" && len(f.names()) == 0 {
		return true
	}
	n, err := openNames(r.dir, p.span)
	if errors.Is(err, os.ErrNotExist) {
		p.named.Store(false)
	}
	if err != nil {
		return true
	}
	defer n.file.Close()
	return n.mayHold(f)
}
