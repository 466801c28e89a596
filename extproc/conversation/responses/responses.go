// Package responses reads and writes OpenAI's Responses API for clients whose
// provider does not have it.
package responses

import (
	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
)

// Client is for clients of the Responses API.
var Client conversation.Client = client{}

type client struct{}

func (client) Read(req *dialect.Request) (*conversation.Request, *dialect.Error) {
	return nil, dialect.Internal()
}
func (client) AppendReply(b []byte, _ *conversation.Reply, _ conversation.Meta) []byte { return b }
func (client) NewWriter(conversation.Meta) conversation.Writer                         { return writer{} }

type writer struct{}

func (writer) Append(b []byte, _ *conversation.Event) []byte { return b }
