package sluice

allow if input.action == "invoke"
