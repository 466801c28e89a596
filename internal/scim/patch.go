package scim

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/scim2/filter-parser/v2"
)

const patchSchema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// operation is one operation of a PATCH.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// readPatch reads the body of a PATCH.
func readPatch(body []byte) ([]operation, error) {
	var in struct {
		Schemas    []string    `json:"schemas"`
		Operations []operation `json:"Operations"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, refuse(typeSyntax, "The body is not a SCIM PATCH: an object with schemas and Operations.")
	}
	switch {
	case !slices.Contains(in.Schemas, patchSchema):
		return nil, refuse(typeSyntax, "The body's schemas must have %s.", patchSchema)
	case len(in.Operations) == 0:
		return nil, refuse(typeSyntax, "The body has no Operations.")
	case len(in.Operations) > maxPatch:
		return nil, refuse(typeSyntax, "The body has more than %d Operations.", maxPatch)
	}
	for i := range in.Operations {
		in.Operations[i].Op = strings.ToLower(in.Operations[i].Op)
	}
	return in.Operations, nil
}

// patch applies operations to a document, all or none.
func (k *Kind) patch(before Document, operations []operation) (Document, error) {
	d := clone(before).(Document)
	for _, o := range operations {
		if err := k.apply(d, o); err != nil {
			return nil, err
		}
	}
	reformat(before, d)
	return k.clean(d)
}

// reformat brings the whole name in line with parts that have changed, where it
// was made of them before: clients change a part and say no more.
func reformat(before, after Document) {
	old, _ := before["name"].(Document)
	name, _ := after["name"].(Document)
	if name == nil || text(name, "formatted") == "" || text(name, "formatted") != text(old, "formatted") ||
		text(old, "formatted") != parts(old) || parts(name) == "" {
		return
	}
	name["formatted"] = parts(name)
}

// clone copies a JSON value.
func clone(v any) any {
	switch v := v.(type) {
	case Document:
		out := make(Document, len(v))
		for key, value := range v {
			out[key] = clone(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = clone(value)
		}
		return out
	}
	return v
}

func (k *Kind) apply(d Document, o operation) error {
	switch o.Op {
	case "add", "replace":
	case "remove":
		if o.Path == "" {
			return refuse(typeNoTarget, "The operation remove takes a path.")
		}
	default:
		return refuse(typeSyntax, "The operation %q is not one of add, remove, replace.", o.Op)
	}
	if o.Path != "" {
		return k.applyAt(d, o)
	}
	// Without a path the value names the attributes, and some clients write paths
	// for names.
	object, ok := o.Value.(Document)
	if !ok {
		return Invalid("The value of an operation without a path must be an object.")
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if a := find(common, name); a != nil && a.Mutability == readOnly {
			continue // Okta sends the id along
		}
		if strings.HasPrefix(strings.ToLower(name), "urn:") && !strings.HasPrefix(name, k.Schema+":") {
			continue // an extension
		}
		if err := k.applyAt(d, operation{Op: o.Op, Path: name, Value: object[name]}); err != nil {
			return err
		}
	}
	return nil
}

func (k *Kind) applyAt(d Document, o operation) error {
	if len(o.Path) > maxFilter {
		return refuse(typePath, "A path is longer than %d bytes.", maxFilter)
	}
	p, err := filter.ParsePath([]byte(o.Path))
	if err != nil {
		return refuse(typePath, "The path %q can't be read.", cut(o.Path))
	}
	sub := p.AttributePath.SubAttributeName()
	if p.ValueExpression != nil {
		sub = p.SubAttributeName()
	}
	a, s, taken := k.resolve(p.AttributePath.URI(), p.AttributePath.AttributeName, sub)
	switch {
	case a == nil && taken:
		return nil
	case a == nil:
		return refuse(typePath, "The path %q names no attribute here.", cut(o.Path))
	case a.Mutability == readOnly:
		return refuse(typeMutability, "The attribute %s can only be read.", a.Name)
	case p.ValueExpression != nil && !a.Multi:
		return refuse(typePath, "The attribute %s is not a list.", a.Name)
	}
	if o.Op != "remove" && o.Value == nil {
		// No value is what a removed attribute has.
		o.Op = "remove"
	}
	switch {
	case p.ValueExpression != nil:
		if err := checkSub(a, p.ValueExpression); err != nil {
			return err
		}
		return applyFiltered(d, a, s, p.ValueExpression, o)
	case a.Multi && s == nil:
		return applyList(d, a, o)
	case s == nil:
		return applySingle(d, a, o)
	}
	return applySub(d, a, s, o)
}

// applySingle changes an attribute of one value. Of a complex one, what is not
// named stays.
func applySingle(d Document, a *attribute, o operation) error {
	if o.Op == "remove" {
		delete(d, a.Name)
		return nil
	}
	v, err := cleanOne(a.Name, o.Value, a)
	if err != nil {
		return err
	}
	if old, ok := d[a.Name].(Document); ok {
		if object, ok := v.(Document); ok {
			maps.Copy(old, object)
			return nil
		}
	}
	d[a.Name] = v
	return nil
}

// applySub changes a sub-attribute, of every element where the attribute is a
// list.
func applySub(d Document, a, s *attribute, o operation) error {
	v, err := cleanValue(a.Name+"."+s.Name, o.Value, s)
	if err != nil {
		return err
	}
	all := elements(d[a.Name])
	if len(all) == 0 && o.Op != "remove" {
		all = []any{Document{}}
		if d[a.Name] = all[0]; a.Multi {
			d[a.Name] = all
		}
	}
	for _, element := range all {
		if object, ok := element.(Document); ok {
			setSub(object, s, o.Op, v)
		}
	}
	return nil
}

func setSub(object Document, s *attribute, op string, v any) {
	if op == "remove" {
		delete(object, s.Name)
		return
	}
	object[s.Name] = v
}

// applyList changes an attribute that is a list, as a whole.
func applyList(d Document, a *attribute, o operation) error {
	v, err := cleanValue(a.Name, o.Value, a)
	if err != nil {
		return err
	}
	list, _ := v.([]any)
	old := elements(d[a.Name])
	switch {
	case o.Op == "replace":
		d[a.Name] = list
	case o.Op == "add":
		d[a.Name] = join(old, list)
	case o.Value == nil:
		delete(d, a.Name)
	default: // Entra ID names what to remove as the value
		gone := make(map[any]bool, len(list))
		for _, element := range list {
			gone[element.(Document)["value"]] = true
		}
		d[a.Name] = slices.DeleteFunc(old, func(element any) bool { return gone[element.(Document)["value"]] })
	}
	return nil
}

// join adds elements to a list; one that names the same value takes the place of
// the old one.
func join(old, more []any) []any {
	at := make(map[any]int, len(old))
	for i, element := range old {
		at[element.(Document)["value"]] = i
	}
	for _, element := range more {
		value := element.(Document)["value"]
		if i, known := at[value]; known && value != nil {
			old[i] = element
			continue
		}
		at[value] = len(old)
		old = append(old, element)
	}
	onePrimary(old, more)
	return old
}

// onePrimary lets at most one element be the primary one: the newest that says
// so.
func onePrimary(list, newest []any) {
	primary := Document(nil)
	for _, element := range newest {
		if object := element.(Document); object["primary"] == true {
			primary = object
		}
	}
	for _, element := range list {
		object := element.(Document)
		if primary != nil && object["primary"] == true && !reflect.DeepEqual(object, primary) {
			object["primary"] = false
		}
	}
}

// applyFiltered changes the elements of a list that pass a filter. One that is
// to be set and not there is made, where the filter says what it is: so clients
// set the first address of a type.
func applyFiltered(d Document, a, s *attribute, e filter.Expression, o operation) error {
	old := elements(d[a.Name])
	var found []Document
	for _, element := range old {
		if object := element.(Document); matchesSub(object, e, a) {
			found = append(found, object)
		}
	}
	if o.Op == "remove" {
		if s != nil {
			for _, object := range found {
				delete(object, s.Name)
			}
			return nil
		}
		d[a.Name] = slices.DeleteFunc(old, func(element any) bool { return matchesSub(element.(Document), e, a) })
		return nil
	}
	if len(found) == 0 {
		made := Document{}
		if !madeOf(made, e, a) {
			return refuse(typeNoTarget, "The path %q finds no value.", cut(o.Path))
		}
		d[a.Name] = append(old, made)
		found = append(found, made)
	}
	for _, object := range found {
		if err := setFiltered(object, a, s, o); err != nil {
			return err
		}
		onePrimary(elements(d[a.Name]), []any{object})
	}
	return nil
}

func setFiltered(object Document, a, s *attribute, o operation) error {
	if s != nil {
		v, err := cleanValue(a.Name+"."+s.Name, o.Value, s)
		if err == nil {
			object[s.Name] = v
		}
		return err
	}
	v, err := cleanOne(a.Name, o.Value, a)
	if more, ok := v.(Document); ok {
		maps.Copy(object, more)
	}
	return err
}

// madeOf fills an element with what a filter of equalities says of it, and
// reports whether it is one.
func madeOf(object Document, e filter.Expression, a *attribute) bool {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		return e.Operator == filter.AND && madeOf(object, e.Left, a) && madeOf(object, e.Right, a)
	case *filter.AttributeExpression:
		s := find(a.Sub, e.AttributePath.AttributeName)
		if s == nil || e.Operator != filter.EQ || s.Name == "value" {
			return false
		}
		value := e.CompareValue
		if text, ok := value.(string); ok {
			value = unescape(text)
		}
		v, err := cleanOne(s.Name, value, s)
		if object[s.Name] = v; err != nil || v == nil {
			return false
		}
		return true
	}
	return false
}

// cut keeps what a client sent from filling an error.
func cut(text string) string {
	if len(text) > 100 {
		return text[:100] + "…"
	}
	return text
}
