# METADATA
# title: Endpoints
# description: |
#   Who may call a model, and so who sees its endpoint. The endpoint's own
#   permissions decide: everyone who has signed in, or users, organizations, roles
#   and projects. To manage endpoints is another thing: an administrator calls a
#   model only where the permissions let him.
#
#   The package sluice.custom of another bundle may add to it: deny and allow
#   (sets of reasons, deny wins) and obligations (an object).
package sluice.endpoints

import data.sluice.custom

# The reasons to let the caller in; none: not permitted.
grants := [{"code": "allowed_everyone", "message": "Everyone may use this endpoint."}] if {
	input.endpoint.permissions.everyone == true
} else := [{"code": "allowed_user", "message": "The user may use this endpoint."}] if {
	input.caller.id in input.endpoint.permissions.users
} else := [{"code": "allowed_organization", "message": "An organization of the user may use this endpoint."}] if {
	some organization in input.caller.organizations
	organization in input.endpoint.permissions.organizations
} else := [{"code": "allowed_role", "message": "A role of the user may use this endpoint."}] if {
	some role in input.caller.roles
	role in input.endpoint.permissions.roles
} else := [{"code": "allowed_project", "message": "The project of the token may use this endpoint."}] if {
	input.caller.project in input.endpoint.permissions.projects
} else := reasons if {
	reasons := [reason | some reason in custom.allow]
	count(reasons) > 0
}

decision := {
	"allow": false,
	"reasons": [{
		"code": "not_authenticated",
		"message": "Sign in: send a token of this gateway with the request.",
	}],
} if {
	not input.caller.id
} else := {
	"allow": false,
	"reasons": [{
		"code": "not_permitted",
		"message": "You may not use this endpoint. Ask an administrator to add you to its permissions.",
	}],
} if {
	not grants
} else := {
	"allow": false,
	"reasons": [{
		"code": "endpoint_type",
		"message": "This endpoint does not answer calls of this kind. Use an endpoint of the matching type.",
	}],
} if {
	types[input.request.operation] != input.endpoint.type
} else := {"allow": false, "reasons": reasons} if {
	reasons := [reason | some reason in custom.deny]
	count(reasons) > 0
} else := {"allow": true, "reasons": grants, "obligations": obligations}

# The type of endpoint that answers an operation.
types := {
	"chat": "llm/v1/chat",
	"completions": "llm/v1/completions",
	"embeddings": "llm/v1/embeddings",
}

default obligations := {}

obligations := custom.obligations
