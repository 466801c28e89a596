package catalog

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"sluice/internal/decision"
	"sluice/internal/state"
)

// load reads the whole database into the first snapshot.
func (s *Store) load() (*Snapshot, error) {
	snap := &Snapshot{
		byName: map[string]*Endpoint{}, byID: map[string]*Endpoint{}, broken: map[string]*Endpoint{},
		credentials: map[string]*Credential{},
	}
	for _, part := range []struct {
		query string
		row   func(scan func(...any) error) error
	}{
		{`SELECT id, name, type, head_timeout, everyone, limit_calls, limit_key, limit_period, created, updated,
			description, disabled, audit_bodies FROM endpoints`, snap.loadEndpoint},
		{"SELECT endpoint_id, kind, subject FROM endpoint_grants ORDER BY subject", snap.loadGrant},
		{"SELECT id, name, provider, created, updated, rotated FROM credentials", snap.loadCredential},
		{`SELECT endpoint_id, id, name, position, weight, disabled, provider, model, ifnull(credential_id, '')
			FROM targets ORDER BY position, name`, snap.loadTarget},
		{`SELECT endpoint_id, target_id, p.name, value
			FROM target_parameters p JOIN targets ON id = target_id`, snap.loadParameter},
	} {
		if err := state.Each(s.db, part.query, part.row); err != nil {
			return nil, fmt.Errorf("%q: %w", part.query, err)
		}
	}
	if err := s.open(context.Background(), snap); err != nil {
		return nil, err
	}
	for _, e := range snap.sorted {
		e.memo = decision.NewMemo(e)
		if len(e.Targets) == 0 {
			return nil, fmt.Errorf("endpoint %s has no target", quote(e.Name))
		}
		if e.judge(); e.Problem != "" {
			snap.broken[e.ID] = e
		}
	}
	slices.SortFunc(snap.sorted, func(a, b *Endpoint) int { return cmp.Compare(a.Name, b.Name) })
	return snap, nil
}

func (s *Snapshot) loadEndpoint(scan func(...any) error) error {
	e := &Endpoint{Permissions: Permissions{
		Users: []string{}, Organizations: []string{}, Roles: []string{}, Projects: []string{}, Owners: []string{},
	}}
	var calls sql.NullInt64
	var limit Limit
	var headTimeout, created, updated int64
	err := scan(&e.ID, &e.Name, &e.Type, &headTimeout, &e.Permissions.Everyone,
		&calls, &limit.Key, &limit.Period, &created, &updated, &e.Description, &e.Disabled, &e.AuditBodies)
	if err != nil {
		return err
	}
	if calls.Valid {
		limit.Calls = calls.Int64
		e.Limit = &limit
	}
	e.HeadTimeout = time.Duration(headTimeout) * time.Millisecond
	e.Created, e.Updated = time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
	s.byName[e.Name], s.byID[e.ID] = e, e
	s.sorted = append(s.sorted, e)
	return nil
}

func (s *Snapshot) loadTarget(scan func(...any) error) error {
	var endpointID string
	t := Target{Config: map[string]string{}, Secrets: Secrets{}, Unreadable: []string{}}
	err := scan(&endpointID, &t.ID, &t.Name, &t.Order, &t.Weight, &t.Disabled, &t.Provider, &t.Model, &t.CredentialID)
	if err != nil {
		return err
	}
	e := s.byID[endpointID]
	e.Targets = append(e.Targets, t)
	return nil
}

// targetOf finds a target of a row that was read with its endpoint's id.
func (s *Snapshot) targetOf(endpointID, id string) *Target {
	t, _ := s.byID[endpointID].targetByID(id) // the database holds no row without its target
	return t
}

func (s *Snapshot) loadParameter(scan func(...any) error) error {
	var endpointID, id, name, value string
	if err := scan(&endpointID, &id, &name, &value); err != nil {
		return err
	}
	s.targetOf(endpointID, id).Config[name] = value
	return nil
}

func (s *Snapshot) loadGrant(scan func(...any) error) error {
	var id, kind, subject string
	if err := scan(&id, &kind, &subject); err != nil {
		return err
	}
	for _, list := range s.byID[id].Permissions.lists() {
		if list.kind == kind {
			*list.subjects = append(*list.subjects, subject)
		}
	}
	return nil
}

func (s *Snapshot) loadCredential(scan func(...any) error) error {
	c := &Credential{Secrets: Secrets{}, Unreadable: []string{}}
	var created, updated, rotated int64
	if err := scan(&c.ID, &c.Name, &c.Provider, &created, &updated, &rotated); err != nil {
		return err
	}
	for into, at := range map[*time.Time]int64{&c.Created: created, &c.Updated: updated, &c.Rotated: rotated} {
		*into = time.UnixMilli(at).UTC()
	}
	s.credentials[c.ID] = c
	return nil
}
