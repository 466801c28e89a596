package audit

import (
	"slices"

	"sluice/internal/identity"
)

// Matcher returns what tells whether f selects a record by what it holds:
// everything but Descending, Skip, Limit, After, Patience and Bodies. A text is
// looked for in the bodies that the record comes with. It may be called from any
// goroutine.
func (f Filter) Matcher() func(*Record) bool {
	text := newFinder(f.Text)
	return func(r *Record) bool { return f.selects(r) && text.in(r) }
}

// selects is Matcher without the text.
func (f *Filter) selects(r *Record) bool {
	from, to := f.bounds()
	if at := nanoseconds(r.Time); at < from || at >= to {
		return false
	}
	if f.ID != "" && r.ID != f.ID || !f.kind(r.Kind()) {
		return false
	}
	caller, addr := r.caller()
	return f.who(caller, addr) && f.what(r)
}

func (f *Filter) kind(kind string) bool {
	return within(f.Kinds, kind) && !slices.Contains(f.Except, kind)
}

// underWay is selects for an exchange that has not ended, by its row.
func (f *Filter) underWay(r *row) bool {
	from, to := f.bounds()
	return r.time >= from && r.time < to && f.beyond(r.time, r.seq) && (f.ID == "" || f.ID == r.id) &&
		f.kind(r.what.kind) && f.who(r.caller, r.addr) && f.about(&r.what)
}

// caller returns who a record is about, and from where.
func (r *Record) caller() (*identity.Caller, string) {
	switch {
	case r.Event != nil:
		return r.Event.By, r.Event.ClientAddr
	case r.Exchange != nil:
		return r.Exchange.Caller, r.Exchange.ClientAddr
	}
	return nil, ""
}

// who holds a caller to the filter.
func (f *Filter) who(c *identity.Caller, addr string) bool {
	if c == nil {
		c = &identity.Caller{}
	}
	user := len(f.Users) == 0 || slices.Contains(f.Users, c.UserID) || slices.Contains(f.Users, c.UserName)
	member := len(f.Organizations) == 0 || slices.ContainsFunc(c.Organizations, func(o string) bool {
		return slices.Contains(f.Organizations, o)
	})
	return user && member && within(f.Projects, c.Project) && within(f.Executions, c.Execution) && within(f.ClientAddrs, host(addr))
}

// what holds what a record is about to the filter.
func (f *Filter) what(r *Record) bool {
	var w whatKey
	switch {
	case r.Event != nil:
		w = eventWhat(r.Event)
	case r.Exchange != nil:
		w = exchangeWhat(r.Exchange)
		if r.Outcome != nil {
			w.ended(r.Outcome)
		}
	}
	return f.about(&w)
}

func (f *Filter) about(w *whatKey) bool {
	return f.target(w) && within(f.Results, w.result) && f.status(w.status) &&
		tried(f.Providers, w.providers) && tried(f.Models, w.models)
}

// target holds what a record is about to the filter's endpoints and targets.
func (f *Filter) target(w *whatKey) bool {
	if len(f.EndpointIDs)+len(f.EndpointNames) > 0 && (w.targetType != TargetEndpoint ||
		!slices.Contains(f.EndpointIDs, w.targetID) && !slices.Contains(f.EndpointNames, w.targetName)) {
		return false
	}
	return within(f.TargetTypes, w.targetType) && within(f.TargetIDs, w.targetID) && within(f.TargetNames, w.targetName)
}

func (f *Filter) status(status int) bool {
	return len(f.Statuses) == 0 || slices.ContainsFunc(f.Statuses, func(s Status) bool { return s.Low <= status && status <= s.High })
}

// within reports whether a list asks for the value, as an empty one does for any.
func within(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }

// tried reports whether a list asks for one of the values of a set.
func tried(list []string, set string) bool {
	return len(list) == 0 || slices.ContainsFunc(list, func(v string) bool { return inSet(set, v) })
}
