package policies

import (
	"encoding/binary"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"sluice/internal/catalog"
	"sluice/internal/identity"
)

// lens is what the rules read of an endpoint, in answering one action about
// endpoints without a request. Endpoints that look the same through it get the
// same answer, so that one evaluation serves them all. It errs on the safe
// side: what is read in a way that is not plain is read whole.
type lens struct {
	whole  bool // endpoints are not told apart: each gets an evaluation
	fields map[string]bool
	lists  map[string]*listReads
}

// listReads is how the rules read one of the lists of an endpoint. members are
// the parts of the caller that are looked up in it.
type listReads struct {
	whole   bool
	members map[string]bool
}

// plainFields are the fields whose values are compared when they are read.
var plainFields = map[string]func(*catalog.Endpoint) string{
	"type":     func(e *catalog.Endpoint) string { return string(e.Type) },
	"provider": func(e *catalog.Endpoint) string { return e.First().Provider },
	"model":    func(e *catalog.Endpoint) string { return e.First().Model },
	"usable":   func(e *catalog.Endpoint) string { return flag(e.Problem == "") },
	"disabled": func(e *catalog.Endpoint) string { return flag(e.Disabled) },
	"everyone": func(e *catalog.Endpoint) string { return flag(e.Permissions.Everyone) },
}

// listFields are the lists, by their place in the input.
var listFields = map[string]func(*catalog.Endpoint) []string{
	"owners":        func(e *catalog.Endpoint) []string { return e.Permissions.Owners },
	"users":         func(e *catalog.Endpoint) []string { return e.Permissions.Users },
	"organizations": func(e *catalog.Endpoint) []string { return e.Permissions.Organizations },
	"roles":         func(e *catalog.Endpoint) []string { return e.Permissions.Roles },
	"projects":      func(e *catalog.Endpoint) []string { return e.Permissions.Projects },
}

// callerParts are what can be looked up in a list.
var callerParts = map[string]func(*identity.Caller) []string{
	"id":            func(c *identity.Caller) []string { return []string{c.UserID} },
	"project":       func(c *identity.Caller) []string { return []string{c.Project} },
	"organizations": func(c *identity.Caller) []string { return c.Organizations },
	"roles":         func(c *identity.Caller) []string { return c.Roles },
}

func flag(yes bool) string {
	if yes {
		return "1"
	}
	return "0"
}

// view is a lens for one caller.
type view struct {
	fields []func(*catalog.Endpoint) string
	lists  []listView
}

// listView is one list: whole, or those of its members that the caller's own
// values, as far as they are looked up, have.
type listView struct {
	of    func(*catalog.Endpoint) []string
	whole bool
	mine  []string
}

// by returns the lens for a caller; nil where endpoints are not alike.
func (l *lens) by(c *identity.Caller) *view {
	if l == nil || l.whole || c == nil || len(c.EndpointIDs()) > 0 { // bound tokens tell endpoints apart
		return nil
	}
	v := &view{}
	for _, field := range sortedFields {
		if l.fields[field] {
			v.fields = append(v.fields, plainFields[field])
		}
	}
	for _, name := range sortedLists {
		if reads := l.lists[name]; reads != nil {
			list := listView{of: listFields[name], whole: reads.whole}
			for part := range reads.members {
				list.mine = append(list.mine, callerParts[part](c)...)
			}
			v.lists = append(v.lists, list)
		}
	}
	return v
}

// class appends what the caller's answer depends on.
func (v *view) class(key []byte, e *catalog.Endpoint) []byte {
	for _, field := range v.fields {
		key = appendText(key, field(e))
	}
	for i := range v.lists {
		list := &v.lists[i]
		for _, member := range list.of(e) {
			if list.whole || slices.Contains(list.mine, member) {
				key = appendText(key, member)
			}
		}
		key = append(key, 0)
	}
	return key
}

// appendText appends a text so that it can't be taken for another; 0 is none.
func appendText(key []byte, text string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(text))+1), text...)
}

var sortedFields, sortedLists = sortedNames(plainFields), sortedNames(listFields)

