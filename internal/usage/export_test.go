package usage

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
)

// Crash ends the counting without counting what is left.
func Crash(u *Usage) {
	u.stop()
	<-u.over
	u.follower.Close()
	u.store.close()
}

// Exec runs a statement in a file.
func Exec(t testing.TB, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.Exec(statement)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

// Blocks is how many blocks and parts of blocks there are.
func Blocks(t testing.TB, u *Usage) (n int) {
	t.Helper()
	require.NoError(t, u.store.read.QueryRow("SELECT count(*) FROM block").Scan(&n))
	return n
}

// Fail makes writing fail, or work again.
func Fail(u *Usage, failing bool) {
	statement := "PRAGMA query_only(0)"
	if failing {
		statement = "PRAGMA query_only(1)"
	}
	if _, err := u.store.db.Exec(statement); err != nil {
		panic(err)
	}
}

// Fill writes blocks of days, without a trail.
func Fill(t testing.TB, u *Usage, days int, cells func(day int, add func(endpoint, user, organizations, model string, f *Figures))) {
	t.Helper()
	s := u.store
	today := u.opts.Now().UTC().Truncate(day)
	for d := range days {
		start := today.AddDate(0, 0, d-days+1)
		b := batch{hours: map[int64]rows{}, mark: s.mark}
		cells(d, func(endpoint, user, organizations, model string, f *Figures) {
			n := s.names
			v := series{
				endpoint: n.number(kindEndpoint, endpoint, endpoint), user: n.number(kindUser, user, user),
				organizations: n.number(kindOrganizations, organizations, ""), model: n.number(kindModel, model, ""),
			}
			id, known := n.seriesOf[v]
			if !known {
				id = uint32(len(n.series))
				n.series, n.seriesOf[v] = append(n.series, v), id
			}
			at := start.Add(time.Duration(int(id)%24) * hour).Unix()
			if b.hours[at] == nil {
				b.hours[at] = rows{}
			}
			b.hours[at].of(id).add(f)
		})
		require.NoError(t, s.commit(&b, u.opts.Now()))
	}
	require.NoError(t, s.tidy(u.opts.Now()))
}

// Add counts one exchange.
func (f *Figures) Add(o *audit.Outcome, streamed bool) { f.count(o, streamed) }
