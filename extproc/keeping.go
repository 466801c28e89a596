package extproc

import (
	"bytes"
	"strconv"
	"strings"
	"sync"

	"go.uber.org/zap"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/internal/audit"
	"sluice/internal/decision"
	"sluice/internal/identity"
)

// Names of obligations, as the record lists those that were carried out.
const (
	// ObligationBodies is {"audit": {"bodies": "full", "redacted" or "none"}}.
	ObligationBodies = "audit.bodies"
	// obligationUnknown is an obligation about audit that says something else.
	// Nothing is kept of the bodies then: what it meant may have been that.
	obligationUnknown = "audit.unknown"
)

// obligationAudit is the key of the decision's obligations about records.
const obligationAudit = "audit"

var strictness = map[string]int{audit.BodiesFull: 1, audit.BodiesRedacted: 2, audit.BodiesNone: 3}

// stricter returns which of two settings keeps less; "" keeps most.
func stricter(a, b string) string {
	if strictness[b] > strictness[a] {
		return b
	}
	return a
}

// keepAs notes one more word on what is kept of the bodies.
func (x *exchange) keepAs(bodies string) { x.record.Bodies = stricter(x.record.Bodies, bodies) }

// keepAsEndpoint keeps what the endpoint of that name allows. One that nobody
// has found may have been meant to be any.
func (x *exchange) keepAsEndpoint(name string) {
	t := x.s.Table()
	if e, ok := t.Lookup(name); ok {
		x.keepAs(e.Endpoint.AuditBodies)
		return
	}
	x.keepAs(t.Strictest())
}

// oblige carries out the decision's obligations about the record.
func (x *exchange) oblige(d decision.Decision) {
	asked, ok := d.Obligations[obligationAudit]
	if !ok {
		return
	}
	fields, _ := asked.(map[string]any)
	bodies, _ := fields["bodies"].(string)
	if len(fields) == 1 && strictness[bodies] > 0 {
		x.keepAs(bodies)
		x.record.Applied = append(x.record.Applied, ObligationBodies)
		return
	}
	x.keepAs(audit.BodiesNone)
	x.record.Applied = append(x.record.Applied, obligationUnknown)
	if told, _ := x.s.obligationTold.Swap(d.Revision).(string); told != d.Revision {
		x.s.Log.Error(`the policy's obligation "audit" is not {"bodies": "full", "redacted" or "none"}, so no bodies are kept`,
			zap.String("revision", d.Revision))
	}
}

// settleRecord takes out of the record what its mode does not let stay, before
// it is written. Paths of providers' own APIs are the client's words. So is the
// name of an endpoint that there is not.
func (x *exchange) settleRecord() {
	if x.record.Bodies == audit.BodiesNone && x.route.Dialect == dialect.Native {
		x.record.Path = x.record.Path[:min(x.below, len(x.record.Path))]
	}
	x.record.Path = x.words(x.record.Path)
	if x.entry == nil {
		x.record.EndpointName = x.words(x.record.EndpointName)
	}
}

// words are a short text of the request's as it may be recorded: some take the
// place of a name for that of their token.
func (x *exchange) words(s string) string {
	if len(x.credential) >= shortestSecret {
		s = strings.ReplaceAll(s, x.credential, identity.Removed)
	}
	return identity.WithoutTokens(s)
}

// kept is a body as it may be recorded: without the credentials that the
// exchange knows.
func (x *exchange) kept(body []byte) []byte { return x.keptOf(x.target, body) }

// keptOf is kept where another target than the exchange's last may be meant; nil
// is none.
func (x *exchange) keptOf(t *Target, body []byte) []byte {
	if len(body) == 0 || x.record.Bodies == audit.BodiesNone {
		return body
	}
	body = without(body, x.credential)
	if t != nil {
		for _, secret := range t.secretValues() {
			body = without(body, secret)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, secret := range x.fetched {
		body = without(body, secret)
	}
	return body
}

const (
	// shortestSecret is the length below which a text is no credential of ours.
	shortestSecret = 8
	// longestSecret bounds what is held back of a piece so that a credential is
	// not cut in two.
	longestSecret = 4 << 10
)

var removed = []byte(identity.Removed)

func without(body []byte, secret string) []byte {
	if len(secret) < shortestSecret || len(secret) > longestSecret {
		return body
	}
	if bytes.Contains(body, []byte(secret)) { // the conversion does not allocate
		body = bytes.ReplaceAll(body, []byte(secret), removed)
	}
	if bytes.Contains(body, []byte(`\u00`)) || bytes.Contains(body, []byte(`\/`)) {
		body = withoutEscaped(body, secret)
	}
	return body
}

// withoutEscaped takes out a secret that is written with escapes of JSON.
func withoutEscaped(body []byte, secret string) []byte {
	var out []byte
	done := 0
	for i := 0; i < len(body); {
		n := 0
		if body[i] == '\\' || body[i] == secret[0] {
			n = escapedAt(body[i:], secret)
		}
		if n == 0 {
			i++
			continue
		}
		out = append(append(out, body[done:i]...), removed...)
		i += n
		done = i
	}
	if done == 0 {
		return body
	}
	return append(out, body[done:]...)
}

// escapedAt is how long a secret is, as JSON may write it, at the beginning of
// b; 0 where there is another text.
func escapedAt(b []byte, secret string) int {
	at := 0
	for i := range len(secret) {
		c, rest := secret[i], b[at:]
		switch {
		case len(rest) > 0 && rest[0] == c && c != '\\' && c != '"':
			at++
		case len(rest) > 1 && rest[0] == '\\' && rest[1] == c && (c == '/' || c == '\\' || c == '"'):
			at += 2
		case len(rest) > 5 && string(rest[:4]) == `\u00` && hexByte(rest[4], rest[5]) == int(c):
			at += 6
		default:
			return 0
		}
	}
	return at
}

// hexByte is the value of two hexadecimal digits; -1 where they are none.
func hexByte(high, low byte) int {
	v, err := strconv.ParseUint(string([]byte{high, low}), 16, 8)
	if err != nil {
		return -1
	}
	return int(v)
}

// secretsOnce are a target's secret parameters, looked up once.
type secretsOnce struct {
	once   sync.Once
	values []string
}

func (t *Target) secretValues() []string {
	t.secrets.once.Do(func() {
		p, ok := provider.Lookup(t.Provider)
		if !ok {
			return
		}
		for _, f := range p.Fields {
			if v := t.Config[f.Name]; f.Secret && v != "" {
				t.secrets.values = append(t.secrets.values, v)
			}
		}
	})
	return t.secrets.values
}
