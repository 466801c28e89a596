package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Bounds of an endpoint's targets.
const (
	MaxTargets     = 16
	MaxWeight      = 10_000
	MaxOrder       = 99
	MaxHeadTimeout = time.Hour
)

// DefaultTarget is the name of a first target that was given none.
const DefaultTarget = "default"

// Target is one provider, model and credential behind an endpoint.
type Target struct {
	ID   string `json:"id"`   // 24 hex digits; its sealed credentials are bound to it
	Name string `json:"name"` // unique within the endpoint, matches NamePattern
	// Weight is the target's share of the calls among the targets of its
	// Order, 0 to MaxWeight. 0: it gets calls only when others failed. It says
	// nothing where an endpoint has one target.
	Weight int `json:"weight"`
	// Order is 0 for the targets that are tried first; those of a higher order
	// are tried when all of a lower one failed. 0 to MaxOrder.
	Order    int  `json:"order"`
	Disabled bool `json:"disabled"` // gets no calls

	Provider string            `json:"provider"` // canonical provider id, e.g. "openai"
	Model    string            `json:"model"`    // the provider's name of the model
	Config   map[string]string `json:"config"`   // parameters that are not secret
	// CredentialID names the stored credential whose values the target uses; ""
	// where it has its own. With one, the store sets Secrets and Unreadable.
	CredentialID string  `json:"credentialId,omitempty"`
	Secrets      Secrets `json:"-"` // opened credentials, in memory only
	// Unreadable names the credentials that are stored but that the vault
	// can't open. Setting one in Secrets replaces it; taking its name away
	// from Unreadable deletes it.
	Unreadable []string `json:"unreadable,omitempty"`
	// Problem is why the target can't be called at the moment, as a sentence;
	// "" when it can. The store sets it.
	Problem string `json:"problem,omitempty"`

	trouble trouble // why those that are Unreadable are
}

// own are the secrets that belong to the target itself, and those of them that
// the vault can't open.
func (t *Target) own() (Secrets, []string) {
	if t.CredentialID != "" {
		return nil, nil
	}
	return t.Secrets, t.Unreadable
}

// Parameters returns the parameters with the opened credentials among them, in
// a new map: what a call needs, so never log or marshal it.
func (t Target) Parameters() map[string]string {
	all := make(map[string]string, len(t.Config)+len(t.Secrets))
	for k, v := range t.Config {
		all[k] = v
	}
	for k, v := range t.Secrets {
		all[k] = v
	}
	return all
}

// Usable reports whether the target may be called: it is not disabled and has
// no problem.
func (t *Target) Usable() bool { return !t.Disabled && t.Problem == "" }

// First is the target of the lowest order, by name where several have it: the
// one that interfaces show which know of one target only. Every endpoint of a
// snapshot has one.
func (e *Endpoint) First() *Target { return &e.Targets[0] }

// Target finds a target by its name.
func (e *Endpoint) Target(name string) (*Target, bool) {
	for i := range e.Targets {
		if e.Targets[i].Name == name {
			return &e.Targets[i], true
		}
	}
	return nil, false
}

// targetByID finds a target by its id.
func (e *Endpoint) targetByID(id string) (*Target, bool) {
	for i := range e.Targets {
		if e.Targets[i].ID == id {
			return &e.Targets[i], true
		}
	}
	return nil, false
}

// identify gives ids to the targets that have none: a target keeps the id that
// the one of its name has in old, whose credentials it replaces, unless another
// of the given ones has that id.
func (e *Endpoint) identify(old *Endpoint, newID func() string) {
	for i := range e.Targets {
		t := &e.Targets[i]
		if t.ID != "" {
			continue
		}
		if before, ok := old.Target(t.Name); ok {
			if _, claimed := e.targetByID(before.ID); !claimed {
				t.ID = before.ID
				continue
			}
		}
		t.ID = newID()
	}
}

// nameFirst names a first target that has no name.
func (e *Endpoint) nameFirst() {
	if len(e.Targets) > 0 && e.Targets[0].Name == "" {
		e.Targets[0].Name = DefaultTarget
	}
}

// checkUnreadable refuses names of credentials that are not stored.
func (e *Endpoint) checkUnreadable(old *Endpoint) error {
	for i := range e.Targets {
		t := &e.Targets[i]
		if t.CredentialID != "" {
			continue
		}
		before, had := old.targetByID(t.ID)
		had = had && before.CredentialID == ""
		for _, name := range t.Unreadable {
			if !had || !slices.Contains(before.Unreadable, name) {
				return wrong("modelConfig."+name, "no such credential is stored")
			}
		}
	}
	return nil
}

