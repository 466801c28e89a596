package sluice.endpoints_test

import data.sluice.endpoints

# A caller who matches nothing of the endpoint below, until a case changes him.
stranger := {"id": "u9", "organizations": {"o9"}, "roles": {"r9"}, "project": "p9"}

endpoint := {"id": "e1", "type": "llm/v1/chat", "permissions": {
	"everyone": false,
	"users": {"u1", "u2"},
	"organizations": {"o1", "o2"},
	"roles": {"r1", "r2"},
	"projects": {"p1", "p2"},
}}

question(caller) := {"action": "invoke", "caller": caller, "endpoint": endpoint}

open_to_everyone := object.union(endpoint, {"permissions": {"everyone": true}})

# What is asked, and the code of the answer's first reason.
cases := {
	"user": {"input": question(object.union(stranger, {"id": "u2"})), "allow": true, "code": "allowed_user"},
	"organization": {
		"input": question(object.union(stranger, {"organizations": {"o9", "o2"}})),
		"allow": true, "code": "allowed_organization",
	},
	"role": {
		"input": question(object.union(stranger, {"roles": {"r9", "r1"}})),
		"allow": true, "code": "allowed_role",
	},
	"project": {
		"input": question(object.union(stranger, {"project": "p2"})),
		"allow": true, "code": "allowed_project",
	},
	"everyone": {
		"input": {"caller": stranger, "endpoint": open_to_everyone},
		"allow": true, "code": "allowed_everyone",
	},
	"stranger": {"input": question(stranger), "allow": false, "code": "not_permitted"},
	"bare caller": {"input": question({"id": "u9"}), "allow": false, "code": "not_permitted"},
	"administrators do not call by right": {
		"input": question(object.union(stranger, {"roles": {"administrator"}})),
		"allow": false, "code": "not_permitted",
	},
	"an organization's id is no user's": {
		"input": question(object.union(stranger, {"id": "o1"})),
		"allow": false, "code": "not_permitted",
	},
	"nobody": {"input": {"endpoint": open_to_everyone}, "allow": false, "code": "not_authenticated"},
	"no endpoint": {"input": {"caller": stranger}, "allow": false, "code": "not_permitted"},
	"endpoint without permissions": {
		"input": {"caller": stranger, "endpoint": {"id": "e2"}},
		"allow": false, "code": "not_permitted",
	},
}

test_cases[name] if {
	some name, case in cases
	answer := endpoints.decision with input as case.input
	answer.allow == case.allow
	answer.reasons[0].code == case.code
	answer.reasons[0].message != ""
}

test_call_must_fit_the_type[type] if {
	some type in ["llm/v1/chat", "llm/v1/completions", "llm/v1/embeddings"]
	asked := {"caller": stranger, "endpoint": open_to_everyone, "request": {"type": type}}
	answer := endpoints.decision with input as asked
	answer.reasons[0].code == object.get({"llm/v1/chat": "allowed_everyone"}, type, "endpoint_type")
	answer.allow == object.get({"llm/v1/chat": true}, type, false)
}

native(model) := {
	"caller": stranger,
	"endpoint": object.union(open_to_everyone, {"targets": [
		{"name": "a", "provider": "openai", "model": "gpt-x", "config": {}},
		{"name": "b", "provider": "azure", "model": "gpt-y", "config": {"openai_deployment_name": "prod"}},
		{"name": "c", "provider": "gemini", "model": "models/gemini-z", "config": {}},
		{"name": "d", "provider": "sap-ai-core", "model": "m", "config": {"sap_ai_core_deployment_id": "d1"}},
	]}),
	"request": {"operation": "native", "native": object.union({"method": "POST", "path": "/v1/x"}, model)},
}

test_native_call_names_a_model_of_the_endpoint if {
	every model in ["gpt-x", "gpt-y", "prod", "gemini-z", "d1"] {
		answer := endpoints.decision with input as native({"models": [model]}) with data.sluice.custom as {}
		answer.allow == true
	}
	unnamed := endpoints.decision with input as native({}) with data.sluice.custom as {}
	unnamed.allow == true
}

test_native_call_of_another_model_is_denied if {
	answer := endpoints.decision with input as native({"models": ["gpt-x", "gpt-z"]})
	answer.allow == false
	answer.reasons[0].code == "native_model"
	customized := endpoints.decision with input as native({"models": ["gpt-z"]})
		with data.sluice.custom.allow as {{"code": "on_call"}}
	customized.reasons[0].code == "native_model"
}

test_native_call_that_hides_its_model_is_denied[name] if {
	some name, models in {"none": [], "a decoy": ["gpt-x"]}
	answer := endpoints.decision with input as native({"models": models, "unnamed": true})
	answer.allow == false
	answer.reasons[0].code == "native_unnamed"
}

test_custom_native_opens_the_path[name] if {
	some name, facts in {"hidden": {"models": [], "unnamed": true}, "foreign": {"models": ["gpt-z"]}}
	answer := endpoints.decision with input as native(facts) with data.sluice.custom.native as {{"code": "files"}}
	answer.allow == true
	closed := endpoints.decision with input as native(facts) with data.sluice.custom.native as set()
	closed.allow == false
}

test_native_call_of_an_endpoint_without_targets_is_denied if {
	asked := object.union(native({"models": ["gpt-x"]}), {"endpoint": {"targets": []}})
	answer := endpoints.decision with input as asked
	answer.reasons[0].code == "native_model"
}

test_native_call_takes_permission_first if {
	asked := object.union(native({"models": ["gpt-z"]}), {"endpoint": {"permissions": {"everyone": false}}})
	answer := endpoints.decision with input as asked
	answer.reasons[0].code == "not_permitted"
}

test_what_may_not_be_called_does_not_tell_its_type if {
	asked := object.union(question(stranger), {"request": {"type": "llm/v1/embeddings"}})
	answer := endpoints.decision with input as asked
	answer.reasons[0].code == "not_permitted"
}

test_custom_deny_wins if {
	answer := endpoints.decision with input as {"caller": stranger, "endpoint": open_to_everyone}
		with data.sluice.custom.deny as {{"code": "closed", "message": "Come back tomorrow."}}
	answer == {"allow": false, "reasons": [{"code": "closed", "message": "Come back tomorrow."}]}
}

test_custom_deny_that_is_empty_denies_nothing[name] if {
	some name, nothing in {"set": set(), "array": [], "object": {}}
	answer := endpoints.decision with input as {"caller": stranger, "endpoint": open_to_everyone}
		with data.sluice.custom.deny as nothing
	answer.allow == true
}

test_custom_allow_lets_in if {
	answer := endpoints.decision with input as question(stranger)
		with data.sluice.custom.allow as {{"code": "on_call"}}
	answer == {"allow": true, "reasons": [{"code": "on_call"}], "obligations": {}}
}

test_custom_allow_that_is_empty_lets_nobody_in[name] if {
	some name, nothing in {"set": set(), "array": [], "object": {}}
	answer := endpoints.decision with input as question(stranger)
		with data.sluice.custom.allow as nothing
	answer.reasons[0].code == "not_permitted"
}

test_custom_allow_does_not_let_nobody_in if {
	answer := endpoints.decision with input as {"endpoint": endpoint}
		with data.sluice.custom.allow as {{"code": "on_call"}}
	answer.reasons[0].code == "not_authenticated"
}

test_custom_obligations_come_with_an_allow if {
	answer := endpoints.decision with input as {"caller": stranger, "endpoint": open_to_everyone}
		with data.sluice.custom.obligations as {"watermark": true}
	answer.obligations == {"watermark": true}
}
