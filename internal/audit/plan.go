package audit

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
)

const (
	// listed bounds how many lines a condition names one by one.
	listed = 500
	// fewRecords is how many records of a partition are rather fetched and put
	// in order than found by walking the partition by time.
	fewRecords = 2000
	// someRecords is the same for a filter that asks whom and what: walking by
	// time, both together may be seldom, and each by itself often.
	someRecords = 20_000
)

// where collects conditions.
type where struct {
	all  []string
	args []any
}

func (w *where) and(condition string, args ...any) {
	w.all = append(w.all, condition)
	w.args = append(w.args, args...)
}

// in asks a column to be one of the values, where there are any.
func (w *where) in(column string, values []string) {
	if len(values) > 0 {
		w.and(column+" IN ("+marks(len(values))+")", anys(values)...)
	}
}

// either asks one of two columns to be one of the values of its list.
func (w *where) either(a string, as []string, b string, bs []string) {
	if len(as)+len(bs) > 0 {
		w.and("("+a+" IN ("+marks(len(as))+") OR "+b+" IN ("+marks(len(bs))+"))", append(anys(as), anys(bs)...)...)
	}
}

// has asks a set to hold one of the values.
func (w *where) has(column string, values []string) {
	if len(values) == 0 {
		return
	}
	condition := column + " IN (" + marks(len(values)) + ")"
	args := anys(values)
	for _, v := range values {
		condition += " OR instr(" + column + ", ?) > 0"
		args = append(args, setMark+v+setMark)
	}
	w.and("("+condition+")", args...)
}

func anys(values []string) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// whoWhere is what a filter asks of the table who.
func (f *Filter) whoWhere() (w where) {
	w.either("user", f.Users, "name", f.Users)
	w.has("organizations", f.Organizations)
	w.in("project", f.Projects)
	w.in("execution", f.Executions)
	w.in("addr", f.ClientAddrs)
	return w
}

// whatWhere is what a filter asks of the table what.
func (f *Filter) whatWhere() (w where) {
	if len(f.EndpointIDs)+len(f.EndpointNames) > 0 {
		w.either("target", f.EndpointIDs, "name", f.EndpointNames)
		w.and("type = ?", TargetEndpoint)
	}
	w.in("target", f.TargetIDs)
	w.in("name", f.TargetNames)
	w.in("type", f.TargetTypes)
	w.has("providers", f.Providers)
	w.has("models", f.Models)
	w.in("result", f.Results)
	w.in("kind", f.Kinds)
	if len(f.Except) > 0 {
		w.and("kind NOT IN ("+marks(len(f.Except))+")", anys(f.Except)...)
	}
	if len(f.Statuses) > 0 {
		var ranges []string
		var args []any
		for _, s := range f.Statuses {
			ranges = append(ranges, "status BETWEEN ? AND ?")
			args = append(args, s.Low, s.High)
		}
		w.and("("+strings.Join(ranges, " OR ")+")", args...)
	}
	return w
}

// side is one of the two tables of a partition under a filter.
type side struct {
	table string
	where
	lines []int64 // that fulfil it, at most listed+1
}

func (s *side) asked() bool { return len(s.all) > 0 }

// find finds the lines.
func (s *side) find(ctx context.Context, db *sql.DB) error {
	if !s.asked() {
		return nil
	}
	rows, err := db.QueryContext(ctx, "SELECT id FROM "+s.table+" WHERE "+s.condition()+" LIMIT "+strconv.Itoa(listed+1), s.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return err
		}
		s.lines = append(s.lines, n)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var last sql.NullInt64
	if err := db.QueryRowContext(ctx, "SELECT max(id) FROM "+s.table).Scan(&last); err != nil {
		return err
	}
	if last.Int64 >= maxLines {
		s.lines = append(s.lines, 0) // of these the record itself knows
	}
	return nil
}

func (s *side) condition() string { return strings.Join(s.all, " AND ") }

// of is the condition on records.
func (s *side) of() (string, []any) {
	if len(s.lines) > listed {
		return s.table + " IN (SELECT id FROM " + s.table + " WHERE " + s.condition() + " UNION ALL SELECT 0)", s.args
	}
	var b strings.Builder
	for i, n := range s.lines {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(n, 10))
	}
	return s.table + " IN (" + b.String() + ")", nil
}

// count counts the records of the lines, up to a bound.
func (s *side) count(ctx context.Context, db *sql.DB, most int) (n int, err error) {
	condition, args := s.of()
	err = db.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM record INDEXED BY record_%s WHERE %s LIMIT %d)",
		s.table, condition, most), args...).Scan(&n)
	return n, err
}

