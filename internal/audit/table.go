package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"sluice/internal/identity"
)

// indexFormat changes when the schema or what lines there are does: an index of
// another format is built anew.
const indexFormat = 3

// schema of an index. A row is in the index of the partition in which its
// record was completed. Whom and what records are about is kept once for all
// that have it in common; a day has some thousands of each. Columns of the two
// tables are texts, those named in the plural are sets (see setMark). The line
// 0 of each stands for anything: a reader asks the record itself.
const schema = `
CREATE TABLE IF NOT EXISTS state (
	id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER NOT NULL,
	seq INTEGER NOT NULL, hash BLOB NOT NULL, off INTEGER NOT NULL, last INTEGER NOT NULL,
	open BLOB NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL,
	complete INTEGER NOT NULL, clean INTEGER NOT NULL, boot TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS who (
	id INTEGER PRIMARY KEY, user TEXT NOT NULL, name TEXT NOT NULL, organizations TEXT NOT NULL,
	project TEXT NOT NULL, execution TEXT NOT NULL, addr TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS who_user ON who (user);
CREATE INDEX IF NOT EXISTS who_name ON who (name);
CREATE TABLE IF NOT EXISTS what (
	id INTEGER PRIMARY KEY, kind TEXT NOT NULL, result TEXT NOT NULL, status INTEGER NOT NULL,
	type TEXT NOT NULL, target TEXT NOT NULL, name TEXT NOT NULL, providers TEXT NOT NULL, models TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS what_target ON what (target);
CREATE INDEX IF NOT EXISTS what_name ON what (name);
CREATE TABLE IF NOT EXISTS record (
	time INTEGER NOT NULL, seq INTEGER NOT NULL, id INTEGER NOT NULL, who INTEGER NOT NULL, what INTEGER NOT NULL,
	first_day INTEGER NOT NULL, first_off INTEGER NOT NULL, second_off INTEGER NOT NULL,
	PRIMARY KEY (time, seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS record_id ON record (id);
CREATE INDEX IF NOT EXISTS record_who ON record (who, time, seq, what);
CREATE INDEX IF NOT EXISTS record_what ON record (what, time, seq, who);`

// tableState says how far an index goes.
type tableState struct {
	pos      position
	open     []openPlace // what is under way at pos
	times    timeRange
	complete bool // the segment has ended and is indexed whole
	clean    bool // closed in order, with everything on the disk
}

// table is the index of one partition, open for writing.
type table struct {
	path  string
	boot  string
	db    *sql.DB
	conn  *sql.Conn
	who   lines[whoKey]
	what  lines[whatKey]
	sets  map[*identity.Caller]string // organizations of callers, joined
	args  []any
	one   *sql.Stmt
	many  *sql.Stmt
	saved *sql.Stmt
}

// manyRows is how many rows one statement inserts; parsing and stepping it
// costs each row little then.
const manyRows = 32

const rowColumns = 8

func indexURI(path, query string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query
}

// openTable opens or makes the index at path. boot names the run of the
// machine: after a power failure, what was not closed in order is built anew.
func openTable(path, boot string, d day) (*table, tableState, error) {
	t, state, usable, err := tryTable(path, boot, d)
	if err == nil && usable {
		return t, state, nil
	}
	if t != nil {
		t.close()
	}
	if err != nil && !errors.Is(err, errNotAnIndex) {
		return nil, tableState{}, fmt.Errorf("opening the index: %w", err)
	}
	if err := removeIndex(path); err != nil {
		return nil, tableState{}, fmt.Errorf("removing the index: %w", err)
	}
	t, state, _, err = tryTable(path, boot, d)
	if err != nil {
		if t != nil {
			t.close()
		}
		return nil, tableState{}, fmt.Errorf("making the index: %w", err)
	}
	return t, state, nil
}

var errNotAnIndex = errors.New("the file is not an index")

