package audit

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// indexSource yields the hits of one partition, page by page.
type indexSource struct {
	f       *Filter
	home    day
	db      *sql.DB
	give    func()
	gone    func() bool // retention has dropped the partition
	where   string
	args    []any
	none    bool // a name of the filter is not in the partition
	page    []hit
	after   hit
	started bool
	over    bool
}

func openIndex(ctx context.Context, r *readers, p part, live bool, f *Filter) (source, error) {
	db, err := r.acquire(ctx, p, live)
	if err != nil {
		return nil, err
	}
	s := &indexSource{f: f, home: p.span.day, db: db, give: func() { r.release(p.partition) }, gone: func() bool { return r.gone(p) }}
	if err := s.compile(ctx); err != nil {
		defer s.close()
		if s.gone() {
			return nil, errDropped
		}
		return nil, fmt.Errorf("querying %s: %w", s.home.dbName(), err)
	}
	return s, nil
}

func (s *indexSource) close() {
	if s.give != nil {
		s.give()
		s.give = nil
	}
}

// compile turns the filter into a condition. Names are looked up first, so
// that the condition is on numbers and uses the index of the column.
func (s *indexSource) compile(ctx context.Context) error {
	conditions := []string{"1"}
	and := func(condition string, args ...any) {
		conditions = append(conditions, condition)
		s.args = append(s.args, args...)
	}
	from, to := s.f.bounds()
	if !s.f.From.IsZero() {
		and("time >= ?", from)
	}
	if !s.f.To.IsZero() {
		and("time < ?", to)
	}
	if s.f.ID != "" {
		and("id = ?", idHash(s.f.ID))
	}
	for _, n := range []struct {
		column string
		a, b   []string
	}{
		{"endpoint", s.f.EndpointIDs, s.f.EndpointNames},
		{"caller", s.f.Users, s.f.Users},
		{"kind", s.f.Kinds, nil},
		{"result", s.f.Results, nil},
	} {
		if len(n.a)+len(n.b) == 0 {
			continue
		}
		ids, err := s.names(ctx, n.a, n.b)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			s.none = true
		}
		and(n.column+" IN ("+marks(len(ids))+")", ids...)
	}
	s.where = strings.Join(conditions, " AND ")
	return nil
}

// names returns the numbers of the names with a first part among a or a second
// part among b.
func (s *indexSource) names(ctx context.Context, a, b []string) ([]any, error) {
	args := make([]any, 0, len(a)+len(b))
	for _, v := range a {
		args = append(args, v)
	}
	for _, v := range b {
		args = append(args, v)
	}
	rows, err := s.db.QueryContext(ctx,
		"SELECT id FROM name WHERE a IN ("+marks(len(a))+") OR b IN ("+marks(len(b))+")", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []any
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func (s *indexSource) next(ctx context.Context) (hit, bool, error) {
	if len(s.page) == 0 && !s.over && !s.none {
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
	query, args := s.statement()
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	page := make([]hit, 0, queryPage)
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
	s.page, s.over = page, len(page) < queryPage
	if len(page) > 0 {
		s.after, s.started = page[len(page)-1], true
	}
	return nil
}

// statement is the query for the page behind the last one, or behind the
// filter's cursor.
func (s *indexSource) statement() (string, []any) {
	order, than := "", ">"
	if s.f.Descending {
		order, than = " DESC", "<"
	}
	where, args := s.where, append([]any{}, s.args...)
	switch {
	case s.started:
		where += " AND (time, seq) " + than + " (?, ?)"
		args = append(args, s.after.time, int64(s.after.seq))
	case s.f.After != Cursor{}:
		where += " AND (time, seq) " + than + " (?, ?)"
		args = append(args, s.f.After.Time.UnixNano(), int64(s.f.After.Sequence))
	}
	size := queryPage
	if s.f.Limit > 0 && s.f.Limit < size && s.f.ID == "" && !s.started {
		size = s.f.Limit
	}
	return "SELECT time, seq, first_day, first_off, second_off FROM record WHERE " + where +
		" ORDER BY time" + order + ", seq" + order + " LIMIT " + fmt.Sprint(size), args
}
