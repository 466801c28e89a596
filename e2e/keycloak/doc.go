// Package keycloak holds the tests of signing in with a real Keycloak, which
// tools/fetch-keycloak fetches. There is nothing to import.
package keycloak
