package format

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"sluice/internal/audit"
	"sluice/internal/decision"
)

// verdict is how OCSF tells the end of an exchange.
type verdict struct {
	severity    severity
	status      status
	statusName  string
	action      int64 // action_id: 1 allowed, 2 denied
	disposition int64
	named       string // the caption of disposition
}

var verdicts = map[string]verdict{
	audit.ResultAnswered:        {informational, statusSuccess, "Success", 1, 1, "Allowed"},
	audit.ResultProviderError:   {low, statusFailure, "Failure", 1, 27, "Error"},
	audit.ResultGatewayError:    {medium, statusFailure, "Failure", 1, 27, "Error"},
	audit.ResultClientGone:      {informational, statusOther, audit.ResultClientGone, 1, 1, "Allowed"},
	audit.ResultInterrupted:     {low, statusOther, audit.ResultInterrupted, 1, 27, "Error"},
	audit.ResultDenied:          {medium, statusFailure, "Failure", 2, 2, "Blocked"},
	audit.ResultUnauthenticated: {medium, statusFailure, "Failure", 2, 26, "Unauthorized"},
	audit.ResultRefused:         {low, statusFailure, "Failure", 2, 25, "Rejected"},
}

// underWay is an exchange of which the second half is not in the trail yet, and
// of one whose result this package does not know.
var underWay = verdict{informational, statusUnknown, "Unknown", 1, 1, "Allowed"}

// noOutcome stands for the outcome of an exchange that is under way.
var noOutcome = audit.Outcome{
	InputTokens: audit.Unknown, OutputTokens: audit.Unknown, CachedTokens: audit.Unknown, ReasoningTokens: audit.Unknown,
	CacheWriteTokens: audit.Unknown, CostNanoUSD: audit.Unknown,
}

// halves are the two halves of an exchange, neither of them nil.
func halves(r *audit.Record) (*audit.Exchange, *audit.Outcome) {
	x, o := r.Exchange, r.Outcome
	if x == nil {
		x = &audit.Exchange{ID: r.ID, Time: r.Time}
	}
	if o == nil {
		o = &noOutcome
	}
	return x, o
}

// ocsfExchange writes an exchange as API Activity, and as a failed
// Authentication where nobody knows whose it was.
func ocsfExchange(w *writer, r *audit.Record) error {
	x, o := halves(r)
	v, known := verdicts[o.Result]
	if !known {
		v = underWay
	}
	h := head{
		class: classAPI, activity: activityOther, activityName: cmp.Or(x.Operation, "request"), severity: v.severity,
		status: v.status, statusName: v.statusName, statusCode: o.Code, statusDetail: o.Message, message: sentence(x, o),
	}
	failed := o.Result == audit.ResultUnauthenticated
	if failed {
		h.class, h.activity, h.activityName = classAuthentication, 1, "Logon"
	}
	w.begin(&h, r)
	w.number("duration", o.Duration.Milliseconds())
	w.millis("start_time", x.Time)
	w.millis("end_time", o.Time)
	w.metadata(r, r.ID, x.Node, tenant(x.Caller), "security_control")
	if failed {
		w.refusedLogon(x)
	} else {
		w.caller(x)
	}
	w.source(x.ClientAddr, true)
	w.self(x.Node)
	w.httpRequest(r, x)
	w.httpResponse(r, o)
	w.controls(x, &v)
	if !failed {
		w.call(r, x, o)
		w.resources(x, o)
		w.cost(x, o)
	}
	person := "actor.user"
	if failed {
		person = "user"
	}
	w.observables(x.Caller, person, x.ClientAddr)
	if !failed {
		w.observable("resources.uid", observableResourceUID, x.EndpointID)
		w.observable("resources.name", observableResourceName, x.EndpointName)
	}
	w.endObservables()
	err := w.exchangeRest(r, x, o, failed)
	w.close()
	return err
}

// sentence says what happened in words.
func sentence(x *audit.Exchange, o *audit.Outcome) string {
	who := "a caller that nobody knows"
	if x.Caller != nil {
		who = cmp.Or(x.Caller.UserName, x.Caller.UserID)
	}
	s := who + " called " + cmp.Or(x.EndpointName, x.Path, "an endpoint")
	if _, provider, model := served(x, o); model != "" {
		s += " (" + provider + " " + model + ")"
	}
	s += ": " + cmp.Or(o.Result, "under way")
	if o.Status != 0 {
		s += " " + strconv.Itoa(o.Status)
	}
	return s
}

// caller writes whose the exchange was.
func (w *writer) caller(x *audit.Exchange) {
	if x.Caller != nil {
		w.actor(x.Caller)
		return
	}
	w.open("actor")
	w.open("user")
	w.person("", "")
	w.close()
	w.close()
}

// refusedLogon writes the parts that only a failed authentication has.
func (w *writer) refusedLogon(x *audit.Exchange) {
	w.open("user")
	if x.Caller == nil {
		w.person("", "")
	} else {
		w.user(x.Caller)
	}
	w.close()
	w.service()
	w.key("is_remote")
	w.b = append(w.b, "true"...)
	w.int("logon_type_id", 3)
	w.word("logon_type", "Network")
	w.protocol(cmp.Or(x.Credential, "none"))
}