// sortTargets puts the targets in the order in which they are kept.
func (e *Endpoint) sortTargets() {
	slices.SortFunc(e.Targets, func(a, b Target) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Name, b.Name))
	})
}

// judge sets the problems of the targets, and that of the endpoint when none of
// them can be called.
func (e *Endpoint) judge() {
	e.Problem = ""
	enabled, usable, first := 0, 0, ""
	for i := range e.Targets {
		t := &e.Targets[i]
		t.Problem = ""
		if len(t.Unreadable) > 0 {
			t.Problem = t.trouble.problem(strings.Join(t.Unreadable, ", "), "this endpoint")
		}
		if t.Disabled {
			continue
		}
		enabled++
		if t.Usable() {
			usable++
		} else if first == "" {
			first = t.Problem
		}
	}
	switch {
	case enabled == 0:
		e.Problem = "Every target of this endpoint is switched off. Ask an administrator to switch one on."
	case usable == 0:
		e.Problem = first
	}
}

// normalizeTargets brings the targets into the form that is kept, or says what
// is wrong with them, by their places in the list that was given.
func (e *Endpoint) normalizeTargets() error {
	switch {
	case len(e.Targets) == 0:
		return wrong("targets", "an endpoint has at least one")
	case len(e.Targets) > MaxTargets:
		return wrong("targets", "an endpoint has at most %d", MaxTargets)
	case e.HeadTimeout < 0 || e.HeadTimeout > MaxHeadTimeout:
		return wrong("headTimeout", "it must be from 0s, which is none, to %s", MaxHeadTimeout)
	}
	e.HeadTimeout = e.HeadTimeout.Truncate(time.Millisecond)
	e.nameFirst()
	names, ids, weighs := map[string]bool{}, map[string]bool{}, len(e.Targets) == 1
	for i := range e.Targets {
		t, at := &e.Targets[i], fmt.Sprintf("targets[%d].", i)
		if err := t.checkPlace(at); err != nil {
			return err
		}
		if names[t.Name] || ids[t.ID] {
			return wrong(at+"name", "%q is the name of another target of this endpoint", t.Name)
		}
		names[t.Name], ids[t.ID] = true, true
		weighs = weighs || t.Weight > 0
		if len(e.Targets) == 1 {
			at = "" // interfaces that know of one target name its fields so
		}
		if err := t.normalize(at); err != nil {
			return err
		}
	}
	if !weighs {
		return wrong("targets", "all have the weight 0, so none would get calls; give one a weight of 1 or more")
	}
	e.sortTargets()
	return nil
}

// checkPlace checks what the target is among the others. at is put before
// the names of fields.
func (t *Target) checkPlace(at string) error {
	if err := checkName(at+"name", t.Name); err != nil {
		return err
	}
	switch {
	case !idPattern.MatchString(t.ID):
		return wrong(at+"id", "%q is not 24 hex digits in lower case", t.ID)
	case t.Weight < 0 || t.Weight > MaxWeight:
		return wrong(at+"weight", "%d is not from 0 to %d", t.Weight, MaxWeight)
	case t.Order < 0 || t.Order > MaxOrder:
		return wrong(at+"order", "%d is not from 0 to %d", t.Order, MaxOrder)
	}
	return nil
}

func cloneTargets(list []Target) []Target {
	out := slices.Clone(list)
	for i := range out {
		t := &out[i]
		t.Config, t.Secrets = maps.Clone(t.Config), maps.Clone(t.Secrets)
		if t.Config == nil {
			t.Config = map[string]string{}
		}
		if t.Secrets == nil {
			t.Secrets = Secrets{}
		}
		t.Unreadable = slices.Clone(t.Unreadable)
	}
	return out
}

// sameRow tells whether the rows of two targets are equal.
func (t *Target) sameRow(o *Target) bool {
	return t.ID == o.ID && t.Name == o.Name && t.Weight == o.Weight && t.Order == o.Order &&
		t.Disabled == o.Disabled && t.Provider == o.Provider && t.Model == o.Model && t.CredentialID == o.CredentialID
}

func sameTargets(a, b []Target) bool {
	return slices.EqualFunc(a, b, func(a, b Target) bool {
		return a.sameRow(&b) && maps.Equal(a.Config, b.Config) && maps.Equal(a.Secrets, b.Secrets) &&
			slices.Equal(a.Unreadable, b.Unreadable)
	})
}
