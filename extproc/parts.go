package extproc

import (
	"bytes"

	"sluice/extproc/provider"
	"sluice/internal/audit"
)

// part writes something more about an exchange that was begun. A part that the
// trail does not take is missing from the record: the exchange then ends as one
// without a record does.
func (x *exchange) part(kind string, body []byte) error {
	if x.record.Bodies == audit.BodiesNone {
		return nil
	}
	return x.s.Trail.Part(x.record.ID, kind, x.kept(body))
}

// sentUpstream records the request that is about to leave for a target. It may
// be called from a stream of the upstream stage.
func (x *exchange) sentUpstream(t *Target, call provider.Call) error {
	if !x.s.ProviderBodies || x.record.Bodies == audit.BodiesNone {
		return nil
	}
	up := call.Upstream()
	body := up.Body
	if len(up.Batch) > 0 {
		body = bytes.Join(up.Batch, []byte("\n"))
	}
	return x.s.Trail.Part(x.record.ID, audit.PartProviderRequest, x.keptOf(t, body))
}

// gotUpstream records a provider's whole reply.
func (x *exchange) gotUpstream(body []byte) {
	if !x.s.ProviderBodies || len(body) == 0 {
		return
	}
	if x.zipped {
		switch plain, err := gunzip(body, x.s.BodyBytes); {
		case err == nil:
			body = plain
		case x.record.Bodies != audit.BodiesFull:
			body = []byte(audit.MarkUnredacted) // nothing is found in what is packed
		}
	}
	x.missing(x.part(audit.PartProviderResponse, body))
}

// missing notes that a part of the record is not there.
func (x *exchange) missing(err error) {
	if x.unkept == nil {
		x.unkept = err
	}
}

// pieceBytes is how much of a stream is gathered before it is written.
const pieceBytes = 256 << 10

// pieces writes a stream as parts while it goes on, so that no more than a piece
// of it is held.
type pieces struct {
	kind string
	held []byte
}

// add takes the next bytes.
func (p *pieces) add(x *exchange, b []byte) {
	p.held = append(p.held, b...)
	if len(p.held) < pieceBytes+longestSecret {
		return
	}
	// A credential that is whole in what is held is taken out before it is cut.
	clean := x.kept(p.held)
	cut := max(0, len(clean)-longestSecret)
	x.missing(x.part(p.kind, clean[:cut]))
	p.held = append(p.held[:0], clean[cut:]...)
}

// end writes what is left.
func (p *pieces) end(x *exchange) {
	if len(p.held) > 0 {
		x.missing(x.part(p.kind, p.held))
	}
	p.held = nil
}
