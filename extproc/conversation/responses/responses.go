// Package responses reads and writes OpenAI's Responses API for clients whose
// provider does not have it (platform.openai.com/docs/api-reference/responses).
//
// Nothing is stored: a call that goes on from a stored response is refused, and
// what concerns storing or caching is left out (store, metadata, prompt_cache_key
// and its kin, client_metadata, truncation "disabled", ids of items), and the
// wish text.verbosity. Answers say store: false.
//
// Tools are functions to providers. Besides functions these can be carried, and
// are what Codex uses: custom tools, as functions with one string "input" whose
// description holds the grammar; namespaces, whose functions get the name
// "namespace__function"; and tool_search with execution "client". Of OpenAI's
// built-in tools only web_search with external_web_access is left out: Codex
// offers it in every call, whether it is wanted or not, and would not work
// otherwise. All others are refused by name.
//
// Reasoning comes as reasoning items: its text as the summary, where the client
// asked for one, and what proves it to its provider as encrypted_content, where
// the client asked for that by include. encrypted_content that this package did
// not write is another provider's secret and is left out.
package responses

import "sluice/extproc/conversation"

// Client is for clients of the Responses API.
var Client conversation.Client = client{}

type client struct{}
