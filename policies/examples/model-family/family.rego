# Projects that handle personal data call models that run in the EU only: any
# target of an endpoint may be called, so all of them must.
package sluice.custom

sensitive := {"patients", "payroll"}

in_eu(target) if startswith(target.config.aws_region, "eu-")

in_eu(target) if target.provider == "mlflow-model-serving"

deny contains {"code": "outside_eu", "message": "This project may use models that run in the EU only."} if {
	input.caller.project in sensitive
	some target in input.endpoint.targets
	not in_eu(target)
}
