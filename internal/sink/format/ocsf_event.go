package format

import (
	"cmp"
	"maps"
	"slices"

	"sluice/internal/audit"
)

// Targets of events that OCSF has objects for.
const (
	targetUser         = "user"
	targetOrganization = "organization"
	targetPolicies     = "policies"
)

// ocsfEvent writes an event as one of the class that kinds says.
func ocsfEvent(w *writer, r *audit.Record) {
	e := r.Event
	m := ofEvent(e)
	h := head{
		class: m.class, activity: m.activity, activityName: m.named, severity: m.severity,
		status: statusSuccess, statusName: "Success", statusCode: e.Metadata["code"], message: eventSentence(e),
	}
	if failed(e) {
		h.status, h.statusName = statusFailure, "Failure"
		h.severity = max(h.severity, low)
	}
	w.begin(&h, r)
	w.metadata(r, e.RequestID, e.Node, tenant(e.By))
	switch m.class {
	case classAuthentication:
		w.authentication(e)
	case classAccountChange:
		w.about(e)
		w.targetUser(e)
	case classUserAccess:
		w.about(e)
		w.targetUser(e)
		c := &e.Changes[0]
		if m.activity == 1 {
			w.list("privileges", gained(c.Before, c.After)...)
		} else {
			w.list("privileges", gained(c.After, c.Before)...)
		}
	case classGroup:
		w.about(e)
		w.open("group")
		w.identified(e)
		w.word("type", targetOrganization)
		w.close()
	case classEntity:
		w.about(e)
		w.entity(e)
	case classLifecycle:
		w.open("app")
		w.word("name", product)
		w.word("vendor_name", vendor)
		if e.TargetType == "gateway" {
			w.text("version", e.TargetName)
		}
		w.close()
	case classAPI:
		w.apiEvent(e, r)
	case classEventLog:
		w.about(e)
		w.word("log_name", "audit")
		w.word("log_provider", product)
		w.int("log_type_id", 2)
		w.word("log_type", "Application")
	}
	w.eventObservables(e, m.class)
	w.eventRest(e, m.class)
	w.close()
}

// failures are the kinds of events that say by themselves that something did not
// work.
var failures = map[string]bool{
	"FailSignIn": true, "RefuseConfiguration": true, "RefusePolicy": true, "SinkFailing": true,
	"SinkMarkLost": true, "SinkReceiverLostRecords": true, "SinkRecordsSkipped": true,
	"TrailRecordsMissing": true, "TrailTailCut": true,
}

// failed reports whether the event says that something did not work.
func failed(e *audit.Event) bool {
	switch e.Metadata["outcome"] {
	case "", "ok", "done":
		return failures[e.Kind]
	}
	return true
}

// eventSentence says what happened in words.
func eventSentence(e *audit.Event) string {
	who := "the gateway"
	if e.By != nil {
		who = cmp.Or(e.By.UserName, e.By.UserID)
	}
	s := e.Kind + " by " + who
	if e.TargetType != "" {
		s += ": " + e.TargetType
	}
	if name := cmp.Or(e.TargetName, e.TargetID); name != "" {
		s += " " + name
	}
	return s
}

// about writes who did it, and from where.
func (w *writer) about(e *audit.Event) {
	w.actor(e.By)
	w.source(e.ClientAddr, false)
}

// identified writes uid and name of the target, one of them at least.
func (w *writer) identified(e *audit.Event) {
	w.text("uid", e.TargetID)
	w.text("name", e.TargetName)
	if e.TargetID == "" && e.TargetName == "" {
		w.text("name", cmp.Or(e.TargetType, unknownName))
	}
}

func (w *writer) targetUser(e *audit.Event) {
	w.open("user")
	w.person(e.TargetID, e.TargetName)
	w.close()
}

