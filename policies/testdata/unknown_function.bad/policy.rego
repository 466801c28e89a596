package sluice

decision := {"allow": is_friend(input.caller.id)}
