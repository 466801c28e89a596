package usage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"sluice/internal/audit"
)

// How long counts are kept, in whole UTC days before today and in whole months
// before this one.
const (
	HourDays = 35
	Months   = 25
)

const (
	// queueRoom bounds what waits in memory for the next flush; what comes
	// besides is read back from the trail.
	queueRoom = 1 << 14
	// batchSize bounds what is fetched for one transaction.
	batchSize = 1 << 13
	// flushEvery is how far counts may be behind the trail at rest.
	flushEvery = 3 * time.Second
	// tidyEvery is how often blocks are merged and old ones dropped.
	tidyEvery = 10 * time.Minute
)

var noContext = context.Background()

// ErrRebuilding says that a rebuild is under way already.
var ErrRebuilding = errors.New("usage is being counted anew already")

// Trail is what is counted from.
type Trail interface {
	Follow(from audit.Mark, room int) (*audit.Follower, error)
	// Oldest is the first UTC day that the trail holds.
	Oldest() time.Time
}

// Options say where and from what usage is counted.
type Options struct {
	Path  string // of the file; made (0600) when missing
	Trail Trail
	// Room bounds what waits in memory. 0: 16,384 exchanges.
	Room int
	// FlushEvery is the pause between two transactions. 0: three seconds.
	FlushEvery time.Duration
	Now        func() time.Time // nil: time.Now
	Log        *zap.Logger      // nil: nothing is logged
}

// Usage counts, and answers from what it has counted. Its methods may be called
// from any goroutine.
type Usage struct {
	opts Options
	kick chan chan struct{} // count what there is, then close
	stop context.CancelFunc
	over chan struct{}

	// storing is held for reading by queries, and for writing while the store
	// is replaced.
	storing sync.RWMutex
	store   *store

	mu         sync.Mutex // guards the following fields
	follower   *audit.Follower
	missed     uint64 // by followers that have ended
	rebuilding bool
	counted    time.Time // the last rebuild
	err        error     // of the last transaction

	rebuilds sync.WaitGroup
	swap     chan *successor // a store that is to take the place of store

	// The following fields belong to the goroutine that counts.
	pending batch // fetched and not committed
	tidied  time.Time
}

// successor is a store that was counted anew.
type successor struct {
	path     string
	follower *audit.Follower
	err      chan error
}

