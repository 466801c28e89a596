package admin

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"sluice/internal/audit"
)

// The shapes of Domino's unified audit trail.
type (
	trailEvents struct {
		Events []trailEvent `json:"events"`
		// EstimatedMatches is exact up to some thousands behind the page, and then
		// less than there are.
		EstimatedMatches int `json:"estimatedMatches"`
	}
	trailEvent struct {
		Timestamp int64             `json:"timestamp"` // Unix milliseconds
		Actor     auditActor        `json:"actor"`
		Action    auditAction       `json:"action"`
		Targets   []auditTarget     `json:"targets"`
		Affecting []auditEntity     `json:"affecting"`
		In        *auditEntity      `json:"in,omitempty"`
		Metadata  map[string]string `json:"metadata"`
	}
	auditActor struct {
		ID   string `json:"id"`
		Name string `json:"name,omitempty"`
	}
	auditAction struct {
		EventName string        `json:"eventName"`
		Using     []auditEntity `json:"using"`
		TraceID   string        `json:"traceId,omitempty"`
	}
	auditEntity struct {
		EntityType string   `json:"entityType"`
		ID         string   `json:"id,omitempty"`
		Name       string   `json:"name,omitempty"`
		Tags       []string `json:"tags"`
	}
	auditTarget struct {
		Entity       auditEntity   `json:"entity"`
		FieldChanges []fieldChange `json:"fieldChanges"`
	}
	// fieldChange is "scalar", with Before and After, or "sequence", with Added
	// and Removed.
	fieldChange struct {
		FieldType string         `json:"fieldType" enum:"scalar,sequence"`
		FieldName string         `json:"fieldName"`
		Before    *string        `json:"before,omitempty"`
		After     *string        `json:"after,omitempty"`
		Added     *[]auditEntity `json:"added,omitempty"`
		Removed   *[]auditEntity `json:"removed,omitempty"`
	}
)

// eventTitles are the names of kinds of record for people, in the manner of
// Domino's own ("Create Data Source"). A kind that is not here is split into its
// words.
var eventTitles = map[string]string{
	audit.KindAccessEndpoint:            "Access Gateway LLM Endpoint",
	audit.KindDenyEndpoint:              "Deny Access to Gateway LLM Endpoint",
	audit.KindCreateEndpoint:            "Create Gateway LLM Endpoint",
	audit.KindUpdateEndpoint:            "Update Gateway LLM Endpoint",
	audit.KindDeleteEndpoint:            "Delete Gateway LLM Endpoint",
	audit.KindChangeEndpointPermissions: "Change Gateway LLM Endpoint Permissions",
}