func (w *writer) service() {
	w.open("service")
	w.word("name", product)
	w.close()
}

// protocol writes how somebody proved who he is.
func (w *writer) protocol(name string) {
	switch name {
	case "oidc", "jwt":
		w.int("auth_protocol_id", 4)
		w.word("auth_protocol", "OpenID")
	default:
		w.int("auth_protocol_id", 99)
		w.text("auth_protocol", name)
	}
}

// methods are those that OCSF knows; others stay in unmapped.
var methods = map[string]bool{
	"GET": true, "POST": true, "PUT": true, "DELETE": true, "PATCH": true, "HEAD": true, "OPTIONS": true, "TRACE": true, "CONNECT": true,
}

func (w *writer) httpRequest(r *audit.Record, x *audit.Exchange) {
	w.open("http_request")
	w.text("uid", r.ID)
	if methods[x.Method] {
		w.text("http_method", x.Method)
	}
	if x.Path != "" {
		w.open("url")
		w.text("path", x.Path)
		if x.TLS != nil {
			w.text("hostname", x.TLS.ServerName)
			w.word("scheme", "https")
		}
		w.close()
	}
	w.int("body_length", r.RequestBytes)
	w.close()
}

func (w *writer) httpResponse(r *audit.Record, o *audit.Outcome) {
	if o.Status == 0 {
		return
	}
	w.open("http_response")
	w.int("code", int64(o.Status))
	w.int("body_length", cmp.Or(o.ResponseBytes, r.ResponseBytes))
	w.number("latency", o.FirstByte.Milliseconds())
	w.close()
}

// controls writes what the policy said: the profile security_control.
func (w *writer) controls(x *audit.Exchange, v *verdict) {
	w.int("action_id", v.action)
	w.word("action", [...]string{1: "Allowed", 2: "Denied"}[v.action])
	w.int("disposition_id", v.disposition)
	w.word("disposition", v.named)
	d := &x.Decision
	if d.Revision == "" {
		return
	}
	w.open("policy")
	w.word("name", "policies")
	w.text("version", d.Revision)
	w.text("desc", d.Message())
	w.key("is_applied")
	w.b = append(w.b, "true"...)
	w.close()
	w.authorizations(d)
}

func (w *writer) authorizations(d *decision.Decision) {
	if len(d.Reasons) == 0 {
		return
	}
	said := "Denied"
	if d.Allow {
		said = "Allowed"
	}
	w.openList("authorizations")
	for _, reason := range d.Reasons {
		w.item()
		w.text("decision", said)
		w.open("policy")
		w.text("name", reason.Code)
		w.text("version", d.Revision)
		w.text("desc", reason.Message)
		w.close()
		w.close()
	}
	w.closeList()
}

// call writes the api object. Its data are the bodies.
func (w *writer) call(r *audit.Record, x *audit.Exchange, o *audit.Outcome) {
	w.open("api")
	w.text("operation", cmp.Or(x.Operation, x.Method, "request"))
	w.text("version", x.Dialect)
	w.service()
	w.open("request")
	w.text("uid", cmp.Or(r.ID, r.RecordID))
	w.data(r.RequestBody)
	w.close()
	w.open("response")
	w.number("code", int64(o.Status))
	w.text("error", o.Code)
	w.text("error_message", o.Message)
	w.data(r.ResponseBody)
	w.close()
	w.close()
}

// data writes a body as text, in base64 with a flag where it is none.
func (w *writer) data(b audit.Body) {
	switch {
	case len(b) == 0:
	case utf8.Valid(b):
		w.text("data", string(b))
	default:
		w.list("flags", "base64")
		w.text("data", base64.StdEncoding.EncodeToString(b))
	}
}

// served are provider and model that answered, or were asked first.
func served(x *audit.Exchange, o *audit.Outcome) (target, provider, model string) {
	return cmp.Or(o.Target, x.Target), cmp.Or(o.Provider, x.Provider), cmp.Or(o.Model, x.Model)
}

func (w *writer) resources(x *audit.Exchange, o *audit.Outcome) {
	target, provider, model := served(x, o)
	if x.EndpointID == "" && x.EndpointName == "" && provider == "" && model == "" {
		return
	}
	w.openList("resources")
	if x.EndpointID != "" || x.EndpointName != "" {
		w.item()
		w.text("uid", x.EndpointID)
		w.text("name", x.EndpointName)
		w.word("type", "endpoint")
		w.role(1, "Target")
		if x.EndpointType != "" {
			w.list("labels", x.EndpointType)
		}
		w.close()
	}
	if model != "" {
		w.item()
		w.text("name", model)
		w.word("type", "model")
		w.text("namespace", provider)
		w.role(4, "Related")
		w.close()
	}
	if provider != "" {
		w.item()
		w.text("name", provider)
		w.word("type", "provider")
		w.role(4, "Related")
		if target != "" {
			w.list("labels", target)
		}
		w.close()
	}
	w.closeList()
}

