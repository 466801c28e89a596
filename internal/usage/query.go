package usage

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// GroupBy is what rows of an answer are about.
type GroupBy string

// Ways to group.
const (
	ByTime         GroupBy = "time"
	ByEndpoint     GroupBy = "endpoint"
	ByOrganization GroupBy = "organization"
	ByUser         GroupBy = "user"
	ByModel        GroupBy = "model"
	ByProject      GroupBy = "project"
)

// ErrHoursGone says that single hours are asked for that are not kept any more.
var ErrHoursGone = errors.New("single hours are not kept that long")

// Query selects what is summed up. A list that is nil selects everything; lists
// select what is any of their values, different fields must all match.
type Query struct {
	// From and To are rounded out to whole hours, and to whole days where hours
	// are not kept any more.
	From, To time.Time
	GroupBy  GroupBy
	// Hourly has rows of hours instead of days, with ByTime.
	Hourly        bool
	Endpoints     []string // ids
	Users         []string // ids
	Organizations []string // ids; the caller was in any of them
	Providers     []string
	Models        []string // the providers' names
	Projects      []string
}

// Row is the sum of one group.
type Row struct {
	Start time.Time // with ByTime
	// Key is the id of the endpoint, organization or user, "provider/model", or
	// the project. "" is what has none: a caller who was not known, a call that
	// named no endpoint, a user in no organization.
	Key  string
	Name string // the last known one, "" where there is none
	Figures
}

// Answer is what a query found. Rows are in order of time with ByTime, with
// rows for intervals without any exchange; else in no order.
type Answer struct {
	From, To time.Time // as rounded
	Total    Figures
	Rows     []*Row
}

// set is what a list selects; nil selects everything.
type set map[string]bool

func setOf(list []string) set {
	if list == nil {
		return nil
	}
	s := set{}
	for _, key := range list {
		s[key] = true
	}
	return s
}

func (s set) has(key string) bool { return s == nil || s[key] }

// span is a range of blocks of one level, in Unix seconds.
type span struct {
	level    level
	from, to int64
}

// Query sums up.
func (u *Usage) Query(ctx context.Context, q Query) (*Answer, error) {
	spans, from, to, err := q.spans(u.opts.Now())
	if err != nil {
		return nil, err
	}
	u.storing.RLock()
	defer u.storing.RUnlock()
	answer, err := u.store.sum(ctx, &q, spans, from, to)
	if err != nil {
		return nil, fmt.Errorf("reading usage: %w", err)
	}
	return answer, nil
}

// spans says which blocks answer the query: whole months, days at their edges,
// and hours at the edges of these.
func (q *Query) spans(now time.Time) (spans []span, from, to time.Time, err error) {
	from, to = q.From.UTC().Truncate(hour), q.To.UTC().Add(hour-1).Truncate(hour)
	kept := time.Unix(levelHour.kept(now), 0).UTC()
	if q.GroupBy == ByTime && q.Hourly {
		if from.Before(kept) {
			return nil, from, to, fmt.Errorf("%w: they go back to %s", ErrHoursGone, kept.Format(time.RFC3339))
		}
		return []span{{levelHour, from.Unix(), to.Unix()}}, from, to, nil
	}
	if from.Before(kept) {
		from = from.Truncate(day)
	}
	if to.Before(kept) {
		to = to.Add(day - 1).Truncate(day)
	}
	longest := levelMonth
	if q.GroupBy == ByTime {
		longest = levelDay
	}
	return split(longest, from.Unix(), to.Unix()), from, to, nil
}

// split covers a range with blocks, none longer than longest.
func split(longest level, from, to int64) []span {
	if longest == levelHour {
		return []span{{levelHour, from, to}}
	}
	first := longest.start(time.Unix(from, 0))
	if first < from {
		first = longest.end(first)
	}
	last := longest.start(time.Unix(to, 0))
	if first >= last {
		return split(longest-1, from, to)
	}
	spans := split(longest-1, from, first)
	return append(append(spans, span{longest, first, last}), split(longest-1, last, to)...)
}
