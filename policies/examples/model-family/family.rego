# Projects that handle personal data call models that run in the EU only.
package sluice.custom

sensitive := {"patients", "payroll"}

in_eu if startswith(input.endpoint.config["aws_config.aws_region"], "eu-")

in_eu if input.endpoint.provider == "mlflow-model-serving"

deny contains {"code": "outside_eu", "message": "This project may use models that run in the EU only."} if {
	input.caller.project in sensitive
	not in_eu
}
