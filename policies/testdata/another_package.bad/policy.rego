package slucie

decision := {"allow": true}
