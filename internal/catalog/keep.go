package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"sluice/internal/vault"
)

// owner is what sealed values belong to, and where its rows are.
type owner struct {
	name          string // to which values are bound
	table, column string
	id            string
}

// targetOwner says "endpoint" because the first target of an endpoint that is
// older than targets has the endpoint's id, and what was sealed then must open
// now.
func targetOwner(id string) owner {
	return owner{"endpoint/" + id, "target_secrets", "target_id", id}
}

func credentialOwner(id string) owner {
	return owner{"credential/" + id, "credential_secrets", "credential_id", id}
}

// trailOwner has the keys of the audit trail. What they are is the business of
// package trailkeys; here they are sealed anew with all else.
func trailOwner(id string) owner {
	return owner{"trail/" + id, "trail_secrets", "key_id", id}
}

// credentialID is the id of the credential that an owner is; "" of a target.
func credentialID(owner string) string {
	id, _ := strings.CutPrefix(owner, "credential/")
	if id == owner {
		return ""
	}
	return id
}

// ownerNamed is the owner with the name.
func ownerNamed(name string) owner {
	if id := credentialID(name); id != "" {
		return credentialOwner(id)
	}
	if id, ok := strings.CutPrefix(name, "trail/"); ok {
		return trailOwner(id)
	}
	return targetOwner(strings.TrimPrefix(name, "endpoint/"))
}

// keep brings the rows of an owner from one state to another. Rows that can't
// be opened stay unless their names are gone.
func (w *writer) keep(o owner, was Secrets, lost []string, is Secrets, unreadable []string) error {
	kept := map[string]bool{}
	for _, name := range unreadable {
		kept[name] = true
	}
	var gone []string
	for _, name := range append(was.Names(), lost...) {
		if _, set := is[name]; !set && !kept[name] {
			gone = append(gone, name)
		}
	}
	changed := map[string]string{}
	for name, value := range is {
		if was[name] != value { // a secret is never empty
			changed[name] = value
		}
	}
	if len(gone)+len(changed) == 0 {
		return nil
	}
	before, err := w.references(o)
	if err != nil {
		return err
	}
	if vault.SealsElsewhere(w.vault) && len(is) > 0 {
		changed = is // what is kept together is written together
	}
	if err := w.put(o, changed); err != nil {
		return err
	}
	for _, name := range gone {
		err := w.exec(fmt.Sprintf("DELETE FROM %s WHERE %s = ? AND name = ?", o.table, o.column), o.id, name)
		if err != nil {
			return err
		}
	}
	return w.leave(o, before)
}

// put seals values of an owner and writes their rows. What the vault keeps
// elsewhere is only noted where it is not sealed yet.
func (w *writer) put(o owner, values map[string]string) error {
	if len(values) == 0 {
		return nil
	}
	rows, err := w.seal(need{o.name, values})
	if err != nil {
		return err
	}
	for name, sealed := range rows {
		err := w.exec(fmt.Sprintf("INSERT OR REPLACE INTO %s (%s, name, sealed) VALUES (?, ?, ?)", o.table, o.column), o.id, name, sealed)
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) seal(n need) (map[string][]byte, error) {
	if !vault.SealsElsewhere(w.vault) {
		return w.vault.Seal(w.ctx, n.owner, n.values)
	}
	rows, done := w.sealed[n.sealing()]
	if !done {
		w.wrote, w.needed = true, append(w.needed, n)
	}
	return rows, nil
}

// references are the rows of an owner whose values are kept elsewhere.
func (w *writer) references(o owner) (list [][]byte, err error) {
	rows, err := w.tx.QueryContext(w.ctx, fmt.Sprintf("SELECT DISTINCT sealed FROM %s WHERE %s = ?", o.table, o.column), o.id)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var sealed []byte
		if err := rows.Scan(&sealed); err != nil {
			return nil, err
		}
		if vault.IsElsewhere(sealed) {
			list = append(list, sealed)
		}
	}
	return list, rows.Err()
}

// leave notes for removal what the owner referred to before and does not now.
func (w *writer) leave(o owner, before [][]byte) error {
	after, err := w.references(o)
	if err != nil {
		return err
	}
	for _, sealed := range after {
		if err := w.exec("DELETE FROM vault_removals WHERE owner = ? AND sealed = ?", o.name, sealed); err != nil {
			return err
		}
	}
	for _, sealed := range before {
		if contains(after, sealed) {
			continue
		}
		err := w.exec("INSERT OR IGNORE INTO vault_removals (owner, sealed, since) VALUES (?, ?, ?)", o.name, sealed, w.stamp.UnixMilli())
		if err != nil {
			return err
		}
	}
	return nil
}

// drop deletes the rows of an owner.
func (w *writer) drop(o owner) error {
	before, err := w.references(o)
	if err != nil {
		return err
	}
	if err := w.exec(fmt.Sprintf("DELETE FROM %s WHERE %s = ?", o.table, o.column), o.id); err != nil {
		return err
	}
	return w.leave(o, before)
}

func contains(list [][]byte, b []byte) bool {
	for _, other := range list {
		if bytes.Equal(other, b) {
			return true
		}
	}
	return false
}

// trouble is why values can't be opened.
type trouble int

const (
	troubleLost    trouble = iota // nothing opens them
	troubleForeign                // another vault does
	troubleWaiting                // the vault may, later
)

func troubleOf(err error) trouble {
	switch {
	case errors.Is(err, vault.ErrUnavailable):
		return troubleWaiting
	case errors.Is(err, vault.ErrForeign):
		return troubleForeign
	}
	return troubleLost
}

// problem is the sentence about values that can't be opened, for anybody.
func (t trouble) problem(names, of string) string {
	switch t {
	case troubleWaiting:
		return fmt.Sprintf("The vault can't be reached, or does not let the gateway open the credential %s of %s at the moment. "+
			"The gateway tries again by itself; an administrator sees why in the vault's status.", names, of)
	case troubleForeign:
		return fmt.Sprintf("The credential %s of %s is sealed by a vault that is not configured. "+
			"Ask an administrator to name it under vault.previous.", names, of)
	}
	return fmt.Sprintf("The vault can't open the credential %s of %s. Ask an administrator to set it again.", names, of)
}
