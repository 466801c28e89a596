package format

import (
	"maps"
	"slices"
	"strings"

	"sluice/internal/audit"
)

// Types of entities of OCSF, of those that events are about.
const (
	entityUser         = 2
	entityOrganization = 4
	entityPolicy       = 5
)

// mapping says what the events of a kind become in OCSF.
type mapping struct {
	class    *class
	activity int64
	named    string // the caption of activity; "": activityOther, called by the kind
	severity severity
}

func other(c *class, s severity) mapping { return mapping{c, activityOther, "", s} }

// kinds are the kinds of events that are told apart. What is not here becomes a
// Base Event.
var kinds = map[string]mapping{
	// Who may sign in, and who did.
	"SignIn":     {classAuthentication, 1, "Logon", informational},
	"FailSignIn": {classAuthentication, 1, "Logon", medium},
	"SignOut":    {classAuthentication, 2, "Logoff", informational},
	"EndSession": {classAuthentication, 2, "Logoff", low},

	"CreateUser": {classAccountChange, 1, "Create", low},
	"UpdateUser": other(classAccountChange, low),
	"DeleteUser": {classAccountChange, 6, "Delete", low},

	"CreateOrganization":       {classGroup, 6, "Create", low},
	"UpdateOrganization":       other(classGroup, low),
	"DeleteOrganization":       {classGroup, 5, "Delete", low},
	"AddOrganizationMember":    {classGroup, 3, "Add User", low},
	"RemoveOrganizationMember": {classGroup, 4, "Remove User", low},

	// What administrators keep.
	"CreateToken":                       {classEntity, 1, "Create", low},
	"RevokeToken":                       {classEntity, 4, "Delete", low},
	"CreateCredential":                  {classEntity, 1, "Create", medium},
	"UpdateCredential":                  {classEntity, 3, "Update", medium},
	"RotateCredential":                  {classEntity, 3, "Update", medium},
	"DeleteCredential":                  {classEntity, 4, "Delete", medium},
	audit.KindCreateEndpoint:            {classEntity, 1, "Create", low},
	audit.KindUpdateEndpoint:            {classEntity, 3, "Update", low},
	audit.KindDeleteEndpoint:            {classEntity, 4, "Delete", low},
	audit.KindChangeEndpointPermissions: {classEntity, 3, "Update", medium},

	// What is in force.
	"ActivatePolicy":        {classEntity, 10, "Activate", medium},
	"RefusePolicy":          other(classEntity, high),
	"ReloadPolicies":        {classEntity, 3, "Update", low},
	"ActivateConfiguration": {classEntity, 10, "Activate", medium},
	"RefuseConfiguration":   other(classEntity, medium),
	"OpenVault":             {classEntity, 10, "Activate", low},
	"RotateVault":           {classEntity, 3, "Update", medium},
	"MigrateVault":          {classEntity, 5, "Move", medium},
	"StartGateway":          {classLifecycle, 3, "Start", low},
	"StopGateway":           {classLifecycle, 4, "Stop", low},
	"RecoverGateway":        other(classLifecycle, high),
	"RestartEnvoy":          {classLifecycle, 5, "Restart", high},

	// What administrators ask of the API.
	"ReadAuditRecord": {classAPI, 2, "Read", low},
	"TestTarget":      other(classAPI, informational),
	"RebuildUsage":    other(classAPI, low),

	"ReadAuditRecords": {classAPI, 2, "Read", low},

	// The trail itself, and its way to receivers.
	audit.KindCheckpoint:       other(classEventLog, informational),
	"TrailDiskLow":             other(classEventLog, high),
	"TrailDiskRecovered":       other(classEventLog, informational),
	"RotateTrailKey":           {classEntity, 3, "Update", medium},
	audit.KindCreateHold:       {classEntity, 1, "Create", medium},
	audit.KindDeleteHold:       {classEntity, 4, "Delete", medium},
	audit.KindSetHolds:         {classEntity, 3, "Update", medium},
	audit.KindHoldsFileChanged: other(classEventLog, high),
	audit.KindHoldsDoubted:     other(classEventLog, critical),
	"SinkFailing":              other(classEventLog, high),
	"SinkRecovered":            other(classEventLog, informational),
	"SinkMarkLost":             other(classEventLog, medium),
	"SinkReceiverLostRecords":  other(classEventLog, high),
	"SinkRecordsSkipped":       other(classEventLog, high),
	"VerifyTrail":              {classAPI, 2, "Read", low},
	"ExportEvidence":           {classEventLog, 3, "Export", medium},
	"ReplaySink":               {classEventLog, 3, "Export", low},
	"CancelReplay":             other(classEventLog, low),
	"RetryDeadLetters":         {classEventLog, 3, "Export", low},
	audit.KindTailCut:          other(classEventLog, high),
	audit.KindDamaged:          other(classEventLog, critical),
	audit.KindRecordsMissing:   other(classEventLog, critical),
	audit.KindRestored:         other(classEventLog, medium),
	audit.KindPartitionDropped: {classEventLog, 2, "Delete", medium},
}

// Kinds lists what the eventKind of a record can be, sorted.
func Kinds() []string {
	all := slices.AppendSeq([]string{audit.KindAccessEndpoint, audit.KindDenyEndpoint}, maps.Keys(kinds))
	slices.Sort(all)
	return all
}

// ofEvent is the mapping of an event: that of its kind, but what changes
// whether or as what a user may sign in has classes of its own.
func ofEvent(e *audit.Event) mapping {
	m, known := kinds[e.Kind]
	if !known {
		m = other(classBase, informational)
	}
	if e.Kind == "UpdateUser" && len(e.Changes) == 1 {
		switch c := &e.Changes[0]; {
		case c.Field == "disabled" && c.After == "true":
			m = mapping{classAccountChange, 5, "Disable", m.severity}
		case c.Field == "disabled" && c.After == "false":
			m = mapping{classAccountChange, 2, "Enable", m.severity}
		case c.Field == "roles" && len(gained(c.Before, c.After)) > 0:
			m = mapping{classUserAccess, 1, "Assign Privileges", medium}
		case c.Field == "roles" && len(gained(c.After, c.Before)) > 0:
			m = mapping{classUserAccess, 2, "Revoke Privileges", low}
		}
	}
	if m.named == "" {
		m.named = e.Kind
	}
	return m
}

// gained lists the words, with commas between them, that after has and before
// has not.
func gained(before, after string) []string {
	had := strings.Split(before, ",")
	var out []string
next:
	for word := range strings.SplitSeq(after, ",") {
		for _, h := range had {
			if h == word {
				continue next
			}
		}
		if word != "" {
			out = append(out, word)
		}
	}
	return out
}

// Severe reports whether the record is an event of which somebody should hear at
// once: one of a high or critical severity.
func Severe(r *audit.Record) bool { return r.Event != nil && ofEvent(r.Event).severity >= high }

// Failed reports whether the record is an event that says that something did not
// work.
func Failed(r *audit.Record) bool { return r.Event != nil && failed(r.Event) }
