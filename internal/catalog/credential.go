package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ErrInUse says that a credential can't be deleted because targets use it.
var ErrInUse = errors.New("in use")

// Credential is a named set of secrets for one provider, which many targets can
// share. A Credential in a snapshot is shared and must not be changed.
type Credential struct {
	ID       string // 24 hex digits
	Name     string // unique, up to 255 bytes
	Provider string // canonical provider id
	Secrets  Secrets
	// Unreadable names the values that are stored but that the vault can't open
	// (see Target).
	Unreadable []string
	// Problem is why it can't be used at the moment, as a sentence; "" when it
	// can. The store sets it.
	Problem string
	Created time.Time
	Updated time.Time
	Rotated time.Time // when a value last changed

	trouble trouble
}

func (c *Credential) clone() *Credential {
	out := *c
	out.Secrets, out.Unreadable = maps.Clone(c.Secrets), slices.Clone(c.Unreadable)
	if out.Secrets == nil {
		out.Secrets = Secrets{}
	}
	return &out
}

// normalize brings a credential into the form that is kept, or says with a
// *FieldError what is wrong with it.
func (c *Credential) normalize() error {
	if !idPattern.MatchString(c.ID) {
		return wrong("id", "%q is not 24 hex digits in lower case", c.ID)
	}
	if err := errors.Join(checkText("name", c.Name, false), checkText("provider", c.Provider, false)); err != nil {
		return err
	}
	if c.Name != strings.TrimSpace(c.Name) {
		return wrong("name", "it begins or ends with a space")
	}
	t := Target{Provider: c.Provider, Model: "none", Secrets: c.Secrets, Unreadable: c.Unreadable}
	if err := t.normalize(""); err != nil {
		var field *FieldError
		if errors.As(err, &field) {
			return &FieldError{Field: strings.Replace(field.Field, "modelConfig", "values", 1), Message: field.Message}
		}
		return err
	}
	c.Unreadable = t.Unreadable
	if len(c.Secrets)+len(c.Unreadable) == 0 {
		return wrong("values", "a credential has at least one value")
	}
	c.judge()
	return nil
}

func (c *Credential) judge() {
	c.Problem = ""
	if len(c.Unreadable) > 0 {
		c.Problem = c.trouble.problem(strings.Join(c.Unreadable, ", "), "this stored credential")
	}
}

// Credential returns the credential with the id.
func (s *Snapshot) Credential(id string) (*Credential, bool) {
	c, ok := s.credentials[id]
	return c, ok
}

// CredentialNamed returns the credential with exactly that name.
func (s *Snapshot) CredentialNamed(name string) (*Credential, bool) {
	for _, c := range s.credentials {
		if c.Name == name {
			return c, true
		}
	}
	return nil, false
}

// Credentials returns the credentials sorted by name, in a new slice.
func (s *Snapshot) Credentials() []*Credential {
	return slices.SortedFunc(maps.Values(s.credentials), func(a, b *Credential) int { return cmp.Compare(a.Name, b.Name) })
}

// Users lists for each credential the endpoints that have a target with it, by
// name.
func (s *Snapshot) Users() map[string][]*Endpoint {
	users := map[string][]*Endpoint{}
	for _, e := range s.sorted {
		for i := range e.Targets {
			id := e.Targets[i].CredentialID
			if list := users[id]; id != "" && (len(list) == 0 || list[len(list)-1] != e) {
				users[id] = append(list, e)
			}
		}
	}
	return users
}

// lend gives the targets of an endpoint the values of the credentials that they
// name. It refuses one that is not there, or is for another provider.
func (s *Snapshot) lend(e *Endpoint) error {
	for i := range e.Targets {
		t, at := &e.Targets[i], fmt.Sprintf("targets[%d].", i)
		if len(e.Targets) == 1 {
			at = ""
		}
		if t.CredentialID == "" {
			continue
		}
		c, ok := s.credentials[t.CredentialID]
		switch {
		case !ok:
			return wrong(at+"credentialId", "there is no stored credential with the id %q", t.CredentialID)
		case c.Provider != t.Provider:
			return wrong(at+"credentialId", "the stored credential %q is for the provider %s, not for %s", c.Name, c.Provider, t.Provider)
		}
		t.Borrow(c)
	}
	return nil
}

// Borrow makes the target, which must not be shared, use a stored credential in
// place of secrets of its own.
func (t *Target) Borrow(c *Credential) {
	t.CredentialID = c.ID
	t.Secrets, t.Unreadable, t.trouble = maps.Clone(c.Secrets), slices.Clone(c.Unreadable), c.trouble
}

