# METADATA
# title: Endpoints
# description: |
#   Who may call a model, and so who sees its endpoint. The endpoint's own
#   permissions decide: everyone who has signed in, or users, organizations, roles
#   and projects. To manage endpoints is another thing: an administrator calls a
#   model only where the permissions let him.
#
#   The package sluice.custom of another bundle may add to it: deny and allow
#   (sets of reasons, deny wins), native (a set of reasons to let a call of the
#   provider's own API pass whatever model it runs) and obligations (an object).
package sluice.endpoints

import data.sluice.custom

# The usual case comes first and costs the least: no other bundle adds anything.
decision := {"allow": true, "reasons": grants} if {
	input.caller.id
	not mismatch
	not foreign
	not custom
} else := {"allow": true, "reasons": grants, "obligations": obligations} if {
	input.caller.id
	not mismatch
	not foreign
	not denied
} else := {
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
	mismatch
} else := {
	"allow": false,
	"reasons": [{
		"code": "native_model",
		"message": concat("", [
			"The model that this call names is none of this endpoint's. ",
			"Name one of its models, or ask an administrator to add this one as a target.",
		]),
	}],
} if {
	foreign
	not hidden
} else := {
	"allow": false,
	"reasons": [{
		"code": "native_unnamed",
		"message": concat("", [
			"This call does not tell which model it runs, and the permission is for this endpoint's models. ",
			"Name the model in a JSON body, or ask an administrator to allow this path by the policy.",
		]),
	}],
} if {
	hidden
} else := {"allow": false, "reasons": [reason | some reason in custom.deny]}

# The reason to let the caller in; undefined: not permitted.
grants := [{"code": "allowed_everyone", "message": "Everyone may use this endpoint."}] if {
	input.endpoint.permissions.everyone == true
} else := [{"code": "allowed_user", "message": "The user may use this endpoint."}] if {
	input.endpoint.permissions.users[input.caller.id]
} else := [{"code": "allowed_organization", "message": "An organization of the user may use this endpoint."}] if {
	input.endpoint.permissions.organizations[input.caller.organizations[_]]
} else := [{"code": "allowed_role", "message": "A role of the user may use this endpoint."}] if {
	input.endpoint.permissions.roles[input.caller.roles[_]]
} else := [{"code": "allowed_project", "message": "The project of the token may use this endpoint."}] if {
	input.endpoint.permissions.projects[input.caller.project]
} else := [reason | some reason in custom.allow] if {
	some _ in custom.allow
}

# The call is of another kind than the endpoint answers.
mismatch if input.request.type != input.endpoint.type

# A call of the provider's own API names a model that no target has: the
# permission is for the endpoint's models, not for all that its key can reach.
foreign if {
	some model in input.request.native.models
	not model in models
	not opened
}

foreign if hidden

# It has a body and does not tell which model it runs: a batch, a file, a form
# that can't be read, a provider's default model.
hidden if {
	input.request.native.unnamed
	not opened
}

opened if some _ in custom.native

models contains trim_prefix(target.model, "models/") if some target in input.endpoint.targets

# What Azure's own API calls a model by, and SAP's.
models contains target.config.openai_deployment_name if some target in input.endpoint.targets

models contains target.config.sap_ai_core_deployment_id if some target in input.endpoint.targets

denied if some _ in custom.deny

default obligations := {}

obligations := custom.obligations
