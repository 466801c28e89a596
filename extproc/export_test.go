package extproc

// Plan is how an entry's calls are planned.
var Plan = (*Entry).plan
