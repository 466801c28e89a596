package format

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"

	"sluice/internal/audit"
)

// cef appends one event in the Common Event Format, version 0, as the
// implementation standard of ArcSight has it.
type cef struct {
	b     []byte
	begun bool // an extension has been written
}

// CEF is the record in the Common Event Format. What its keys mean is told in
// docs/siem.md. Texts that are longer than a key may be are cut.
func CEF(dst []byte, r *audit.Record) ([]byte, error) {
	c := cef{b: append(dst, "CEF:0|"+vendor+"|"+product+"|"...)}
	c.b = strconv.AppendInt(c.b, audit.SchemaVersion, 10)
	var err error
	if r.Event != nil {
		err = c.event(r)
	} else {
		err = c.exchange(r)
	}
	if err != nil {
		return dst, err
	}
	return c.b, nil
}

// header writes the fields that are between bars and still to come. cefLevel has
// the words for severities.
func (c *cef) header(id, name string, s severity) {
	for _, field := range []string{id, name} {
		c.b = append(c.b, '|')
		c.b = appendHeader(c.b, field)
	}
	c.b = append(c.b, '|')
	c.b = strconv.AppendInt(c.b, cefLevel[s], 10)
	c.b = append(c.b, '|')
}

// cefLevel is the number of a severity between 0 and 10.
var cefLevel = [...]int64{0, informational: 2, low: 4, medium: 6, high: 8, critical: 10}

// appendHeader escapes a field of the header, in which there are no line ends.
func appendHeader(dst []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '|', '\\':
			dst = append(dst, '\\', c)
		case '\n', '\r', 0:
			dst = append(dst, ' ')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// appendExtension escapes the value of an extension.
func appendExtension(dst []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '=', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case 0:
			dst = append(dst, ' ')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func (c *cef) key(name string) {
	if c.begun {
		c.b = append(c.b, ' ')
	}
	c.begun = true
	c.b = append(c.b, name...)
	c.b = append(c.b, '=')
}

// text writes an extension of at most limit bytes, unless it is empty.
func (c *cef) text(name, value string, limit int) {
	if value == "" {
		return
	}
	c.key(name)
	c.b = appendExtension(c.b, cut(value, limit))
}

// cut is the longest whole beginning of s with at most limit bytes.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

func (c *cef) int(name string, value int64) {
	c.key(name)
	c.b = strconv.AppendInt(c.b, value, 10)
}

func (c *cef) number(name string, value int64) {
	if value != 0 {
		c.int(name, value)
	}
}

// Limits of keys, in bytes; the standard counts characters.
const (
	limitName   = 1023
	limitCustom = 4000
	limitAct    = 63
	limitApp    = 31
	limitHost   = 100
	limitID     = 40
	noLimit     = 1 << 62 // of keys that are not the standard's
)

// custom writes a value that the standard has no key for under one of its keys
// for such, with the label that says what it is.
func (c *cef) custom(key, label, value string) {
	if value == "" {
		return
	}
	limit := limitCustom
	if strings.HasPrefix(key, "flexString") {
		limit = limitName
	}
	c.text(key, value, limit)
	c.text(key+"Label", label, limitName)
}

// counted is custom for numbers that may be audit.Unknown.
func (c *cef) counted(key, label string, value int64) {
	if value == audit.Unknown {
		return
	}
	c.int(key, value)
	c.text(key+"Label", label, limitName)
}

// address writes the client's address. The standard's key for a source holds
// IPv4 only.
func (c *cef) address(address string) {
	ip, port := split(address)
	switch {
	case ip.Is4():
		c.text("src", ip.String(), limitName)
	case ip.IsValid():
		c.text("c6a2", ip.String(), limitName)
		c.text("c6a2Label", "Source IPv6 Address", limitName)
	default:
		c.text("shost", address, limitName)
	}
	c.number("spt", int64(port))
}

// common writes what all records have.
func (c *cef) common(r *audit.Record, node, message string) {
	c.int("rt", r.Time.UnixMilli())
	c.text("externalId", r.RecordID, limitID)
	c.text("dvchost", node, limitHost)
	c.text("msg", message, limitName)
	c.int("sluiceSequence", int64(r.Sequence))
	c.number("sluiceEndSequence", int64(r.EndSequence))
}

// body writes a body, in base64 under another key where it is no text.
func (c *cef) body(key string, b audit.Body) {
	if utf8.Valid(b) {
		c.text(key, string(b), noLimit)
		return
	}
	c.text(key+"Base64", base64.StdEncoding.EncodeToString(b), noLimit)
}
