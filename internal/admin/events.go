package admin

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"go.uber.org/zap"

	"sluice/internal/audit"
	"sluice/internal/catalog"
)

// Kinds of events about people and policies. Those about endpoints are the
// trail's own.
const (
	kindCreateUser         = "CreateUser"
	kindUpdateUser         = "UpdateUser"
	kindDeleteUser         = "DeleteUser"
	kindCreateOrganization = "CreateOrganization"
	kindUpdateOrganization = "UpdateOrganization"
	kindDeleteOrganization = "DeleteOrganization"
	kindAddMember          = "AddOrganizationMember"
	kindRemoveMember       = "RemoveOrganizationMember"
	kindCreateToken        = "CreateToken"
	kindRevokeToken        = "RevokeToken"
	kindEndSession         = "EndSession"
	kindReloadPolicies     = "ReloadPolicies"
	kindRebuildUsage       = "RebuildUsage"
	kindCreateCredential   = "CreateCredential"
	kindUpdateCredential   = "UpdateCredential"
	kindRotateCredential   = "RotateCredential"
	kindDeleteCredential   = "DeleteCredential"
	kindTestTarget         = "TestTarget"
	kindReadAuditRecord    = "ReadAuditRecord"
	kindReadAuditRecords   = "ReadAuditRecords"
)

// What stands in an event for the value of a secret.
const (
	secretSet     = "set"
	secretChanged = "changed"
)

// event begins an event about a target.
func (c *call) event(kind, targetType, id, name string, changes []audit.Change) *audit.Event {
	return &audit.Event{
		Time: c.s.Now(), Kind: kind, By: c.caller, ClientAddr: c.client, Certificate: c.certificate, RequestID: c.id,
		TargetType: targetType, TargetID: id, TargetName: name, Changes: changes,
	}
}

func (c *call) endpointEvent(kind string, e *catalog.Endpoint, changes []audit.Change) *audit.Event {
	ev := c.event(kind, audit.TargetEndpoint, e.ID, e.Name, changes)
	ev.EndpointType = string(e.Type)
	ev.Metadata = map[string]string{
		"endpointName": e.Name, "modelProvider": e.First().Provider, "modelName": e.First().Model,
	}
	return ev
}

// change writes the events and then commits: what is in force is in the trail.
// See the package comment for what happens when one of the two does not work.
func (s *server) change(c *call, commit func() error, events ...*audit.Event) error {
	for i, e := range events {
		if err := s.Trail.Event(e); err != nil {
			s.Log.Error("the trail took no event", zap.String("exchange", c.id), zap.String("kind", e.Kind), zap.Error(err))
			if !s.ServeUnrecorded {
				s.undone(c, events[:i])
				return errUnrecorded
			}
		}
	}
	err := commit()
	if err != nil {
		s.undone(c, events)
	}
	return err
}

// undone says of events that are in the trail that nothing came of them.
func (s *server) undone(c *call, events []*audit.Event) {
	for _, e := range events {
		failed := *e
		failed.Time = s.Now()
		failed.Changes = nil
		failed.Metadata = map[string]string{"outcome": "failed"}
		for k, v := range e.Metadata {
			failed.Metadata[k] = v
		}
		if err := s.Trail.Event(&failed); err != nil {
			s.Log.Error("the trail took no event", zap.String("exchange", c.id), zap.String("kind", e.Kind), zap.Error(err))
		}
	}
}

// fields is a thing flattened to texts, so that two states can be compared.
type fields map[string]string

// diff lists what differs, sorted by field.
func diff(before, after fields) []audit.Change {
	var out []audit.Change
	for name, b := range before {
		if a := after[name]; a != b {
			out = append(out, audit.Change{Field: name, Before: b, After: a})
		}
	}
	for name, a := range after {
		if _, known := before[name]; !known && a != "" {
			out = append(out, audit.Change{Field: name, After: a})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Field < out[j].Field })
	return out
}

// endpointChanges compares two states of an endpoint, either of which may be
// nil. Values of secrets are compared and not shown. What an endpoint of one
// plain target says of it has the names that Domino knows; otherwise the names
// of targets come before.
func endpointChanges(before, after *catalog.Endpoint) []audit.Change {
	plain := plainTarget(before) && plainTarget(after)
	changes := diff(endpointFields(before, plain), endpointFields(after, plain))
	if before == nil || after == nil {
		return changes
	}
	for i := range after.Targets {
		t := &after.Targets[i]
		old, had := before.Target(t.Name)
		if !had || t.CredentialID != "" || old.CredentialID != "" {
			continue
		}
		for _, name := range sortedKeys(t.Secrets) {
			was, had := old.Secrets[name]
			if had && was != t.Secrets[name] || slices.Contains(old.Unreadable, name) {
				changes = append(changes, audit.Change{
					Field: targetField(t, plain) + "modelConfig." + name, Before: secretSet, After: secretChanged,
				})
			}
		}
	}
	return changes
}

// plainTarget reports whether an endpoint has nothing that Domino's shape of it
// would not show.
func plainTarget(e *catalog.Endpoint) bool {
	if e == nil {
		return true
	}
	t := e.First()
	return len(e.Targets) == 1 && t.Name == catalog.DefaultTarget && t.Weight == 1 && t.Order == 0 && !t.Disabled
}

func targetField(t *catalog.Target, plain bool) string {
	if plain {
		return ""
	}
	return "targets." + t.Name + "."
}

func endpointFields(e *catalog.Endpoint, plain bool) fields {
	if e == nil {
		return nil
	}
	f := fields{
		"endpointName": e.Name, "endpointType": string(e.Type),
		"limit":             limitText(e.Limit),
		"isEveryoneAllowed": fmt.Sprint(e.Permissions.Everyone),
		"userIds":           strings.Join(e.Permissions.Users, ","),
		"organizationIds":   strings.Join(e.Permissions.Organizations, ","),
		"roles":             strings.Join(e.Permissions.Roles, ","),
		"projects":          strings.Join(e.Permissions.Projects, ","),
		"ownerIds":          strings.Join(e.Permissions.Owners, ","),
		"description":       e.Description,
		"disabled":          fmt.Sprint(e.Disabled),
		"auditBodies":       bodiesText(e),
		"headTimeout":       headTimeoutText(e.HeadTimeout),
	}
	for i := range e.Targets {
		t := &e.Targets[i]
		at := targetField(t, plain)
		if !plain {
			f[at+"targetId"], f[at+"weight"], f[at+"order"] = t.ID, fmt.Sprint(t.Weight), fmt.Sprint(t.Order)
			f[at+"disabled"] = fmt.Sprint(t.Disabled)
		}
		f[at+"modelProvider"], f[at+"modelName"] = t.Provider, t.Model
		for k, v := range t.Config {
			f[at+"modelConfig."+k] = v
		}
		if t.CredentialID != "" {
			f[at+"credentialId"] = t.CredentialID
			continue
		}
		for _, name := range secretNames(t) {
			f[at+"modelConfig."+name] = secretSet
		}
	}
	return f
}

func headTimeoutText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func limitText(l *catalog.Limit) string {
	if l == nil {
		return ""
	}
	text := fmt.Sprintf("%d per %s", l.Calls, l.Period)
	if l.Key != "" {
		text += " (" + l.Key + ")"
	}
	return text
}
