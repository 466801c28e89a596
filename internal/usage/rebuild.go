package usage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"sluice/internal/audit"
)

// Rebuild counts everything anew from the trail, in the background; Status says
// when it is done. Until then answers are from what was counted before. Days
// that the trail does not hold any more stay as they are. The error is
// ErrRebuilding, or what the disk says.
func (u *Usage) Rebuild() error {
	u.mu.Lock()
	busy := u.rebuilding
	u.rebuilding = true
	u.mu.Unlock()
	if busy {
		return ErrRebuilding
	}
	ctx, cancel := context.WithCancel(context.Background())
	u.rebuilds.Add(1)
	go func() {
		defer u.rebuilds.Done()
		defer cancel()
		go func() { // ends with the counting, or with the rebuild
			select {
			case <-u.over:
				cancel()
			case <-ctx.Done():
			}
		}()
		err := u.rebuild(ctx)
		u.mu.Lock()
		u.rebuilding = false
		if err == nil {
			u.counted = u.opts.Now().UTC()
		}
		u.mu.Unlock()
		if err != nil && ctx.Err() == nil {
			u.opts.Log.Error("usage was not counted anew; what was counted before stays", zap.Error(err))
		}
	}()
	return nil
}

// rebuild makes the next store and has it take the place of the present one.
func (u *Usage) rebuild(ctx context.Context) error {
	u.storing.RLock()
	old := u.store
	u.storing.RUnlock()
	follower, err := u.recountInto(ctx, old)
	if err != nil {
		return err
	}
	next := &successor{path: u.next(), follower: follower, err: make(chan error, 1)}
	select {
	case u.swap <- next:
		return <-next.err
	case <-u.over:
		follower.Close()
		return audit.ErrClosed
	}
}

// recount is rebuild while nothing else is under way.
func (u *Usage) recount() error {
	follower, err := u.recountInto(noContext, u.store)
	if err != nil {
		return err
	}
	return u.take(&successor{path: u.next(), follower: follower})
}

// recountInto counts the whole trail into a new file, which it closes.
func (u *Usage) recountInto(ctx context.Context, old *store) (_ *audit.Follower, err error) {
	if err := removeStore(u.next()); err != nil {
		return nil, fmt.Errorf("counting usage anew: %w", err)
	}
	s, err := openStore(u.next())
	if err != nil {
		return nil, fmt.Errorf("counting usage anew: %w", err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	oldest := u.opts.Trail.Oldest()
	if err := s.inherit(old, oldest); err != nil {
		return nil, fmt.Errorf("counting usage anew: taking over what is older than the trail: %w", err)
	}
	follower, err := u.opts.Trail.Follow(audit.Mark{}, u.opts.Room)
	if err != nil {
		return nil, err
	}
	for {
		list, mark, err := follower.Next(ctx, batchSize)
		if err == nil && len(list) == 0 {
			return follower, nil
		}
		var b batch
		if err == nil {
			s.collect(&b, list, mark)
			err = s.commit(&b, u.opts.Now())
		}
		if err != nil {
			follower.Close()
			return nil, err
		}
	}
}

// take puts a store that was counted anew in the place of the present one. It
// is called by the goroutine that counts.
func (u *Usage) take(next *successor) error {
	u.storing.Lock()
	defer u.storing.Unlock()
	err := u.store.close()
	if err == nil {
		err = moveStore(next.path, u.opts.Path)
	}
	s, openErr := openStore(u.opts.Path)
	if openErr != nil {
		next.follower.Close()
		return errors.Join(err, openErr)
	}
	u.store = s
	if err != nil {
		next.follower.Close()
		return fmt.Errorf("replacing the file of usage: %w", err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.follower != nil {
		u.missed += u.follower.Missed()
		u.follower.Close()
	}
	u.follower, u.pending = next.follower, batch{}
	return nil
}

// begin notes that a new store counts what comes from since on: of what came
// before, the trail may have the end only.
func (s *store) begin(since time.Time) error {
	s.since = since
	_, err := s.db.Exec("INSERT OR REPLACE INTO meta (key, value) VALUES ('since', ?)", since.UTC().Format(time.RFC3339))
	return err
}

// inherit takes over names, and what was counted before since.
func (s *store) inherit(old *store, since time.Time) error {
	if err := s.begin(since); err != nil {
		return err
	}
	if _, err := s.db.Exec("ATTACH DATABASE ? AS old", old.path); err != nil {
		return err
	}
	month := levelMonth.start(since) // is made of its days
	_, err := s.db.Exec(`BEGIN;
		INSERT INTO label SELECT * FROM old.label;
		INSERT INTO series SELECT * FROM old.series;
		INSERT INTO block (level, start, total, data) SELECT level, start, total, data FROM old.block WHERE ` + fmt.Sprintf(
		"level <> %d AND start < %d OR level = %d AND start < %d;", levelMonth, since.Unix(), levelMonth, month) + `
		INSERT INTO block (level, start, total, data) SELECT ` + fmt.Sprintf(
		"%d, %d, total, data FROM old.block WHERE level = %d AND start >= %d AND start < %d;", levelMonth, month, levelDay, month, since.Unix()) + `
		COMMIT`)
	if err == nil {
		_, err = s.db.Exec("DETACH DATABASE old")
	}
	if err != nil {
		return err
	}
	mark := s.mark
	s.names = newNames()
	err = s.loadAll()
	s.mark = mark
	return err
}
