package catalog

// targets writes the targets that differ from old's. A target that keeps its id
// keeps its sealed credentials.
func (w *writer) targets(old, e *Endpoint) error {
	for i := range old.Targets {
		if _, kept := e.targetByID(old.Targets[i].ID); !kept {
			if err := w.exec("DELETE FROM targets WHERE id = ?", old.Targets[i].ID); err != nil {
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
		if err := w.secrets(before, t); err != nil {
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
		return w.exec(`INSERT INTO targets (id, endpoint_id, name, position, weight, disabled, provider, model)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			t.ID, endpointID, t.Name, t.Order, t.Weight, t.Disabled, t.Provider, t.Model)
	}
	return w.exec(`UPDATE targets SET name = ?, position = ?, weight = ?, disabled = ?, provider = ?, model = ?
		WHERE id = ? AND endpoint_id = ?`,
		t.Name, t.Order, t.Weight, t.Disabled, t.Provider, t.Model, t.ID, endpointID)
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

// secrets seals what is new or changed and leaves the other rows alone, those
// that can't be opened too.
func (w *writer) secrets(old, t *Target) error {
	kept := make(map[string]bool, len(t.Unreadable))
	for _, name := range t.Unreadable {
		kept[name] = true
	}
	for _, name := range append(old.Secrets.Names(), old.Unreadable...) {
		if _, set := t.Secrets[name]; !set && !kept[name] {
			if err := w.exec("DELETE FROM target_secrets WHERE target_id = ? AND name = ?", t.ID, name); err != nil {
				return err
			}
		}
	}
	for name, value := range t.Secrets {
		if old.Secrets[name] == value { // a secret is never empty
			continue
		}
		sealed, err := w.vault.Seal([]byte(value), sealContext(t.ID, name))
		if err != nil {
			return err
		}
		err = w.exec("INSERT OR REPLACE INTO target_secrets (target_id, name, sealed) VALUES (?, ?, ?)", t.ID, name, sealed)
		if err != nil {
			return err
		}
	}
	return nil
}

// sealContext binds a sealed credential to its place. It says "endpoint"
// because the first target of an endpoint that is older than targets has the
// endpoint's id, and what was sealed then must open now.
func sealContext(targetID, name string) string { return "endpoint/" + targetID + "/" + name }
