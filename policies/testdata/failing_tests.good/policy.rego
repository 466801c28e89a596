package sluice

decision := {"allow": false}

unused := "no test reads this"
