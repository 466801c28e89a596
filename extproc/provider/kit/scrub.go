package kit

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

const redacted = "[redacted]"

// Providers echo credentials in their errors, whole, cut short, or masked
// ("sk-ab***yz"). A secret shorter than minSecret is no real credential, and
// blacking it out would blacken common words. keptPart is how much of a
// secret's beginning or end counts as an echo of it.
const (
	minSecret = 6
	keptPart  = 8
)

// scrubber removes a target's secrets from text of its provider.
type scrubber struct {
	secrets  []string // the longest first
	replacer *strings.Replacer
}

func newScrubber(p *Provider, t Target) scrubber {
	var secrets []string
	for _, f := range p.Fields {
		if f.Secret {
			secrets = append(secrets, t.Config[f.Name])
		}
	}
	return scrubberOf(secrets)
}

// Scrub takes secrets out of a provider's text: whole, cut short or masked.
func Scrub(text string, secrets []string) string { return scrubberOf(secrets).text(text) }

func scrubberOf(secrets []string) scrubber {
	var s scrubber
	for _, v := range secrets {
		if len(v) >= minSecret {
			s.secrets = append(s.secrets, v)
		}
	}
	sort.Slice(s.secrets, func(i, j int) bool { return len(s.secrets[i]) > len(s.secrets[j]) })
	var pairs []string
	for _, v := range s.secrets {
		quoted := string(dialect.AppendString(nil, v))
		for _, form := range []string{
			v, quoted[1 : len(quoted)-1], url.QueryEscape(v), url.PathEscape(v),
			base64.StdEncoding.EncodeToString([]byte(v)),
		} {
			pairs = append(pairs, form, redacted)
		}
	}
	s.replacer = strings.NewReplacer(pairs...)
	return s
}

// masked matches what stands for a secret with its middle hidden.
var masked = regexp.MustCompile(`[A-Za-z0-9_\-]*(?:\*{2,}|\.{3,}|…+|•+|[xX]{4,})[A-Za-z0-9_\-]*`)

// text scrubs plain text.
func (s scrubber) text(in string) string {
	if len(s.secrets) == 0 || in == "" {
		return in
	}
	out := s.replacer.Replace(in)
	for _, secret := range s.secrets {
		if len(secret) >= 2*keptPart {
			out = cutEchoes(out, secret)
		}
	}
	return masked.ReplaceAllStringFunc(out, func(m string) string {
		if s.isMask(m) {
			return redacted
		}
		return m
	})
}

// isMask reports whether m begins or ends as a secret does.
func (s scrubber) isMask(m string) bool {
	head := m[:strings.IndexAny(m, "*.…•xX")]
	mask := strings.LastIndexAny(m, "*.…•xX")
	_, width := utf8.DecodeRuneInString(m[mask:])
	tail := m[mask+width:]
	for _, secret := range s.secrets {
		if len(head) >= 2 && strings.HasPrefix(secret, head) || len(tail) >= 2 && strings.HasSuffix(secret, tail) {
			return true
		}
	}
	return false
}

// cutEchoes removes a secret's beginning or end, as far as it was echoed.
func cutEchoes(in, secret string) string {
	for {
		i := strings.Index(in, secret[:keptPart])
		if i < 0 {
			break
		}
		n := keptPart
		for i+n < len(in) && n < len(secret) && in[i+n] == secret[n] {
			n++
		}
		in = in[:i] + redacted + in[i+n:]
	}
	for {
		end := secret[len(secret)-keptPart:]
		i := strings.Index(in, end)
		if i < 0 {
			return in
		}
		n := keptPart
		for i > 0 && n < len(secret) && in[i-1] == secret[len(secret)-n-1] {
			i--
			n++
		}
		in = in[:i] + redacted + in[i+n:]
	}
}

// json scrubs the strings and keys of a JSON value, which must be valid.
func (s scrubber) json(raw []byte) []byte {
	v := jsontext.Parse(raw)
	return s.value(make([]byte, 0, len(raw)), &v)
}

func (s scrubber) value(b []byte, v *jsontext.Value) []byte {
	switch v.Kind {
	case jsontext.String:
		return dialect.AppendString(b, s.text(v.Text()))
	case jsontext.Array:
		b = append(b, '[')
		for i := range v.Items() {
			if i > 0 {
				b = append(b, ',')
			}
			b = s.value(b, &v.Items()[i])
		}
		return append(b, ']')
	case jsontext.Object:
		b = append(b, '{')
		for i := range v.Items() {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(dialect.AppendString(b, s.text(v.Keys()[i])), ':')
			b = s.value(b, &v.Items()[i])
		}
		return append(b, '}')
	}
	return append(b, v.Raw...)
}
