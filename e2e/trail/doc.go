// Package trail proves the promises of the audit trail with the whole
// gateway, the real Envoy and a real Redis: while each of them is killed in
// turn, under load, no answer is without its record, none is there twice, and
// every sink has all of them.
package trail
