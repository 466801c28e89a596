package catalog

import (
	"cmp"
	"maps"
	"slices"

	"sluice/internal/decision"
)

// Snapshot is the catalog at one moment. It and its endpoints are immutable
// and stay valid for as long as anyone holds them.
type Snapshot struct {
	// Revision counts the changes since the start of the process.
	Revision uint64

	byName map[string]*Endpoint
	byID   map[string]*Endpoint
	sorted []*Endpoint // by name
	broken map[string]*Endpoint

	credentials map[string]*Credential // by id
}

// Get returns the endpoint with exactly that name.
func (s *Snapshot) Get(name string) (*Endpoint, bool) {
	e, ok := s.byName[name]
	return e, ok
}

// ByID returns the endpoint with the id.
func (s *Snapshot) ByID(id string) (*Endpoint, bool) {
	e, ok := s.byID[id]
	return e, ok
}

// All returns the endpoints sorted by name. The slice must not be changed.
func (s *Snapshot) All() []*Endpoint { return s.sorted }

// draft makes the next snapshot, to be changed until it is put in force. It
// shares the endpoints, which are most of the memory, with the present one.
func (s *Snapshot) draft() *Snapshot {
	return &Snapshot{
		Revision: s.Revision + 1,
		byName:   maps.Clone(s.byName),
		byID:     maps.Clone(s.byID),
		sorted:   slices.Clone(s.sorted),
		broken:   maps.Clone(s.broken),

		credentials: maps.Clone(s.credentials),
	}
}

func byName(e *Endpoint, name string) int { return cmp.Compare(e.Name, name) }

// put adds an endpoint that is whole, in place of old where that is not nil.
func (s *Snapshot) put(old, e *Endpoint) {
	if old != nil && old.Name != e.Name {
		s.remove(old)
		old = nil
	}
	e.memo = decision.NewMemo(e)
	s.byName[e.Name], s.byID[e.ID] = e, e
	delete(s.broken, e.ID)
	i, _ := slices.BinarySearchFunc(s.sorted, e.Name, byName)
	if old == nil {
		s.sorted = slices.Insert(s.sorted, i, e)
	} else {
		s.sorted[i] = e
	}
	if e.Problem != "" {
		s.broken[e.ID] = e
	}
}

func (s *Snapshot) remove(e *Endpoint) {
	delete(s.byName, e.Name)
	delete(s.byID, e.ID)
	delete(s.broken, e.ID)
	if i, found := slices.BinarySearchFunc(s.sorted, e.Name, byName); found {
		s.sorted = slices.Delete(s.sorted, i, i+1)
	}
}

// clone copies an endpoint so deep that the copy can be changed.
func (e *Endpoint) clone() *Endpoint {
	c := *e
	c.memo = nil
	c.Targets = cloneTargets(e.Targets)
	if e.Limit != nil {
		limit := *e.Limit
		c.Limit = &limit
	}
	for i, list := range c.Permissions.lists() {
		*list.subjects = slices.Clone(*e.Permissions.lists()[i].subjects)
	}
	return &c
}

// same tells whether two normalized endpoints differ in nothing that is kept.
func same(a, b *Endpoint) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Type == b.Type &&
		a.HeadTimeout == b.HeadTimeout && a.Description == b.Description && a.Disabled == b.Disabled &&
		a.AuditBodies == b.AuditBodies && sameTargets(a.Targets, b.Targets) &&
		sameLimit(a.Limit, b.Limit) && samePermissions(&a.Permissions, &b.Permissions)
}

func sameLimit(a, b *Limit) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func samePermissions(a, b *Permissions) bool {
	lists := b.lists()
	for i, list := range a.lists() {
		if !slices.Equal(*list.subjects, *lists[i].subjects) {
			return false
		}
	}
	return a.Everyone == b.Everyone
}