// plan says how the records of a partition are found.
type plan struct {
	none bool   // there are none
	from string // the table of records, and by which of its indexes
	where
	low, high int64 // bounds of the time, the second exclusive
	whole     bool  // all are fetched at once: they don't come in order
}

// compile makes the plan for a partition.
func (f *Filter) compile(ctx context.Context, db *sql.DB) (*plan, error) {
	p := &plan{from: "record NOT INDEXED"}
	p.low, p.high = f.bounds()
	who, what := &side{table: "who", where: f.whoWhere()}, &side{table: "what", where: f.whatWhere()}
	for _, s := range []*side{who, what} {
		if err := s.find(ctx, db); err != nil {
			return nil, err
		}
		if s.asked() && len(s.lines) == 0 {
			p.none = true
			return p, nil
		}
	}
	if f.ID != "" {
		p.from = "record INDEXED BY record_id"
		p.whole = true
		p.and("id = ?", idHash(f.ID))
	} else if err := p.choose(ctx, db, who, what); err != nil {
		return nil, err
	}
	for _, s := range []*side{who, what} {
		if s.asked() {
			condition, args := s.of()
			p.and(condition, args...)
		}
	}
	return p, nil
}

// choose decides by which index the records are found.
func (p *plan) choose(ctx context.Context, db *sql.DB, who, what *side) error {
	both := who.asked() && what.asked()
	var best *side
	bound := fewRecords
	if both {
		bound = someRecords
	}
	least := bound + 1
	for _, s := range []*side{who, what} {
		switch {
		case !s.asked():
		case len(s.lines) == 1 && !both:
			p.from = "record INDEXED BY record_" + s.table
			return nil
		default:
			n, err := s.count(ctx, db, bound+1)
			if err != nil {
				return err
			}
			if best == nil || n < least {
				best, least = s, n
			}
		}
	}
	if best == nil {
		return nil
	}
	if p.whole = least <= bound; p.whole || len(best.lines) == 1 {
		p.from = "record INDEXED BY record_" + best.table
	}
	return nil
}

// scans reports whether the partition is walked by time.
func (p *plan) scans() bool { return p.from == "record NOT INDEXED" }

const hitColumns = "time, seq, first_day, first_off, second_off"

// page is the statement for records behind a place, or all that there are.
func (p *plan) page(f *Filter, behind Cursor, size int) (string, []any) {
	if p.scans() {
		return p.find(hitColumns, f, behind, size)
	}
	// What an index holds decides which records are looked up: without the
	// inner statement SQLite looks each up first.
	keys, args := p.find("time, seq", f, behind, size)
	return "SELECT " + hitColumns + " FROM (" + keys + ") CROSS JOIN record USING (time, seq)", args
}

func (p *plan) find(columns string, f *Filter, behind Cursor, size int) (string, []any) {
	order, than := "", ">"
	if f.Descending {
		order, than = " DESC", "<"
	}
	w := where{p.all[:len(p.all):len(p.all)], p.args[:len(p.args):len(p.args)]}
	low, high := p.low, p.high
	if behind != (Cursor{}) {
		// A bound that the place implies goes: SQLite would begin there, and
		// pass over all that was read before.
		at := nanoseconds(behind.Time)
		if f.Descending && at < high {
			high = maxTime
		} else if !f.Descending && at >= low {
			low = minTime
		}
		w.and("(time, seq) "+than+" (?, ?)", at, int64(behind.Sequence))
	}
	if low != minTime {
		w.and("time >= ?", low)
	}
	if high != maxTime {
		w.and("time < ?", high)
	}
	query := "SELECT " + columns + " FROM " + p.from
	if len(w.all) > 0 {
		query += " WHERE " + strings.Join(w.all, " AND ")
	}
	if columns != "1" {
		query += " ORDER BY time" + order + ", seq" + order
	}
	if !p.whole {
		query += " LIMIT " + strconv.Itoa(size)
	}
	return query, w.args
}

// count counts the records of a partition, up to a bound, without reading any.
func (p *plan) count(ctx context.Context, db *sql.DB, f *Filter, most int) (n int, err error) {
	if p.none {
		return 0, nil
	}
	q := *p
	q.whole = false
	query, args := q.find("1", f, f.After, most)
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM ("+query+")", args...).Scan(&n)
	return n, err
}

// marks returns n comma-separated placeholders.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }
