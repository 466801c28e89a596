// Package converse reads and writes Amazon Bedrock's Converse and
// ConverseStream (docs.aws.amazon.com/bedrock/latest/APIReference), which are
// one format for the models of many vendors.
//
// What has no place in it is refused by name, except for what only concerns
// other providers: hints of image detail, the end user's id, prompt caches
// where the model has none. Images and documents go as bytes; of URLs Bedrock
// reads only s3:// ones. All system text is in one place: what a client puts
// between other messages moves to it. Empty texts are left out, as Bedrock
// refuses them, and so is reasoning without a signature, which no model reads
// again.
//
// What vendors have beyond the common fields goes into
// additionalModelRequestFields, by the table in families.go.
package converse

import (
	"errors"

	"sluice/extproc/conversation"
)

// Provider is the codec of Converse.
var Provider conversation.Provider = provider{}

type provider struct{}

// errReply is a reply that is not a reply of Converse.
var errReply = errors.New("reading a reply of Converse: it is not what the API promises")

// AnswerTool is the name of the tool by which models without structured output
// are made to answer in a schema: they are told to call it, and its arguments
// are the answer. A client's tools can't have it.
const AnswerTool = "answer_as_json_8c1f"
