package identity

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds names and other short texts, in bytes.
const maxText = 255

var (
	idPattern   = regexp.MustCompile(`^[0-9a-f]{24}$`)
	rolePattern = regexp.MustCompile(`^[a-zA-Z0-9_.:\-]{1,64}$`)
)

// FieldError says which field of a user, an organization or a token is wrong,
// and is an ErrInvalid. Fields are named as in the REST API.
type FieldError struct {
	Field   string
	Message string // what is wrong with it: "it is longer than 255 bytes"
}

func (e *FieldError) Error() string { return "the field " + e.Field + " is wrong: " + e.Message }

// Is makes every FieldError an ErrInvalid.
func (e *FieldError) Is(target error) bool { return target == ErrInvalid }

func wrong(field, format string, args ...any) error {
	return &FieldError{Field: field, Message: fmt.Sprintf(format, args...)}
}

// normalize brings a user into the form that is kept, or says what is wrong.
func (u *User) normalize() error {
	u.Roles = set(u.Roles)
	for _, role := range u.Roles {
		if !rolePattern.MatchString(role) {
			return wrong("roles", "%q is no role: it takes 1 to 64 letters, digits and _ . : -", role)
		}
	}
	for role := range u.GivenRoles {
		if !slices.Contains(u.Roles, role) {
			return wrong("givenRoles", "%q is not among the roles", role)
		}
	}
	if len(u.GivenRoles) == 0 {
		u.GivenRoles = nil
	}
	u.Kind, u.Source = cmp.Or(u.Kind, KindPerson), cmp.Or(u.Source, SourceManual)
	return errors.Join(checkID(u.ID), checkName("userName", u.Name),
		checkText("fullName", u.FullName), checkText("email", u.Email),
		checkOneOf("kind", u.Kind, KindPerson, KindServiceAccount), checkSource(u.Source))
}

func (o *Organization) normalize() error {
	o.Source = cmp.Or(o.Source, SourceManual)
	if err := errors.Join(checkID(o.ID), checkName("name", o.Name), checkSource(o.Source)); err != nil {
		return err
	}
	members := append([]Member{}, o.Members...)
	for i := range members {
		m := &members[i]
		m.Role, m.Source = cmp.Or(m.Role, MemberRoleMember), cmp.Or(m.Source, SourceManual)
		err := errors.Join(checkOneOf("role", m.Role, MemberRoleMember, MemberRoleAdmin), checkSource(m.Source))
		if err != nil {
			return err
		}
	}
	SortMembers(members)
	// One who is given twice is what he is said to be first.
	o.Members = slices.CompactFunc(members, func(a, b Member) bool { return a.UserID == b.UserID })
	return nil
}

// Bounds of what one token can be bound to.
const (
	MaxEndpointIDs = 1000
	maxNetworks    = 100
)

func (t *Token) normalize() error {
	if t.EndpointIDs = set(t.EndpointIDs); len(t.EndpointIDs) == 0 {
		t.EndpointIDs = nil
	}
	var networks []netip.Prefix
	for _, n := range t.Networks {
		if !n.IsValid() {
			return wrong("networks", "one of them is no network")
		}
		networks = append(networks, n.Masked())
	}
	slices.SortFunc(networks, netip.Prefix.Compare)
	t.Networks = slices.Compact(networks)
	switch {
	case len(t.EndpointIDs) > MaxEndpointIDs:
		return fmt.Errorf("%w: endpointIds: more than %d", ErrInvalid, MaxEndpointIDs)
	case len(t.Networks) > maxNetworks:
		return wrong("networks", "it has more than %d networks", maxNetworks)
	}
	for _, id := range t.EndpointIDs {
		if err := checkID(id); err != nil {
			return err
		}
	}
	return errors.Join(checkID(t.ID), checkName("name", t.Name),
		checkText("project", t.Project), checkText("execution", t.Execution))
}

// set sorts, removes what is double, and is never nil.
func set(values []string) []string {
	out := append([]string{}, values...)
	slices.Sort(out)
	return slices.Compact(out)
}

func checkID(id string) error {
	if !idPattern.MatchString(id) {
		return wrong("id", "%q is no id: it takes 24 hex digits in lower case", id)
	}
	return nil
}

func checkOneOf(field, value string, allowed ...string) error {
	if !slices.Contains(allowed, value) {
		return wrong(field, "it must be one of %s", strings.Join(allowed, ", "))
	}
	return nil
}

func checkSource(source string) error {
	return checkOneOf("source", source, SourceManual, SourceClaims, SourceSCIM)
}

func checkName(field, value string) error {
	if value == "" {
		return wrong(field, "it is missing")
	}
	if strings.ContainsFunc(value, turnsWriting) {
		return wrong(field, "it has characters that turn the direction of writing, which would let it look like another name")
	}
	// Nobody is to look like another: such a name reads as one without them.
	if field == "userName" && strings.ContainsFunc(value, func(r rune) bool { return unicode.Is(unicode.Cf, r) }) || Misleads(value) {
		return wrong(field, "it has characters that can't be seen, which would let it look like another name")
	}
	return checkText(field, value)
}

// turnsWriting reports whether a character makes what follows it run the other
// way: the embeddings, overrides and isolates of Unicode's bidirectional text.
func turnsWriting(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// Misleads reports whether a text has characters that can't be seen and make it
// look like another. Those that join letters, which some scripts need, are none.
func Misleads(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d' })
}

func checkText(field, value string) error {
	switch {
	case len(value) > maxText:
		return wrong(field, "it is longer than %d bytes", maxText)
	case !utf8.ValidString(value), strings.ContainsFunc(value, unicode.IsControl):
		return wrong(field, "it has control characters or is not UTF-8")
	case strings.TrimSpace(value) != value:
		return wrong(field, "it begins or ends with a space")
	}
	return nil
}