func eventTitle(kind string) string {
	if title, known := eventTitles[kind]; known {
		return title
	}
	var b strings.Builder
	for i, r := range kind {
		if i > 0 && 'A' <= r && r <= 'Z' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// kindOf finds the kind of a title; a kind is taken as it is.
func kindOf(event string) string {
	for kind, title := range eventTitles {
		if strings.EqualFold(event, title) {
			return kind
		}
	}
	return strings.ReplaceAll(event, " ", "")
}

// sequences are the fields of changes that are lists, with the type of what they
// hold.
var sequences = map[string]string{
	"userIds": "user", "organizationIds": "organization", "ownerIds": "user", "members": "user",
	"roles": "role", "projects": "project", "endpointIds": audit.TargetEndpoint, "networks": "network",
}

// matchesBeyond bounds how far behind a page matches are counted.
const matchesBeyond = 5000

// listAuditEvents is GET /api/audittrail/v1/auditevents and /auditevents.
func (s *server) listAuditEvents(c *call) error {
	q, err := readEventQuery(c)
	if err != nil {
		return err
	}
	out := trailEvents{Events: []trailEvent{}}
	if q.nothing || !c.onlyOwned(&q.filter) {
		return c.reply(http.StatusOK, out)
	}
	if out.EstimatedMatches, err = s.Trail.Count(c.ctx(), q.filter, q.filter.Skip+q.filter.Limit+matchesBeyond); err != nil {
		return err
	}
	err = s.Trail.Query(c.ctx(), q.filter, func(r *audit.Record) error {
		out.Events = append(out.Events, eventOf(r))
		return nil
	})
	if err != nil {
		return err
	}
	// Exchanges that are under way are not counted.
	if n := len(out.Events); n > 0 {
		out.EstimatedMatches = max(out.EstimatedMatches, q.filter.Skip+n)
	}
	return c.reply(http.StatusOK, out)
}

// eventQuery is what was asked for.
type eventQuery struct {
	filter  audit.Filter
	nothing bool // two projects are asked for, and nothing is in both
}

var eventParameters = []parameter{
	{name: "startTimestamp", kind: kindInteger, text: "The earliest event, in Unix milliseconds.", high: 1<<53 - 1},
	{name: "endTimestamp", kind: kindInteger, text: "Only events before, in Unix milliseconds.", high: 1<<53 - 1},
	{name: "actorId", kind: kindText, text: "Only what the user of this id did."},
	{name: "actorName", kind: kindText, text: "Only what the user of this name did."},
	{name: "event", kind: kindText, text: "Only events of this name, e.g. Create Gateway LLM Endpoint."},
	{name: "targetType", kind: kindText, text: "Only events about things of this type, e.g. endpoint, user, organization, token."},
	{name: "targetId", kind: kindText, text: "Only events about the thing of this id."},
	{name: "targetName", kind: kindText, text: "Only events about the thing of this name."},
	{name: "withinProjectId", kind: kindText, text: "Only events within this project. Projects have names only, so it is compared to those."},
	{name: "withinProjectName", kind: kindText, text: "Only events within the project of this name."},
	{name: "sort", kind: kindText, text: "Newest or oldest first.", enum: []string{"-timestamp", "timestamp"}, fallback: "-timestamp"},
	{name: "limit", kind: kindInteger, text: "How many to show.", low: 1, high: 10_000, fallback: 100},
	{name: "offset", kind: kindInteger, text: "How many to pass over.", high: 1<<31 - 1, fallback: 0},
	{name: "column", kind: kindText, text: "Taken and not used: every event is whole."},
}

func readEventQuery(c *call) (q eventQuery, err error) {
	values := c.r.URL.Query()
	for _, t := range []struct {
		name string
		into *time.Time
	}{{"startTimestamp", &q.filter.From}, {"endTimestamp", &q.filter.To}} {
		millis, err := readInt(values, t.name, 0, 0, 1<<53-1)
		if err != nil {
			return q, err
		}
		if millis > 0 {
			*t.into = time.UnixMilli(int64(millis)).UTC()
		}
	}
	if q.filter.Limit, err = readInt(values, "limit", 100, 1, 10_000); err != nil {
		return q, err
	}
	if q.filter.Skip, err = readInt(values, "offset", 0, 0, 1<<31-1); err != nil {
		return q, err
	}
	switch sort := values.Get("sort"); sort {
	case "", "-timestamp":
		q.filter.Descending = true
	case "timestamp", "+timestamp", " timestamp":
	default:
		return q, badRequest("invalid_parameter", "sort", "The parameter sort must be timestamp or -timestamp; events have no other order.")
	}
	for _, actor := range []string{"actorId", "actorName"} {
		if v := values.Get(actor); v != "" {
			q.filter.Users = append(q.filter.Users, v)
		}
	}
	q.filter.Except = []string{audit.KindCheckpoint}
	if event := values.Get("event"); event != "" {
		q.filter.Except = nil
		q.filter.Kinds = []string{kindOf(event)}
	}
	for _, t := range []struct {
		name string
		into *[]string
	}{
		{"targetType", &q.filter.TargetTypes}, {"targetId", &q.filter.TargetIDs}, {"targetName", &q.filter.TargetNames},
		{"withinProjectId", &q.filter.Projects}, {"withinProjectName", &q.filter.Projects},
	} {
		if v := values.Get(t.name); v != "" {
			q.nothing = q.nothing || len(*t.into) > 0 && (*t.into)[0] != v
			*t.into = []string{v}
		}
	}
	return q, nil
}

// eventOf is a record in the shape of the unified trail.
func eventOf(r *audit.Record) trailEvent {
	data, _ := dominoRecord(r)
	metadata := data.named()
	e := trailEvent{
		Timestamp: r.Time.UnixMilli(), Actor: auditActor{ID: data.performedBy, Name: metadata["userName"]},
		Action:  auditAction{EventName: eventTitle(r.Kind()), Using: []auditEntity{}, TraceID: r.ID},
		Targets: []auditTarget{}, Affecting: []auditEntity{}, Metadata: metadata,
	}
	if e.Actor.ID == "" {
		e.Actor = auditActor{ID: "system", Name: "system"}
		if r.Exchange != nil {
			e.Actor = auditActor{ID: "unknown", Name: "unknown"}
		}
	}
	if project := metadata["project"]; project != "" {
		e.In = &auditEntity{EntityType: "project", Name: project, Tags: []string{}}
	}
	switch {
	case r.Event != nil && r.Event.TargetType != "":
		e.Targets = append(e.Targets, auditTarget{
			Entity:       auditEntity{EntityType: r.Event.TargetType, ID: r.Event.TargetID, Name: r.Event.TargetName, Tags: []string{}},
			FieldChanges: fieldChanges(r.Event.Changes),
		})
	case r.Exchange != nil && r.Exchange.EndpointName != "":
		e.Targets = append(e.Targets, auditTarget{
			Entity: auditEntity{
				EntityType: audit.TargetEndpoint, ID: r.Exchange.EndpointID, Name: r.Exchange.EndpointName, Tags: []string{},
			},
			FieldChanges: []fieldChange{},
		})
	}
	return e
}

func fieldChanges(changes []audit.Change) []fieldChange {
	out := []fieldChange{}
	for _, ch := range changes {
		kind, list := sequences[ch.Field]
		if !list {
			out = append(out, fieldChange{FieldType: "scalar", FieldName: ch.Field, Before: &ch.Before, After: &ch.After})
			continue
		}
		before, after := entities(kind, ch.Before), entities(kind, ch.After)
		added, removed := missing(after, before), missing(before, after)
		out = append(out, fieldChange{FieldType: "sequence", FieldName: ch.Field, Added: &added, Removed: &removed})
	}
	return out
}

func entities(kind, list string) []auditEntity {
	var out []auditEntity
	for _, id := range strings.Split(list, ",") {
		if id = strings.TrimSpace(id); id != "" {
			out = append(out, auditEntity{EntityType: kind, ID: id, Tags: []string{}})
		}
	}
	return out
}

// missing lists what is in one list and not in another.
func missing(in, notIn []auditEntity) []auditEntity {
	out := []auditEntity{}
	for _, e := range in {
		if !slices.ContainsFunc(notIn, func(o auditEntity) bool { return o.ID == e.ID }) {
			out = append(out, e)
		}
	}
	return out
}
