// Package anthropic reads and writes the Messages API
// (platform.claude.com/docs/en/api/messages) for conversations: Client for
// clients that speak it, Provider for servers of it.
package anthropic

import "sluice/extproc/conversation"

// The codecs of the Messages API.
var (
	Client   conversation.Client   = client{}
	Provider conversation.Provider = provider{}
)

type (
	client   struct{}
	provider struct{}
)
