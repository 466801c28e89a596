// Package openai reads and writes OpenAI's chat completions, for clients and
// for providers, and its text completions for clients.
package openai

import (
	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
)

// The codecs.
var (
	// ChatClient is for clients of chat completions.
	ChatClient conversation.Client = chatClient{}
	// CompletionsClient is for clients of text completions.
	CompletionsClient conversation.Client = completionsClient{}
	// ChatProvider is for providers of chat completions.
	ChatProvider conversation.Provider = chatProvider{}
)

type (
	chatClient        struct{}
	completionsClient struct{}
	chatProvider      struct{}
)

func (chatClient) Read(req *dialect.Request) (*conversation.Request, *dialect.Error) {
	return nil, dialect.Internal()
}
func (chatClient) AppendReply(b []byte, _ *conversation.Reply, _ conversation.Meta) []byte { return b }
func (chatClient) NewWriter(conversation.Meta) conversation.Writer                         { return writer{} }

func (completionsClient) Read(req *dialect.Request) (*conversation.Request, *dialect.Error) {
	return nil, dialect.Internal()
}
func (completionsClient) AppendReply(b []byte, _ *conversation.Reply, _ conversation.Meta) []byte {
	return b
}
func (completionsClient) NewWriter(conversation.Meta) conversation.Writer { return writer{} }

func (chatProvider) Write(*conversation.Request, string) ([]byte, *dialect.Error) {
	return nil, dialect.Internal()
}
func (chatProvider) Read([]byte) (*conversation.Reply, error) { return nil, conversation.ErrTruncated }
func (chatProvider) NewReader() conversation.Reader           { return reader{} }

type writer struct{}

func (writer) Append(b []byte, _ *conversation.Event) []byte { return b }

type reader struct{}

func (reader) Feed([]byte, func(*conversation.Event)) error { return conversation.ErrTruncated }
func (reader) Close(func(*conversation.Event)) error        { return conversation.ErrTruncated }
