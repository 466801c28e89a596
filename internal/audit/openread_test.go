package audit_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// folder returns the size and time of every file but the indexes and locks.
func folder(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if ext := filepath.Ext(path); d.Type().IsRegular() && ext == ".log" || ext == ".json" {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			found[path] = string(data)
		}
		return nil
	}))
	return found
}

func TestOpenRead(t *testing.T) {
	c := newClock(noon)
	opts := audit.Options{Dir: t.TempDir(), Now: c.Now}
	trail, err := audit.Open(opts)
	require.NoError(t, err)
	_, err = audit.OpenRead(opts.Dir)
	require.ErrorIs(t, err, audit.ErrLocked)
	for day := range 3 {
		record(t, trail, name("d", day))
		require.NoError(t, trail.Begin(exchange(name("open", day)), []byte("asked")))
		c.Add(24 * time.Hour)
	}
	want := ids(query(t, trail, audit.Filter{}))
	audit.CrashFiles(trail)

	check := func(t *testing.T, dir string) {
		before := folder(t, dir)
		for range 2 { // with indexes that are there, and with those that it made
			trail, err := audit.OpenRead(dir)
			require.NoError(t, err)
			other, err := audit.OpenRead(dir) // two may read
			require.NoError(t, err)
			defer other.Close()
			require.Equal(t, want, ids(query(t, trail, audit.Filter{})))
			require.Equal(t, []string{"d-0001"}, ids(query(t, trail, audit.Filter{ID: "d-0001"})))
			r, err := trail.Get(ctx, "d-0002")
			require.NoError(t, err)
			require.Equal(t, `{"a":"d-0002"}`, string(r.ResponseBody))
			r, err = trail.Get(ctx, "open-0001")
			require.NoError(t, err)
			require.Nil(t, r.Outcome)
			verified(t, trail)
			require.ErrorIs(t, trail.Begin(exchange("x"), nil), audit.ErrClosed)
			require.ErrorIs(t, trail.Event(&audit.Event{Kind: "X"}), audit.ErrClosed)
			require.ErrorIs(t, trail.End("open-0001", answered(), nil), audit.ErrClosed)
			_, err = audit.Open(audit.Options{Dir: dir})
			require.ErrorIs(t, err, audit.ErrLocked)
			require.NoError(t, trail.Close())
			require.ErrorIs(t, trail.Query(ctx, audit.Filter{}, nil), audit.ErrClosed)
			require.NoError(t, other.Close())
		}
		require.Equal(t, before, folder(t, dir))
	}
	t.Run("as a crash left it", func(t *testing.T) { check(t, copyDir(t, opts.Dir)) })
	t.Run("without indexes", func(t *testing.T) {
		dir := copyDir(t, opts.Dir)
		dbs, err := filepath.Glob(filepath.Join(dir, "*.db*"))
		require.NoError(t, err)
		for _, db := range dbs {
			require.NoError(t, os.Remove(db))
		}
		check(t, dir)
		// A gateway goes on with the indexes that were made.
		trail := openTrail(t, audit.Options{Dir: dir, Now: c.Now})
		record(t, trail, "later")
		require.Subset(t, ids(query(t, trail, audit.Filter{})), append(want, "later"))
		verified(t, trail)
	})
	t.Run("with a torn end", func(t *testing.T) {
		dir := copyDir(t, opts.Dir)
		f, err := os.OpenFile(filepath.Join(dir, logs(t, dir)[len(logs(t, dir))-1]+".log"), os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteString("SLA")
		require.NoError(t, err)
		require.NoError(t, f.Close())
		check(t, dir)
	})
	t.Run("nothing there", func(t *testing.T) {
		_, err := audit.OpenRead(t.TempDir())
		require.ErrorIs(t, err, audit.ErrDamaged)
		_, err = audit.OpenRead(filepath.Join(t.TempDir(), "none"))
		require.ErrorIs(t, err, os.ErrNotExist)
	})
}
