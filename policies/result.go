package policies

import (
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"sluice/internal/decision"
)

var (
	keyAllow       = ast.StringTerm("allow")
	keyReasons     = ast.StringTerm("reasons")
	keyObligations = ast.StringTerm("obligations")
	keyCode        = ast.StringTerm("code")
	keyMessage     = ast.StringTerm("message")
)

// errUndefined says that the policy has no answer.
var errUndefined = errors.New("the rule data.sluice.decision is undefined")

// read turns the policy's answer into a decision. It is strict: an answer of
// another shape than README.md describes is an error, so that a slip of the
// pen in a bundle denies instead of meaning something else.
func read(answer ast.Value) (d decision.Decision, err error) {
	doc, ok := answer.(ast.Object)
	if !ok {
		return d, fmt.Errorf("the decision is %s instead of an object", ast.ValueName(answer))
	}
	var allow ast.Boolean
	var known int
	if term := doc.Get(keyAllow); term != nil {
		allow, ok = term.Value.(ast.Boolean)
		known++
	} else {
		ok = false
	}
	if !ok {
		return d, errors.New(`the decision has no boolean "allow"`)
	}
	if term := doc.Get(keyReasons); term != nil {
		known++
		if d.Reasons, err = readReasons(term.Value); err != nil {
			return decision.Decision{}, err
		}
	}
	if term := doc.Get(keyObligations); term != nil {
		known++
		if d.Obligations, err = readObligations(term.Value); err != nil {
			return decision.Decision{}, err
		}
	}
	if doc.Len() != known {
		return decision.Decision{}, errors.New(`the decision has other keys than "allow", "reasons" and "obligations"`)
	}
	d.Allow = bool(allow)
	return d, nil
}

// readReasons takes an array, which keeps its order, or a set.
func readReasons(v ast.Value) ([]decision.Reason, error) {
	list, ok := v.(interface {
		Len() int
		Iter(func(*ast.Term) error) error
	})
	if !ok {
		return nil, fmt.Errorf(`"reasons" is %s instead of an array or a set`, ast.ValueName(v))
	}
	if _, isObject := v.(ast.Object); isObject {
		return nil, errors.New(`"reasons" is an object instead of an array or a set`)
	}
	reasons := make([]decision.Reason, 0, list.Len())
	err := list.Iter(func(t *ast.Term) error {
		reason, err := readReason(t.Value)
		reasons = append(reasons, reason)
		return err
	})
	return reasons, err
}

func readReason(v ast.Value) (r decision.Reason, err error) {
	doc, ok := v.(ast.Object)
	if !ok {
		return r, fmt.Errorf("a reason is %s instead of an object", ast.ValueName(v))
	}
	code, hasCode := stringAt(doc, keyCode)
	message, hasMessage := stringAt(doc, keyMessage)
	switch {
	case !hasCode || code == "":
		return r, errors.New(`a reason has no string "code"`)
	case !hasMessage && doc.Len() > 1:
		return r, errors.New(`a reason has other keys than "code" and "message", or a message that is no string`)
	case hasMessage && doc.Len() > 2:
		return r, errors.New(`a reason has other keys than "code" and "message"`)
	}
	return decision.Reason{Code: code, Message: message}, nil
}

func stringAt(doc ast.Object, key *ast.Term) (string, bool) {
	if term := doc.Get(key); term != nil {
		s, ok := term.Value.(ast.String)
		return string(s), ok
	}
	return "", false
}

func readObligations(v ast.Value) (map[string]any, error) {
	doc, ok := v.(ast.Object)
	if !ok {
		return nil, fmt.Errorf(`"obligations" is %s instead of an object`, ast.ValueName(v))
	}
	if doc.Len() == 0 {
		return nil, nil
	}
	plain, err := ast.JSON(doc)
	if err != nil {
		return nil, fmt.Errorf(`reading "obligations": %w`, err)
	}
	obligations, ok := plain.(map[string]any)
	if !ok {
		return nil, errors.New(`"obligations" is no JSON object`)
	}
	return obligations, nil
}
