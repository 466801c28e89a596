package usage

import (
	"database/sql"
	"fmt"
	"time"

	"sluice/internal/audit"
	"sluice/internal/state"
)

// operationAPI is the operation of records about calls of the REST API, which
// are no calls of a model.
const operationAPI = "api"

// batch is what was fetched from the trail and is not in the file yet.
type batch struct {
	hours map[int64]rows // by the start of the hour, Unix seconds
	count int            // things fetched
	mark  audit.Mark
}

// collect adds what a follower handed on.
func (s *store) collect(b *batch, list []audit.Ended, mark audit.Mark) {
	if b.hours == nil {
		b.hours = map[int64]rows{}
	}
	for i := range list {
		e := &list[i]
		switch {
		case e.Event != nil:
			s.names.name(e.Event)
		case e.Operation == operationAPI, e.Time.Before(s.since):
		default:
			start := e.Time.Truncate(hour).Unix()
			if b.hours[start] == nil {
				b.hours[start] = rows{}
			}
			b.hours[start].of(s.names.of(e)).count(e.Outcome, e.Stream)
		}
	}
	b.count += len(list)
	b.mark = mark
}

// commit writes a batch and its mark, or neither.
func (s *store) commit(b *batch, now time.Time) error {
	tx, err := s.db.Begin()
	if err != nil {
		return fmt.Errorf("writing usage: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	done, err := s.saveNames(tx)
	if err != nil {
		return fmt.Errorf("writing usage: %w", err)
	}
	added, err := s.saveBlocks(tx, b, now)
	if err == nil {
		_, err = tx.Exec("INSERT OR REPLACE INTO meta (key, value) VALUES ('mark', ?)", b.mark.String())
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("writing usage: %w", err)
	}
	done()
	for key, n := range added {
		s.parts[key] = n
	}
	s.mark = b.mark
	return nil
}

// saveNames writes labels and series that are new; done notes that they were
// committed. Only the goroutine that collects gives new ones.
func (s *store) saveNames(tx *sql.Tx) (done func(), err error) {
	n := s.names
	n.mu.RLock()
	defer n.mu.RUnlock()
	for id := range n.renamed {
		if int(id) < n.saved {
			if _, err := tx.Exec("UPDATE label SET name = ? WHERE id = ?", n.labels[id].name, id); err != nil {
				return nil, err
			}
		}
	}
	for id := n.saved; id < len(n.labels); id++ {
		l := n.labels[id]
		if _, err := tx.Exec("INSERT INTO label (id, kind, key, name) VALUES (?, ?, ?, ?)", id, l.kind, l.key, l.name); err != nil {
			return nil, err
		}
	}
	for id := n.savedOf; id < len(n.series); id++ {
		v := n.series[id]
		_, err := tx.Exec("INSERT INTO series (id, endpoint, user, organizations, model, project) VALUES (?, ?, ?, ?, ?, ?)",
			id, v.endpoint, v.user, v.organizations, v.model, v.project)
		if err != nil {
			return nil, err
		}
	}
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.saved, n.savedOf = len(n.labels), len(n.series)
		clear(n.renamed)
	}, nil
}

// saveBlocks adds a part to each block that the batch touches, and returns how
// many parts these have then.
func (s *store) saveBlocks(tx *sql.Tx, b *batch, now time.Time) (map[blockKey]int, error) {
	parts := map[blockKey][][]byte{}
	for start, counted := range b.hours {
		data := counted.encode()
		for _, l := range []level{levelHour, levelDay, levelMonth} {
			key := blockKey{l, l.start(time.Unix(start, 0))}
			if key.start >= l.kept(now) {
				parts[key] = append(parts[key], data)
			}
		}
	}
	counts := map[blockKey]int{}
	for key, list := range parts {
		count := max(s.parts[key], 1) + 1 // a single part is not kept account of
		if count > maxParts {
			old, err := takeParts(tx, key)
			if err != nil {
				return nil, err
			}
			list, count = append(list, old...), 1
		}
		data, err := merge(list)
		if err != nil {
			return nil, err
		}
		if _, err := tx.Exec("INSERT INTO block (level, start, total, data) VALUES (?, ?, ?, ?)", key.level, key.start, totalOf(data), data); err != nil {
			return nil, err
		}
		counts[key] = count
	}
	return counts, nil
}

// takeParts reads the parts of a block and deletes them.
func takeParts(tx *sql.Tx, key blockKey) (parts [][]byte, err error) {
	err = state.EachOf(noContext, tx, "SELECT data FROM block WHERE level = ? AND start = ?", []any{key.level, key.start},
		func(scan func(...any) error) error {
			var data []byte
			err := scan(&data)
			parts = append(parts, data)
			return err
		})
	if err == nil {
		_, err = tx.Exec("DELETE FROM block WHERE level = ? AND start = ?", key.level, key.start)
	}
	return parts, err
}

// tidy merges the parts of the blocks whose hour or day is over, and drops what
// is too old.
func (s *store) tidy(now time.Time) error {
	tx, err := s.db.Begin()
	if err != nil {
		return fmt.Errorf("tidying usage: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	var merged []blockKey
	for key, count := range s.parts {
		if key.level.end(key.start) > now.Unix() {
			continue
		}
		merged = append(merged, key)
		if count < 2 {
			continue
		}
		list, err := takeParts(tx, key)
		var data []byte
		if err == nil {
			data, err = merge(list)
		}
		if err == nil && len(data) > 0 {
			_, err = tx.Exec("INSERT INTO block (level, start, total, data) VALUES (?, ?, ?, ?)", key.level, key.start, totalOf(data), data)
		}
		if err != nil {
			return fmt.Errorf("tidying usage: %w", err)
		}
	}
	for _, l := range []level{levelHour, levelDay, levelMonth} {
		if _, err := tx.Exec("DELETE FROM block WHERE level = ? AND start < ?", l, l.kept(now)); err != nil {
			return fmt.Errorf("tidying usage: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("tidying usage: %w", err)
	}
	for _, key := range merged {
		delete(s.parts, key)
	}
	return nil
}
