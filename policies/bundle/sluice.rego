# METADATA
# title: Sluice
# description: |
#   The one question that the gateway asks: data.sluice.decision. It is answered
#   for actions on endpoints (invoke, view) by sluice.endpoints and for the REST
#   API by sluice.api. What is not allowed is denied.
# entrypoint: true
package sluice

import data.sluice.api
import data.sluice.endpoints

default decision := {
	"allow": false,
	"reasons": [{
		"code": "unknown_action",
		"message": "The policy does not know this action.",
	}],
}

decision := endpoints.decision if input.action == "invoke"

# A listing shows exactly what may be called.
decision := endpoints.decision if input.action == "view"

decision := api.decision if input.action == "api"
