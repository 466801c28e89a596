package sluice.custom_test

asked(role, endpoint) := {
	"action": "invoke",
	"caller": {"id": "u1", "roles": {role}},
	"endpoint": {"id": "e1", "name": endpoint, "type": "llm/v1/chat"},
}

test_the_table_decides if {
	data.sluice.decision.allow == true with input as asked("analyst", "chat-large")
	data.sluice.decision.allow == false with input as asked("analyst", "images")
	data.sluice.decision.allow == false with input as asked("visitor", "chat-large")
}
