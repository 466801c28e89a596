// Package credentials turns what a target authenticates with (kit.Credential)
// into the headers of a request, just before it leaves: bearer tokens that are
// fetched and age, and AWS signatures.
//
// A Manager has one Source per different credential. A source fetches in the
// background as soon as it is made and again ahead of the end, so that
// Authorize on a request's path reads what is there. While fetching fails, the
// last credential is served until it ends.
//
// Secrets stay inside: no error, log line, metric, status or String of this
// package holds one, nor what a token server said beyond a status and a code.
// Where a URL comes from an endpoint (token_url, token_uri …) it must be https
// and is reached by Options.HTTP, whose rules refuse metadata services and
// private networks.
package credentials
