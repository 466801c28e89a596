package sluice

decision := {"allow": startswith(1, "a")}
