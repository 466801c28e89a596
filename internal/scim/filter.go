package scim

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/scim2/filter-parser/v2"
)

// subOfFiltered is how Entra ID asks for a sub-attribute of a filtered value,
// which the grammar of the standard does not have:
// emails[type eq "work"].value eq "a@example.com".
var subOfFiltered = regexp.MustCompile(`\[([^\[\]]*)\]\.(\w+ +[a-zA-Z]{2}(?: +(?:"(?:[^"\\]|\\.)*"|[^ )\]]+))?)`)

// parseFilter reads a filter. The expression it returns names attributes of the
// kind only, or those that are taken and not kept.
func (k *Kind) parseFilter(text string) (filter.Expression, error) {
	if len(text) > maxFilter {
		return nil, refuse(typeFilter, "The filter is longer than %d bytes.", maxFilter)
	}
	e, err := filter.ParseFilter([]byte(subOfFiltered.ReplaceAllString(text, "[$1 and $2]")))
	if err != nil {
		return nil, refuse(typeFilter, "The filter can't be read. It takes attributes, operators and values as in: userName eq \"alice\".")
	}
	return e, k.checkFilter(e)
}

func (k *Kind) checkFilter(e filter.Expression) error {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		if err := k.checkFilter(e.Left); err != nil {
			return err
		}
		return k.checkFilter(e.Right)
	case *filter.NotExpression:
		return k.checkFilter(e.Expression)
	case *filter.ValuePath:
		a, _, taken := k.resolve(e.AttributePath.URI(), e.AttributePath.AttributeName, "")
		if a == nil {
			return unknownIn(taken, e.AttributePath.String())
		}
		return checkSub(a, e.ValueFilter)
	case *filter.AttributeExpression:
		p := e.AttributePath
		a, sub, taken := k.resolve(p.URI(), p.AttributeName, p.SubAttributeName())
		if a == nil {
			return unknownIn(taken, p.String())
		}
		if sub != nil {
			a = sub
		}
		return checkOperator(a, e.Operator)
	}
	return nil
}

// checkSub checks the filter within the brackets of a value path.
func checkSub(of *attribute, e filter.Expression) error {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		if err := checkSub(of, e.Left); err != nil {
			return err
		}
		return checkSub(of, e.Right)
	case *filter.NotExpression:
		return checkSub(of, e.Expression)
	case *filter.AttributeExpression:
		a := find(of.Sub, e.AttributePath.AttributeName)
		if a == nil {
			return unknownIn(false, of.Name+"."+e.AttributePath.String())
		}
		return checkOperator(a, e.Operator)
	}
	return refuse(typeFilter, "A filter in brackets can't hold another one.")
}

func unknownIn(taken bool, path string) error {
	if taken {
		return nil
	}
	return refuse(typeFilter, "The filter names %s, which is no attribute here.", path)
}

func checkOperator(a *attribute, op filter.CompareOperator) error {
	if a.Type != typeBoolean {
		return nil
	}
	switch op {
	case filter.EQ, filter.NE, filter.PR:
		return nil
	}
	return refuse(typeFilter, "The attribute %s is true or false, which %s does not compare.", a.Name, op)
}

// names reports whether a filter names an attribute.
func (k *Kind) names(e filter.Expression, attribute string) bool {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		return k.names(e.Left, attribute) || k.names(e.Right, attribute)
	case *filter.NotExpression:
		return k.names(e.Expression, attribute)
	case *filter.ValuePath:
		return strings.EqualFold(e.AttributePath.AttributeName, attribute)
	case *filter.AttributeExpression:
		return strings.EqualFold(e.AttributePath.AttributeName, attribute)
	}
	return false
}

// excludes reports whether a resource can't pass a filter, by what is known of it
// without its document: clients look for one name or id in most requests.
func (k *Kind) excludes(r *Resource, e filter.Expression) bool {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		return e.Operator == filter.AND && (k.excludes(r, e.Left) || k.excludes(r, e.Right))
	case *filter.AttributeExpression:
		want, ok := e.CompareValue.(string)
		if !ok || e.Operator != filter.EQ {
			return false
		}
		switch a, _, _ := k.resolve(e.AttributePath.URI(), e.AttributePath.AttributeName, ""); {
		case a == nil:
			return true
		case a.Name == k.naming:
			return !strings.EqualFold(r.Name, unescape(want))
		case a.Name == "externalId":
			return r.ExternalID != unescape(want)
		case a.Name == "id":
			return r.ID != unescape(want)
		}
	}
	return false
}