func sortedNames[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// newLens looks through the rules that can be reached from the decision.
func newLens(c *ast.Compiler, action string) *lens {
	l := &lens{fields: map[string]bool{}, lists: map[string]*listReads{}}
	v := &lensing{lens: l, compiler: c, action: ast.String(action), seen: map[*ast.Rule]bool{}}
	v.follow(decisionRef)
	return l
}

// lensing is the walk that makes a lens.
type lensing struct {
	*lens
	compiler *ast.Compiler
	action   ast.String
	seen     map[*ast.Rule]bool
}

// follow walks the rules that a reference may lead to.
func (v *lensing) follow(ref ast.Ref) {
	for _, rule := range append(v.compiler.GetRulesDynamicWithOpts(ref, ast.RulesOptions{}), v.compiler.GetRules(ref)...) {
		if !v.seen[rule] {
			v.seen[rule] = true
			v.rule(rule)
		}
	}
}

// rule walks a rule and its else branches. A body that can't come true reads
// nothing that matters, and neither does the value behind it.
func (v *lensing) rule(rule *ast.Rule) {
	for r := rule; r != nil; r = r.Else {
		if v.impossible(r.Body) {
			continue
		}
		v.walk(r.Head, nil)
		v.body(r.Body)
	}
}

// impossible reports whether an expression is always undefined or false: it
// reads the request, of which there is none, or compares the action with
// another. What is evaluated before it must not be able to fail.
func (v *lensing) impossible(body ast.Body) bool {
	for _, x := range body {
		if len(x.With) > 0 {
			return false
		}
		terms := []*ast.Term{}
		switch term, single := x.Terms.(*ast.Term); {
		case single:
			terms = append(terms, term)
		case x.IsEquality():
			terms = x.Operands()
		default:
			return false
		}
		if !x.Negated {
			if slices.ContainsFunc(terms, ofRequest) {
				return true
			}
			if len(terms) == 2 && (v.otherAction(terms[0], terms[1]) || v.otherAction(terms[1], terms[0])) {
				return true
			}
		}
		if slices.ContainsFunc(terms, evaluates) {
			return false
		}
	}
	return false
}

// evaluates reports whether a term is more than a value, a variable or a part
// of the input.
func evaluates(t *ast.Term) bool {
	switch x := t.Value.(type) {
	case ast.Ref:
		return !x[0].Equal(ast.InputRootDocument)
	case ast.Var, ast.String, ast.Boolean, ast.Number, ast.Null:
		return false
	}
	return true
}

var requestRef, actionRef, endpointRef = ast.MustParseRef("input.request"), ast.MustParseRef("input.action"), ast.MustParseRef("input.endpoint")

func ofRequest(t *ast.Term) bool {
	ref, ok := t.Value.(ast.Ref)
	return ok && ref.HasPrefix(requestRef)
}

func (v *lensing) otherAction(a, b *ast.Term) bool {
	ref, isRef := a.Value.(ast.Ref)
	text, isText := b.Value.(ast.String)
	return isRef && isText && ref.Equal(actionRef) && text != v.action
}

// body walks a body. Variables that stand for a part of the caller are known in
// it, also to the bodies inside.
func (v *lensing) body(body ast.Body) {
	parts := map[ast.Var]string{}
	for _, x := range body {
		if a, b := x.Operand(0), x.Operand(1); x.IsEquality() && !x.Negated {
			name, isVar := a.Value.(ast.Var)
			if part := callerPart(b); isVar && part != "" {
				parts[name] = part
			}
		}
	}
	for _, x := range body {
		if len(x.With) > 0 {
			v.whole = true
		}
		if term, single := x.Terms.(*ast.Term); single && v.exists(term, parts) {
			continue
		}
		v.walk(x, parts)
	}
}

// callerPart is the part of the caller that a term is one value of.
func callerPart(t *ast.Term) string {
	ref, ok := t.Value.(ast.Ref)
	if !ok || len(ref) < 3 || !ref[0].Equal(ast.InputRootDocument) || !ref[1].Equal(keyCaller) {
		return ""
	}
	part, ok := ref[2].Value.(ast.String)
	list := part == "organizations" || part == "roles"
	if !ok || callerParts[string(part)] == nil || list != (len(ref) == 4) || len(ref) > 4 {
		return ""
	}
	return string(part)
}

// exists takes an expression that asks only whether something is there: the
// endpoint, or a part of the caller in one of its lists.
func (v *lensing) exists(t *ast.Term, parts map[ast.Var]string) bool {
	ref, ok := t.Value.(ast.Ref)
	if !ok || !ref.HasPrefix(endpointRef) {
		return false
	}
	if len(ref) == len(endpointRef) {
		return true
	}
	name, rest := listOf(ref)
	if name == "" || len(rest) != 1 {
		return false
	}
	part := callerPart(rest[0])
	if variable, isVar := rest[0].Value.(ast.Var); isVar {
		part = parts[variable]
	}
	if part == "" {
		return false
	}
	v.list(name).members[part] = true
	return true
}

// listOf is the list that a reference into the endpoint goes to, and what it
// looks up there; "" where it goes elsewhere.
func listOf(ref ast.Ref) (name string, rest ast.Ref) {
	at := len(endpointRef)
	field, _ := ref[at].Value.(ast.String)
	if field == "permissions" && len(ref) > at+1 {
		at++
		field, _ = ref[at].Value.(ast.String)
		if field == "owners" {
			return "", nil
		}
	} else if field != "owners" {
		return "", nil
	}
	if listFields[string(field)] == nil {
		return "", nil
	}
	return string(field), ref[at+1:]
}

func (v *lensing) list(name string) *listReads {
	r := v.lists[name]
	if r == nil {
		r = &listReads{members: map[string]bool{}}
		v.lists[name] = r
	}
	return r
}

// walk takes all references inside x.
func (v *lensing) walk(x any, parts map[ast.Var]string) {
	var visitor *ast.GenericVisitor
	visitor = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Body:
			// A body inside another one knows the variables of both, but is not
			// looked through for its own: what it looks up is read whole.
			for _, inner := range x {
				if len(inner.With) > 0 {
					v.whole = true
				}
			}
		case ast.Ref:
			v.ref(x)
			for _, term := range x[1:] {
				visitor.Walk(term)
			}
			return true
		case ast.Var:
			if x.Equal(ast.InputRootDocument.Value) {
				v.whole = true
			}
		}
		return v.whole
	})
	visitor.Walk(x)
}

