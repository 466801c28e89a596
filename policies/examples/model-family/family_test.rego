package sluice.custom_test

asked(project, provider, config) := {
	"action": "invoke",
	"caller": {"id": "u1", "project": project},
	"endpoint": {
		"id": "e1", "type": "llm/v1/chat", "permissions": {"everyone": true},
		"targets": [
			{"name": "first", "provider": "mlflow-model-serving", "model": "m", "config": {}},
			{"name": "second", "provider": provider, "model": "m", "config": config},
		],
	},
}

test_family if {
	data.sluice.decision.allow == true with input as asked("patients", "bedrock", {"aws_region": "eu-central-1"})
	data.sluice.decision.allow == false with input as asked("patients", "bedrock", {"aws_region": "us-east-1"})
	data.sluice.decision.allow == true with input as asked("patients", "mlflow-model-serving", {})
	data.sluice.decision.allow == false with input as asked("patients", "openai", {})
	data.sluice.decision.allow == true with input as asked("marketing", "openai", {})
}
