// Package identity holds the tests of who callers are, with the whole gateway:
// client certificates, and tokens that are bound. There is nothing to import.
package identity