// relend gives the new values of a credential to every target that uses it.
func (s *Snapshot) relend(c *Credential) {
	for _, old := range s.Users()[c.ID] {
		e := old.clone()
		for i := range e.Targets {
			if e.Targets[i].CredentialID == c.ID {
				e.Targets[i].Borrow(c)
			}
		}
		e.judge()
		s.put(old, e)
	}
}

// CreateCredential adds a credential. The id is made when it is empty; the
// times are set. A name or id that is taken is ErrExists, a bad field a
// *FieldError. What is returned is the snapshot's and must not be changed.
func (s *Store) CreateCredential(ctx context.Context, c Credential) (*Credential, error) {
	var made *Credential
	err := s.mutate(ctx, func(w *writer) error {
		made = c.clone()
		if made.ID == "" {
			made.ID = w.newID()
		}
		made.Created, made.Updated, made.Rotated, made.Unreadable = w.stamp, w.stamp, w.stamp, nil
		if err := made.normalize(); err != nil {
			return err
		}
		if err := w.freeCredential(made); err != nil {
			return err
		}
		if _, taken := w.draft.credentials[made.ID]; taken {
			return fmt.Errorf("the id %w", ErrExists)
		}
		w.draft.credentials[made.ID] = made
		at := made.Created.UnixMilli()
		err := w.exec("INSERT INTO credentials (id, name, provider, created, updated, rotated) VALUES (?, ?, ?, ?, ?, ?)",
			made.ID, made.Name, made.Provider, at, at, at)
		if err != nil {
			return err
		}
		return w.keep(credentialOwner(made.ID), nil, nil, made.Secrets, nil)
	})
	if err != nil {
		return nil, fmt.Errorf("creating credential %s: %w", quote(c.Name), err)
	}
	return made, nil
}

func (w *writer) freeCredential(c *Credential) error {
	if other, taken := w.draft.CredentialNamed(c.Name); taken && other.ID != c.ID {
		return fmt.Errorf("the name %w; choose another, or change the credential that has it", ErrExists)
	}
	return nil
}

// UpdateCredential changes name and values of the credential with the id, as
// change says. Values that change are in force for every target that uses the
// credential when it returns.
func (s *Store) UpdateCredential(ctx context.Context, id string, change func(*Credential) error) (*Credential, error) {
	var c *Credential
	err := s.mutate(ctx, func(w *writer) error {
		old, ok := w.draft.credentials[id]
		if !ok {
			return ErrNotFound
		}
		c = old.clone()
		if err := change(c); err != nil {
			return err
		}
		c = c.clone()
		c.ID, c.Provider, c.Created, c.Updated, c.Rotated = old.ID, old.Provider, old.Created, w.stamp, old.Rotated
		if err := c.normalize(); err != nil {
			return err
		}
		sameValues := maps.Equal(c.Secrets, old.Secrets) && slices.Equal(c.Unreadable, old.Unreadable)
		if sameValues && c.Name == old.Name {
			c = old
			return nil
		}
		for _, name := range c.Unreadable {
			if !slices.Contains(old.Unreadable, name) {
				return wrong("values."+name, "no such value is stored")
			}
		}
		if err := w.freeCredential(c); err != nil {
			return err
		}
		if !sameValues {
			c.Rotated = w.stamp
		}
		w.draft.credentials[id] = c
		if !sameValues {
			w.draft.relend(c)
		}
		err := w.exec("UPDATE credentials SET name = ?, updated = ?, rotated = ? WHERE id = ?",
			c.Name, c.Updated.UnixMilli(), c.Rotated.UnixMilli(), id)
		if err != nil {
			return err
		}
		return w.keep(credentialOwner(id), old.Secrets, old.Unreadable, c.Secrets, c.Unreadable)
	})
	if err != nil {
		return nil, fmt.Errorf("updating credential %s: %w", quote(id), err)
	}
	return c, nil
}

// DeleteCredential removes the credential with the id. One that targets use is
// ErrInUse.
func (s *Store) DeleteCredential(ctx context.Context, id string) error {
	err := s.mutate(ctx, func(w *writer) error {
		if _, ok := w.draft.credentials[id]; !ok {
			return ErrNotFound
		}
		if len(w.draft.Users()[id]) > 0 {
			return ErrInUse
		}
		delete(w.draft.credentials, id)
		if err := w.drop(credentialOwner(id)); err != nil {
			return err
		}
		return w.exec("DELETE FROM credentials WHERE id = ?", id)
	})
	if err != nil {
		return fmt.Errorf("deleting credential %s: %w", quote(id), err)
	}
	return nil
}
