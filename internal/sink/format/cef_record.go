package format

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"sluice/internal/audit"
	"sluice/internal/identity"
)

// caller writes who did it.
func (c *cef) caller(by *identity.Caller) {
	if by == nil {
		return
	}
	c.text("suser", by.UserName, limitName)
	c.text("suid", by.UserID, limitName)
	c.text("spriv", strings.Join(by.Roles, ","), limitName)
	c.custom("cs4", "Organizations", strings.Join(by.Organizations, ","))
	c.custom("cs5", "Project", by.Project)
	c.custom("cs6", "Token ID", by.TokenID)
	c.text("sluiceTokenName", by.TokenName, noLimit)
	c.text("sluiceExecution", by.Execution, noLimit)
	c.text("sluiceCallerCredential", by.Credential, noLimit)
}

func (c *cef) exchange(r *audit.Record) error {
	x, o := halves(r)
	v, known := verdicts[o.Result]
	if !known {
		v = underWay
	}
	c.header(r.Kind(), "Call "+strings.ReplaceAll(cmp.Or(o.Result, "under way"), "_", " "), v.severity)
	c.common(r, x.Node, sentence(x, o))
	c.caller(x.Caller)
	c.address(x.ClientAddr)
	c.text("app", map[bool]string{true: "HTTPS", false: "HTTP"}[x.TLS != nil], limitApp)
	c.text("request", x.Path, limitName)
	c.text("requestMethod", x.Method, limitName)
	c.text("cat", x.Operation, limitName)
	c.text("act", [...]string{1: "allowed", 2: "blocked"}[v.action], limitAct)
	c.text("outcome", cmp.Or(o.Result, "under_way"), limitAct)
	c.text("reason", cmp.Or(o.Code, x.Decision.Code()), limitName)
	if !x.Time.IsZero() {
		c.int("start", x.Time.UnixMilli())
	}
	if !o.Time.IsZero() {
		c.int("end", o.Time.UnixMilli())
	}
	c.int("in", r.RequestBytes)
	c.int("out", cmp.Or(o.ResponseBytes, r.ResponseBytes))
	target, provider, model := served(x, o)
	c.custom("cs1", "Endpoint", x.EndpointName)
	c.custom("cs2", "Provider", provider)
	c.custom("cs3", "Model", model)
	c.counted("cn1", "Input tokens", o.InputTokens)
	c.counted("cn2", "Output tokens", o.OutputTokens)
	if o.Status != 0 {
		c.counted("cn3", "HTTP status", int64(o.Status))
	}
	if o.CostNanoUSD != audit.Unknown {
		c.key("cfp1")
		c.b = strconv.AppendFloat(c.b, float64(o.CostNanoUSD)/1e9, 'f', -1, 64)
		c.text("cfp1Label", "Cost in US dollars", limitName)
	}
	c.custom("flexString1", "Policy revision", x.Decision.Revision)
	c.custom("flexString2", "Exchange ID", r.ID)
	return c.exchangeRest(r, x, o, target)
}

