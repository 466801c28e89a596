package usage

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"sluice/internal/audit"
	"sluice/internal/state"
)

// format is the version of the file.
const format = 1

// level is a length of blocks. Every exchange is in a block of each, until hours
// are old.
type level int

const (
	levelHour  level = 1
	levelDay   level = 2 // UTC
	levelMonth level = 3 // UTC
)

// start is where the block begins that a time is in, in Unix seconds.
func (l level) start(at time.Time) int64 {
	at = at.UTC()
	switch l {
	case levelHour:
		return at.Truncate(hour).Unix()
	case levelDay:
		return at.Truncate(day).Unix()
	}
	return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC).Unix()
}

// end is where the block ends that begins at start.
func (l level) end(start int64) int64 {
	switch l {
	case levelHour:
		return start + int64(hour/time.Second)
	case levelDay:
		return start + int64(day/time.Second)
	}
	return time.Unix(start, 0).UTC().AddDate(0, 1, 0).Unix()
}

// kept is where the blocks begin that are kept.
func (l level) kept(now time.Time) int64 {
	if l == levelHour {
		return now.UTC().Truncate(day).AddDate(0, 0, -HourDays).Unix()
	}
	y, m, _ := now.UTC().Date()
	return time.Date(y, m-Months, 1, 0, 0, 0, 0, time.UTC).Unix()
}

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// maxParts is how many parts a block may have before they are merged.
const maxParts = 48

// errFormat says that the file is of another version, or damaged.
var errFormat = errors.New("the file of usage is not of this version")

const schema = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE label (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL);
CREATE TABLE series (id INTEGER PRIMARY KEY, endpoint INTEGER NOT NULL, user INTEGER NOT NULL, organizations INTEGER NOT NULL,
	model INTEGER NOT NULL, project INTEGER NOT NULL);
CREATE TABLE block (part INTEGER PRIMARY KEY, level INTEGER NOT NULL, start INTEGER NOT NULL, total BLOB NOT NULL,
	data BLOB NOT NULL);
CREATE INDEX block_start ON block (level, start);
`

// store is the file.
type store struct {
	path  string
	db    *sql.DB // one connection, for writing
	read  *sql.DB
	names *names
	mark  audit.Mark
	since time.Time // what came before is not counted, or was taken over
	parts map[blockKey]int
}

type blockKey struct {
	level level
	start int64 // Unix seconds
}

// openStore opens the file, and makes it when there is none. The error is
// errFormat where it can't be used.
func openStore(path string) (*store, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	s := &store{path: path, names: newNames(), parts: map[blockKey]int{}}
	if s.db, err = openDB(path, "&_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"); err != nil {
		return nil, err
	}
	s.db.SetMaxOpenConns(1)
	if err = s.load(); err == nil {
		s.read, err = openDB(path, "&_pragma=query_only(1)")
	}
	if err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

func openDB(path, options string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(5000)&_pragma=trusted_schema(0)"+options)
}

func (s *store) close() error {
	return errors.Join(s.read.Close(), s.db.Close())
}

// remove deletes the files of a store that is closed.
func removeStore(path string) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// load reads everything but the blocks.
func (s *store) load() error {
	var version, tables int
	err := s.db.QueryRow("PRAGMA user_version").Scan(&version)
	if err == nil {
		err = s.db.QueryRow("SELECT count(*) FROM sqlite_master").Scan(&tables)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errFormat, err)
	}
	if version == 0 && tables == 0 {
		_, err := s.db.Exec(schema + fmt.Sprintf("PRAGMA user_version = %d;", format))
		return err
	}
	if version != format {
		return fmt.Errorf("%w: it is of version %d", errFormat, version)
	}
	if err := s.loadAll(); err != nil {
		return fmt.Errorf("%w: %w", errFormat, err)
	}
	return nil
}

func (s *store) loadAll() error {
	n := s.names
	for _, q := range []struct {
		query string
		row   func(scan func(...any) error) error
	}{
		{"SELECT key, value FROM meta", func(scan func(...any) error) (err error) {
			var key, value string
			if err = scan(&key, &value); err != nil {
				return err
			}
			switch key {
			case "mark":
				s.mark, err = audit.ParseMark(value)
			case "since":
				s.since, err = time.Parse(time.RFC3339, value)
			}
			return err
		}},
		{"SELECT id, kind, key, name FROM label ORDER BY id", func(scan func(...any) error) error {
			var id int
			var l label
			if err := scan(&id, &l.kind, &l.key, &l.name); err != nil {
				return err
			}
			if id != len(n.labels) {
				return errors.New("a label is missing")
			}
			n.labelOf[label{kind: l.kind, key: l.key}] = uint32(id)
			n.labels = append(n.labels, l)
			return nil
		}},
		{"SELECT id, endpoint, user, organizations, model, project FROM series ORDER BY id", func(scan func(...any) error) error {
			var id int
			var v series
			if err := scan(&id, &v.endpoint, &v.user, &v.organizations, &v.model, &v.project); err != nil {
				return err
			}
			if known := uint32(len(n.labels)); id != len(n.series) || max(v.endpoint, v.user, v.organizations, v.model, v.project) >= known {
				return errors.New("a series is missing")
			}
			n.seriesOf[v] = uint32(id)
			n.series = append(n.series, v)
			return nil
		}},
		{"SELECT level, start, count(*) FROM block GROUP BY level, start HAVING count(*) > 1", func(scan func(...any) error) error {
			var key blockKey
			var count int
			err := scan(&key.level, &key.start, &count)
			s.parts[key] = count
			return err
		}},
	} {
		if err := state.Each(s.db, q.query, q.row); err != nil {
			return err
		}
	}
	n.saved, n.savedOf = len(n.labels), len(n.series)
	return nil
}

// move renames a store that is closed.
func moveStore(from, to string) error {
	if err := removeStore(to); err != nil {
		return err
	}
	return errors.Join(os.Rename(from, to), syncDir(filepath.Dir(to)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
