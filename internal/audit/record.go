package audit

import (
	"encoding/json"
	"time"
	"unicode/utf8"
)

// Record is one exchange with both its halves, or one event.
type Record struct {
	// RecordID names the record among those of all trails: the id of the trail,
	// "-" and Sequence. Whoever receives the trail tells repeats by it.
	RecordID string `json:"recordId"`
	// Sequence orders the trail without gaps; it is that of the record's
	// first frame, EndSequence that of its second, 0 when there is none.
	Sequence    uint64    `json:"sequence"`
	EndSequence uint64    `json:"endSequence,omitempty"`
	ID          string    `json:"id,omitempty"` // exchange id, or request id of an event
	Time        time.Time `json:"time"`
	// Exchange is nil for an event. Of an exchange whose request half was in
	// a partition that retention has dropped, it has ID and Time only.
	Exchange *Exchange `json:"exchange,omitempty"`
	// Outcome is nil for an event and for an exchange that is under way.
	Outcome *Outcome `json:"outcome,omitempty"`
	Event   *Event   `json:"event,omitempty"`
	// RequestBytes and ResponseBytes are the lengths of the bodies given to
	// the trail, whether it keeps bodies or not.
	RequestBytes  int64 `json:"requestBytes"`
	ResponseBytes int64 `json:"responseBytes"`
	// RequestTruncated and ResponseTruncated say that only the beginning of a
	// body was kept (Options.BodyBytes).
	RequestTruncated  bool `json:"requestTruncated,omitempty"`
	ResponseTruncated bool `json:"responseTruncated,omitempty"`
	// Parts are what else is kept of an exchange that has ended, in the order
	// in which it was written.
	Parts []Part `json:"parts,omitempty"`
	// Damaged are the places of the record that are not as they were written. What
	// is there of it may be changed then, and what could not be read is missing; a
	// record of which nothing could be read is an event of KindDamaged.
	Damaged []Damage `json:"damaged,omitempty"`
	// Bodies are filled by Get, and by Query when Filter.Bodies is set.
	RequestBody  Body `json:"requestBody,omitempty"`
	ResponseBody Body `json:"responseBody,omitempty"`

	stored stored
	mark   Mark    // behind its last frame; set by a Reader
	size   int64   // about how much memory it takes; set by a Reader
	unread *unread // bodies that Lines has to write by itself
}

// Kind names what happened: KindAccessEndpoint or KindDenyEndpoint for an
// exchange, the event's own kind for an event.
func (r *Record) Kind() string {
	switch {
	case r.Event != nil:
		return r.Event.Kind
	case r.Outcome != nil:
		return exchangeKind(r.Outcome.Result)
	}
	return KindAccessEndpoint
}

// exchangeKind tells requests that were let through from those that were not.
func exchangeKind(result string) string {
	switch result {
	case ResultDenied, ResultUnauthenticated, ResultRefused:
		return KindDenyEndpoint
	}
	return KindAccessEndpoint
}

// MarshalJSON renders the record with its kind and the version of its schema
// beside its fields.
func (r *Record) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil) }

// Body is a request or response body. In JSON it is a string when it is valid
// UTF-8 and {"base64": "…"} when it is not.
type Body []byte

// MarshalJSON implements json.Marshaler.
func (b Body) MarshalJSON() ([]byte, error) {
	if utf8.Valid(b) {
		return json.Marshal(string(b))
	}
	return json.Marshal(struct {
		Base64 []byte `json:"base64"`
	}{b})
}

// UnmarshalJSON implements json.Unmarshaler.
func (b *Body) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		*b = Body(text)
		return nil
	}
	var raw struct {
		Base64 []byte `json:"base64"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*b = raw.Base64
	return nil
}
