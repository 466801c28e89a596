package usage

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/internal/state"
)

// maxWorkers bounds how many goroutines add up blocks, while one reads them.
const maxWorkers = 4

// stored is a block, or its total, as it was read.
type stored struct {
	start int64
	data  []byte
}

// sum reads the blocks of the spans, at one moment, and adds them up.
func (s *store) sum(ctx context.Context, q *Query, spans []span, from, to time.Time) (*Answer, error) {
	tx, err := s.read.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // it only reads
	var group sync.WaitGroup
	blocks := make(chan stored, 2*maxWorkers)
	workers := make([]*summer, min(maxWorkers, runtime.GOMAXPROCS(0)))
	for i := range workers {
		w := newSummer(q, s.names, from, to)
		workers[i] = w
		group.Go(func() {
			for b := range blocks {
				if w.err == nil {
					w.err = w.block(b.start, b.data)
				}
			}
		})
	}
	err = readBlocks(ctx, tx, workers[0].onlyTotals(), spans, blocks)
	close(blocks)
	group.Wait()
	all := workers[0]
	for _, w := range workers {
		err = errors.Join(err, w.err)
		if w != all {
			all.merge(w)
		}
	}
	if err != nil {
		return nil, err
	}
	return all.finish(), nil
}

func readBlocks(ctx context.Context, q state.Queryer, onlyTotals bool, spans []span, to chan<- stored) error {
	column := "data"
	if onlyTotals {
		column = "total"
	}
	for _, v := range spans {
		err := state.EachOf(ctx, q, "SELECT start, "+column+" FROM block WHERE level = ? AND start >= ? AND start < ?", []any{v.level, v.from, v.to},
			func(scan func(...any) error) error {
				var b stored
				err := scan(&b.start, &b.data)
				if err == nil {
					to <- b
				}
				return err
			})
		if err != nil {
			return err
		}
	}
	return nil
}

// summer adds up the blocks of one query.
type summer struct {
	q      *Query
	names  *names
	answer *Answer
	rows   map[string]*Row // but for ByTime
	lists  struct{ endpoints, users, organizations, providers, models, projects set }

	labels []label
	series []series
	// into has, for each series, the figures that its rows are added to; nil
	// where it was not looked at yet, empty where it is not selected.
	into       [][]*Figures
	at         *Figures // of the interval, with ByTime
	everything bool     // nothing is left out: totals of blocks will do
	err        error
}

func newSummer(q *Query, n *names, from, to time.Time) *summer {
	s := &summer{q: q, names: n, answer: &Answer{From: from, To: to}, rows: map[string]*Row{}}
	l := &s.lists
	l.endpoints, l.users, l.organizations = setOf(q.Endpoints), setOf(q.Users), setOf(q.Organizations)
	l.providers, l.models, l.projects = setOf(q.Providers), setOf(q.Models), setOf(q.Projects)
	s.everything = l.endpoints == nil && l.users == nil && l.organizations == nil &&
		l.providers == nil && l.models == nil && l.projects == nil
	if q.GroupBy == ByTime {
		s.intervals()
	}
	return s
}

// interval is the length of the rows with ByTime.
func (q *Query) interval() time.Duration {
	if q.Hourly {
		return hour
	}
	return day
}

// intervals makes the rows of ByTime.
func (s *summer) intervals() {
	step := s.q.interval()
	for at := s.answer.From.Truncate(step); at.Before(s.answer.To); at = at.Add(step) {
		s.answer.Rows = append(s.answer.Rows, &Row{Start: at})
	}
}

// block adds the rows of one block.
func (s *summer) block(start int64, data []byte) error {
	if s.q.GroupBy == ByTime {
		step := s.q.interval()
		i := int(time.Unix(start, 0).Sub(s.answer.From.Truncate(step)) / step)
		s.at = &s.answer.Rows[i].Figures
	}
	unknown := false
	err := walk(data, func(id uint32, r *reader) bool {
		if id == total {
			return s.ofTotal(r)
		}
		if int(id) >= len(s.series) {
			s.extend()
		}
		if unknown = int(id) >= len(s.series); unknown {
			return false
		}
		if s.into[id] == nil {
			s.into[id] = s.choose(s.series[id])
		}
		if into := s.into[id]; len(into) > 0 {
			s.add(r, into)
		}
		return true
	})
	if unknown {
		return errBlock
	}
	return err
}

