// Package simulate imitates model providers, so that the gateway can be tried
// without a key, tested without a network and measured without a bill.
//
// All providers share one engine. [NewPractice] is behind the provider
// "practice" and speaks OpenAI's wire format. The others stand in for the real
// ones in tests: they check each request as the published API does, credential
// included, answer in the published shapes, and keep what they received. All
// answers follow from the request alone.
//
//	NewOpenAI          OpenAI (chat, completions, embeddings, responses, models) and Azure OpenAI
//	NewAnthropic       Anthropic (Messages, token counts, Text Completions), version 2023-06-01 only
//	NewGemini          the Gemini API, Vertex AI with Claude and its partners' models, PaLM
//	NewBedrock, NewSTS Amazon Bedrock's runtime, with signatures verified, and temporary keys
//	NewCohere          Cohere, versions 1 and 2
//	NewMistral, NewTogether, NewPortkey, NewDatabricks, NewSAP, NewCompatible
//	                   servers with OpenAI's format and ways of their own
//	NewAI21, NewMosaicML, NewTGI, NewMLflowServing
//	                   the older and smaller ones
//	NewGoogleToken, NewEntra
//	                   token endpoints, whose [Tokens] the APIs accept
//
// Reasoning is signed (see seal.go): what comes back changed is refused, as the
// real ones do.
//
// # What they answer
//
// Chat and completions quote the last message. A tool is called when the
// client forces one (tool_choice), or when a user message holds a word of four
// or more letters of an offered tool's name ("weather" calls get_weather);
// each string argument is the message's last word. Several tools that are named so
// are called in parallel, unless the client forbids it. A tool's result is quoted back. Tokens are words. Embeddings are unit vectors made from a hash.
//
// # Being slow or failing
//
// An [Act] says how a request is answered. It comes, in this order, from
// [Provider.Next], from [Provider.Always], from x-practice-* headers (practice
// only), or from the name of the model, alone or behind its maker's
// ("anthropic.hold", "meta/fault-429"), which works from outside the process:
//
//	fault-<status>        that status in the provider's error shape; 429, 503
//	                      and 529 carry Retry-After: 1
//	fault-reset-head      connection reset (RST) before the head
//	fault-reset           reset after the head and the first chunk
//	fault-truncate        clean end after the first chunk: a stream without its
//	                      last event, or a body cut short of its length
//	fault-stall           head and first chunk, then nothing until the client leaves
//	fault-stall-head      nothing at all until the client leaves
//	fault-html            200 with an HTML page
//	fault-html-<status>   that status with an HTML page
//	fault-garbage         200 application/json that is not JSON
//	fault-gzip            a right answer, gzip whether asked for or not
//	fault-error-event     a stream that carries the provider's error event
//	slow-<ms>             right answer, that long before the head
//	hold                  first chunk, the rest after [Provider.Release]
//	hold-<ms>             first chunk, the rest after that long
//	words-<n>[-<ms>]      answer of n words, the delay between chunks
//	big-<bytes>           answer whose text has that many bytes
//	refusal               the model declines, as the provider tells it
package simulate
