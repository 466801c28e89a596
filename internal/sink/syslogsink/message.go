package syslogsink

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"sluice/internal/audit"
	"sluice/internal/sink"
)

// Severities of RFC 5424.
const (
	severityError   = 3
	severityWarning = 4
	severityNotice  = 5
	severityInfo    = 6
)

// What the parameter cut of the structured data says.
const (
	cutBodies = "bodies" // the record would have been too long with its bodies
	cutEnd    = "end"    // it was too long without them too: its end is missing
)

// message renders an entry, at most MaxBytes long.
func (t *Target) message(e *sink.Entry) ([]byte, error) {
	m := t.render(e.Record, "", e.Data)
	if len(m) <= t.o.Config.MaxBytes {
		return m, nil
	}
	data := e.Data
	if bare := withoutBodies(e.Record); bare != e.Record {
		var err error
		if data, err = t.o.Format(nil, bare); err != nil {
			return nil, &sink.Refused{Reason: "it can't be said in the format of the sink"}
		}
		if m = t.render(e.Record, cutBodies, data); len(m) <= t.o.Config.MaxBytes {
			return m, nil
		}
	}
	m = t.render(e.Record, cutEnd, data)
	end := t.o.Config.MaxBytes
	for end > 0 && !utf8.RuneStart(m[end]) {
		end--
	}
	return m[:end], nil
}

// withoutBodies is the record with the lengths of its bodies only; it is r itself
// where there are none.
func withoutBodies(r *audit.Record) *audit.Record {
	out := *r
	out.RequestTruncated = r.RequestTruncated || len(r.RequestBody) > 0
	out.ResponseTruncated = r.ResponseTruncated || len(r.ResponseBody) > 0
	out.RequestBody, out.ResponseBody = nil, nil
	some := len(r.RequestBody)+len(r.ResponseBody) > 0
	out.Parts = append([]audit.Part(nil), r.Parts...)
	for i := range out.Parts {
		p := &out.Parts[i]
		some = some || len(p.Body) > 0
		p.Truncated = p.Truncated || len(p.Body) > 0
		p.Body = nil
	}
	if !some {
		return r
	}
	return &out
}

// render builds a message of RFC 5424.
func (t *Target) render(r *audit.Record, cut string, data []byte) []byte {
	m := make([]byte, 0, len(data)+256)
	m = fmt.Appendf(m, "<%d>1 %s %s %s - %s ", t.o.Config.Facility*8+severity(r),
		sink.CompletedAt(r).UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
		printable(node(r, t.o.Node), 255), t.o.Config.AppName, printable(r.Kind(), 32))
	m = fmt.Appendf(m, `[sluice@%d`, t.o.Config.Enterprise)
	m = param(m, "recordId", r.RecordID)
	m = param(m, "id", r.ID)
	m = param(m, "cut", cut)
	m = append(m, "] "...)
	return append(m, data...)
}

func node(r *audit.Record, own string) string {
	if r.Exchange != nil && r.Exchange.Node != "" {
		return r.Exchange.Node
	}
	return own
}

// severity is that of a record: what went wrong here is an error, what was
// refused or failed elsewhere a warning.
func severity(r *audit.Record) int {
	if r.Event != nil {
		switch r.Event.Kind {
		case audit.KindRecordsMissing, audit.KindTailCut, audit.KindDamaged, sink.KindSkipped, sink.KindMarkLost:
			return severityError
		case sink.KindFailing, sink.KindReceiverLost:
			return severityWarning
		}
		return severityNotice
	}
	if r.Outcome == nil {
		return severityInfo
	}
	switch r.Outcome.Result {
	case audit.ResultAnswered:
		return severityInfo
	case audit.ResultClientGone:
		return severityNotice
	case audit.ResultGatewayError:
		return severityError
	}
	return severityWarning
}

// printable keeps what a field of the header may hold; nothing is "-".
func printable(text string, most int) string {
	out := strings.Map(func(r rune) rune {
		if r < '!' || r > '~' {
			return -1
		}
		return r
	}, text)
	if out == "" {
		return "-"
	}
	return out[:min(len(out), most)]
}

// param appends a parameter of structured data unless it is empty.
func param(m []byte, name, value string) []byte {
	if value == "" {
		return m
	}
	m = append(append(append(m, ' '), name...), '=', '"')
	for _, r := range strings.ToValidUTF8(value, "\uFFFD") {
		if r == '"' || r == '\\' || r == ']' {
			m = append(m, '\\')
		}
		if r >= ' ' && r != 0x7f {
			m = utf8.AppendRune(m, r)
		}
	}
	return append(m, '"')
}

// frame puts the length in front, as RFC 5425 has it.
func frame(m []byte) []byte {
	f := strconv.AppendInt(make([]byte, 0, len(m)+8), int64(len(m)), 10)
	return append(append(f, ' '), m...)
}
