package audit

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/internal/decision"
	"sluice/internal/identity"
)

// The decoders below read the JSON that the encoders of this package write, at a
// fraction of the cost of encoding/json, which reads whatever else there may be. Texts share the memory of the JSON. A test compares the two.

// decodeExchange reads the request half of a record. It is true when the JSON
// is as the encoder writes it.
func decodeExchange(meta string, x *Exchange) (bool, error) {
	return decodeOr(meta, x, func(c *cursor) { c.exchange(x) })
}

// decodeEnd reads a response half.
func decodeEnd(meta string, m *endMeta) (bool, error) {
	return decodeOr(meta, m, func(c *cursor) { c.outcome(&m.Outcome, &m.ID) })
}

// decodeWhole reads both halves of a refused request, and tells the JSON of
// each.
func decodeWhole(meta string, m *wholeMeta) (plain bool, exchange, outcome string, err error) {
	plain, err = decodeOr(meta, m, func(c *cursor) {
		c.object(func(key string) {
			from := c.at
			switch key {
			case "id":
				m.ID = c.text()
			case "exchange":
				c.exchange(&m.Exchange)
				exchange = c.json[from:c.at]
			case "outcome":
				c.outcome(&m.Outcome, nil)
				outcome = c.json[from:c.at]
			default:
				c.fail()
			}
		})
	})
	return plain, exchange, outcome, err
}

// decodeEvent reads an event.
func decodeEvent(meta string, e *Event) (bool, error) {
	return decodeOr(meta, e, func(c *cursor) { c.event(e) })
}

// decodeOr has read fill v, and encoding/json where read finds what it does not
// know.
func decodeOr[T any](meta string, v *T, read func(*cursor)) (plain bool, err error) {
	c := cursor{json: meta, failed: !utf8.ValidString(meta)}
	read(&c)
	if !c.failed && c.at == len(meta) {
		return true, nil
	}
	*v = *new(T)
	return false, json.Unmarshal([]byte(meta), v)
}

// withoutID is the JSON of an object behind its leading member id.
func withoutID(meta string) string {
	c := cursor{json: meta}
	c.take('{')
	if key := c.text(); key != "id" {
		return ""
	}
	c.take(':')
	c.text()
	c.take(',')
	return c.json[c.at:]
}

// cursor walks JSON without white space. When it fails, what it has read means
// nothing.
type cursor struct {
	json   string
	at     int
	failed bool
}

// take moves over one byte, which must be b.
func (c *cursor) take(b byte) {
	if c.at >= len(c.json) || c.json[c.at] != b {
		c.fail()
		return
	}
	c.at++
}

// fail ends the walk.
func (c *cursor) fail() { c.failed, c.at = true, len(c.json) }

// peek is the next byte, 0 at the end.
func (c *cursor) peek() byte {
	if c.at >= len(c.json) {
		return 0
	}
	return c.json[c.at]
}

// object calls member at the value of each member.
func (c *cursor) object(member func(key string)) {
	c.sequence('{', '}', func() {
		key := c.text()
		c.take(':')
		if !c.failed {
			member(key)
		}
	})
}

// sequence calls item at each item of what is between two brackets.
func (c *cursor) sequence(open, end byte, item func()) {
	c.take(open)
	if c.peek() == end {
		c.at++
		return
	}
	for !c.failed {
		item()
		if c.peek() == end {
			c.at++
			return
		}
		c.take(',')
	}
}

// text reads a string.
func (c *cursor) text() string {
	c.take('"')
	rest := c.json[c.at:]
	end := strings.IndexByte(rest, '"')
	if end < 0 {
		c.fail()
		return ""
	}
	if strings.IndexByte(rest[:end], '\\') < 0 {
		c.at += end + 1
		return rest[:end]
	}
	return c.escaped()
}

// escaped reads the rest of a string in which there are escapes.
func (c *cursor) escaped() (s string) {
	for end := c.at; end < len(c.json); end++ {
		switch c.json[end] {
		case '\\':
			end++
		case '"':
			if json.Unmarshal([]byte(c.json[c.at-1:end+1]), &s) != nil {
				c.fail()
				return ""
			}
			c.at = end + 1
			return s
		}
	}
	c.fail()
	return ""
}

