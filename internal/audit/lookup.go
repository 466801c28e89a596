package audit

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// queryPage is how many rows are read from an index at a time. Nothing is held
// open in it while records are handed on.
const queryPage = 500

// indexSource yields the hits of one partition, page by page.
type indexSource struct {
	f     *Filter
	home  day
	db    *sql.DB
	give  func()
	gone  func() bool // retention has dropped the partition
	plan  *plan
	page  []hit
	after Cursor
	begun bool
	over  bool
}

func openIndex(ctx context.Context, r *readers, p part, live bool, f *Filter) (source, error) {
	db, err := r.acquire(ctx, p, live)
	if err != nil {
		return nil, err
	}
	s := &indexSource{
		f: f, home: p.span.day, db: db, after: f.After,
		give: func() { r.release(p.partition) }, gone: func() bool { return r.gone(p) },
	}
	if s.plan, err = f.compile(ctx, db); err != nil {
		defer s.close()
		if s.gone() {
			return nil, errDropped
		}
		return nil, fmt.Errorf("querying %s: %w", s.home.dbName(), err)
	}
	s.over = s.plan.none
	return s, nil
}

func (s *indexSource) close() {
	if s.give != nil {
		s.give()
		s.give = nil
	}
}

func (s *indexSource) next(ctx context.Context) (hit, bool, error) {
	if len(s.page) == 0 && !s.over {
		if err := s.load(ctx); err != nil {
			if s.gone() {
				return hit{}, false, nil
			}
			return hit{}, false, fmt.Errorf("querying %s: %w", s.home.dbName(), err)
		}
	}
	if len(s.page) == 0 {
		return hit{}, false, nil
	}
	h := s.page[0]
	s.page = s.page[1:]
	return h, true, nil
}

// load reads the next page.
func (s *indexSource) load(ctx context.Context) error {
	size := queryPage
	if wanted := s.f.Skip + s.f.Limit; s.f.Limit > 0 && wanted < size && len(s.f.Text) == 0 && !s.begun {
		size = wanted
	}
	query, args := s.plan.page(s.f, s.after, size)
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	page := make([]hit, 0, size)
	for rows.Next() {
		h := hit{second: place{day: s.home}}
		var firstDay int64
		if err := rows.Scan(&h.time, &h.seq, &firstDay, &h.first.off, &h.second.off); err != nil {
			return err
		}
		h.first.day = s.home
		if firstDay != 0 {
			h.first.day = day(firstDay)
		}
		page = append(page, h)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	s.begun = true
	s.over = s.plan.whole || len(page) < size
	// The order of a statement within another is not promised.
	slices.SortFunc(page, func(a, b hit) int { return s.f.compare(a, b) })
	if s.page = page; len(page) > 0 {
		last := page[len(page)-1]
		s.after = Cursor{asTime(last.time), last.seq}
	}
	return nil
}
