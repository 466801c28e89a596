package sluice

decision := {"allow": f(1)}