// exchangeRest writes what the standard has no keys for, under keys of our own.
func (c *cef) exchangeRest(r *audit.Record, x *audit.Exchange, o *audit.Outcome, target string) error {
	c.text("sluiceEndpointId", x.EndpointID, noLimit)
	c.text("sluiceEndpointType", x.EndpointType, noLimit)
	c.text("sluiceTarget", target, noLimit)
	if x.Target != target {
		c.text("sluiceFirstTarget", x.Target, noLimit)
	}
	c.text("sluiceDialect", x.Dialect, noLimit)
	c.text("sluiceCredential", x.Credential, noLimit)
	c.text("sluiceCertificate", x.Certificate, noLimit)
	if t := x.TLS; t != nil {
		c.text("sluiceTlsVersion", t.Version, noLimit)
		c.text("sluiceTlsCipher", t.Cipher, noLimit)
		c.text("sluiceTlsServerName", t.ServerName, noLimit)
	}
	if x.Stream {
		c.text("sluiceStream", "true", noLimit)
	}
	c.number("sluiceMaxTokens", x.MaxTokens)
	c.text("sluiceBodies", x.Bodies, noLimit)
	c.text("sluiceBodyForm", o.BodyForm, noLimit)
	if o.Partial {
		c.text("sluicePartial", "true", noLimit)
	}
	c.text("sluiceApplied", strings.Join(x.Applied, ","), noLimit)
	c.text("sluiceMessage", cmp.Or(o.Message, x.Decision.Message()), noLimit)
	c.number("sluiceUpstreamStatus", int64(o.UpstreamStatus))
	c.known("sluiceCachedTokens", o.CachedTokens)
	c.known("sluiceCacheWriteTokens", o.CacheWriteTokens)
	c.known("sluiceReasoningTokens", o.ReasoningTokens)
	c.number("sluiceFirstByteNs", int64(o.FirstByte))
	c.known("sluiceCostNanoUsd", o.CostNanoUSD)
	c.number("sluiceDurationNs", int64(o.Duration))
	if err := c.value("sluiceReasons", x.Decision.Reasons, len(x.Decision.Reasons)); err != nil {
		return err
	}
	if err := c.value("sluiceObligations", x.Decision.Obligations, len(x.Decision.Obligations)); err != nil {
		return err
	}
	if err := c.value("sluiceAttempts", o.Attempts, len(o.Attempts)); err != nil {
		return err
	}
	if r.RequestTruncated {
		c.text("sluiceRequestTruncated", "true", noLimit)
	}
	if r.ResponseTruncated {
		c.text("sluiceResponseTruncated", "true", noLimit)
	}
	if err := c.value("sluiceDamaged", r.Damaged, len(r.Damaged)); err != nil {
		return err
	}
	if err := c.value("sluiceParts", r.Parts, len(r.Parts)); err != nil {
		return err
	}
	c.body("sluiceRequestBody", r.RequestBody)
	c.body("sluiceResponseBody", r.ResponseBody)
	return nil
}

func (c *cef) known(key string, value int64) {
	if value != audit.Unknown {
		c.int(key, value)
	}
}

// value writes a list or a map of n entries as JSON, unless it has none.
func (c *cef) value(key string, v any, n int) error {
	if n == 0 {
		return nil
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", key, err)
	}
	c.text(key, string(encoded), noLimit)
	return nil
}

func (c *cef) event(r *audit.Record) error {
	e := r.Event
	m := ofEvent(e)
	outcome, level := "success", m.severity
	if failed(e) {
		outcome, level = "failure", max(level, low)
	}
	c.header(e.Kind, eventName(e.Kind), level)
	c.common(r, e.Node, eventSentence(e))
	c.caller(e.By)
	c.address(e.ClientAddr)
	c.text("act", e.Kind, limitAct)
	c.text("outcome", outcome, limitAct)
	c.text("reason", e.Metadata["code"], limitName)
	c.text("cat", m.class.name, limitName)
	if e.TargetType == targetUser {
		c.text("duser", e.TargetName, limitName)
		c.text("duid", e.TargetID, limitName)
	}
	c.custom("cs1", "Target type", e.TargetType)
	c.custom("cs2", "Target name", e.TargetName)
	c.custom("cs3", "Target ID", e.TargetID)
	c.custom("flexString2", "Request ID", e.RequestID)
	c.text("sluiceCertificate", e.Certificate, noLimit)
	c.text("sluiceEndpointType", e.EndpointType, noLimit)
	if err := c.value("sluiceChanges", e.Changes, len(e.Changes)); err != nil {
		return err
	}
	return c.value("sluiceMetadata", e.Metadata, len(e.Metadata))
}

// eventName is a kind in words: "CreateEndpoint" is "Create endpoint".
func eventName(kind string) string {
	var b strings.Builder
	for i, c := range kind {
		if i > 0 && c >= 'A' && c <= 'Z' {
			b.WriteByte(' ')
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}
