package audit

import (
	"math"
	"slices"
	"unicode/utf8"

	"go.uber.org/zap"
)

// Outgoing is the record as it may leave: with its bodies as they were recorded
// (BodiesFull), redacted, or without them, and with at most the first most bytes
// of each; what is cut is marked as truncated. With less than the full bodies
// paths, reasons, messages and what changes of events say are redacted, and a
// stream in several parts is left out, since what is to be found may be cut by
// any of them. It is r itself where nothing has
// to be changed, else a copy that shares what it can. What was redacted when it
// was recorded stays so.
func (t *Trail) Outgoing(r *Record, bodies string, most int64) *Record {
	out := *r
	if r.Event != nil {
		if out.Event = t.redaction.outgoing(bodies, r.Event); out.Event == r.Event {
			return r
		}
		return &out
	}
	if r.Exchange == nil {
		return r
	}
	same := true
	switch kept := r.Exchange.Bodies; {
	case bodies == BodiesRedacted && (kept == BodiesRedacted || kept == BodiesNone):
		bodies = BodiesFull // it is redacted already
	case bodies == BodiesRedacted, bodies == BodiesNone && kept != BodiesNone:
		// Paths and messages quote bodies.
		same = false
		out.Exchange = t.redaction.exchange(bodies, r.Exchange)
		if r.Outcome != nil {
			out.Outcome = t.redaction.outcome(bodies, r.Outcome)
		}
	}
	let := func(b Body, truncated *bool) Body {
		switch {
		case bodies == BodiesNone:
			same = same && len(b) == 0
			return nil
		case bodies == BodiesRedacted:
			b = t.redaction.body(BodiesRedacted, b)
		}
		if int64(len(b)) > most {
			b, *truncated, same = prefixOf(b, most), true, false
		}
		return b
	}
	out.RequestBody, out.ResponseBody = let(r.RequestBody, &out.RequestTruncated), let(r.ResponseBody, &out.ResponseTruncated)
	out.Parts = slices.Clone(r.Parts)
	for i := range out.Parts {
		p := &out.Parts[i]
		if bodies == BodiesRedacted && len(p.Body) > 0 && inPieces(r.Parts, p.Kind) {
			p.Body, p.Truncated = nil, true
		}
		p.Body = let(p.Body, &p.Truncated)
	}
	if same {
		return r
	}
	return &out
}

// inPieces reports whether parts of a kind are the pieces of one stream. What is to
// be found may be cut by any of them, so that it can't be redacted.
func inPieces(parts []Part, kind string) bool {
	n := 0
	for i := range parts {
		if parts[i].Kind == kind {
			n++
		}
	}
	return n > 1 && kind != PartProviderRequest
}

// prefixOf returns at most the first most bytes of a body, and no half character.
func prefixOf(b Body, most int64) Body {
	for k := 0; k < utf8.UTFMax && most > 0 && !utf8.RuneStart(b[most]); k++ {
		most--
	}
	return b[:most:most]
}

// Redacted is the record as it would be had it been recorded with that redactor.
func Redacted(r *Record, with Redactor) *Record {
	t := &Trail{}
	t.redaction.log = zap.NewNop()
	t.SetRedactor(with)
	return t.Outgoing(r, BodiesRedacted, math.MaxInt64)
}