// ofTotal takes the sum of a whole block, where nothing is left out. It reports
// whether single rows are needed too.
func (s *summer) ofTotal(r *reader) bool {
	if !s.everything {
		return true
	}
	if s.at != nil {
		r.addTo(s.at)
		return false
	}
	r.addTo(&s.answer.Total)
	return true
}

// add adds a row to the figures that it belongs to.
func (s *summer) add(r *reader, into []*Figures) {
	if s.at != nil {
		r.addTo(s.at)
		return
	}
	start := r.at
	if !s.everything {
		r.addTo(&s.answer.Total)
	}
	for _, f := range into {
		r.at = start
		r.addTo(f)
	}
}

// extend reads the names anew: a block may have some that are new.
func (s *summer) extend() {
	s.labels, s.series = s.names.snapshot()
	s.into = append(s.into, make([][]*Figures, len(s.series)-len(s.into))...)
}

// unselected are the figures of a series that the query does not select.
var unselected = []*Figures{}

// choose returns the figures that the rows of a series are added to.
func (s *summer) choose(v series) []*Figures {
	endpoint, user, project := s.labels[v.endpoint].key, s.labels[v.user].key, s.labels[v.project].key
	provider, model, _ := strings.Cut(s.labels[v.model].key, "/")
	var organizations []string
	if set := s.labels[v.organizations].key; set != "" {
		organizations = strings.Split(set, ",")
	}
	l := &s.lists
	if !l.endpoints.has(endpoint) || !l.users.has(user) || !l.projects.has(project) || !l.providers.has(provider) || !l.models.has(model) {
		return unselected
	}
	if l.organizations != nil {
		organizations = slices.DeleteFunc(organizations, func(id string) bool { return !l.organizations.has(id) })
		if len(organizations) == 0 {
			return unselected
		}
	}
	switch s.q.GroupBy {
	case ByEndpoint:
		return []*Figures{s.row(kindEndpoint, endpoint)}
	case ByUser:
		return []*Figures{s.row(kindUser, user)}
	case ByModel:
		return []*Figures{s.row(kindModel, s.labels[v.model].key)}
	case ByProject:
		return []*Figures{s.row(kindProject, project)}
	case ByOrganization:
		if organizations == nil {
			organizations = []string{""}
		}
		var into []*Figures // the rows overlap
		for _, id := range organizations {
			into = append(into, s.row(kindOrganization, id))
		}
		return into
	}
	return []*Figures{nil} // the row is that of the block
}

// row returns the figures of a group.
func (s *summer) row(kind, key string) *Figures {
	r := s.rows[key]
	if r == nil {
		r = &Row{Key: key}
		if id, known := s.names.find(kind, key); known && int(id) < len(s.labels) {
			r.Name = s.labels[id].name
		}
		s.rows[key] = r
		s.answer.Rows = append(s.answer.Rows, r)
	}
	return &r.Figures
}

// merge adds what another one has summed up.
func (s *summer) merge(o *summer) {
	s.answer.Total.add(&o.answer.Total)
	for i, r := range o.answer.Rows {
		switch {
		case s.q.GroupBy == ByTime:
			s.answer.Rows[i].add(&r.Figures)
		case s.rows[r.Key] != nil:
			s.rows[r.Key].add(&r.Figures)
		default:
			s.rows[r.Key] = r
			s.answer.Rows = append(s.answer.Rows, r)
		}
	}
}

// finish adds up the intervals; with other groups that is done by row.
func (s *summer) finish() *Answer {
	if s.q.GroupBy == ByTime {
		for _, r := range s.answer.Rows {
			s.answer.Total.add(&r.Figures)
		}
	}
	return s.answer
}

// onlyTotals reports whether the totals of blocks answer the query.
func (s *summer) onlyTotals() bool { return s.everything && s.q.GroupBy == ByTime }