// ref takes one reference.
func (v *lensing) ref(ref ast.Ref) {
	if b, builtin := ast.BuiltinMap[ref.String()]; builtin {
		// The time is the same for all endpoints of one question.
		v.whole = v.whole || b.Nondeterministic && b.Name != ast.NowNanos.Name
		return
	}
	switch {
	case ref[0].Equal(ast.DefaultRootDocument):
		v.follow(ref)
	case !ref[0].Equal(ast.InputRootDocument):
	case len(ref) == 1:
		v.whole = true
	case ref.HasPrefix(endpointRef):
		v.endpoint(ref)
	default:
		// The name is the endpoint's.
		if part, plain := ref[1].Value.(ast.String); !plain || ast.Value(part).Compare(keyName.Value) == 0 {
			v.whole = true
		}
	}
}

// endpoint takes a reference into the endpoint whose value is used.
func (v *lensing) endpoint(ref ast.Ref) {
	if len(ref) == len(endpointRef) {
		v.whole = true
		return
	}
	if name, _ := listOf(ref); name != "" {
		v.list(name).whole = true
		return
	}
	field, _ := ref[len(endpointRef)].Value.(ast.String)
	if field == "permissions" && len(ref) > len(endpointRef)+1 {
		field, _ = ref[len(endpointRef)+1].Value.(ast.String)
		if field != "everyone" {
			v.whole = true
			return
		}
	} else if field == "everyone" {
		return // there is no such field
	}
	if plainFields[string(field)] == nil {
		v.whole = true
		return
	}
	v.fields[string(field)] = true
}
