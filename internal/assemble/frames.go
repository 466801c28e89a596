package assemble

import (
	"encoding/base64"

	"sluice/extproc/conversation/converse"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/eventstream"
	"sluice/extproc/dialect/jsontext"
)

// metrics is a member that Bedrock adds to the last piece of a stream; without
// a stream it stands in headers.
const metrics = "amazon-bedrock-invocationMetrics"

// frame takes one frame of an event stream of Bedrock's: an event of
// ConverseStream, or one that has a piece of a model's own stream in base64. An
// exception stands for an error, which without a stream would have been the
// whole reply.
func (a *Assembler) frame(m eventstream.Message) error {
	own := a.format.(*native) // no other stream is read as frames
	switch {
	case m.Kind != eventstream.Event:
		told := converse.Failure(m)
		b := dialect.AppendString([]byte(`{"type":`), told.Kind)
		a.failed = append(dialect.AppendString(append(b, `,"message":`...), told.Message), '}')
		a.known = true
		return nil
	case !jsontext.Valid(m.Payload):
		return nil
	case m.Type == "chunk":
		piece, err := base64.StdEncoding.AppendDecode(a.piece[:0], inside(member(m.Payload, "bytes")))
		if err == nil {
			a.piece = piece
			a.take(without(piece, metrics))
		}
		return nil
	case own.format == nil && converseEvents[m.Type]:
		own.format = &bedrock{}
	}
	if c, is := own.format.(*bedrock); is {
		c.named(a, []byte(m.Type), m.Payload)
		a.known = true
	}
	return nil
}
