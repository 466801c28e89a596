package sluice.api_test

import data.sluice.api

resources := [
	"endpoints", "permissions", "audit", "tokens", "users", "organizations", "policies", "status",
	"credentials", "usage", "sessions", "settings",
]

verbs := ["list", "read", "create", "update", "delete"]

# "resource verb" → scope, for all that each may do; the rest is denied.
everyone := {
	"endpoints list": "permitted", "endpoints read": "permitted",
	"tokens list": "own", "tokens read": "own", "tokens create": "own", "tokens delete": "own",
	"users read": "own",
	"organizations list": "own", "organizations read": "own", "organizations update": "own",
	"usage list": "own",
	"sessions list": "own", "sessions delete": "own",
}

administrator := {what: "all" |
	some resource in resources
	some verb in verbs
	what := concat(" ", [resource, verb])
}

auditor := object.union(everyone, {"audit list": "all", "audit read": "all", "usage list": "all"})

allowed := {"administrator": administrator, "auditor": auditor, "practitioner": everyone}

ask(caller, resource, verb) := {"caller": caller, "resource": resource, "verb": verb}

# The allowed questions of a role, as the policy answers them.
answered(role) := {what: answer.obligations.scope |
	some resource in resources
	some verb in verbs
	what := concat(" ", [resource, verb])
	answer := api.decision with input as ask({"id": "u1", "roles": {role}}, resource, verb)
	answer.allow == true
}

test_every_role_resource_and_verb[role] if {
	some role, expected in allowed
	answered(role) == expected
}

test_nobody_may_anything if {
	answer := api.decision with input as {"resource": "endpoints", "verb": "list"}
	answer.allow == false
	answer.reasons[0].code == "not_authenticated"
}

test_reasons if {
	codes := [answer.reasons[0].code |
		some asked in [
			ask({"id": "u1", "roles": {"administrator"}}, "users", "create"),
			ask({"id": "u1", "roles": {"auditor"}}, "audit", "list"),
			ask({"id": "u1"}, "tokens", "list"),
			ask({"id": "u1"}, "audit", "list"),
		]
		answer := api.decision with input as asked
	]
	codes == ["allowed_role", "allowed_role", "allowed_everyone", "not_permitted"]
}

test_what_there_is_not_is_denied_to_administrators_too[name] if {
	some name, asked in {
		"resource": ask({"id": "u1", "roles": {"administrator"}}, "secrets", "read"),
		"verb": ask({"id": "u1", "roles": {"administrator"}}, "users", "impersonate"),
	}
	answer := api.decision with input as asked
	answer.allow == false
}

endpoint(everyone_allowed) := {"id": "e1", "permissions": {
	"everyone": everyone_allowed,
	"users": set(),
	"organizations": set(),
	"roles": set(),
	"projects": set(),
}}

test_reading_an_endpoint_takes_its_permission[name] if {
	some name, case in {
		"permitted": {"caller": {"id": "u1"}, "everyone": true, "allow": true},
		"not permitted": {"caller": {"id": "u1"}, "everyone": false, "allow": false},
		"administrator": {"caller": {"id": "u1", "roles": {"administrator"}}, "everyone": false, "allow": true},
	}
	asked := object.union(ask(case.caller, "endpoints", "read"), {"endpoint": endpoint(case.everyone)})
	answer := api.decision with input as asked
	answer.allow == case.allow
}

test_custom_roles[scope] if {
	some scope in ["all", "permitted", "own"]
	answer := api.decision with input as ask({"id": "u1", "roles": {"operator"}}, "endpoints", "update")
		with data.sluice.custom.api as {"operator": {"endpoints": {"update": scope}}}
	answer.allow == true
	answer.obligations == {"scope": scope}
}

test_custom_scope_that_is_unknown_grants_nothing if {
	answer := api.decision with input as ask({"id": "u1", "roles": {"operator"}}, "endpoints", "update")
		with data.sluice.custom.api as {"operator": {"endpoints": {"update": "galaxy"}}}
	answer.allow == false
}

test_the_widest_scope_counts if {
	answer := api.decision with input as ask({"id": "u1", "roles": {"operator", "helper"}}, "tokens", "list")
		with data.sluice.custom.api as {"operator": {"tokens": {"list": "own"}}, "helper": {"tokens": {"list": "all"}}}
	answer.obligations.scope == "all"
}
