package sluice.custom_test

asked(name, when) := {
	"action": "invoke",
	"time": time.parse_rfc3339_ns(when),
	"caller": {"id": "u1"},
	"endpoint": {"id": "e1", "name": name, "type": "llm/v1/chat", "permissions": {"everyone": true}},
}

test_hours if {
	data.sluice.decision.allow == true with input as asked("large-a", "2026-03-02T07:00:00+01:00")
	data.sluice.decision.allow == false with input as asked("large-a", "2026-03-02T06:59:59+01:00")
	data.sluice.decision.allow == false with input as asked("large-a", "2026-03-02T19:00:00+01:00")
	data.sluice.decision.allow == false with input as asked("large-a", "2026-03-01T12:00:00+01:00")
	data.sluice.decision.allow == true with input as asked("small-a", "2026-03-01T12:00:00+01:00")
}
