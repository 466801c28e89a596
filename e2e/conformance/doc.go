// Package conformance holds the gateway against data: what a client sends, what
// the provider must then be sent, what it replies, what the client must be told.
// Everything runs twice: in process, through the packages that translate, and
// through the gateway with the real Envoy, before a server that has the
// providers' own names and certificates.
//
// testdata/mlflow-cases.json are exchanges seen on MLflow's own server; they are
// compared whole. The matrix is every client dialect before every provider: what
// clients ask for is in features.json, what providers reply in replies.json, the
// providers in providers.json; facts that are the same for every pair are
// compared. Pairs that can't carry a feature are listed in refusals.json: they
// must refuse it as the list says.
//
// A part of the matrix is selected by its name, client before provider before
// feature:
//
//	go test ./e2e/conformance -run 'Matrix/anthropic/bedrock$/parallel_tools'
//
// A new provider takes a row in providers.json; TestTable fails until it has
// one for each endpoint type that it answers. A new wire format takes replies in
// replies.json and a reader of its requests.
package conformance
