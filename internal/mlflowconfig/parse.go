package mlflowconfig

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"sluice/internal/catalog"
)

var (
	namePattern = regexp.MustCompile(catalog.NamePattern)
)

// reader collects what is wrong, so that one run tells everything.
type reader struct {
	file   string
	opts   Options
	out    *File
	errs   []error
	byName map[string]int // name → line
}

// Parse reads a whole file: a mapping with "endpoints:" and perhaps "routes:".
// The error joins an *Error for each thing that is wrong; no message contains
// the value of a configuration key.
func Parse(file string, data []byte, opts Options) (*File, error) {
	root, err := parseYAML(file, data)
	if err != nil {
		return nil, err
	}
	r := newReader(file, opts)
	r.root(root)
	return r.result()
}

// ParseSection reads the keys "endpoints:" and "routes:" of a file that has
// other keys too, such as sluice.yaml; those are left to whoever they belong to.
// A file without these keys has no endpoints.
func ParseSection(file string, data []byte, opts Options) (*File, error) {
	root, err := parseYAML(file, data)
	if err != nil {
		return nil, err
	}
	r := newReader(file, opts)
	if endpoints := root.get("endpoints"); endpoints != nil {
		r.endpoints(endpoints)
	}
	r.routes(root.get("routes"))
	return r.result()
}

func newReader(file string, opts Options) *reader {
	return &reader{file: file, opts: opts, out: &File{}, byName: map[string]int{}}
}

func (r *reader) result() (*File, error) {
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	return r.out, nil
}

func (r *reader) fail(n *node, key, format string, args ...any) {
	r.errs = append(r.errs, &Error{
		File: r.file, Line: n.line, Column: n.column, Key: key, Message: fmt.Sprintf(format, args...),
	})
}

func (r *reader) root(n *node) {
	if n.kind != mapping {
		r.fail(n, "", "the file must be a mapping with the key endpoints, but it is %s", n.kind)
		return
	}
	r.unknown(n, "", "endpoints", "routes")
	endpoints := n.get("endpoints")
	if endpoints == nil {
		r.fail(n, "endpoints", "this key is required: a list of endpoints")
	} else {
		r.endpoints(endpoints)
	}
	r.routes(n.get("routes"))
}

// unknown reports every key of n that is not among known.
func (r *reader) unknown(n *node, path string, known ...string) {
	for _, e := range n.entries {
		if slices.Contains(known, e.key) {
			continue
		}
		why := "this key is not known"
		if r.opts.Strict {
			why += "; expected one of " + strings.Join(known, ", ")
		}
		r.stray(e, join(path, e.key), why)
	}
}

// stray reports a key that means nothing here. MLflow leaves such keys out.
func (r *reader) stray(e entry, key, why string) {
	if r.opts.Strict {
		r.fail(e.place, key, "%s", why)
		return
	}
	r.warn(e.place, key, why+" and was left out")
}

func (r *reader) warn(n *node, key, message string) {
	r.out.Warnings = append(r.out.Warnings, (&Error{
		File: r.file, Line: n.line, Column: n.column, Key: key, Message: message,
	}).Error())
}

func (r *reader) endpoints(n *node) {
	if n.kind == null {
		return
	}
	if n.kind != sequence {
		r.fail(n, "endpoints", "expected a list of endpoints, but it is %s", n.kind)
		return
	}
	for i, item := range n.items {
		r.endpoint(item, fmt.Sprintf("endpoints[%d]", i))
	}
}

func (r *reader) endpoint(n *node, path string) {
	if n.kind != mapping {
		r.fail(n, path, "expected an endpoint: a mapping with name, endpoint_type and model, but it is %s", n.kind)
		return
	}
	if t := n.get("route_type"); t != nil {
		r.fail(t, path+".route_type", "use endpoint_type: route_type is no longer read")
	}
	r.unknown(n, path, "name", "endpoint_type", "model", "targets", "head_timeout", "limit", "permissions", "description", "disabled", "audit_bodies", "route_type")
	e := Endpoint{Line: n.line}
	e.Name = r.name(n, path)
	e.Type = r.endpointType(n, path, "endpoint_type")
	r.targets(n, path, &e)
	e.HeadTimeout = r.headTimeout(n, path)
	e.Limit = r.limit(n.get("limit"), path+".limit")
	r.common(n, path, &e)
	r.out.Endpoints = append(r.out.Endpoints, e)
}

