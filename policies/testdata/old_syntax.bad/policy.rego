package sluice

decision = {"allow": true} { input.action == "invoke" }
