package sluice_test

test_anna_is_on_the_list if {
	data.sluice.decision.allow == true with input.caller.name as "anna"
}

test_bob_is_not if {
	data.sluice.decision.allow == false with input.caller.name as "bob"
}
