package sluice

decision := {"allow": true} if not input.users[x]
