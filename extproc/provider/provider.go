// Package provider knows the providers of models: which parameters each takes,
// where it is reached, and how a client's call becomes the provider's request
// and its reply the client's. Translators are pure: bytes in, bytes out; the
// package imports nothing of Envoy, gRPC or logging.
package provider

import (
	"time"

	"sluice/extproc/dialect"
)

// Target is a model to call, with everything a request to it needs. Config
// holds parameters and opened credentials under MLflow's names
// (openai_api_key, openai_api_base …). It is not changed by this package.
type Target struct {
	Provider string
	Model    string
	Config   map[string]string
}

// Field is one configuration parameter of a provider.
type Field struct {
	Name        string // MLflow's name, e.g. "openai_api_key"
	Title       string // for forms
	Description string
	Required    bool
	Secret      bool // goes to the vault, is never shown
	Default     string
	Enum        []string // allowed values, in any case; empty: any
	URL         bool     // an http or https URL
	Max         int      // a whole number from 0 to Max; 0: not a number
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

// Upstream is one HTTP request to a provider. Headers are complete: the
// credential is in them, and nothing of the client's.
type Upstream struct {
	Method  string
	Path    string // with query
	Headers [][2]string
	Body    []byte
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
