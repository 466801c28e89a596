package identity

import (
	"errors"
	"fmt"
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

// normalize brings a user into the form that is kept, or says what is wrong.
func (u *User) normalize() error {
	u.Roles = set(u.Roles)
	for _, role := range u.Roles {
		if !rolePattern.MatchString(role) {
			return fmt.Errorf("%w: role %q: it takes up to 64 letters, digits and _ . : -", ErrInvalid, role)
		}
	}
	return errors.Join(checkID(u.ID), checkName("userName", u.Name),
		checkText("fullName", u.FullName), checkText("email", u.Email))
}

func (o *Organization) normalize() error {
	o.Members = set(o.Members)
	return errors.Join(checkID(o.ID), checkName("name", o.Name))
}

func (t *Token) normalize() error {
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
		return fmt.Errorf("%w: id %q: it takes 24 hex digits in lower case", ErrInvalid, id)
	}
	return nil
}

func checkName(field, value string) error {
	if value == "" {
		return fmt.Errorf("%w: %s is missing", ErrInvalid, field)
	}
	return checkText(field, value)
}

func checkText(field, value string) error {
	switch {
	case len(value) > maxText:
		return fmt.Errorf("%w: %s is longer than %d bytes", ErrInvalid, field, maxText)
	case !utf8.ValidString(value), strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Errorf("%w: %s has control characters or is not UTF-8", ErrInvalid, field)
	case strings.TrimSpace(value) != value:
		return fmt.Errorf("%w: %s begins or ends with a space", ErrInvalid, field)
	}
	return nil
}
