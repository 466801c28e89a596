package sluice.api_test

import data.sluice.api

resources := [
	"endpoints", "permissions", "audit", "tokens", "users", "organizations", "policies", "status",
	"credentials", "usage", "sessions", "settings", "provisioning",
	"holds", "evidence", "sinks",
]

verbs := ["list", "read", "create", "update", "delete"]

# "resource verb" → scope, for all that each may do; the rest is denied.
everyone := {
	"endpoints list": "permitted", "endpoints read": "permitted",
	"audit list": "owned", "audit read": "owned",
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

auditor := object.union(everyone, {
	"audit list": "all", "audit read": "all", "usage list": "all",
	"holds list": "all", "evidence read": "all", "sinks list": "all",
})

provisioner := object.union(everyone, {what: "all" |
	some verb in verbs
	what := concat(" ", ["provisioning", verb])
})

endpoint_owner := object.union(everyone, {"endpoints create": "owned"})

allowed := {
	"administrator": administrator, "auditor": auditor,
	"endpoint-owner": endpoint_owner, "provisioner": provisioner, "practitioner": everyone,
}

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
			ask({"id": "u1"}, "users", "list"),
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

# Of an endpoint that is named, owners may do more than who may use it, and
# others nothing.
owned := object.union(endpoint(false), {"owners": {"u1", "o1"}})

owner_may := {
	"endpoints read", "endpoints update", "endpoints delete",
	"permissions read", "permissions update", "audit list", "audit read", "usage list",
}

of_endpoint(caller, resources) := {what: answer.obligations.scope |
	some resource in resources
	some verb in verbs
	what := concat(" ", [resource, verb])
	answer := api.decision with input as object.union(ask(caller, resource, verb), {"endpoint": owned})
	answer.allow == true
}

about_endpoints := ["endpoints", "permissions", "audit"]

test_an_owner_may_manage_the_endpoint[name] if {
	some name, caller in {
		"by user": {"id": "u1"},
		"by organization": {"id": "u2", "organizations": {"o1"}},
		"by user, with a role that has no say": {"id": "u1", "roles": {"practitioner"}},
	}
	of_endpoint(caller, array.concat(about_endpoints, ["usage"])) == {what: "owned" | some what in owner_may}
}

test_others_may_not[name] if {
	some name, caller in {
		"user": {"id": "u2", "organizations": {"o2"}},
		"owner of others": {"id": "u2", "roles": {"endpoint-owner"}},
	}
	of_endpoint(caller, about_endpoints) == {}
}

test_owning_is_a_reason_of_its_own if {
	answer := api.decision with input as object.union(ask({"id": "u1"}, "endpoints", "delete"), {"endpoint": owned})
	answer.reasons[0].code == "allowed_owner"
}

test_an_administrator_who_owns_is_an_administrator if {
	caller := {"id": "u1", "roles": {"administrator"}}
	answer := api.decision with input as object.union(ask(caller, "endpoints", "delete"), {"endpoint": owned})
	answer.obligations.scope == "all"
}

test_who_owns_need_not_be_permitted if {
	answer := api.decision with input as object.union(ask({"id": "u1"}, "endpoints", "read"), {"endpoint": owned})
	answer.allow == true
}

test_a_custom_role_for_what_is_owned[name] if {
	some name, case in {
		"no endpoint": {"input": {}, "allow": true},
		"owned": {"input": {"endpoint": owned}, "allow": true},
		"not owned": {"input": {"endpoint": endpoint(true)}, "allow": false},
	}
	asked := object.union(ask({"id": "u1", "roles": {"operator"}}, "endpoints", "update"), case.input)
	answer := api.decision with input as asked
		with data.sluice.custom.api as {"operator": {"endpoints": {"update": "owned"}}}
	answer.allow == case.allow
}

test_custom_roles[scope] if {
	some scope in ["all", "permitted", "owned", "own"]
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
