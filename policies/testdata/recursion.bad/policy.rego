package sluice

decision := {"allow": a}

a := b

b := a
