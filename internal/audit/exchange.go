package audit

import (
	"time"

	"sluice/internal/decision"
	"sluice/internal/identity"
)

// Results of an exchange.
const (
	ResultAnswered        = "answered"        // the client has the provider's answer
	ResultProviderError   = "provider_error"  // the provider failed or refused
	ResultGatewayError    = "gateway_error"   // this gateway failed
	ResultClientGone      = "client_gone"     // the client left before the end
	ResultInterrupted     = "interrupted"     // the gateway ended before the exchange did
	ResultDenied          = "denied"          // the policy said no
	ResultUnauthenticated = "unauthenticated" // no credential, or one that is not valid
	ResultRefused         = "refused"         // the request itself was wrong: malformed, too large, unknown endpoint
)

// Results lists how exchanges end: the Result constants.
func Results() []string {
	return []string{
		ResultAnswered, ResultProviderError, ResultGatewayError, ResultClientGone, ResultInterrupted, ResultDenied, ResultUnauthenticated,
		ResultRefused,
	}
}

// Unknown stands for a number of tokens that nobody reported.
const Unknown = -1

// Forms of the body of a streamed reply (Outcome.BodyForm).
const (
	FormMessage = "message" // put together: what the call would have got without stream
	FormEvents  = "events"  // as it was sent, since nothing is known that puts it together
	FormDropped = "dropped" // not kept: it can't be put together, and so not redacted
)

// Exchange is the request half of a record: who asked for what, and what the
// policy said.
type Exchange struct {
	ID string `json:"id"` // x-request-id, unique
	// Time is when the request arrived; the zero time means now.
	Time time.Time `json:"time"`
	// Caller is nil when authentication failed.
	Caller *identity.Caller `json:"caller,omitempty"`
	// Credential is the kind of credential presented ("token", "jwt" …), never the
	// credential.
	Credential string `json:"credential,omitempty"`
	// Certificate names the client certificate that was shown, whether or not it
	// decided who the caller is.
	Certificate  string `json:"certificate,omitempty"`
	EndpointID   string `json:"endpointId,omitempty"`
	EndpointName string `json:"endpointName,omitempty"`
	EndpointType string `json:"endpointType,omitempty"`
	Target       string `json:"target,omitempty"` // the first that is tried; Outcome says who answered
	Provider     string `json:"provider,omitempty"`
	Model        string `json:"model,omitempty"`     // the provider's name of the model
	Dialect      string `json:"dialect,omitempty"`   // the wire format of the client
	Operation    string `json:"operation,omitempty"` // chat, completions, embeddings, count_tokens, native
	Method       string `json:"method,omitempty"`
	Path         string `json:"path,omitempty"`
	ClientAddr   string `json:"clientAddr,omitempty"`
	TLS          *TLS   `json:"tls,omitempty"` // nil: the connection was not encrypted
	// Node names the gateway that served; empty means the trail's own (Options.Node).
	Node      string `json:"node,omitempty"`
	Stream    bool   `json:"stream,omitempty"`
	MaxTokens int64  `json:"maxTokens,omitempty"` // 0: the client set none
	// Bodies is what is kept of the bodies: one of the Bodies constants, the
	// strictest that the installation, the endpoint and the policy ask for.
	// Empty means what the trail was opened with.
	Bodies string `json:"bodies,omitempty"`
	// Applied names the obligations of the decision that were carried out.
	Applied []string `json:"applied,omitempty"`
	// Decision is what the policy said; the zero value when it was not asked.
	Decision decision.Decision `json:"decision"`
}

// TLS is what the client's connection agreed on.
type TLS struct {
	Version    string `json:"version,omitempty"`    // "TLSv1.3"
	Cipher     string `json:"cipher,omitempty"`     // "TLS_AES_128_GCM_SHA256"
	ServerName string `json:"serverName,omitempty"` // that the client asked for
}

// Outcome is the response half of a record: how the exchange ended.
type Outcome struct {
	// Time is when the exchange ended; the zero time means now.
	Time           time.Time `json:"time"`
	Result         string    `json:"result"`                   // one of the Result constants
	Status         int       `json:"status,omitempty"`         // sent to the client; 0: none was
	UpstreamStatus int       `json:"upstreamStatus,omitempty"` // received from the provider; 0: none was
	Code           string    `json:"code,omitempty"`           // stable machine-readable code of an error
	Message        string    `json:"message,omitempty"`        // the sentence of an error
	// Tokens as the provider reported them; Unknown when it did not.
	InputTokens     int64 `json:"inputTokens"`
	OutputTokens    int64 `json:"outputTokens"`
	CachedTokens    int64 `json:"cachedTokens"`
	ReasoningTokens int64 `json:"reasoningTokens"`
	// CacheWriteTokens is the part of InputTokens written to a prompt cache.
	CacheWriteTokens int64 `json:"cacheWriteTokens"`
	// CostNanoUSD is what the tokens cost by the price table, in 10⁻⁹ US
	// dollars; Unknown without a price or without tokens.
	CostNanoUSD int64 `json:"costNanoUsd"`
	// Target answered, or failed last, where the endpoint has several targets,
	// with its provider and model.
	Target   string `json:"target,omitempty"`
	Provider string `json:"provider,omitempty"`
	Model    string `json:"model,omitempty"`
	// Attempts are the targets that were tried, in order; the last answered or
	// failed last. There is none when nothing went upstream.
	Attempts []Attempt `json:"attempts,omitempty"`
	// FirstByte and Duration run from Exchange.Time to the first byte of the
	// answer and to its end; in JSON they are nanoseconds.
	FirstByte time.Duration `json:"firstByteNs,omitempty"`
	Duration  time.Duration `json:"durationNs,omitempty"`
	// ResponseBytes counts the body the client was sent, kept here or not.
	ResponseBytes int64 `json:"responseBytes"`
	// BodyForm is one of the Form constants where the reply was streamed and a
	// body was to be kept.
	BodyForm string `json:"bodyForm,omitempty"`
	// Partial says that the kept body ends where the exchange, or the stream of the
	// provider, broke off.
	Partial bool `json:"partial,omitempty"`
}

// Attempt is one target's part in an exchange.
type Attempt struct {
	Target   string        `json:"target"`
	Provider string        `json:"provider"`
	Model    string        `json:"model"`
	Status   int           `json:"status,omitempty"` // of the reply; 0: there was none
	Code     string        `json:"code,omitempty"`   // why it was none; "" where there was one
	Duration time.Duration `json:"durationNs,omitempty"`
}
