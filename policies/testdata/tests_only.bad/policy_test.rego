package sluice

test_nothing if true
