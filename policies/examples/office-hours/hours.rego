# Costly endpoints are closed at night and on weekends, in the zone given.
package sluice.custom

zone := "Europe/Berlin"

deny contains {"code": "closed", "message": "This endpoint is open on weekdays from 7 to 19."} if {
	startswith(input.endpoint.name, "large-")
	not open
}

open if {
	not time.weekday([input.time, zone]) in {"Saturday", "Sunday"}
	[hour, _, _] := time.clock([input.time, zone])
	hour >= 7
	hour < 19
}
