package admin

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/admin/api"
)

// The page size of listings: Domino's house default, and a bound.
const (
	defaultLimit = 10
	maxLimit     = 10_000
)

// page is the part of a listing that was asked for.
type page struct {
	offset, limit int
	search        string // lower case
	sortBy        string
	descending    bool
}

// page reads the parameters of a list as the route describes them.
func (c *call) page() (page, error) {
	return readPage(c.r.URL.Query(), c.route.doc.sortFields()...)
}

// readPage reads offset, limit, searchFilter, sortByField and
// shouldSortAscending. The first of sortFields is the default.
func readPage(q url.Values, sortFields ...string) (page, error) {
	p := page{limit: defaultLimit, search: strings.ToLower(cmp.Or(q.Get("searchFilter"), q.Get("nameFilter"))), sortBy: sortFields[0]}
	var err error
	if p.offset, err = readInt(q, "offset", 0, 0, 1<<31-1); err != nil {
		return p, err
	}
	if p.limit, err = readInt(q, "limit", defaultLimit, 1, maxLimit); err != nil {
		return p, err
	}
	ascending, err := readBool(q, "shouldSortAscending", true)
	if err != nil {
		return p, err
	}
	p.descending = !ascending
	if by := q.Get("sortByField"); by != "" {
		if !slices.Contains(sortFields, by) {
			return p, badRequest("invalid_parameter", "sortByField",
				"The parameter sortByField must be one of %s.", strings.Join(sortFields, ", "))
		}
		p.sortBy = by
	}
	return p, nil
}

// matches reports whether any of the texts contains the search.
func (p page) matches(texts ...string) bool {
	if p.search == "" {
		return true
	}
	for _, t := range texts {
		if strings.Contains(strings.ToLower(t), p.search) {
			return true
		}
	}
	return false
}

// cut returns the page of a whole list.
func cut[T any](list []T, p page) []T {
	from := min(p.offset, len(list))
	return list[from:min(from+p.limit, len(list))]
}

// order sorts a list by its keys, stably, as the page asks.
func order[T any](list []T, p page, key func(T) string) {
	type keyed struct {
		key   string
		value T
	}
	sorted := make([]keyed, len(list))
	for i, v := range list {
		sorted[i] = keyed{key(v), v}
	}
	slices.SortStableFunc(sorted, func(a, b keyed) int {
		if p.descending {
			a, b = b, a
		}
		return cmp.Compare(a.key, b.key)
	})
	for i := range sorted {
		list[i] = sorted[i].value
	}
}

func (c *call) metadata(p page, total int) api.Metadata {
	return api.Metadata{
		RequestID: c.id, Notices: []string{}, Offset: p.offset, Limit: p.limit, TotalCount: total,
		Pagination: api.Pagination{Offset: p.offset, Limit: p.limit, TotalCount: total},
	}
}

func readInt(q url.Values, key string, fallback, low, high int) (int, error) {
	text := q.Get(key)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, badRequest("invalid_parameter", key, "The parameter %s must be a whole number from %d to %d.", key, low, high)
	}
	return n, nil
}

func readBool(q url.Values, key string, fallback bool) (bool, error) {
	switch strings.ToLower(q.Get(key)) {
	case "":
		return fallback, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, badRequest("invalid_parameter", key, "The parameter %s must be true or false.", key)
}

// readTime reads an ISO 8601 time; the zero time where the parameter is absent.
func readTime(q url.Values, key string) (time.Time, error) {
	text := q.Get(key)
	if text == "" {
		return time.Time{}, nil
	}
	// A plus sign that was not percent-encoded arrives as a space.
	text = strings.ReplaceAll(text, " ", "+")
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, badRequest("invalid_parameter", key,
		"The parameter %s must be a time such as 2030-01-31T12:00:00Z.", key)
}

// readList reads a parameter that may be repeated, with or without "[]".
func readList(q url.Values, key string) []string {
	var out []string
	for _, v := range append(append([]string{}, q[key]...), q[key+"[]"]...) {
		if v != "" {
			out = append(out, v)
		}
	}
	return out
}
