package catalog

// targets writes the targets that differ from old's. A target that keeps its id
// keeps its sealed credentials.
func (w *writer) targets(old, e *Endpoint) error {
	for i := range old.Targets {
		if _, kept := e.targetByID(old.Targets[i].ID); !kept {
			if err := w.dropTarget(&old.Targets[i]); err != nil {
				return err
			}
		}
	}
	for i := range e.Targets {
		t := &e.Targets[i]
		before, had := old.targetByID(t.ID)
		if !had {
			before = &Target{}
		}
		if err := w.target(e.ID, before, t); err != nil {
			return err
		}
		if err := w.parameters(before, t); err != nil {
			return err
		}
		was, lost := before.own()
		is, unreadable := t.own()
		if err := w.keep(targetOwner(t.ID), was, lost, is, unreadable); err != nil {
			return err
		}
	}
	return nil
}

// target writes the row of a target; before is empty for a new one.
func (w *writer) target(endpointID string, before, t *Target) error {
	if before.sameRow(t) {
		return nil
	}
	if before.ID == "" {
		return w.exec(`INSERT INTO targets (id, endpoint_id, name, position, weight, disabled, provider, model, credential_id)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, nullif(?, ''))`,
			t.ID, endpointID, t.Name, t.Order, t.Weight, t.Disabled, t.Provider, t.Model, t.CredentialID)
	}
	return w.exec(`UPDATE targets SET name = ?, position = ?, weight = ?, disabled = ?, provider = ?, model = ?,
		credential_id = nullif(?, '') WHERE id = ? AND endpoint_id = ?`,
		t.Name, t.Order, t.Weight, t.Disabled, t.Provider, t.Model, t.CredentialID, t.ID, endpointID)
}

// dropTarget deletes a target with all that is kept for it.
func (w *writer) dropTarget(t *Target) error {
	if err := w.drop(targetOwner(t.ID)); err != nil {
		return err
	}
	return w.exec("DELETE FROM targets WHERE id = ?", t.ID)
}

func (w *writer) parameters(old, t *Target) error {
	for name := range old.Config {
		if _, kept := t.Config[name]; !kept {
			if err := w.exec("DELETE FROM target_parameters WHERE target_id = ? AND name = ?", t.ID, name); err != nil {
				return err
			}
		}
	}
	for name, value := range t.Config {
		if before, had := old.Config[name]; had && before == value {
			continue
		}
		err := w.exec("INSERT OR REPLACE INTO target_parameters (target_id, name, value) VALUES (?, ?, ?)", t.ID, name, value)
		if err != nil {
			return err
		}
	}
	return nil
}
