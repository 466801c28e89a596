package sluice

decision := {"allow": data.people.anna}
