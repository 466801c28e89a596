package catalog

import (
	"context"
	"fmt"
)

// What Apply did to an endpoint.
const (
	Created   = "created"
	Updated   = "updated"
	Unchanged = "unchanged"
)

// Change says what Apply did to one endpoint. The endpoints are the snapshot's
// and must not be changed.
type Change struct {
	Name   string
	Action string    // Created, Updated or Unchanged
	Before *Endpoint // nil where the endpoint was created
	After  *Endpoint
}

// Apply makes the endpoints exist as they are given, all in one transaction:
// when one is bad, nothing changes. An endpoint whose name exists keeps its id;
// its type, target, credentials and limit become the given ones, and so do its
// permissions, unless the given ones are empty: then the present ones are kept.
// The changes come in the order of the endpoints. A name given twice is
// ErrExists.
func (s *Store) Apply(ctx context.Context, endpoints []Endpoint) ([]Change, error) {
	var changes []Change
	err := s.mutate(ctx, func(w *writer) error {
		changes = make([]Change, 0, len(endpoints))
		seen := make(map[string]bool, len(endpoints))
		for i := range endpoints {
			name := endpoints[i].Name
			if seen[name] {
				return fmt.Errorf("endpoint %s: %w: it is given twice", quote(name), ErrExists)
			}
			seen[name] = true
			change, err := s.apply(w, endpoints[i].clone())
			if err != nil {
				return fmt.Errorf("endpoint %s: %w", quote(name), err)
			}
			changes = append(changes, change)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("applying endpoints: %w", err)
	}
	return changes, nil
}

func (s *Store) apply(w *writer, e *Endpoint) (Change, error) {
	old, exists := w.draft.Get(e.Name)
	if !exists {
		return Change{Name: e.Name, Action: Created, After: e}, s.create(w, e)
	}
	for i := range e.Targets {
		e.Targets[i].Unreadable = nil // the given credentials are all there are
	}
	if samePermissions(&e.Permissions, &Permissions{}) {
		e.Permissions = old.clone().Permissions
	}
	after, err := s.replace(w, old, e)
	change := Change{Name: e.Name, Action: Updated, Before: old, After: after}
	if after == old {
		change.Action = Unchanged
	}
	return change, err
}
