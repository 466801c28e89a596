package audit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"sluice/internal/decision"
	"sluice/internal/identity"
)

// The encoders below append the JSON that encoding/json would produce for the
// same types, without reflection: a test compares the two field by field.

// fields appends the members of one JSON object.
type fields struct {
	buf   []byte
	first bool
}

func open(buf []byte) fields { return fields{append(buf, '{'), true} }

func (f *fields) close() []byte { return append(f.buf, '}') }

func (f *fields) key(name string) {
	if !f.first {
		f.buf = append(f.buf, ',')
	}
	f.first = false
	f.buf = append(f.buf, '"')
	f.buf = append(f.buf, name...)
	f.buf = append(f.buf, '"', ':')
}

// text appends a string member unless it is empty.
func (f *fields) text(name, value string) {
	if value != "" {
		f.always(name, value)
	}
}

func (f *fields) always(name, value string) {
	f.key(name)
	f.buf = appendString(f.buf, value)
}

func (f *fields) int(name string, value int64) {
	f.key(name)
	f.buf = strconv.AppendInt(f.buf, value, 10)
}

// number appends an integer member unless it is zero.
func (f *fields) number(name string, value int64) {
	if value != 0 {
		f.int(name, value)
	}
}

// flag appends a boolean member unless it is false.
func (f *fields) flag(name string, value bool) {
	if value {
		f.key(name)
		f.buf = append(f.buf, "true"...)
	}
}

func (f *fields) time(name string, t time.Time) {
	f.key(name)
	f.buf = append(f.buf, '"')
	f.buf = t.UTC().AppendFormat(f.buf, time.RFC3339Nano)
	f.buf = append(f.buf, '"')
}

