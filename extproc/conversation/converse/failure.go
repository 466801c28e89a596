package converse

import (
	"strings"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect/eventstream"
	"sluice/extproc/dialect/jsontext"
)

// Failure reads an exception or error of a stream of Bedrock's: any message
// that is no event. Its Kind and Code are the name of the exception, as Bedrock
// writes it in its header x-amzn-errortype.
func Failure(m eventstream.Message) *conversation.Failure {
	f := &conversation.Failure{Message: m.Text}
	if m.Type != "" {
		f.Kind = strings.ToUpper(m.Type[:1]) + m.Type[1:]
		f.Code = f.Kind
	}
	if f.Message != "" || !jsontext.Valid(m.Payload) {
		return f
	}
	v := jsontext.View(m.Payload)
	for _, name := range []string{"message", "Message", "originalMessage"} {
		if text := v.Get(name).String(); text != "" {
			f.Message = strings.Clone(text)
			break
		}
	}
	return f
}
