package anthropic

import (
	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
)

func (client) Read(*dialect.Request) (*conversation.Request, *dialect.Error) {
	return nil, dialect.Internal()
}

func (client) AppendReply(b []byte, _ *conversation.Reply, _ conversation.Meta) []byte { return b }

func (client) NewWriter(conversation.Meta) conversation.Writer { return &writer{} }

type writer struct{}

func (*writer) Append(b []byte, _ *conversation.Event) []byte { return b }
