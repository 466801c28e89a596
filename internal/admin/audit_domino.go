package admin

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"time"

	"sluice/internal/audit"
	"sluice/internal/decision"
	"sluice/internal/identity"
)

// defaultWindow is what the audit route covers when no time is given.
const defaultWindow = 24 * time.Hour

// auditData is Domino's AIGatewayAuditDataV1.
type auditData struct {
	EndpointID   string            `json:"endpointId"`
	EndpointType string            `json:"endpointType"`
	EventKind    string            `json:"eventKind"`
	Metadata     map[string]string `json:"metadata"`
	PerformedBy  string            `json:"performedBy"`
	Timestamp    time.Time         `json:"timestamp"`
}

// auditRow is what auditData shows, for what renders millions.
type auditRow struct {
	endpointID, endpointType, eventKind string
	metadata                            []auditField // in the order of the names
	performedBy                         string
	timestamp                           time.Time
}

// named is the metadata by its names.
func (d *auditRow) named() map[string]string {
	all := make(map[string]string, len(d.metadata))
	for _, f := range d.metadata {
		all[f.name] = f.value
	}
	return all
}

// auditField is a member of the metadata.
type auditField struct{ name, value string }

// endpointKinds are the kinds of records that are about endpoints.
var endpointKinds = []string{
	audit.KindAccessEndpoint, audit.KindDenyEndpoint, audit.KindCreateEndpoint, audit.KindUpdateEndpoint,
	audit.KindDeleteEndpoint, audit.KindChangeEndpointPermissions,
}

// dominoAudit is GET /api/aigateway/v1/audit: a bare array, oldest first,
// written while it is read, so that its length costs no memory.
func (s *server) dominoAudit(c *call) error {
	q := c.r.URL.Query()
	f := audit.Filter{
		Kinds: endpointKinds, EndpointIDs: readList(q, "endpointIds"), EndpointNames: readList(q, "endpointNames"),
	}
	for _, p := range endpointFilters {
		if len(readList(q, p.name)) > maxValues {
			return badRequest("invalid_parameter", p.name, "The parameter %s takes %d values at most.", p.name, maxValues)
		}
	}
	var err error
	if f.From, f.To, err = s.window(c); err != nil {
		return err
	}
	user := c.caller.UserID
	if err := s.downloads.enter(user); err != nil {
		return err
	}
	defer s.downloads.leave(user)
	return s.writeAudit(c, f, c.stream("application/json"))
}

// endpointFilters are the parameters that select records by their endpoint.
var endpointFilters = []parameter{
	{name: "endpointIds", kind: kindTexts, text: "Only what is about endpoints of these ids."},
	{name: "endpointNames", kind: kindTexts, text: "Only what is about endpoints of these names."},
}

// auditWindow are the parameters that window reads, behind others.
func auditWindow(others ...parameter) []parameter {
	return append(others[:len(others):len(others)],
		parameter{name: "startTime", kind: kindTime, text: "The earliest record. Without it: a day before the end."},
		parameter{name: "endTime", kind: kindTime, text: "Only what was before. Without it: now."})
}

// window reads startTime and endTime. Without a start it is the day before the
// end, without an end it goes to the present.
func (s *server) window(c *call) (from, to time.Time, err error) {
	if from, err = readTime(c.r.URL.Query(), "startTime"); err != nil {
		return from, to, err
	}
	if to, err = readTime(c.r.URL.Query(), "endTime"); err != nil {
		return from, to, err
	}
	if from.IsZero() {
		end := to
		if end.IsZero() {
			end = s.Now()
		}
		from = end.Add(-defaultWindow).UTC()
	}
	if !to.IsZero() && to.Before(from) {
		return from, to, badRequest("invalid_parameter", "endTime", "The parameter endTime must not be before startTime.")
	}
	return from, to, nil
}

// dominoRecord is a record in Domino's shape; false for one that is about no
// endpoint.
func dominoRecord(r *audit.Record) (auditRow, bool) {
	out := auditRow{eventKind: r.Kind(), timestamp: shown(r.Time)}
	switch {
	case r.Event != nil:
		e := r.Event
		out.endpointID, out.endpointType = e.TargetID, e.EndpointType
		out.fromEvent(e)
		return out, e.TargetType == audit.TargetEndpoint
	case r.Exchange != nil:
		x := r.Exchange
		out.endpointID, out.endpointType = x.EndpointID, x.EndpointType
		out.fromExchange(x, r.Outcome)
		return out, x.Operation != operationAPI || x.EndpointID != ""
	}
	return out, false
}

