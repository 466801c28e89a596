// Package cohere writes calls to Cohere's chat API, version 2, and reads its
// answers (docs.cohere.com/reference/chat).
//
// Left out, as they change no answer: names of participants, the id of the end
// user, the service tier, marks of prompt caches, hints of an image's detail,
// reasoning that another provider has signed or sealed, the marks of failed
// tool results (their text says it). The effort of reasoning is on or off
// there. What a format of text before tool calls is elsewhere is Cohere's tool
// plan. Citations are not carried.
package cohere

import "sluice/extproc/conversation"

// Provider is the codec.
var Provider conversation.Provider = codec{}

type codec struct{}