func (c *cursor) int() (n int64) {
	negative := c.peek() == '-'
	if negative {
		c.at++
	}
	from := c.at
	for c.at < len(c.json) && '0' <= c.json[c.at] && c.json[c.at] <= '9' {
		n = n*10 + int64(c.json[c.at]-'0')
		c.at++
	}
	switch next := c.peek(); {
	case c.at == from || c.at > from+18: // it may not fit
		c.fail()
	case next != ',' && next != '}' && next != ']': // it is no integer
		c.fail()
	}
	if negative {
		return -n
	}
	return n
}

func (c *cursor) bool() bool {
	for _, word := range []string{"true", "false"} {
		if strings.HasPrefix(c.json[c.at:], word) {
			c.at += len(word)
			return word == "true"
		}
	}
	c.fail()
	return false
}

func (c *cursor) time() time.Time {
	t, err := time.Parse(time.RFC3339Nano, c.text())
	if err != nil {
		c.fail()
	}
	return t
}

// texts reads a list of strings.
func (c *cursor) texts() []string {
	list := []string{}
	c.sequence('[', ']', func() { list = append(list, c.text()) })
	return list
}

// value moves over a value of any kind and returns it.
func (c *cursor) value() string {
	from := c.at
	switch c.peek() {
	case '{':
		c.object(func(string) { c.value() })
	case '[':
		c.sequence('[', ']', func() { c.value() })
	case '"':
		c.text()
	default:
		for c.at < len(c.json) && !strings.ContainsRune(",}]", rune(c.json[c.at])) {
			c.at++
		}
	}
	return c.json[from:c.at]
}

func (c *cursor) exchange(x *Exchange) {
	c.object(func(key string) {
		switch key {
		case "id":
			x.ID = c.text()
		case "time":
			x.Time = c.time()
		case "caller":
			x.Caller = c.caller()
		case "credential":
			x.Credential = c.text()
		case "certificate":
			x.Certificate = c.text()
		case "endpointId":
			x.EndpointID = c.text()
		case "endpointName":
			x.EndpointName = c.text()
		case "endpointType":
			x.EndpointType = c.text()
		case "target":
			x.Target = c.text()
		case "provider":
			x.Provider = c.text()
		case "model":
			x.Model = c.text()
		case "dialect":
			x.Dialect = c.text()
		case "operation":
			x.Operation = c.text()
		case "method":
			x.Method = c.text()
		case "path":
			x.Path = c.text()
		case "clientAddr":
			x.ClientAddr = c.text()
		case "tls":
			x.TLS = c.tls()
		case "node":
			x.Node = c.text()
		case "stream":
			x.Stream = c.bool()
		case "maxTokens":
			x.MaxTokens = c.int()
		case "bodies":
			x.Bodies = c.text()
		case "applied":
			x.Applied = c.texts()
		case "decision":
			c.decision(&x.Decision)
		default:
			c.fail()
		}
	})
}

func (c *cursor) caller() *identity.Caller {
	by := &identity.Caller{}
	c.object(func(key string) {
		switch key {
		case "userId":
			by.UserID = c.text()
		case "userName":
			by.UserName = c.text()
		case "organizations":
			by.Organizations = c.texts()
		case "roles":
			by.Roles = c.texts()
		case "project":
			by.Project = c.text()
		case "execution":
			by.Execution = c.text()
		case "tokenId":
			by.TokenID = c.text()
		case "tokenName":
			by.TokenName = c.text()
		case "credential":
			by.Credential = c.text()
		default:
			c.fail()
		}
	})
	return by
}

func (c *cursor) tls() *TLS {
	t := &TLS{}
	c.object(func(key string) {
		switch key {
		case "version":
			t.Version = c.text()
		case "cipher":
			t.Cipher = c.text()
		case "serverName":
			t.ServerName = c.text()
		default:
			c.fail()
		}
	})
	return t
}

