package sluice_test

import data.sluice

anna := {"id": "u1", "organizations": set(), "roles": set()}

open_endpoint := {"id": "e1", "type": "llm/v1/chat", "permissions": {
	"everyone": true,
	"users": set(),
	"organizations": set(),
	"roles": set(),
	"projects": set(),
}}

test_invoke_and_view_are_answered_alike if {
	invoke := sluice.decision with input as {"action": "invoke", "caller": anna, "endpoint": open_endpoint}
	view := sluice.decision with input as {"action": "view", "caller": anna, "endpoint": open_endpoint}
	invoke == view
	invoke.allow == true
}

test_api_is_answered if {
	answer := sluice.decision with input as {"action": "api", "caller": anna, "resource": "tokens", "verb": "list"}
	answer.allow == true
}

test_unknown_action_is_denied if {
	answer := sluice.decision with input as {"action": "dance", "caller": anna, "endpoint": open_endpoint}
	answer.allow == false
	answer.reasons[0].code == "unknown_action"
}

test_nothing_asked_is_denied if {
	answer := sluice.decision with input as {}
	answer.allow == false
}