func (f *fields) list(name string, values []string) {
	if len(values) == 0 {
		return
	}
	f.key(name)
	for i, v := range values {
		f.buf = append(f.buf, ",["[b2i(i == 0)])
		f.buf = appendString(f.buf, v)
	}
	f.buf = append(f.buf, ']')
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// encoder appends meta data. It remembers the JSON of callers, which are
// shared and immutable, by their address; nil
// remembers none and knows no node.
type encoder struct {
	node    string // of exchanges that name none
	seed    maphash.Seed
	callers [1024]atomic.Pointer[callerJSON]
}

func newEncoder(node string) *encoder { return &encoder{node: node, seed: maphash.MakeSeed()} }

// ownNode is the node of exchanges that name none.
func (e *encoder) ownNode() string {
	if e == nil {
		return ""
	}
	return e.node
}

// callerJSON keeps the caller reachable, so that its address can't become
// another caller's while it is remembered.
type callerJSON struct {
	caller *identity.Caller
	json   []byte
}

func (e *encoder) appendCaller(buf []byte, c *identity.Caller) []byte {
	if e == nil {
		return appendCallerFields(buf, c)
	}
	slot := &e.callers[maphash.Comparable(e.seed, c)%uint64(len(e.callers))]
	if known := slot.Load(); known != nil && known.caller == c {
		return append(buf, known.json...)
	}
	encoded := appendCallerFields(nil, c)
	slot.Store(&callerJSON{c, encoded})
	return append(buf, encoded...)
}

func appendCallerFields(buf []byte, c *identity.Caller) []byte {
	f := open(buf)
	f.always("userId", c.UserID)
	f.always("userName", c.UserName)
	f.list("organizations", c.Organizations)
	f.list("roles", c.Roles)
	f.text("project", c.Project)
	f.text("execution", c.Execution)
	f.text("tokenId", c.TokenID)
	f.text("tokenName", c.TokenName)
	f.text("credential", c.Credential)
	return f.close()
}

// appendExchange appends the members of x to an object.
func (e *encoder) appendExchange(buf []byte, x *Exchange, at time.Time) ([]byte, error) {
	f := open(buf)
	f.always("id", x.ID)
	f.time("time", at)
	if x.Caller != nil {
		f.key("caller")
		f.buf = e.appendCaller(f.buf, x.Caller)
	}
	f.text("credential", x.Credential)
	f.text("certificate", x.Certificate)
	f.text("endpointId", x.EndpointID)
	f.text("endpointName", x.EndpointName)
	f.text("endpointType", x.EndpointType)
	f.text("target", x.Target)
	f.text("provider", x.Provider)
	f.text("model", x.Model)
	f.text("dialect", x.Dialect)
	f.text("operation", x.Operation)
	f.text("method", x.Method)
	f.text("path", x.Path)
	f.text("clientAddr", x.ClientAddr)
	if x.TLS != nil {
		f.key("tls")
		f.buf = appendTLS(f.buf, x.TLS)
	}
	f.text("node", cmp.Or(x.Node, e.ownNode()))
	f.flag("stream", x.Stream)
	f.number("maxTokens", x.MaxTokens)
	f.text("bodies", x.Bodies)
	f.list("applied", x.Applied)
	f.key("decision")
	var err error
	f.buf, err = appendDecision(f.buf, &x.Decision)
	return f.close(), err
}

func appendTLS(buf []byte, t *TLS) []byte {
	f := open(buf)
	f.text("version", t.Version)
	f.text("cipher", t.Cipher)
	f.text("serverName", t.ServerName)
	return f.close()
}

func appendDecision(buf []byte, d *decision.Decision) ([]byte, error) {
	f := open(buf)
	f.key("allow")
	f.buf = strconv.AppendBool(f.buf, d.Allow)
	if len(d.Reasons) > 0 {
		f.key("reasons")
		for i, r := range d.Reasons {
			f.buf = append(f.buf, ",["[b2i(i == 0)])
			item := open(f.buf)
			item.always("code", r.Code)
			item.text("message", r.Message)
			f.buf = item.close()
		}
		f.buf = append(f.buf, ']')
	}
	if len(d.Obligations) > 0 {
		encoded, err := json.Marshal(d.Obligations)
		if err != nil {
			return nil, fmt.Errorf("encoding obligations: %w", err)
		}
		f.key("obligations")
		f.buf = append(f.buf, encoded...)
	}
	f.text("revision", d.Revision)
	return f.close(), nil
}

// appendOutcome appends o; the id of its exchange leads when it is not empty.
func appendOutcome(buf []byte, id string, o *Outcome, at time.Time) []byte {
	f := open(buf)
	f.text("id", id)
	f.time("time", at)
	f.always("result", o.Result)
	f.number("status", int64(o.Status))
	f.number("upstreamStatus", int64(o.UpstreamStatus))
	f.text("code", o.Code)
	f.text("message", o.Message)
	f.int("inputTokens", o.InputTokens)
	f.int("outputTokens", o.OutputTokens)
	f.int("cachedTokens", o.CachedTokens)
	f.int("reasoningTokens", o.ReasoningTokens)
	f.int("cacheWriteTokens", o.CacheWriteTokens)
	f.int("costNanoUsd", o.CostNanoUSD)
	f.text("target", o.Target)
	f.text("provider", o.Provider)
	f.text("model", o.Model)
	if len(o.Attempts) > 0 {
		f.key("attempts")
		f.buf = appendAttempts(f.buf, o.Attempts)
	}
	f.number("firstByteNs", int64(o.FirstByte))
	f.number("durationNs", int64(o.Duration))
	f.int("responseBytes", o.ResponseBytes)
	f.text("bodyForm", o.BodyForm)
	f.flag("partial", o.Partial)
	return f.close()
}

func appendAttempts(buf []byte, attempts []Attempt) []byte {
	for i := range attempts {
		a := &attempts[i]
		buf = append(buf, ",["[b2i(i == 0)])
		f := open(buf)
		f.always("target", a.Target)
		f.always("provider", a.Provider)
		f.always("model", a.Model)
		f.number("status", int64(a.Status))
		f.text("code", a.Code)
		f.number("durationNs", int64(a.Duration))
		buf = f.close()
	}
	return append(buf, ']')
}

// appendWhole appends both halves of a refused request.
func (e *encoder) appendWhole(buf []byte, x *Exchange, o *Outcome, at, end time.Time) ([]byte, error) {
	f := open(buf)
	f.always("id", x.ID)
	f.key("exchange")
	var err error
	if f.buf, err = e.appendExchange(f.buf, x, at); err != nil {
		return nil, err
	}
	f.key("outcome")
	f.buf = appendOutcome(f.buf, "", o, end)
	return f.close(), nil
}

// plainByte has the bytes that stand for themselves in a JSON string.
var plainByte = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, as encoding/json has it.
func appendString(buf []byte, s string) []byte {
	buf = slices.Grow(buf, len(s)+2)
	buf = append(buf, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plainByte[c] {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				buf = append(append(buf, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		buf = appendEscaped(append(buf, s[start:i]...), c)
		start = i + 1
		i++
	}
	return append(append(buf, s[start:]...), '"')
}

func appendEscaped(buf []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(buf, '\\', c)
	case '\n':
		return append(buf, `\n`...)
	}
	return append(buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
