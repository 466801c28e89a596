package policies

import (
	"maps"
	"slices"

	"sluice/internal/decision"
)

// CodeTokenEndpoint is the code of the denial where the caller's token is bound
// to other endpoints.
const CodeTokenEndpoint = "token_endpoint"

// outOfBounds is the denial for a token that is bound to endpoints. No bundle is
// asked, so that none can forget it.
func outOfBounds(in *Input) (d decision.Decision, denied bool) {
	if in.Caller == nil || len(in.Caller.EndpointIDs()) == 0 {
		return d, false
	}
	message := "The token that you use is bound to other endpoints. Use one of its endpoints, or another token."
	switch {
	case in.Endpoint != nil && !slices.Contains(in.Caller.EndpointIDs(), in.Endpoint.ID):
	case in.Endpoint != nil && in.Action != ActionAPI, in.Action == ActionAPI && narrow(in):
		return d, false
	default:
		message = "The token that you use is bound to endpoints: it can list, read and call those, and nothing else. Use another token."
	}
	d.Reasons = []decision.Reason{{Code: CodeTokenEndpoint, Message: message}}
	return d, true
}

// narrow reports whether a question about the REST API is one of the few that
// a token that is bound to endpoints may ask: the endpoints, and its own user.
func narrow(in *Input) bool {
	switch in.Resource {
	case ResourceEndpoints:
		return in.Verb == VerbList || in.Verb == VerbRead
	case ResourceUsers:
		return in.Verb == VerbRead && in.Name == in.Caller.UserID
	}
	return false
}

// narrowed takes the scope of an allowed question down to what a bound token
// is for: with "all" an administrator's would show every endpoint.
func narrowed(in *Input, d decision.Decision) decision.Decision {
	if in.Action != ActionAPI || in.Caller == nil || len(in.Caller.EndpointIDs()) == 0 || !d.Allow {
		return d
	}
	scope := ScopeOwn
	if in.Resource == ResourceEndpoints {
		scope = ScopePermitted
	}
	d.Obligations = maps.Clone(d.Obligations)
	if d.Obligations == nil {
		d.Obligations = map[string]any{}
	}
	d.Obligations[ObligationScope] = scope
	return d
}
