package catalog

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what an endpoint may hold, in bytes and entries.
const (
	maxName   = 255
	maxValue  = 64 << 10
	maxKeys   = 128
	maxGrants = 10_000
)

var (
	namePattern = regexp.MustCompile(NamePattern)
	keyPattern  = regexp.MustCompile(`^[a-zA-Z0-9_.\-]{1,128}$`)
	idPattern   = regexp.MustCompile(`^[0-9a-f]{24}$`)
)

// FieldError says which field of an endpoint is wrong, and is an ErrInvalid.
// It never holds a secret.
type FieldError struct {
	Field   string // in REST's words, e.g. "endpointName", "modelConfig.openai_api_key"
	Message string // what is wrong and what to do
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

// Is makes every FieldError an ErrInvalid.
func (e *FieldError) Is(target error) bool { return target == ErrInvalid }

func wrong(field, format string, args ...any) error {
	return &FieldError{Field: field, Message: fmt.Sprintf(format, args...)}
}

// checkName says whether name can be the name of an endpoint or a target.
func checkName(field, name string) error {
	switch {
	case name == "":
		return wrong(field, "it is missing")
	case len(name) > maxName:
		return wrong(field, "it is longer than %d bytes", maxName)
	case !namePattern.MatchString(name):
		return wrong(field, "%q has other characters than letters, digits, _ - and .", name)
	case strings.Trim(name, ".") == "":
		return wrong(field, "%q would be taken for a step in a path; add a letter or a digit", name)
	}
	return nil
}

// Normalize brings an endpoint that is not in a snapshot into the form that is
// kept, or says with a *FieldError what is wrong with it: with its targets by
// their places in the list. The endpoint and each target must have an id.
// Whether the provider knows the model and the parameters is not its business.
func (e *Endpoint) Normalize() error {
	if !idPattern.MatchString(e.ID) {
		return wrong("endpointId", "%q is not 24 hex digits in lower case", e.ID)
	}
	if err := checkName("endpointName", e.Name); err != nil {
		return err
	}
	switch e.Type {
	case TypeChat, TypeCompletions, TypeEmbeddings:
	default:
		return wrong("endpointType", "%q is none of %s, %s, %s", e.Type, TypeChat, TypeCompletions, TypeEmbeddings)
	}
	if err := e.normalizeTargets(); err != nil {
		return err
	}
	if err := e.Limit.check(); err != nil {
		return err
	}
	if utf8.RuneCountInString(e.Description) > MaxDescription {
		return wrong("description", "it is longer than %d characters", MaxDescription)
	}
	if err := checkText("description", e.Description, true); err != nil {
		return err
	}
	switch e.AuditBodies {
	case "full":
		e.AuditBodies = ""
	case "", "redacted", "none":
	default:
		return wrong("auditBodies", "%q is none of full, redacted, none", e.AuditBodies)
	}
	return e.Permissions.normalize()
}

// normalize checks what the target says of itself. at is put before the names
// of fields.
func (t *Target) normalize(at string) error {
	if err := errors.Join(checkText(at+"modelProvider", t.Provider, false), checkText(at+"modelName", t.Model, false)); err != nil {
		return err
	}
	if len(t.Config)+len(t.Secrets) > maxKeys {
		return wrong(at+"modelConfig", "it has more than %d entries", maxKeys)
	}
	for _, key := range slices.Sorted(maps.Keys(t.Config)) {
		if err := errors.Join(checkKey(at, key), checkText(at+"modelConfig."+key, t.Config[key], true)); err != nil {
			return err
		}
	}
	for _, key := range t.Secrets.Names() {
		value, field := t.Secrets[key], at+"modelConfig."+key
		if _, both := t.Config[key]; both {
			return wrong(field, "it is given as a secret and as a parameter")
		}
		if value == "" {
			return wrong(field, "it is empty; leave it out to set none")
		}
		if err := errors.Join(checkKey(at, key), checkText(field, value, true)); err != nil {
			return err
		}
	}
	t.Unreadable = slices.DeleteFunc(set(t.Unreadable), func(key string) bool {
		_, replaced := t.Secrets[key]
		return replaced
	})
	return nil
}

func (l *Limit) check() error {
	if l == nil {
		return nil
	}
	if l.Calls < 1 {
		return wrong("limit.calls", "%d is less than 1", l.Calls)
	}
	if _, err := ParsePeriod(l.Period); err != nil {
		return wrong("limit.renewal_period", "%v", err)
	}
	return checkText("limit.key", l.Key, true)
}

func (p *Permissions) normalize() error {
	for _, list := range p.lists() {
		*list.subjects = set(*list.subjects)
		if len(*list.subjects) > maxGrants {
			return wrong(list.field, "it has more than %d entries", maxGrants)
		}
		for _, subject := range *list.subjects {
			if err := checkText(list.field, subject, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// grants is one list of permissions, its field in REST and its kind in the
// database.
type grants struct {
	field, kind string
	subjects    *[]string
}

func (p *Permissions) lists() [5]grants {
	return [5]grants{
		{"endpointPermissions.userIds", "user", &p.Users},
		{"endpointPermissions.organizationIds", "organization", &p.Organizations},
		{"endpointPermissions.roles", "role", &p.Roles},
		{"endpointPermissions.projects", "project", &p.Projects},
		{"endpointPermissions.ownerIds", "owner", &p.Owners},
	}
}

func checkKey(at, key string) error {
	if !keyPattern.MatchString(key) {
		return wrong(at+"modelConfig", "the name %q takes up to 128 letters, digits, _ - and .", key)
	}
	return nil
}

// checkText bounds a value. A long value may have line breaks and tabs, as
// JSON credentials do, a short one may not and must not be empty. It never
// quotes the value, which may be a secret.
func checkText(field, value string, long bool) error {
	bound, control := maxName, unicode.IsControl
	if long {
		bound, control = maxValue, func(r rune) bool {
			return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t'
		}
	}
	switch {
	case value == "" && !long:
		return wrong(field, "it is missing or empty")
	case len(value) > bound:
		return wrong(field, "it is longer than %d bytes", bound)
	case !utf8.ValidString(value), strings.ContainsFunc(value, control):
		return wrong(field, "it has control characters or is not UTF-8")
	}
	return nil
}

// set sorts, removes what is double, and is never nil.
func set(values []string) []string {
	out := append([]string{}, values...)
	slices.Sort(out)
	return slices.Compact(out)
}