// common reads the keys that endpoints and routes have and MLflow's have not.
func (r *reader) common(n *node, path string, e *Endpoint) {
	e.Permissions = r.permissions(n.get("permissions"), path+".permissions")
	if text, ok := r.text(n, path, "description", false); ok {
		e.Description = &text
	}
	if v := n.get("disabled"); v != nil && v.kind != null {
		disabled := r.flag(n, path, "disabled")
		e.Disabled = &disabled
	}
	if text, ok := r.text(n, path, "audit_bodies", false); ok {
		if text != "full" && text != "redacted" && text != "none" {
			r.fail(n.get("audit_bodies"), path+".audit_bodies", "expected full, redacted or none")
		}
		e.AuditBodies = &text
	}
}

func (r *reader) name(n *node, path string) string {
	name, ok := r.text(n, path, "name", true)
	switch {
	case !ok:
	case !namePattern.MatchString(name):
		r.fail(n.get("name"), path+".name", "%q is not a name: use letters, digits, '_', '-' and '.'", name)
	case r.byName[name] != 0:
		r.fail(n.get("name"), path+".name", "the name %q is already used on line %d", name, r.byName[name])
	default:
		r.byName[name] = n.get("name").line
	}
	return name
}

func (r *reader) endpointType(n *node, path, key string) catalog.EndpointType {
	text, ok := r.text(n, path, key, n.get("route_type") == nil)
	switch t := catalog.EndpointType(text); t {
	case catalog.TypeChat, catalog.TypeCompletions, catalog.TypeEmbeddings:
		return t
	}
	if ok {
		r.fail(n.get(key), join(path, key),
			"%q is not an endpoint type; use llm/v1/chat, llm/v1/completions or llm/v1/embeddings", text)
	}
	return ""
}

func (r *reader) limit(n *node, path string) *catalog.Limit {
	if n == nil || n.kind == null {
		return nil
	}
	if n.kind != mapping {
		r.fail(n, path, "expected a mapping with calls and renewal_period, but it is %s", n.kind)
		return nil
	}
	r.unknown(n, path, "calls", "renewal_period", "key")
	l := &catalog.Limit{}
	l.Key, _ = r.text(n, path, "key", false)
	var ok bool
	if l.Period, ok = r.text(n, path, "renewal_period", true); ok {
		if _, err := catalog.ParsePeriod(l.Period); err != nil {
			r.fail(n.get("renewal_period"), path+".renewal_period", "%s", err)
		}
	}
	calls, ok := r.text(n, path, "calls", true)
	if !ok {
		return l
	}
	number, err := strconv.ParseInt(whole(calls), 0, 64)
	if err != nil || number < 1 {
		r.fail(n.get("calls"), path+".calls", "expected a whole number of calls, 1 or more")
	}
	l.Calls = number
	return l
}

func (r *reader) permissions(n *node, path string) *catalog.Permissions {
	if n == nil || n.kind == null {
		return nil
	}
	if n.kind != mapping {
		r.fail(n, path, "expected a mapping with everyone, users, organizations, roles, projects or owners, but it is %s", n.kind)
		return nil
	}
	r.unknown(n, path, "everyone", "users", "organizations", "roles", "projects", "owners")
	p := &catalog.Permissions{Everyone: r.flag(n, path, "everyone")}
	p.Users = r.names(n, path, "users")
	p.Organizations = r.names(n, path, "organizations")
	p.Roles = r.names(n, path, "roles")
	p.Projects = r.names(n, path, "projects")
	p.Owners = r.names(n, path, "owners")
	return p
}

func (r *reader) names(n *node, path, key string) []string {
	v, path := n.get(key), path+"."+key
	if v == nil || v.kind == null {
		return nil
	}
	if v.kind != sequence {
		r.fail(v, path, "expected a list, but it is %s", v.kind)
		return nil
	}
	var out []string
	for i, item := range v.items {
		if item.kind != scalar || item.text == "" {
			r.fail(item, fmt.Sprintf("%s[%d]", path, i), "expected a name or an id")
			continue
		}
		out = append(out, item.text)
	}
	sort.Strings(out)
	return out
}

// text reads a scalar. ok is false where it is missing or of another kind,
// which has then been reported if it matters.
func (r *reader) text(n *node, path, key string, required bool) (text string, ok bool) {
	v := n.get(key)
	switch {
	case v == nil || v.kind == null:
		if required {
			r.fail(orNode(v, n), path+"."+key, "this key is required")
		}
		return "", false
	case v.kind != scalar:
		r.fail(v, path+"."+key, "expected a single value, but it is %s", v.kind)
		return "", false
	case v.text == "" && required:
		r.fail(v, path+"."+key, "this key must not be empty")
		return "", false
	}
	return v.text, true
}

// whole takes the fraction from a number that has none: "10.0" is 10 to MLflow.
func whole(s string) string {
	number, fraction, has := strings.Cut(s, ".")
	if has && fraction != "" && strings.Trim(fraction, "0") == "" {
		return number
	}
	return s
}

func orNode(n, other *node) *node {
	if n != nil {
		return n
	}
	return other
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
