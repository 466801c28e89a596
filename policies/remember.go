package policies

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"sluice/internal/catalog"
	"sluice/internal/decision"
	"sluice/internal/identity"
)

// remembered bounds the answers that are kept: in each of two generations, of
// which the older is dropped when the younger is full.
const remembered = 4096

// question is all that the answer of a pure program depends on. The caller and
// the endpoint stand for their content, since they never change; a changed one
// has another address, and an address is not used again while it is kept here.
type question struct {
	action, resource, verb string
	caller                 *identity.Caller
	endpoint               *catalog.Endpoint
	request, stream        bool
	dialect, operation     string
	native                 string // the model, where a call of a provider's own API names one
	natives                string // all of them, each quoted, where it names several
	unnamed                bool
}

// maxModel bounds the names of models, which the client gives, in a key.
const maxModel = 256

// questionOf returns the key of a question; ok is false where the caller or
// the endpoint may change, so that the answer must not be kept, or where the
// key would be large.
func questionOf(in *Input) (q question, ok bool) {
	if in.Caller != nil && !in.Caller.Shared() || in.Endpoint != nil && !in.Endpoint.Shared() {
		return q, false
	}
	q = question{action: in.Action, resource: in.Resource, verb: in.Verb, caller: in.Caller, endpoint: in.Endpoint}
	if r := in.Request; r != nil {
		q.request, q.stream, q.dialect, q.operation = true, r.Stream, r.Dialect, r.Operation
		if r.Native != nil {
			q.unnamed = r.Native.Unnamed
			if models := r.Native.Models; len(models) == 1 {
				q.native = models[0]
			} else if len(models) > 1 {
				q.natives = fmt.Sprintf("%q", models)
			}
		}
	}
	if len(q.native)+len(q.natives) > maxModel {
		return q, false
	}
	return q, true
}

// memory keeps the answers of one pure program.
type memory struct {
	mu     sync.RWMutex // guards the following
	recent map[question]decision.Decision
	older  map[question]decision.Decision
}

func (m *memory) get(q question) (decision.Decision, bool) {
	m.mu.RLock()
	d, found := m.recent[q]
	if !found {
		d, found = m.older[q]
	}
	m.mu.RUnlock()
	d.Obligations = maps.Clone(d.Obligations) // nil mostly
	return d, found
}

func (m *memory) put(q question, d decision.Decision) {
	d.Reasons, d.Obligations = slices.Clip(d.Reasons), maps.Clone(d.Obligations)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.recent) >= remembered || m.recent == nil {
		m.recent, m.older = make(map[question]decision.Decision), m.recent
	}
	m.recent[q] = d
}
