package ui

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// pageSize is how many rows a list shows.
const pageSize = 25

// listing is the part of a list that a page shows: its search, order and place,
// which are in the address.
type listing struct {
	Path   string
	Search string
	Sort   string // REST's sortByField
	Down   bool   // descending
	Offset int
	Limit  int
	Total  int // of REST's answer
	// Filters are further parameters, in the address and for REST alike.
	Filters url.Values

	first string // the default order
}

// listing reads the list's part from the address: search, sort, order, page.
// The first of sorts is the default; one that begins with "-" is descending.
// What can't be meant is taken for the default.
func (c *call) listing(sorts ...string) *listing {
	q := c.r.URL.Query()
	l := &listing{Path: c.r.URL.Path, Search: strings.TrimSpace(q.Get("search")), Limit: pageSize, Filters: url.Values{}, first: sorts[0]}
	l.Sort, l.Down = strings.TrimPrefix(sorts[0], "-"), strings.HasPrefix(sorts[0], "-")
	if s := strings.TrimPrefix(q.Get("sort"), "-"); slices.Contains(sorts, s) || slices.Contains(sorts, "-"+s) {
		l.Sort, l.Down = s, strings.HasPrefix(q.Get("sort"), "-")
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 1 && n < 1_000_000 {
		l.Offset = (n - 1) * l.Limit
	}
	return l
}

// Query is the listing as REST takes it.
func (l *listing) Query() url.Values {
	q := url.Values{"offset": {strconv.Itoa(l.Offset)}, "limit": {strconv.Itoa(l.Limit)},
		"sortByField": {l.Sort}, "shouldSortAscending": {strconv.FormatBool(!l.Down)}}
	if l.Search != "" {
		q.Set("searchFilter", l.Search)
	}
	for name, values := range l.Filters {
		q[name] = values
	}
	return q
}

// order is the order as the address says it.
func (l *listing) order() string {
	if l.Down {
		return "-" + l.Sort
	}
	return l.Sort
}

func (l *listing) address(sort string, page int) string {
	q := url.Values{}
	for name, values := range l.Filters {
		q[name] = values
	}
	if l.Search != "" {
		q.Set("search", l.Search)
	}
	if sort != l.first {
		q.Set("sort", sort)
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	if len(q) == 0 {
		return l.Path
	}
	return l.Path + "?" + q.Encode()
}

// SortBy is the address of the list in another order: by the field, or the
// other way round where it is by that field already.
func (l *listing) SortBy(field string) string {
	if l.Sort == field && !l.Down {
		field = "-" + field
	}
	return l.address(field, 1)
}

// Current is the address of the list as it is, on its first page.
func (l *listing) Current() string { return l.address(l.order(), 1) }

// Order is the order where it is not the default, for the search's hidden field.
func (l *listing) Order() string {
	if o := l.order(); o != l.first {
		return o
	}
	return ""
}

// Page, Pages, Previous and Next are for the pager; "" where there is none.
func (l *listing) Page() int  { return l.Offset/l.Limit + 1 }
func (l *listing) Pages() int { return max(1, (l.Total+l.Limit-1)/l.Limit) }

func (l *listing) Previous() string {
	if l.Page() <= 1 {
		return ""
	}
	return l.address(l.order(), min(l.Page()-1, l.Pages()))
}

func (l *listing) Next() string {
	if l.Page() >= l.Pages() {
		return ""
	}
	return l.address(l.order(), l.Page()+1)
}

// From and To are the places of the first and last row that is shown.
func (l *listing) From() int { return min(l.Offset+1, l.Total) }
func (l *listing) To() int   { return min(l.Offset+l.Limit, l.Total) }

// Narrowed reports whether the list is searched or filtered.
func (l *listing) Narrowed() bool { return l.Search != "" || len(l.Filters) > 0 }
