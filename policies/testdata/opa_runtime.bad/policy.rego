package sluice

decision := {"allow": opa.runtime().env.HOME == "/root"}
