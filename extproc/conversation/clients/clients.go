// Package clients knows the codec of each format in which clients call.
package clients

import (
	"sluice/extproc/conversation"
	"sluice/extproc/conversation/anthropic"
	"sluice/extproc/conversation/gemini"
	"sluice/extproc/conversation/openai"
	"sluice/extproc/conversation/responses"
	"sluice/extproc/dialect"
)

// For is the codec for a call; false where its operation is no chat, or its
// dialect is translated without the form (MLflow's).
func For(req *dialect.Request) (conversation.Client, bool) {
	switch {
	case req.Dialect == dialect.OpenAI && req.Operation == dialect.Chat:
		return openai.ChatClient, true
	case req.Dialect == dialect.OpenAI && req.Operation == dialect.Completions:
		return openai.CompletionsClient, true
	case req.Dialect == dialect.Responses && req.Operation == dialect.Chat:
		return responses.Client, true
	case req.Dialect == dialect.Anthropic && req.Operation == dialect.Chat:
		return anthropic.Client, true
	case req.Dialect == dialect.Gemini && req.Operation == dialect.Chat:
		return gemini.Client, true
	}
	return nil, false
}
