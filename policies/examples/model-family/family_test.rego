package sluice.custom_test

asked(project, provider, config) := {
	"action": "invoke",
	"caller": {"id": "u1", "project": project},
	"endpoint": {
		"id": "e1", "type": "llm/v1/chat", "provider": provider, "config": config,
		"permissions": {"everyone": true},
	},
}

test_family if {
	data.sluice.decision.allow == true with input as asked("patients", "bedrock", {"aws_config.aws_region": "eu-central-1"})
	data.sluice.decision.allow == false with input as asked("patients", "bedrock", {"aws_config.aws_region": "us-east-1"})
	data.sluice.decision.allow == true with input as asked("patients", "mlflow-model-serving", {})
	data.sluice.decision.allow == false with input as asked("patients", "openai", {})
	data.sluice.decision.allow == true with input as asked("marketing", "openai", {})
}
