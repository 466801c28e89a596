// Package dialect knows the wire formats in which clients call: how a call is
// recognised, read and checked, and how an error is told. It works on bytes
// and imports nothing of Envoy, gRPC or logging.
package dialect

import "slices"

// Dialect is a wire format.
type Dialect string

// The client dialects.
const (
	MLflow    Dialect = "mlflow"
	OpenAI    Dialect = "openai"           // chat completions, completions, embeddings
	Responses Dialect = "openai-responses" // OpenAI's Responses API; errors are OpenAI's
	Anthropic Dialect = "anthropic"        // Messages
	Gemini    Dialect = "gemini"           // generateContent
	Native    Dialect = "native"           // the provider's own, unchanged
	REST      Dialect = "rest"             // Domino's and Sluice's own REST shapes
	RESTv4    Dialect = "rest-v4"          // Domino's internal API under /v4
	RESTTrail Dialect = "rest-trail"       // Domino's unified audit trail
	SCIM      Dialect = "scim"             // SCIM 2.0, by which directories keep users here
)

// Operation is what a client asks of a model.
type Operation string

// The operations.
const (
	Chat        Operation = "chat"
	Completions Operation = "completions"
	Embeddings  Operation = "embeddings"
	CountTokens Operation = "count_tokens" // of a chat call, without answering it
	Passthrough Operation = "native"       // any call of the provider's own API
)

// Fits reports whether an endpoint that answers op takes the operation.
func (o Operation) Fits(op Operation) bool {
	switch o {
	case Passthrough:
		return true
	case CountTokens:
		return op == Chat
	}
	return o == op
}

// Route is what a path says about a call. Operation is empty where the path
// does not tell (MLflow's invocations: the endpoint's type does); Endpoint is
// empty where the body names it (OpenAI's model).
type Route struct {
	Dialect   Dialect
	Operation Operation
	Endpoint  string
	// Rest is the path below the endpoint's API root, with the query, of a
	// Passthrough; it begins with '/'.
	Rest string
	// Stream is set where the path asks for a stream (Gemini).
	Stream bool
	// Unified is set for the paths of MLflow's newer gateway that speak MLflow's
	// dialect: the operation follows from the body, "model" may name the
	// endpoint, and what is wrong with a body is told with 400.
	Unified bool
}

// Request is a client's call, checked. Body is as the client sent it and is
// never changed. It is immutable after Parse.
type Request struct {
	Route
	Body []byte
	// Payload is what goes on to translation: for MLflow the validated body
	// as MLflow's own server would dump it (n added, nulls and unknown nested
	// keys removed, numbers coerced); for OpenAI the Body itself.
	Payload []byte
	Stream  bool
	// IncludeUsage: the client asked for usage in its stream
	// (stream_options.include_usage); always true for MLflow.
	IncludeUsage bool
	MaxTokens    int64    // max_tokens or max_completion_tokens; 0: not given
	Tools        []string // names of the tools offered, in order
	// ClientHeader looks up the client's own header by lower-case name, among
	// those in HeadersPassed; nil: none.
	ClientHeader func(name string) string
	// Query is the client's query string, without '?': Gemini's clients say in
	// it how a stream is framed (alt=sse).
	Query string

	members Members // top-level members of Body, as Parse found them
}

// HeadersPassed are the client's headers that may reach a provider, where it
// speaks the client's dialect: Anthropic's clients choose the API's version and
// its betas in them. None is a credential.
var HeadersPassed = [...]string{"anthropic-version", "anthropic-beta"}

// HeaderPassed reports whether a header, by its lower-case name, is one of
// HeadersPassed.
func HeaderPassed(name string) bool { return slices.Contains(HeadersPassed[:], name) }

// Error is a refusal or failure to be told to the client in its own dialect.
type Error struct {
	Status  int    // HTTP status
	Code    string // stable, machine-readable: one of the Code constants
	Message string // a sentence that says what to do
	Param   string // the field that is wrong, where there is one
	// Type replaces the OpenAI or Anthropic error type that follows from
	// Status, e.g. with the one that the provider gave.
	Type string
	// ProviderCode is the provider's own code ("context_length_exceeded").
	// OpenAI clients are told it in place of Code.
	ProviderCode string
	// Detail replaces MLflow's "detail" value where it is not the message:
	// the list of a 422, or a provider's own error object. Raw JSON.
	Detail []byte
	// NoRetry: trying again can't help although the status suggests it. SDKs
	// that know x-should-retry are told.
	NoRetry bool
	// Headers go to the client with the error, e.g. Retry-After, Allow.
	Headers [][2]string
}

func (e *Error) Error() string { return e.Message }

// Usage counts tokens. A negative number means that the provider did not say.
type Usage struct {
	Input     int64 `json:"input"`     // prompt tokens, cached ones included
	Output    int64 `json:"output"`    // completion tokens, reasoning included
	Cached    int64 `json:"cached"`    // part of Input read from a cache
	Reasoning int64 `json:"reasoning"` // part of Output spent on reasoning
	// CacheWrite is the part of Input written to a cache.
	CacheWrite int64 `json:"cacheWrite"`
}

// NoUsage is the Usage of an exchange whose provider reported none.
var NoUsage = Usage{Input: -1, Output: -1, Cached: -1, Reasoning: -1, CacheWrite: -1}
