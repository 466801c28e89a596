package otlpsink

import (
	"net/netip"
	"strings"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"

	"sluice/internal/audit"
	"sluice/internal/identity"
	"sluice/internal/sink"
	"sluice/internal/sink/format"
)

// schemaURL is the version of OpenTelemetry's semantic conventions that the
// names of attributes are of.
const schemaURL = "https://opentelemetry.io/schemas/1.40.0"

// encoder makes requests. A LogsData has the same bytes as the
// ExportLogsServiceRequest of the service, whose package brings a second HTTP
// library along.
type encoder struct {
	resource *resource.Resource
	scope    *common.InstrumentationScope
	node     string
}

func newEncoder(o *Options) encoder {
	var a attributes
	a.text("service.name", "sluice")
	a.text("service.instance.id", o.Trail)
	a.text("service.version", o.Version)
	return encoder{
		resource: &resource.Resource{Attributes: a}, scope: &common.InstrumentationScope{Name: "sluice/audit", Version: o.Version},
		node: o.Node,
	}
}

func (e *encoder) request(entries []sink.Entry, now time.Time) *logs.LogsData {
	list := make([]*logs.LogRecord, len(entries))
	for i := range entries {
		list[i] = e.record(&entries[i], now)
	}
	return &logs.LogsData{ResourceLogs: []*logs.ResourceLogs{{
		Resource: e.resource, SchemaUrl: schemaURL,
		ScopeLogs: []*logs.ScopeLogs{{Scope: e.scope, LogRecords: list, SchemaUrl: schemaURL}},
	}}}
}

// record is an entry as a log record: its text in the sink's format is the body,
// and what queries ask for is in attributes.
func (e *encoder) record(entry *sink.Entry, now time.Time) *logs.LogRecord {
	r := entry.Record
	var a attributes
	a.text("log.record.uid", r.RecordID)
	a.number("sluice.sequence", int64(r.Sequence))
	a.text("sluice.exchange.id", r.ID)
	number, word := severity(r)
	if r.Event != nil {
		a.event(r.Event, e.node)
	} else {
		a.exchange(r, e.node)
	}
	return &logs.LogRecord{
		TimeUnixNano: nanos(r.Time), ObservedTimeUnixNano: nanos(now), SeverityNumber: number, SeverityText: word,
		EventName: "sluice.audit." + r.Kind(), Attributes: a,
		Body: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: strings.ToValidUTF8(string(entry.Data), "\ufffd")}},
	}
}

func nanos(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixNano())
}

// severity tells what an operator looks at from what is as it should be.
func severity(r *audit.Record) (logs.SeverityNumber, string) {
	result := ""
	switch {
	case r.Outcome != nil:
		result = r.Outcome.Result
	case format.Severe(r):
		return logs.SeverityNumber_SEVERITY_NUMBER_ERROR, "ERROR"
	case format.Failed(r):
		return logs.SeverityNumber_SEVERITY_NUMBER_WARN, "WARN"
	}
	switch result {
	case audit.ResultGatewayError:
		return logs.SeverityNumber_SEVERITY_NUMBER_ERROR, "ERROR"
	case audit.ResultProviderError, audit.ResultInterrupted, audit.ResultDenied, audit.ResultUnauthenticated, audit.ResultRefused:
		return logs.SeverityNumber_SEVERITY_NUMBER_WARN, "WARN"
	}
	return logs.SeverityNumber_SEVERITY_NUMBER_INFO, "INFO"
}

// attributes are in the order in which they were added.
type attributes []*common.KeyValue

func (a *attributes) add(key string, v *common.AnyValue) {
	*a = append(*a, &common.KeyValue{Key: key, Value: v})
}

// text adds a text unless it is empty. Text that is not UTF-8 can't be sent.
func (a *attributes) text(key, value string) {
	if value != "" {
		a.add(key, text(value))
	}
}

func text(value string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: strings.ToValidUTF8(value, "\ufffd")}}
}

func (a *attributes) int(key string, value int64) {
	a.add(key, &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: value}})
}

// number adds a number unless it is zero, known unless it is audit.Unknown.
func (a *attributes) number(key string, value int64) {
	if value != 0 {
		a.int(key, value)
	}
}

func (a *attributes) known(key string, value int64) {
	if value != audit.Unknown {
		a.int(key, value)
	}
}

func (a *attributes) list(key string, values []string) {
	if len(values) == 0 {
		return
	}
	list := make([]*common.AnyValue, len(values))
	for i, v := range values {
		list[i] = text(v)
	}
	a.add(key, &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: &common.ArrayValue{Values: list}}})
}

func (a *attributes) caller(c *identity.Caller) {
	if c == nil {
		return
	}
	a.text("user.id", c.UserID)
	a.text("user.name", c.UserName)
	a.list("user.roles", c.Roles)
	a.list("sluice.organizations", c.Organizations)
	a.text("sluice.project", c.Project)
	a.text("sluice.execution", c.Execution)
	a.text("sluice.token.id", c.TokenID)
	a.text("sluice.token.name", c.TokenName)
}

// client adds the address that a request came from.
func (a *attributes) client(address string) {
	if both, err := netip.ParseAddrPort(address); err == nil {
		a.text("client.address", both.Addr().Unmap().String())
		a.int("client.port", int64(both.Port()))
		return
	}
	a.text("client.address", address)
}

// event adds what an event says.
func (a *attributes) event(e *audit.Event, node string) {
	a.caller(e.By)
	a.client(e.ClientAddr)
	if e.Node != "" {
		node = e.Node
	}
	a.text("sluice.node", node)
	a.text("sluice.target.type", e.TargetType)
	a.text("sluice.target.id", e.TargetID)
	a.text("sluice.target.name", e.TargetName)
	a.text("error.type", e.Metadata["code"])
}
