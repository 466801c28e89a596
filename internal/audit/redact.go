package audit

import (
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"sluice/internal/decision"
)

// Redactor takes personal data and secrets out of what is recorded. Its methods
// may be called from any goroutine. They must not change what they are given;
// what they return may share it.
type Redactor interface {
	// Body is a request or response body, or a part of one, without what was
	// found in it. JSON stays JSON.
	Body(body []byte) []byte
	// Text is a line of text without what was found in it.
	Text(s string) string
}

// MarkUnredacted is in place of what was to be redacted and could not be: there
// is no redactor, or it failed.
const MarkUnredacted = "[not kept: it could not be redacted]"

// SetRedactor gives the trail what it redacts with. Until then nothing is kept
// of bodies and texts that are to be redacted. It may be called at any time;
// what is being written goes on with the redactor from before.
func (t *Trail) SetRedactor(r Redactor) { t.redaction.redactor.Store(&r) }

// redaction knows what is kept of the bodies of the exchanges that are under
// way: those whose bodies are kept whole are not listed.
type redaction struct {
	mu       sync.RWMutex      // guards the following field
	modes    map[string]string // by exchange id: BodiesRedacted or BodiesNone
	redactor atomic.Pointer[Redactor]
	log      *zap.Logger
}

// mode is the strictest of what the trail and the exchange ask for.
func (t *Trail) mode(x *Exchange) string {
	switch {
	case t.keeps == BodiesNone || x.Bodies == BodiesNone:
		return BodiesNone
	case t.keeps == BodiesRedacted || x.Bodies == BodiesRedacted:
		return BodiesRedacted
	}
	return BodiesFull
}

// begun remembers what is kept of the bodies of an exchange.
func (r *redaction) begun(id, mode string) {
	if mode == BodiesFull {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.modes == nil {
		r.modes = map[string]string{}
	}
	r.modes[id] = mode
}

// of tells what is kept of the bodies of an exchange that was begun.
func (r *redaction) of(id string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if mode, known := r.modes[id]; known {
		return mode
	}
	return BodiesFull
}

func (r *redaction) ended(id, mode string) {
	if mode == BodiesFull {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.modes, id)
}

// body is what may be kept of a body.
func (r *redaction) body(mode string, body []byte) []byte {
	if mode != BodiesRedacted || len(body) == 0 {
		return body
	}
	kept := []byte(MarkUnredacted)
	r.guard(func(red Redactor) { kept = red.Body(body) })
	return kept
}

func (r *redaction) text(s string) string {
	if s == "" {
		return s
	}
	kept := MarkUnredacted
	r.guard(func(red Redactor) { kept = red.Text(s) })
	return kept
}

// guard calls do with the redactor. A record must not be lost, nor what it
// holds be told, because redaction failed: the failure is logged without its
// words, which may hold a piece of the body.
func (r *redaction) guard(do func(Redactor)) {
	defer func() {
		if recover() != nil {
			r.log.Error("redacting a record failed, what was to be redacted is not kept", zap.ByteString("stack", debug.Stack()))
		}
	}()
	if red := r.redactor.Load(); red != nil && *red != nil {
		do(*red)
	}
}

// exchange is x as it may be written.
func (r *redaction) exchange(mode string, x *Exchange) *Exchange {
	if mode == BodiesFull {
		return x
	}
	y := *x
	y.Bodies = mode // also where only the trail asks for it
	y.Path = r.text(x.Path)
	if x.EndpointID == "" {
		// There is none of that name: the client's body may have said it.
		if y.EndpointName = ""; mode == BodiesRedacted {
			y.EndpointName = r.text(x.EndpointName)
		}
	}
	if len(x.Decision.Reasons) > 0 {
		y.Decision.Reasons = make([]decision.Reason, len(x.Decision.Reasons))
		for i, reason := range x.Decision.Reasons {
			reason.Message = r.text(reason.Message)
			y.Decision.Reasons[i] = reason
		}
	}
	return &y
}

// outcome is o as it may be written. Providers repeat prompts in their errors,
// and the sentences about a request that was wrong quote it.
func (r *redaction) outcome(mode string, o *Outcome) *Outcome {
	if mode == BodiesFull || o.Message == "" {
		return o
	}
	p := *o
	if p.Message = r.text(o.Message); mode == BodiesNone && (o.Result == ResultProviderError || o.Result == ResultRefused) {
		p.Message = ""
	}
	return &p
}

// event is e as it may be written. Who did what to what stays: By, the address,
// the target with its name. The values of changes and metadata are what
// somebody wrote, and are redacted where bodies are, also where none are kept:
// a change is to be seen. What the system tells of itself is nobody's words.
func (r *redaction) event(mode string, e *Event) *Event {
	whole := mode != BodiesRedacted && mode != BodiesNone || len(e.Changes)+len(e.Metadata) == 0
	if whole || e.Kind == KindKeyRotated || e.By == nil && e.TargetType != TargetUser {
		return e
	}
	text := func(s string) string {
		if s == e.TargetName || s == e.TargetID {
			return s // it is told anyway
		}
		return r.text(s)
	}
	f := *e
	f.Changes = slices.Clone(e.Changes)
	for i := range f.Changes {
		c := &f.Changes[i]
		c.Before, c.After = text(c.Before), text(c.After)
	}
	f.Metadata = maps.Clone(e.Metadata)
	for name, value := range f.Metadata {
		if !proves[name] {
			f.Metadata[name] = text(value)
		}
	}
	return &f
}

// proves are names of metadata that are signed, or belong to a signature: what
// people write into them is redacted before that.
var proves = map[string]bool{metaHolds: true, metaHoldsVersion: true, metaHoldsKeyID: true, metaHoldsSignature: true}

// outgoing is e as it may leave with less than the full bodies.
func (r *redaction) outgoing(mode string, e *Event) *Event {
	f := r.event(mode, e)
	if f != e && f.Metadata[metaHolds] != "" { // a copy already
		f.Metadata[metaHolds] = string(r.body(BodiesRedacted, []byte(f.Metadata[metaHolds])))
	}
	return f
}

// reasons leaves in the reasons of holds what the trail may tell. Those that it
// tells already stay as they are.
func (t *Trail) reasons(list, told []Hold) {
	if t.keeps != BodiesRedacted && t.keeps != BodiesNone {
		return
	}
	for i := range list {
		if !slices.ContainsFunc(told, func(h Hold) bool { return h.Reason == list[i].Reason }) {
			text := []rune(t.redaction.text(list[i].Reason))
			list[i].Reason = string(text[:min(len(text), maxReason)])
		}
	}
}
