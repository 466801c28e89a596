// Package kit is what providers are built from: the shapes of a target, a
// call and a reply, the rules of parameters, and how a provider's failures are
// told to clients. It imports nothing of Envoy, gRPC or logging.
package kit

import (
	"net/http"
	"strings"
	"time"

	"sluice/extproc/dialect"
)

// Target is a model to call, with everything a request to it needs. Config
// holds parameters and opened credentials under MLflow's names
// (openai_api_key, openai_api_base …). It is not changed by providers.
type Target struct {
	Provider string
	Model    string
	Config   map[string]string
}

// Address is where a target is reached: what Envoy needs to know of it.
type Address struct {
	TLS      bool
	Host     string // DNS name or IP; empty where Local is set
	Port     uint16
	BasePath string // path before the operation's own, no trailing slash, e.g. "/v1"
	// Local names an in-process server instead of a host: "practice".
	Local string
}

// Upstream is one HTTP request to a provider. Headers are complete, and hold
// nothing of the client's; where the provider's row names a Credential, its
// headers are added before the request leaves.
type Upstream struct {
	Method  string
	Path    string // with query, escaped as it goes on the wire
	Headers [][2]string
	Body    []byte
	// Batch, where it is not empty, are the bodies of several requests that
	// differ in nothing else; Body is empty then. When all are answered with
	// success, Complete gets a JSON array of the replies, in order, with
	// status 200; otherwise the first reply that is none.
	Batch [][]byte
}

// Reply is a whole (not streamed) reply for the client. Error is set when the
// exchange failed, also where Status and Body render the provider's own error.
type Reply struct {
	Status      int
	ContentType string
	Headers     [][2]string // besides content-type, e.g. Retry-After
	Body        []byte
	// Unchanged: Body is the provider's body byte for byte.
	Unchanged bool
	Error     *dialect.Error
}

// Call translates one exchange between a client's dialect and a provider's.
// It holds the state of that exchange and is not safe for concurrent use.
type Call interface {
	// Upstream returns the provider's request. It may be called more than once.
	Upstream() Upstream
	// Complete turns a whole reply of the provider, of any status, into the
	// client's. header looks up a response header by lower-case name.
	Complete(status int, header func(string) string, body []byte) Reply
	// IsStream reports whether a 2xx reply of this content type is a stream
	// that Chunk reads. It is false for calls that asked for no stream.
	IsStream(contentType string) bool
	// Chunk turns the next bytes of a provider's 2xx stream, cut anywhere,
	// into bytes for the client, which may be empty. done is true from the
	// call on whose bytes complete the reply for the client (its last event).
	// After end no more calls are made. A stream that ends early or carries a
	// provider error yields the client dialect's error event, and Err is set.
	Chunk(b []byte, end bool) (out []byte, done bool)
	// StreamContentType is the content type of what Chunk returns.
	StreamContentType() string
	// Usage is what the provider reported so far.
	Usage() dialect.Usage
	// Err is the failure of a stream, or nil.
	Err() *dialect.Error
}

// Env is what translation takes from outside, so that tests are deterministic.
type Env struct {
	Now        func() time.Time
	ExchangeID string
}

// Credential says what a target authenticates with where that is more than a
// parameter put into a header: a token that is fetched and ages, or a signature
// over the request. It is data; who fetches and signs is at the edge.
type Credential struct {
	Kind CredentialKind
	// Params are what the kind needs, by the names that it documents. They
	// may be secret.
	Params map[string]string
}

// CredentialKind is a way to authenticate.
type CredentialKind string

// The kinds, with their parameters.
const (
	// AWS signs with SigV4. region, service ("bedrock"); one of: access_key_id,
	// secret_access_key (and session_token); role_arn (and session_seconds, with
	// the access key or the default chain as who assumes it); nothing: the
	// default chain (environment, shared files, container, instance).
	AWS CredentialKind = "aws"
	// Google sends a bearer token with the scope cloud-platform. credentials:
	// JSON of a service account or of another form that Google issues; empty:
	// application default credentials (environment, metadata server).
	Google CredentialKind = "google"
	// EntraID sends a bearer token of Microsoft Entra ID by client credentials.
	// tenant_id, client_id, client_secret; scope (Azure AI's when empty);
	// authority (the root of another cloud's Entra ID, https).
	EntraID CredentialKind = "entra"
	// OAuth sends a bearer token by OAuth 2.0 client credentials. token_url,
	// client_id, client_secret; scope; auth_style ("header", the default, or
	// "body").
	OAuth CredentialKind = "oauth"
)

// EventStream is the content type of an event stream (SSE).
const EventStream = "text/event-stream"

// IsEventStream reports whether a content type is EventStream.
func IsEventStream(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), EventStream)
}

// Native is how a provider's own API is called for a client that speaks it.
type Native struct {
	// Root is the path of the API's root, without trailing slash, to which the
	// client's path is added: "" where the API's paths begin with its version.
	Root string
	// Headers are the credential, and what goes with it. Header names in lower case.
	Headers [][2]string
	// Query is added to the client's query, e.g. "api-version=…"; may be "".
	Query string
	// Dialect is the one in which the gateway's own errors are told.
	Dialect dialect.Dialect
	// Below are what paths must begin with, from the root, where the same
	// credential opens more than the models' API at the same address:
	// "/serving-endpoints/". None: the address is the models' alone.
	Below []string
	// OneModel: all that can be called is the target's model, so that calls need
	// not name it.
	OneModel bool
}

// Serves reports whether a path may be called. It is compared as it is written:
// one that begins with the same in other words does not match.
func (n Native) Serves(path string) bool {
	for _, prefix := range n.Below {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return len(n.Below) == 0
}

// JSONRequest is a POST of a JSON body.
func JSONRequest(path string, body []byte, stream bool, headers ...[2]string) Upstream {
	accept := dialect.ContentTypeJSON
	if stream {
		accept = EventStream
	}
	all := make([][2]string, 0, len(headers)+2)
	all = append(all, [2]string{"content-type", dialect.ContentTypeJSON}, [2]string{"accept", accept})
	return Upstream{Method: http.MethodPost, Path: path, Headers: append(all, headers...), Body: body}
}

// Quoted is the JSON of a string.
func Quoted(s string) string { return string(dialect.AppendString(nil, s)) }

// HasHeader reports whether a header of that name, in any case, is among them.
func HasHeader(headers [][2]string, name string) bool {
	for _, h := range headers {
		if strings.EqualFold(h[0], name) {
			return true
		}
	}
	return false
}
