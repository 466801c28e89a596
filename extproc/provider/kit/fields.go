package kit

import (
	"errors"
	"net/netip"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"unicode"
)

// FieldError says what is wrong with one parameter of a target.
type FieldError struct {
	Field   string // "" where it is not about one field
	Message string // a sentence
}

// CheckTarget says what is wrong with a target for an endpoint type: an
// unknown or missing parameter, a value out of its set, a URL that is none.
// Nothing wrong: nil. The errors are in the order of the provider's fields.
func (p *Provider) CheckTarget(t Target, endpointType string) []FieldError {
	var errs []FieldError
	add := func(field, message string) { errs = append(errs, FieldError{field, message}) }
	if !p.Answers(endpointType) && !p.NativeOnly {
		add("endpoint_type", "The provider '"+p.ID+"' does not answer '"+endpointType+"': it answers "+
			strings.Join(p.Types, ", ")+".")
	}
	if t.Model == "" {
		add("model", "The model's name is missing.")
	} else if hasControl(t.Model) {
		add("model", "The model's name must not hold line breaks or other control characters.")
	}
	for _, f := range p.Fields {
		if message := f.check(t.Config[f.Name]); message != "" {
			add(f.Name, message)
		}
	}
	for _, name := range unknown(p, t) {
		add(name, "The provider '"+p.ID+"' has no parameter '"+name+"'.")
	}
	if p.Check != nil && len(errs) == 0 {
		errs = p.Check(t, endpointType)
	}
	return errs
}

func unknown(p *Provider, t Target) []string {
	var names []string
	for name := range t.Config {
		if _, ok := p.Field(name); !ok {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// check returns what is wrong with a value, or "".
func (f Field) check(value string) string {
	switch {
	case value == "" && f.Required:
		return "The parameter '" + f.Name + "' is missing."
	case value == "":
		return ""
	case hasControl(value) && !f.Multiline:
		// Values become headers: a line break would end one and begin another.
		return "The parameter '" + f.Name + "' must not hold line breaks or other control characters."
	case len(f.Enum) > 0 && !f.allows(value):
		return "The parameter '" + f.Name + "' must be one of " + strings.Join(f.Enum, ", ") + "."
	case f.URL:
		if _, err := ParseBase(value); err != nil {
			return "The parameter '" + f.Name + "' " + err.Error() + "."
		}
	case f.Max > 0:
		if n, err := strconv.Atoi(value); err != nil || n < 0 || n > f.Max {
			return "The parameter '" + f.Name + "' must be a whole number from 0 to " + strconv.Itoa(f.Max) + "."
		}
	}
	return ""
}

// allows compares without regard to case, as MLflow does.
func (f Field) allows(value string) bool {
	for _, v := range f.Enum {
		if strings.EqualFold(v, value) {
			return true
		}
	}
	return false
}

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

// Base is a provider's base URL, taken apart.
type Base struct {
	Address
	Query string // without '?'
}

// ParseBase reads a base URL. The error completes a sentence that begins with
// the parameter's name.
func ParseBase(raw string) (Base, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", !validHost(u.Hostname()):
		return Base{}, errors.New("must be a URL like https://host/path")
	case u.User != nil:
		return Base{}, errors.New("must not hold a user name or password")
	case u.Fragment != "":
		return Base{}, errors.New("must not hold a fragment (#)")
	}
	b := Base{Query: u.RawQuery}
	b.TLS = u.Scheme == "https"
	b.Host = strings.ToLower(u.Hostname())
	b.BasePath = strings.TrimRight(u.EscapedPath(), "/")
	b.Port = 80
	if b.TLS {
		b.Port = 443
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return Base{}, errors.New("must have a port from 1 to 65535")
		}
		b.Port = uint16(n)
	}
	return b, nil
}

// validHost accepts DNS names and IP addresses.
func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host != "" && len(host) <= 253 && strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}