// matches reports whether a document passes a filter that was checked. An
// attribute that is not kept has no value.
func (k *Kind) matches(d Document, e filter.Expression) bool {
	return matches(d, e, func(p filter.AttributePath) *attribute {
		a, _, _ := k.resolve(p.URI(), p.AttributeName, "")
		return a
	})
}

func matches(d Document, e filter.Expression, attr func(filter.AttributePath) *attribute) bool {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		if e.Operator == filter.AND {
			return matches(d, e.Left, attr) && matches(d, e.Right, attr)
		}
		return matches(d, e.Left, attr) || matches(d, e.Right, attr)
	case *filter.NotExpression:
		return !matches(d, e.Expression, attr)
	case *filter.ValuePath:
		a := attr(e.AttributePath)
		if a == nil {
			return false
		}
		for _, element := range elements(d[a.Name]) {
			if object, ok := element.(Document); ok && matchesSub(object, e.ValueFilter, a) {
				return true
			}
		}
		return false
	case *filter.AttributeExpression:
		a := attr(e.AttributePath)
		if a == nil {
			return e.Operator == filter.NE
		}
		values, of := valuesAt(d, a, e.AttributePath.SubAttributeName())
		return compares(values, of, e)
	}
	return false
}

// matchesSub is matches for the filter in the brackets behind an attribute.
func matchesSub(element Document, e filter.Expression, of *attribute) bool {
	return matches(element, e, func(p filter.AttributePath) *attribute { return find(of.Sub, p.AttributeName) })
}

func elements(value any) []any {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{value}
}

// valuesAt are the values at an attribute: of complex ones those of the
// sub-attribute, which is "value" where none is named.
func valuesAt(d Document, a *attribute, sub string) ([]any, *attribute) {
	all := elements(d[a.Name])
	if a.Type != typeComplex {
		return all, a
	}
	if sub == "" {
		sub = "value"
	}
	s := find(a.Sub, sub)
	if s == nil {
		return all, a
	}
	var out []any
	for _, element := range all {
		if object, ok := element.(Document); ok && object[s.Name] != nil {
			out = append(out, object[s.Name])
		}
	}
	return out, s
}

// compares reports whether any of the values compares as an expression asks.
func compares(values []any, a *attribute, e *filter.AttributeExpression) bool {
	switch {
	case e.Operator == filter.PR:
		return len(values) > 0
	case e.Operator == filter.NE:
		equal := *e
		equal.Operator = filter.EQ
		return !compares(values, a, &equal)
	case e.CompareValue == nil: // eq null
		return len(values) == 0
	}
	for _, v := range values {
		if compare(v, a, e) {
			return true
		}
	}
	return false
}

func compare(value any, a *attribute, e *filter.AttributeExpression) bool {
	switch v := value.(type) {
	case bool:
		want, ok := e.CompareValue.(bool)
		if text, plain := e.CompareValue.(string); plain {
			want, ok = strings.EqualFold(text, "true"), true
		}
		return ok && e.Operator == filter.EQ && v == want
	case string:
		want, ok := e.CompareValue.(string)
		return ok && compareTexts(v, unescape(want), a, e.Operator)
	}
	return false
}

func compareTexts(got, want string, a *attribute, op filter.CompareOperator) bool {
	if !a.CaseExact {
		got, want = strings.ToLower(got), strings.ToLower(want)
	}
	switch op {
	case filter.EQ:
		return got == want
	case filter.CO:
		return strings.Contains(got, want)
	case filter.SW:
		return strings.HasPrefix(got, want)
	case filter.EW:
		return strings.HasSuffix(got, want)
	}
	order := strings.Compare(got, want)
	if g, err := time.Parse(time.RFC3339, strings.ToUpper(got)); err == nil {
		if w, err := time.Parse(time.RFC3339, strings.ToUpper(want)); err == nil {
			order = g.Compare(w)
		}
	}
	switch op {
	case filter.GT:
		return order > 0
	case filter.GE:
		return order >= 0
	case filter.LT:
		return order < 0
	}
	return op == filter.LE && order <= 0
}

// unescape reads the escapes of JSON, which the parser leaves in place.
func unescape(text string) string {
	var out string
	if json.Unmarshal([]byte(`"`+text+`"`), &out) != nil {
		return text
	}
	return out
}
