package admin

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"sluice/internal/audit"
	"sluice/internal/decision"
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
func dominoRecord(r *audit.Record) (auditData, bool) {
	out := auditData{EventKind: r.Kind(), Timestamp: shown(r.Time), Metadata: map[string]string{}}
	switch {
	case r.Event != nil:
		e := r.Event
		out.EndpointID, out.EndpointType = e.TargetID, e.EndpointType
		out.fromEvent(e)
		return out, e.TargetType == audit.TargetEndpoint
	case r.Exchange != nil:
		x := r.Exchange
		out.EndpointID, out.EndpointType = x.EndpointID, x.EndpointType
		out.fromExchange(x)
		out.fromOutcome(r.Outcome)
		return out, x.Operation != operationAPI || x.EndpointID != ""
	}
	return out, false
}

// put leaves out what is not known.
func (d auditData) put(key, value string) {
	if value != "" {
		d.Metadata[key] = value
	}
}

func (d *auditData) fromEvent(e *audit.Event) {
	for k, v := range e.Metadata {
		d.put(k, v)
	}
	d.put("endpointName", e.TargetName)
	d.put("exchangeId", e.RequestID)
	d.put("clientAddress", e.ClientAddr)
	if e.By != nil {
		d.PerformedBy = e.By.UserID
		d.put("userName", e.By.UserName)
		d.put("project", e.By.Project)
		d.put("execution", e.By.Execution)
	}
	if len(e.Changes) > 0 {
		text, err := json.Marshal(e.Changes)
		if err != nil {
			panic(err) // structs of strings always marshal
		}
		d.put("changes", string(text))
	}
}

func (d *auditData) fromExchange(x *audit.Exchange) {
	d.put("endpointName", x.EndpointName)
	d.put("modelProvider", x.Provider)
	d.put("modelName", x.Model)
	d.put("exchangeId", x.ID)
	d.put("clientAddress", x.ClientAddr)
	d.put("dialect", x.Dialect)
	d.put("operation", x.Operation)
	d.put("stream", strconv.FormatBool(x.Stream))
	d.put("decisionReasons", reasons(x.Decision))
	d.put("policyRevision", x.Decision.Revision)
	if x.Caller != nil {
		d.PerformedBy = x.Caller.UserID
		d.put("userName", x.Caller.UserName)
		d.put("project", x.Caller.Project)
		d.put("execution", x.Caller.Execution)
	}
}

func (d *auditData) fromOutcome(o *audit.Outcome) {
	if o == nil {
		d.put("result", "in_progress")
		return
	}
	d.put("result", o.Result)
	d.put("code", o.Code)
	if o.Status != 0 {
		d.put("status", strconv.Itoa(o.Status))
	}
	d.put("durationMs", strconv.FormatInt(o.Duration.Milliseconds(), 10))
	for _, n := range []struct {
		key    string
		tokens int64
	}{
		{"inputTokens", o.InputTokens}, {"outputTokens", o.OutputTokens},
		{"cachedTokens", o.CachedTokens}, {"reasoningTokens", o.ReasoningTokens},
	} {
		if n.tokens >= 0 {
			d.put(n.key, strconv.FormatInt(n.tokens, 10))
		}
	}
}

func reasons(d decision.Decision) string {
	codes := make([]string, 0, len(d.Reasons))
	for _, r := range d.Reasons {
		codes = append(codes, r.Code)
	}
	return strings.Join(codes, ",")
}
