package sluice.custom_test

asked(organization, request) := {
	"action": "invoke",
	"caller": {"id": "u1", "organizations": {organization}},
	"endpoint": {"id": "e1", "name": "chat", "type": "llm/v1/chat", "permissions": {"everyone": true}},
	"request": object.union({"type": "llm/v1/chat", "operation": "chat"}, request),
}

code := data.sluice.decision.reasons[0].code

test_cap if {
	code == "allowed_everyone" with input as asked("sales", {"max_tokens": 4096})
	code == "max_tokens" with input as asked("sales", {"max_tokens": 4097})
	code == "max_tokens_missing" with input as asked("sales", {})
	code == "allowed_everyone" with input as asked("65f000000000000000000001", {"max_tokens": 9999})
}

test_other_calls if {
	code == "allowed_everyone" with input as asked("sales", {"operation": "count_tokens"})
	code == "max_tokens_unknown" with input as asked("sales", {"operation": "native", "max_tokens": 1})
	code == "allowed_everyone" with input as asked("65f000000000000000000001", {"operation": "native", "max_tokens": 1})
}

test_view_is_no_call if {
	code == "allowed_everyone" with input as object.remove(asked("sales", {}), ["request"])
}