// put leaves out what is not known.
func (d *auditRow) put(name, value string) {
	if value != "" {
		d.metadata = append(d.metadata, auditField{name, value})
	}
}

func (d *auditRow) fromEvent(e *audit.Event) {
	all := maps.Clone(e.Metadata)
	if all == nil {
		all = map[string]string{}
	}
	put := func(name, value string) {
		if value != "" {
			all[name] = value
		}
	}
	put("endpointName", e.TargetName)
	put("exchangeId", e.RequestID)
	put("clientAddress", e.ClientAddr)
	if e.By != nil {
		d.performedBy = e.By.UserID
		put("userName", e.By.UserName)
		put("project", e.By.Project)
		put("execution", e.By.Execution)
	}
	if len(e.Changes) > 0 {
		text, err := json.Marshal(e.Changes)
		if err != nil {
			panic(err) // structs of strings always marshal
		}
		put("changes", string(text))
	}
	for _, name := range sortedKeys(all) {
		d.put(name, all[name])
	}
}

// fromExchange puts the metadata of an exchange, whose outcome is nil while it is
// under way. A download is of millions of these: they are put in their order, so
// that nothing has to be sorted.
func (d *auditRow) fromExchange(x *audit.Exchange, o *audit.Outcome) {
	by := x.Caller
	if by == nil {
		by = &identity.Caller{}
	}
	result := "in_progress"
	known := o != nil
	if known {
		result = o.Result
	} else {
		o = &audit.Outcome{InputTokens: audit.Unknown, OutputTokens: audit.Unknown, CachedTokens: audit.Unknown, ReasoningTokens: audit.Unknown}
	}
	d.performedBy = by.UserID
	d.metadata = make([]auditField, 0, 21)
	d.tokens("cachedTokens", o.CachedTokens)
	d.put("clientAddress", x.ClientAddr)
	d.put("code", o.Code)
	d.put("decisionReasons", reasons(x.Decision))
	d.put("dialect", x.Dialect)
	if known {
		d.put("durationMs", strconv.FormatInt(o.Duration.Milliseconds(), 10))
	}
	d.put("endpointName", x.EndpointName)
	d.put("exchangeId", x.ID)
	d.put("execution", by.Execution)
	d.tokens("inputTokens", o.InputTokens)
	d.put("modelName", x.Model)
	d.put("modelProvider", x.Provider)
	d.put("operation", x.Operation)
	d.tokens("outputTokens", o.OutputTokens)
	d.put("policyRevision", x.Decision.Revision)
	d.put("project", by.Project)
	d.tokens("reasoningTokens", o.ReasoningTokens)
	d.put("result", result)
	if o.Status != 0 {
		d.put("status", strconv.Itoa(o.Status))
	}
	d.put("stream", strconv.FormatBool(x.Stream))
	d.put("userName", by.UserName)
}

func (d *auditRow) tokens(name string, n int64) {
	if n >= 0 {
		d.put(name, strconv.FormatInt(n, 10))
	}
}

// appendJSON appends a record as Domino has it.
func (d *auditRow) appendJSON(b []byte) []byte {
	b = audit.AppendString(append(b, `{"endpointId":`...), d.endpointID)
	b = audit.AppendString(append(b, `,"endpointType":`...), d.endpointType)
	b = audit.AppendString(append(b, `,"eventKind":`...), d.eventKind)
	b = append(b, `,"metadata":{`...)
	for i, f := range d.metadata {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(audit.AppendString(b, f.name), ':')
		b = audit.AppendString(b, f.value)
	}
	b = audit.AppendString(append(b, `},"performedBy":`...), d.performedBy)
	b = d.timestamp.AppendFormat(append(b, `,"timestamp":"`...), time.RFC3339Nano)
	return append(b, `"}`...)
}

func reasons(d decision.Decision) string {
	codes := make([]string, 0, len(d.Reasons))
	for _, r := range d.Reasons {
		codes = append(codes, r.Code)
	}
	return strings.Join(codes, ",")
}
