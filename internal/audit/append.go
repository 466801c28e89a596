package audit

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// SchemaVersion is that of the JSON of records. It changes when a member goes
// or means something else; new members leave it as it is.
const SchemaVersion = 1

// AppendJSON appends the record's JSON, on one line: what MarshalJSON makes of
// it, at a fraction of the cost. Only obligations and events that are no JSON
// make an error.
func (r *Record) AppendJSON(dst []byte) ([]byte, error) {
	f := open(dst)
	f.int("schemaVersion", SchemaVersion)
	f.always("eventKind", r.Kind())
	f.always("recordId", r.RecordID)
	f.key("sequence")
	f.buf = strconv.AppendUint(f.buf, r.Sequence, 10)
	if r.EndSequence != 0 {
		f.key("endSequence")
		f.buf = strconv.AppendUint(f.buf, r.EndSequence, 10)
	}
	f.text("id", r.ID)
	f.time("time", r.Time)
	if x := r.Exchange; x != nil {
		f.key("exchange")
		var err error
		if stored := r.stored.exchangeOf(x); stored != "" {
			f.buf = append(f.buf, stored...)
		} else if f.buf, err = (*encoder)(nil).appendExchange(f.buf, x, x.Time); err != nil {
			return dst, err
		}
	}
	if o := r.Outcome; o != nil {
		f.key("outcome")
		if stored := r.stored.outcomeOf(o); stored != "" {
			f.buf = append(append(f.buf, '{'), stored...)
		} else {
			f.buf = appendOutcome(f.buf, "", o, o.Time)
		}
	}
	if stored := r.stored.eventOf(r.Event); stored != "" {
		f.key("event")
		f.buf = append(f.buf, stored...)
	} else if r.Event != nil {
		encoded, err := json.Marshal(r.Event)
		if err != nil {
			return dst, fmt.Errorf("encoding an event: %w", err)
		}
		f.key("event")
		f.buf = append(f.buf, encoded...)
	}
	f.int("requestBytes", r.RequestBytes)
	f.int("responseBytes", r.ResponseBytes)
	f.flag("requestTruncated", r.RequestTruncated)
	f.flag("responseTruncated", r.ResponseTruncated)
	if len(r.Parts) > 0 {
		f.key("parts")
		f.buf = appendParts(f.buf, r.Parts)
	}
	if len(r.Damaged) > 0 {
		encoded, err := json.Marshal(r.Damaged)
		if err != nil {
			return dst, fmt.Errorf("encoding what is damaged: %w", err)
		}
		f.key("damaged")
		f.buf = append(f.buf, encoded...)
	}
	f.body("requestBody", r.RequestBody)
	f.body("responseBody", r.ResponseBody)
	return f.close(), nil
}

func appendParts(buf []byte, parts []Part) []byte {
	for i := range parts {
		buf = append(buf, ",["[b2i(i == 0)])
		buf = parts[i].appendJSON(buf)
	}
	return append(buf, ']')
}

func (p *Part) appendJSON(buf []byte) []byte {
	f := open(buf)
	f.always("kind", p.Kind)
	f.int("bytes", p.Bytes)
	f.flag("truncated", p.Truncated)
	f.body("body", p.Body)
	return f.close()
}

// body appends a body unless it is empty.
func (f *fields) body(name string, b Body) {
	if len(b) == 0 {
		return
	}
	f.key(name)
	f.buf = AppendBody(f.buf, b)
}

// AppendBody appends a body as its MarshalJSON has it.
func AppendBody(dst []byte, b Body) []byte {
	if utf8.Valid(b) {
		return appendString(dst, string(b))
	}
	dst = append(dst, `{"base64":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, `"}`...)
}

// AppendString appends s as a JSON string.
func AppendString(dst []byte, s string) []byte { return appendString(dst, s) }