func (w *writer) role(id int64, name string) {
	w.int("role_id", id)
	w.word("role", name)
}

// cost writes what the price table adds to the record.
func (w *writer) cost(x *audit.Exchange, o *audit.Outcome) {
	_, _, model := served(x, o)
	if o.CostNanoUSD == audit.Unknown || model == "" {
		return
	}
	w.openList("enrichments")
	w.item()
	w.text("name", "resources.name")
	w.text("value", model)
	w.word("type", "cost")
	w.word("provider", "price table")
	w.open("data")
	w.int("cost_nano_usd", o.CostNanoUSD)
	w.close()
	w.close()
	w.closeList()
}

// exchangeRest writes what OCSF has no place for, under the names of the record.
func (w *writer) exchangeRest(r *audit.Record, x *audit.Exchange, o *audit.Outcome, failed bool) error {
	w.open("unmapped")
	w.text("result", o.Result)
	w.number("endSequence", int64(r.EndSequence))
	w.text("credential", x.Credential)
	w.text("certificate", x.Certificate)
	if c := x.Caller; c != nil {
		w.text("project", c.Project)
		w.text("tokenName", c.TokenName)
		w.text("callerCredential", c.Credential)
		if failed {
			w.text("tokenId", c.TokenID)
			w.text("execution", c.Execution)
		}
	}
	if failed {
		w.text("endpointId", x.EndpointID)
		w.text("endpointName", x.EndpointName)
		w.text("operation", x.Operation)
		w.text("dialect", x.Dialect)
		w.text("model", cmp.Or(o.Model, x.Model))
		w.text("provider", cmp.Or(o.Provider, x.Provider))
		w.text("target", cmp.Or(o.Target, x.Target))
	}
	w.text("endpointType", x.EndpointType)
	if x.Method != "" && !methods[x.Method] {
		w.text("method", x.Method)
	}
	if o.Target != "" && x.Target != o.Target {
		w.text("firstTarget", x.Target)
		w.text("firstProvider", x.Provider)
		w.text("firstModel", x.Model)
	}
	if t := x.TLS; t != nil {
		w.open("tls")
		w.text("version", t.Version)
		w.text("cipher", t.Cipher)
		w.text("serverName", t.ServerName)
		w.close()
	}
	w.flag("stream", x.Stream)
	w.number("maxTokens", x.MaxTokens)
	w.text("bodies", x.Bodies)
	w.text("bodyForm", o.BodyForm)
	w.flag("partial", o.Partial)
	w.list("applied", x.Applied...)
	w.number("upstreamStatus", int64(o.UpstreamStatus))
	w.known("inputTokens", o.InputTokens)
	w.known("outputTokens", o.OutputTokens)
	w.known("cachedTokens", o.CachedTokens)
	w.known("cacheWriteTokens", o.CacheWriteTokens)
	w.known("reasoningTokens", o.ReasoningTokens)
	w.known("costNanoUsd", o.CostNanoUSD)
	w.number("firstByteNs", int64(o.FirstByte))
	w.number("durationNs", int64(o.Duration))
	w.attempts(o.Attempts)
	var err error
	if len(x.Decision.Obligations) > 0 {
		err = w.value("obligations", x.Decision.Obligations)
	}
	w.flag("requestTruncated", r.RequestTruncated)
	w.flag("responseTruncated", r.ResponseTruncated)
	if failed {
		w.body("requestBody", r.RequestBody)
		w.body("responseBody", r.ResponseBody)
	}
	w.parts(r.Parts)
	if len(r.Damaged) > 0 && err == nil {
		err = w.value("damaged", r.Damaged)
	}
	w.close()
	return err
}

// value writes any value as a member.
func (w *writer) value(name string, v any) error {
	encoded, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", name, err)
	}
	w.key(name)
	w.b = append(w.b, encoded...)
	return nil
}

func (w *writer) body(name string, b audit.Body) {
	if len(b) > 0 {
		w.key(name)
		w.b = audit.AppendBody(w.b, b)
	}
}

func (w *writer) attempts(attempts []audit.Attempt) {
	if len(attempts) == 0 {
		return
	}
	w.openList("attempts")
	for i := range attempts {
		a := &attempts[i]
		w.item()
		w.text("target", a.Target)
		w.text("provider", a.Provider)
		w.text("model", a.Model)
		w.number("status", int64(a.Status))
		w.text("code", a.Code)
		w.number("durationNs", int64(a.Duration/time.Nanosecond))
		w.close()
	}
	w.closeList()
}

func (w *writer) parts(parts []audit.Part) {
	if len(parts) == 0 {
		return
	}
	w.openList("parts")
	for i := range parts {
		p := &parts[i]
		w.item()
		w.text("kind", p.Kind)
		w.int("bytes", p.Bytes)
		w.flag("truncated", p.Truncated)
		w.body("body", p.Body)
		w.close()
	}
	w.closeList()
}