// authentication writes the parts of a sign-in or of its end.
func (w *writer) authentication(e *audit.Event) {
	w.about(e)
	w.open("user")
	session := e.Metadata["sessionId"]
	switch {
	case e.TargetType == "session":
		session = e.TargetID
		w.person(e.Metadata["userId"], cmp.Or(e.Metadata["userName"], e.TargetName))
	case e.TargetID == "" && e.TargetName == "" && e.By != nil:
		w.user(e.By)
	default:
		w.person(e.TargetID, e.TargetName)
	}
	w.close()
	w.service()
	w.self(e.Node)
	w.protocol(cmp.Or(e.Metadata["method"], "none"))
	w.int("logon_type_id", 2)
	w.word("logon_type", "Interactive")
	if session != "" || e.Metadata["tokenId"] != "" {
		w.open("session")
		w.text("uid", session)
		w.text("credential_uid", e.Metadata["tokenId"])
		w.close()
	}
}

// entity writes what was changed.
func (w *writer) entity(e *audit.Event) {
	w.open("entity")
	w.identified(e)
	switch e.TargetType {
	case targetUser:
		w.int("type_id", entityUser)
		w.word("type", "User")
	case targetOrganization:
		w.int("type_id", entityOrganization)
		w.word("type", "Organization")
	case targetPolicies:
		w.int("type_id", entityPolicy)
		w.word("type", "Policy")
		w.open("policy")
		w.word("name", targetPolicies)
		w.text("version", e.TargetName)
		w.close()
	default:
		w.int("type_id", activityOther)
		w.text("type", cmp.Or(e.TargetType, unknownName))
	}
	w.close()
}

// apiEvent writes something that was asked of the REST API.
func (w *writer) apiEvent(e *audit.Event, r *audit.Record) {
	w.actor(e.By)
	w.source(e.ClientAddr, true)
	w.open("api")
	w.text("operation", e.Kind)
	w.service()
	w.open("request")
	w.text("uid", cmp.Or(e.RequestID, r.RecordID))
	w.close()
	w.close()
	w.openList("resources")
	w.item()
	w.identified(e)
	w.text("type", e.TargetType)
	w.role(1, "Target")
	w.close()
	w.closeList()
}

func (w *writer) eventObservables(e *audit.Event, c *class) {
	switch c {
	case classLifecycle, classBase: // they say nothing that other systems know
		return
	}
	w.observables(e.By, "actor.user", e.ClientAddr)
	switch c {
	case classAccountChange, classUserAccess, classAuthentication:
		if e.TargetType == targetUser {
			w.observable("user.uid", observableUserID, e.TargetID)
			w.observable("user.name", observableUserName, e.TargetName)
		}
	case classAPI:
		w.observable("resources.uid", observableResourceUID, e.TargetID)
		w.observable("resources.name", observableResourceName, e.TargetName)
	}
	w.endObservables()
}

// eventRest writes what OCSF has no place for, under the names of the record.
func (w *writer) eventRest(e *audit.Event, c *class) {
	w.open("unmapped")
	w.text("kind", e.Kind)
	if c == classLifecycle || c == classBase { // without the profile host they have no actor
		if e.By != nil {
			w.text("userId", e.By.UserID)
			w.text("userName", e.By.UserName)
			w.list("organizations", e.By.Organizations...)
			w.list("roles", e.By.Roles...)
			w.text("tokenId", e.By.TokenID)
			w.text("execution", e.By.Execution)
		}
		w.text("clientAddr", e.ClientAddr)
	}
	if e.By != nil {
		w.text("credential", e.By.Credential)
		w.text("project", e.By.Project)
		w.text("tokenName", e.By.TokenName)
	}
	w.text("certificate", e.Certificate)
	w.text("targetType", e.TargetType)
	w.text("targetId", e.TargetID)
	w.text("targetName", e.TargetName)
	w.text("endpointType", e.EndpointType)
	if len(e.Changes) > 0 {
		w.openList("changes")
		for i := range e.Changes {
			w.item()
			w.text("field", e.Changes[i].Field)
			w.text("before", e.Changes[i].Before)
			w.text("after", e.Changes[i].After)
			w.close()
		}
		w.closeList()
	}
	if len(e.Metadata) > 0 {
		w.open("metadata")
		for _, k := range slices.Sorted(maps.Keys(e.Metadata)) {
			w.any(k, e.Metadata[k])
		}
		w.close()
	}
	w.close()
}
