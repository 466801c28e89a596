package extproc

// Plan is how an entry's calls are planned.
var Plan = (*Entry).plan

// Without is a body without a credential.
var Without = without
