package conversation

import (
	"sluice/extproc/dialect"
)

// Meta is what an answer to a client takes besides the answer.
type Meta struct {
	Request    *dialect.Request
	Form       *Request // as the Client codec read it
	ExchangeID string
	Created    int64 // seconds since 1970
	// Model is the target's, told where the provider does not name one.
	Model string
}

// Client is a format in which clients call. Its functions keep no state.
type Client interface {
	// Read reads a call that dialect.Parse has accepted. The error names the
	// field that has no place in the form.
	Read(req *dialect.Request) (*Request, *dialect.Error)
	// AppendReply adds a whole answer.
	AppendReply(b []byte, r *Reply, m Meta) []byte
	// NewWriter begins a streamed answer.
	NewWriter(m Meta) Writer
}

// Writer writes a streamed answer to a client, event by event. It is used for
// one stream.
type Writer interface {
	// Append adds what the client is to get for an event; often nothing. With
	// the bytes of End the client's answer is complete.
	Append(b []byte, ev *Event) []byte
}

// Provider is a format in which providers are called. Its functions keep no
// state.
type Provider interface {
	// Write makes the provider's request body. model is the target's; a format
	// whose path names the model leaves it out. The error names the field, in
	// the client's words as far as they are the form's, that can't be carried.
	Write(r *Request, model string) ([]byte, *dialect.Error)
	// Read reads a whole reply of status 2xx that is valid JSON. An error means
	// that it is not what the provider's format promises. A reply that tells an
	// error (see Failure) returns it.
	Read(body []byte) (*Reply, error)
	// NewReader begins a streamed reply.
	NewReader() Reader
}

// Reader reads a provider's stream cut anywhere.
type Reader interface {
	// Feed takes the next bytes and calls fn for each event that they complete.
	// Work per chunk does not grow with the stream. A *Failure error is the
	// provider's own; any other means that the stream is not what the format
	// promises. After an error the Reader is spent.
	Feed(b []byte, fn func(*Event)) error
	// Close tells that the stream is over: a stream that is whole but did not
	// say so yields its last events here. It returns ErrTruncated where an
	// answer was cut off.
	Close(fn func(*Event)) error
}

// Failure is an error that a provider tells inside a 2xx reply or stream.
type Failure struct {
	Status  int    // that the provider names, or that its kind stands for; 0: not known
	Kind    string // the provider's type of error, e.g. "overloaded_error"
	Code    string // the provider's own code
	Message string // the provider's words: not yet without secrets
}

func (f *Failure) Error() string { return "the provider told an error in its reply" }

type truncated struct{}

func (truncated) Error() string { return "the stream ended before the answer was complete" }

// ErrTruncated is returned by Reader.Close for an answer that was cut off.
var ErrTruncated error = truncated{}
