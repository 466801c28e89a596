// Package openai reads and writes OpenAI's chat completions, for clients and
// for providers, and its text completions for clients
// (platform.openai.com/docs/api-reference).
//
// Of a client's call these are left out, since they change no answer: model and
// stream (known otherwise), stream_options, store, metadata, prompt_cache_key
// and its kin, and members at the value that asks for nothing (n 1, logprobs
// false, penalties 0 …). reasoning_content of earlier turns is for reading only;
// what a provider needs back is in thinking_blocks. All else is in the form, in
// its Extra, or refused by name.
//
// Extensions of OpenAI's shapes, all optional: thinking, top_k, cache_control
// on parts and tools, thinking_blocks of assistant messages, and
// extra_content.google.thought_signature of tool calls (Google's published
// form) in calls; reasoning_content, thinking_blocks and the latter in answers.
package openai

import "sluice/extproc/conversation"

// The codecs.
var (
	// ChatClient is for clients of chat completions.
	ChatClient conversation.Client = chatClient{}
	// CompletionsClient is for clients of text completions.
	CompletionsClient conversation.Client = completionsClient{}
	// ChatProvider is for providers of chat completions that have no traits of
	// their own; see NewChatProvider.
	ChatProvider = NewChatProvider(Traits{})
)

type (
	chatClient        struct{}
	completionsClient struct{}
)
