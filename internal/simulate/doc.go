// Package simulate imitates model providers, so that the gateway can be tried
// without a key, tested without a network and measured without a bill.
//
// Three providers share one engine. [NewPractice] is behind the provider
// "practice" and speaks OpenAI's wire format. [NewOpenAI] and [NewAnthropic]
// stand in for the real ones in tests: they check each request as the
// published API does (Anthropic's in version 2023-06-01 only), answer in the
// published shapes, and keep what they received. All answers follow from the request alone.
//
// # What they answer
//
// Chat and completions quote the last message. A tool is called when the
// client forces one (tool_choice), or when a user message holds a word of four
// or more letters of an offered tool's name ("weather" calls get_weather);
// each string argument is the message's last word. A tool's result is quoted
// back. Tokens are words. Embeddings are unit vectors made from a hash.
//
// # Being slow or failing
//
// An [Act] says how a request is answered. It comes, in this order, from
// [Provider.Next], from [Provider.Always], from x-practice-* headers (practice
// only), or from the name of the model, which works from outside the process:
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