// Open opens the file and counts on from where it ends. A file that is missing,
// damaged or of another version is counted anew, in the background; one that
// can't be used is kept beside it.
func Open(opts Options) (*Usage, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = zap.NewNop()
	}
	if opts.Room == 0 {
		opts.Room = queueRoom
	}
	if opts.FlushEvery == 0 {
		opts.FlushEvery = flushEvery
	}
	u := &Usage{opts: opts, kick: make(chan chan struct{}), over: make(chan struct{}), swap: make(chan *successor)}
	if err := u.open(); err != nil {
		return nil, fmt.Errorf("opening usage: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	u.stop = cancel
	go u.run(ctx)
	return u, nil
}

// open opens the store and follows the trail from its mark.
func (u *Usage) open() (err error) {
	if err := removeStore(u.next()); err != nil { // of a rebuild that was cut off
		return err
	}
	u.store, err = openStore(u.opts.Path)
	if errors.Is(err, errFormat) {
		aside := fmt.Sprintf("%s.old-%d", u.opts.Path, u.opts.Now().Unix())
		u.opts.Log.Warn("usage is counted anew from the trail; the file that can't be used is kept aside", zap.Error(err))
		if err = moveStore(u.opts.Path, aside); err == nil {
			u.store, err = openStore(u.opts.Path)
		}
	}
	if err != nil {
		return err
	}
	if u.store.mark == (audit.Mark{}) {
		err = u.store.begin(u.opts.Trail.Oldest())
	}
	if err == nil {
		u.follower, err = u.opts.Trail.Follow(u.store.mark, u.opts.Room)
	}
	if errors.Is(err, audit.ErrNoMark) {
		// A power failure took the end of the trail: what was counted of it is
		// taken back by counting anew.
		u.opts.Log.Warn("usage is counted anew: the trail ends before what was counted", zap.Error(err))
		err = u.recount()
	}
	if err != nil {
		return errors.Join(err, u.store.close())
	}
	return nil
}

func (u *Usage) next() string { return u.opts.Path + ".new" }

// run counts until it is stopped.
func (u *Usage) run(ctx context.Context) {
	defer close(u.over)
	tick := time.NewTicker(u.opts.FlushEvery)
	defer tick.Stop()
	for {
		u.step(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case done := <-u.kick:
			u.step(ctx)
			close(done)
		case next := <-u.swap:
			next.err <- u.take(next)
		}
	}
}

// step counts what there is.
func (u *Usage) step(ctx context.Context) {
	for ctx.Err() == nil {
		more, err := u.count(ctx)
		u.mu.Lock()
		changed := (err == nil) != (u.err == nil)
		u.err = err
		u.mu.Unlock()
		switch {
		case err != nil && changed && ctx.Err() == nil:
			u.opts.Log.Warn("usage is not counted at the moment; it will be counted from the trail", zap.Error(err))
		case err == nil && changed:
			u.opts.Log.Info("usage is counted again")
		}
		if err != nil || !more {
			break
		}
	}
	if now := u.opts.Now(); now.Sub(u.tidied) >= tidyEvery {
		u.tidied = now
		if err := u.store.tidy(now); err != nil {
			u.opts.Log.Warn("old usage was not dropped", zap.Error(err))
		}
	}
}

// count fetches one batch and commits it.
func (u *Usage) count(ctx context.Context) (more bool, err error) {
	if u.pending.count == 0 {
		list, mark, err := u.follower.Next(ctx, batchSize)
		if err != nil || len(list) == 0 {
			return false, err
		}
		u.store.collect(&u.pending, list, mark)
	}
	if err := u.store.commit(&u.pending, u.opts.Now()); err != nil {
		return false, err
	}
	u.pending = batch{}
	return true, nil
}

// Flush returns when everything that had ended before the call is counted, or
// the context is done.
func (u *Usage) Flush(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case u.kick <- done:
	case <-u.over:
		return audit.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

// Status is how the counting does.
type Status struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"` // of the file
	// Behind is how many frames of the trail are not counted yet, and Missed
	// how many exchanges did not fit into memory since the start and were, or
	// will be, counted from the files of the trail.
	Behind     uint64     `json:"behind"`
	Missed     uint64     `json:"missed"`
	Series     int        `json:"series"` // combinations of endpoint, user, organizations, model and project
	Rebuilding bool       `json:"rebuilding"`
	Rebuilt    *time.Time `json:"rebuilt,omitempty"` // the end of the last rebuild since the start
	Error      string     `json:"error,omitempty"`   // why nothing is counted; "" while it is
}

// Status returns how the counting does.
func (u *Usage) Status() Status {
	u.storing.RLock()
	_, all := u.store.names.snapshot()
	u.storing.RUnlock()
	u.mu.Lock()
	defer u.mu.Unlock()
	s := Status{
		File: u.opts.Path, Behind: u.follower.Behind(), Missed: u.missed + u.follower.Missed(), Series: len(all) - 1,
		Rebuilding: u.rebuilding,
	}
	if !u.counted.IsZero() {
		at := u.counted
		s.Rebuilt = &at
	}
	if u.err != nil {
		s.Error = u.err.Error()
	}
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(u.opts.Path + suffix); err == nil {
			s.Bytes += info.Size()
		}
	}
	return s
}

// Close counts what is left and closes the file. Call it before the trail is
// closed.
func (u *Usage) Close() error {
	err := u.Flush(noContext)
	u.stop()
	u.rebuilds.Wait()
	<-u.over
	u.follower.Close()
	return errors.Join(err, u.store.close())
}
