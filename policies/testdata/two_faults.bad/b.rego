package sluice.b

y := nothing.here(1)
