// Package policies decides. It loads Rego bundles, compiles them into one
// immutable engine state that is swapped whole, and evaluates prepared queries
// against it in process. A bundle that does not compile is refused and the
// last good one stays in force.
package policies

// Actions that policies decide.
const (
	// ActionInvoke: call the model behind an endpoint.
	ActionInvoke = "invoke"
	// ActionView: see an endpoint in a list or read it. The default bundle
	// answers it with the rule that answers ActionInvoke, so that a listing
	// shows exactly what may be called.
	ActionView = "view"
	// ActionAPI: use the REST API (Resource and Verb say what).
	ActionAPI = "api"
)
