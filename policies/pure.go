package policies

import "github.com/open-policy-agent/opa/v1/ast"

// repeatable are the parts of input that a question's key covers (see
// question): a program that reads nothing else answers the same question the
// same way every time. What is nil may be read whole.
var repeatable = map[ast.String]map[ast.String]bool{
	"action":   nil,
	"caller":   nil,
	"endpoint": nil,
	"resource": nil,
	"verb":     nil,
	"request":  {"dialect": true, "operation": true, "stream": true, "type": true, "native": true},
}

// ofNative are the parts of input.request.native that a question's key covers.
var ofNative = map[ast.String]bool{"model": true, "models": true, "unnamed": true}

// pure tells whether the compiled rules read only what is repeatable and call
// no function whose result may change, such as time.now_ns. It errs on the
// safe side: input read in a way that is not plain is not pure.
func pure(modules map[string]*ast.Module) bool {
	is := true
	var visitor *ast.GenericVisitor
	visitor = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Ref:
			is = is && pureRef(x)
			for _, term := range x[1:] {
				visitor.Walk(term)
			}
			return true
		case ast.Var:
			is = is && !x.Equal(ast.InputRootDocument.Value)
		}
		return !is
	})
	for _, module := range modules {
		for _, rule := range module.Rules {
			visitor.Walk(rule)
		}
	}
	return is
}

func pureRef(ref ast.Ref) bool {
	if b, builtin := ast.BuiltinMap[ref.String()]; builtin {
		return !b.Nondeterministic && b.Name != ast.Print.Name && b.Name != ast.InternalPrint.Name
	}
	if !ref[0].Equal(ast.InputRootDocument) {
		return true
	}
	if len(ref) < 2 {
		return false
	}
	part, ok := ref[1].Value.(ast.String)
	fields, known := repeatable[part]
	if !ok || !known || fields == nil {
		return ok && known
	}
	if len(ref) < 3 {
		return false
	}
	field, ok := ref[2].Value.(ast.String)
	if field == "native" {
		if len(ref) < 4 {
			return false
		}
		part, ok := ref[3].Value.(ast.String)
		return ok && ofNative[part]
	}
	return ok && fields[field]
}