func tryTable(path, boot string, d day) (*table, tableState, bool, error) {
	ctx := context.Background()
	if f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err == nil {
		f.Close() // SQLite would make it readable to all
	}
	db, err := sql.Open("sqlite", indexURI(path,
		"_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=busy_timeout(5000)&_pragma=wal_autocheckpoint(4000)"))
	if err != nil {
		return nil, tableState{}, false, err
	}
	db.SetMaxOpenConns(1)
	t := &table{path: path, boot: boot, db: db, sets: map[*identity.Caller]string{}}
	if t.conn, err = db.Conn(ctx); err != nil {
		return t, tableState{}, false, notAnIndex(err)
	}
	if _, err = t.conn.ExecContext(ctx, schema); err != nil {
		return t, tableState{}, false, notAnIndex(err)
	}
	state, usable, err := readState(ctx, t.conn, boot, d)
	if err != nil {
		return t, state, false, notAnIndex(err)
	}
	if err = t.prepare(ctx); err == nil {
		err = t.loadLines(ctx)
	}
	return t, state, usable, notAnIndex(err)
}

// notAnIndex tells a file that SQLite can't read from a disk that refuses.
func notAnIndex(err error) error {
	if err == nil {
		return nil
	}
	for _, sign := range []string{"not a database", "malformed", "no such column", "has no column"} {
		if strings.Contains(err.Error(), sign) {
			return fmt.Errorf("%w: %w", errNotAnIndex, err)
		}
	}
	return err
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// readState reads how far an index goes, and whether that can be relied on.
func readState(ctx context.Context, q querier, boot string, d day) (tableState, bool, error) {
	s := tableState{times: noTimes, pos: position{day: d}}
	var format int
	var hash, open []byte
	var writtenAt string
	err := q.QueryRowContext(ctx,
		`SELECT format, seq, hash, off, last, open, lo, hi, complete, clean, boot FROM state`).Scan(
		&format, &s.pos.seq, &hash, &s.pos.off, &s.pos.last, &open, &s.times.lo, &s.times.hi, &s.complete, &s.clean, &writtenAt)
	if errors.Is(err, sql.ErrNoRows) {
		return s, true, nil
	}
	if err != nil {
		return s, false, err
	}
	places, whole := decodeOpen(open)
	if format != indexFormat || len(hash) != len(s.pos.hash) || !whole {
		return s, false, nil
	}
	s.pos.hash, s.open = chainHash(hash), places
	return s, s.clean || writtenAt == boot, nil
}

func (t *table) prepare(ctx context.Context) (err error) {
	prepare := func(query string) *sql.Stmt {
		if err != nil {
			return nil
		}
		var stmt *sql.Stmt
		stmt, err = t.conn.PrepareContext(ctx, query)
		return stmt
	}
	values := "(?" + strings.Repeat(",?", rowColumns-1) + ")"
	// OR ROLLBACK: a failure ends the transaction anyway, and SQLite then keeps
	// no journal for each statement.
	t.one = prepare("INSERT OR ROLLBACK INTO record VALUES " + values)
	t.many = prepare("INSERT OR ROLLBACK INTO record VALUES " + values + strings.Repeat(","+values, manyRows-1))
	t.who.add = prepare("INSERT INTO who VALUES (?, ?, ?, ?, ?, ?, ?)")
	t.what.add = prepare("INSERT INTO what VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
	t.saved = prepare("INSERT OR REPLACE INTO state VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
	return err
}

// commit inserts rows and saves the state, or does neither.
func (t *table) commit(rows []*row, state tableState) (err error) {
	ctx := context.Background()
	if _, err = t.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("beginning a batch of the index: %w", err)
	}
	t.who.begin()
	t.what.begin()
	if err = t.insert(ctx, rows, state.pos.day); err == nil {
		err = t.save(ctx, state)
	}
	if err == nil {
		_, err = t.conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		t.conn.ExecContext(ctx, "ROLLBACK")
		t.who.undo()
		t.what.undo()
		return fmt.Errorf("writing a batch of the index: %w", err)
	}
	return nil
}

func (t *table) insert(ctx context.Context, rows []*row, home day) error {
	for len(rows) > 0 {
		n, stmt := 1, t.one
		if len(rows) >= manyRows {
			n, stmt = manyRows, t.many
		}
		t.args = t.args[:0]
		for _, r := range rows[:n] {
			if err := t.bind(ctx, r, home); err != nil {
				return err
			}
		}
		if _, err := stmt.ExecContext(ctx, t.args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// bind appends the columns of one row.
func (t *table) bind(ctx context.Context, r *row, home day) error {
	who, err := t.who.number(ctx, callerWho(r.caller, t.organizations(r.caller), r.addr), false, whoKey.clone, whoKey.columns)
	if err != nil {
		return err
	}
	what, err := t.what.number(ctx, r.what, slices.Contains(tellingKinds, r.what.kind), whatKey.clone, whatKey.columns)
	if err != nil {
		return err
	}
	firstDay, firstOff := int64(0), int64(-1) // -1: the request half is not there any more
	if r.first != r.second {
		firstOff = r.first.off
	}
	if r.first.day != home {
		firstDay = int64(r.first.day)
	}
	t.args = append(t.args, r.time, int64(r.seq), idHash(r.id), who, what, firstDay, firstOff, r.second.off)
	return nil
}

func (t *table) save(ctx context.Context, s tableState) error {
	_, err := t.saved.ExecContext(ctx, indexFormat, int64(s.pos.seq), s.pos.hash[:], s.pos.off, s.pos.last,
		encodeOpen(s.open), s.times.lo, s.times.hi, s.complete, s.clean, t.boot)
	return err
}

// finish saves a state that can be relied on after a power failure, and closes
// the index.
func (t *table) finish(state tableState) error {
	ctx := context.Background()
	defer t.close()
	state.clean = true
	for _, pragma := range []string{"PRAGMA synchronous=FULL", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := t.conn.ExecContext(ctx, pragma); err != nil {
			return fmt.Errorf("closing the index: %w", err)
		}
	}
	if err := t.commit(nil, state); err != nil {
		return err
	}
	// Without a write-ahead log a reader needs no further files; a reader of
	// this moment makes SQLite refuse, and then it stays as it is.
	t.conn.ExecContext(ctx, "PRAGMA busy_timeout=0")
	t.conn.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	t.conn.ExecContext(ctx, "PRAGMA journal_mode=DELETE")
	return nil
}

func (t *table) close() {
	for _, s := range []*sql.Stmt{t.one, t.many, t.who.add, t.what.add, t.saved} {
		if s != nil {
			s.Close()
		}
	}
	if t.conn != nil {
		t.conn.Close()
	}
	t.db.Close()
}

// tellingKinds are the kinds of the events that tell of the trail itself. A start
// finds them by the index alone, so each has a line however many others there are.
var tellingKinds = []string{KindPartitionDropped, KindRecordsMissing, KindCreateHold, KindDeleteHold, KindSetHolds}

// firsts returns where the first frames of the records of these kinds are, in
// the order of time. They are of tellingKinds.
func (t *table) firsts(kinds ...string) (offsets []int64, err error) {
	args := make([]any, len(kinds))
	for i, k := range kinds {
		args[i] = k
	}
	rows, err := t.conn.QueryContext(context.Background(),
		"SELECT first_off FROM record WHERE what IN (SELECT id FROM what WHERE kind IN ("+marks(len(kinds))+")) ORDER BY time, seq", args...)
	if err != nil {
		return nil, fmt.Errorf("reading the index: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var off int64
		if err := rows.Scan(&off); err != nil {
			return nil, fmt.Errorf("reading the index: %w", err)
		}
		offsets = append(offsets, off)
	}
	return offsets, rows.Err()
}

// removeIndex removes the files of an index, and what was made of it.
func removeIndex(path string) error {
	for _, name := range []string{path + "-wal", path + "-shm", path + "-journal", path, namesPath(path)} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// peekIndex reads the state of an index that nobody writes, and changes
// nothing.
func peekIndex(path string, d day) (tableState, error) {
	db, err := sql.Open("sqlite", indexURI(path, "mode=ro&immutable=1"))
	if err != nil {
		return tableState{}, err
	}
	defer db.Close()
	state, _, err := readState(context.Background(), db, "", d)
	return state, err
}
