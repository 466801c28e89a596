package sluice_test

test_denied if data.sluice.decision.allow == false

test_allowed if {
	print("the decision is", data.sluice.decision)
	data.sluice.decision.allow == true
}

test_error if to_number("x") == 1

todo_test_later if false
