// Package e2e holds the tests of the whole system: the built program, the real
// Envoy, the real clients, and stand-in providers under the providers' own
// host names. `make test` runs short forms of the long ones; SLUICE_LONG=1 (or
// `make test-long`) runs them at full length.
package e2e