func (c *cursor) decision(d *decision.Decision) {
	c.object(func(key string) {
		switch key {
		case "allow":
			d.Allow = c.bool()
		case "reasons":
			d.Reasons = []decision.Reason{}
			c.sequence('[', ']', func() { d.Reasons = append(d.Reasons, c.reason()) })
		case "obligations":
			if json.Unmarshal([]byte(c.value()), &d.Obligations) != nil {
				c.fail()
			}
		case "revision":
			d.Revision = c.text()
		default:
			c.fail()
		}
	})
}

func (c *cursor) reason() (r decision.Reason) {
	c.object(func(key string) {
		switch key {
		case "code":
			r.Code = c.text()
		case "message":
			r.Message = c.text()
		default:
			c.fail()
		}
	})
	return r
}

// outcome reads an outcome; id, where it is given, gets the member of that name.
func (c *cursor) outcome(o *Outcome, id *string) {
	c.object(func(key string) {
		switch key {
		case "id":
			if id == nil {
				c.fail()
				return
			}
			*id = c.text()
		case "time":
			o.Time = c.time()
		case "result":
			o.Result = c.text()
		case "status":
			o.Status = int(c.int())
		case "upstreamStatus":
			o.UpstreamStatus = int(c.int())
		case "code":
			o.Code = c.text()
		case "message":
			o.Message = c.text()
		case "inputTokens":
			o.InputTokens = c.int()
		case "outputTokens":
			o.OutputTokens = c.int()
		case "cachedTokens":
			o.CachedTokens = c.int()
		case "reasoningTokens":
			o.ReasoningTokens = c.int()
		case "cacheWriteTokens":
			o.CacheWriteTokens = c.int()
		case "costNanoUsd":
			o.CostNanoUSD = c.int()
		case "target":
			o.Target = c.text()
		case "provider":
			o.Provider = c.text()
		case "model":
			o.Model = c.text()
		case "attempts":
			o.Attempts = []Attempt{}
			c.sequence('[', ']', func() { o.Attempts = append(o.Attempts, c.attempt()) })
		case "firstByteNs":
			o.FirstByte = time.Duration(c.int())
		case "durationNs":
			o.Duration = time.Duration(c.int())
		case "responseBytes":
			o.ResponseBytes = c.int()
		case "bodyForm":
			o.BodyForm = c.text()
		case "partial":
			o.Partial = c.bool()
		default:
			c.fail()
		}
	})
}

func (c *cursor) attempt() (a Attempt) {
	c.object(func(key string) {
		switch key {
		case "target":
			a.Target = c.text()
		case "provider":
			a.Provider = c.text()
		case "model":
			a.Model = c.text()
		case "status":
			a.Status = int(c.int())
		case "code":
			a.Code = c.text()
		case "durationNs":
			a.Duration = time.Duration(c.int())
		default:
			c.fail()
		}
	})
	return a
}

func (c *cursor) event(e *Event) {
	c.object(func(key string) {
		switch key {
		case "time":
			e.Time = c.time()
		case "kind":
			e.Kind = c.text()
		case "by":
			e.By = c.caller()
		case "clientAddr":
			e.ClientAddr = c.text()
		case "certificate":
			e.Certificate = c.text()
		case "node":
			e.Node = c.text()
		case "requestId":
			e.RequestID = c.text()
		case "targetType":
			e.TargetType = c.text()
		case "targetId":
			e.TargetID = c.text()
		case "targetName":
			e.TargetName = c.text()
		case "endpointType":
			e.EndpointType = c.text()
		case "changes":
			e.Changes = []Change{}
			c.sequence('[', ']', func() { e.Changes = append(e.Changes, c.change()) })
		case "metadata":
			e.Metadata = map[string]string{}
			c.object(func(name string) { e.Metadata[name] = c.text() })
		default:
			c.fail()
		}
	})
}

func (c *cursor) change() (ch Change) {
	c.object(func(key string) {
		switch key {
		case "field":
			ch.Field = c.text()
		case "before":
			ch.Before = c.text()
		case "after":
			ch.After = c.text()
		default:
			c.fail()
		}
	})
	return ch
}
