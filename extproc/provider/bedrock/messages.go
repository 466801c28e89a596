package bedrock

import (
	"encoding/base64"
	"errors"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation/converse"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/eventstream"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/anthropic"
	"sluice/extproc/provider/kit"
)

// openMessages begins a call of a client of the Messages API to a model of
// Anthropic's: the body goes as it is, so that nothing of it is lost.
func openMessages(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, at place) (kit.Call, *dialect.Error) {
	return anthropic.Open(p, t, req, env, anthropic.Place{
		Path: at.base + "/" + opInvoke, StreamPath: at.base + "/" + opInvokeStream,
		Headers: at.headers, Unnamed: true, Unmarked: true, Version: anthropicVersion,
		Beta: isBeta, BetasInBody: true,
		Unframe: func() func([]byte, bool) ([]byte, error) { return (&unframer{}).next }, IsStream: eventstream.IsStream,
	})
}

// betas are those of Anthropic's that Bedrock's user guide lists: it refuses
// calls that ask for others.
var betas = map[string]bool{
	"computer-use-2024-10-22": true, "computer-use-2025-01-24": true, "computer-use-2025-11-24": true,
	"token-efficient-tools-2025-02-19": true, "interleaved-thinking-2025-05-14": true, "output-128k-2025-02-19": true,
	"dev-full-thinking-2025-05-14": true, "context-1m-2025-08-07": true, "context-management-2025-06-27": true,
	"effort-2025-11-24": true, "tool-search-tool-2025-10-19": true, "tool-examples-2025-10-29": true,
	"fine-grained-tool-streaming-2025-05-14": true, "compact-2026-01-12": true,
}

func isBeta(name string) bool { return betas[name] }

// unframer turns a stream of InvokeModelWithResponseStream into server-sent
// events: each frame holds one event of the Messages API in base64.
type unframer struct {
	frames eventstream.Reader
	event  []byte
	out    []byte
}

// errFraming is a frame that does not hold an event.
var errFraming = errors.New("reading a stream of Bedrock: a frame holds no event")

// next takes the next bytes of the stream.
func (u *unframer) next(b []byte, end bool) ([]byte, error) {
	u.out = make([]byte, 0, len(b))
	err := u.frames.Feed(b, u.message)
	if err == nil && end {
		err = u.frames.End()
		if errors.Is(err, eventstream.ErrTruncated) {
			err = nil // the stream of events was cut off, and says so itself
		}
	}
	out := u.out
	u.out = nil
	return out, err
}

func (u *unframer) message(m eventstream.Message) error {
	if m.Kind != eventstream.Event {
		u.fail(m)
		return nil
	}
	if m.Type != "chunk" {
		return nil
	}
	if !jsontext.Valid(m.Payload) {
		return errFraming
	}
	var err error
	if u.event, err = base64.StdEncoding.AppendDecode(u.event[:0], []byte(jsontext.View(m.Payload).Get("bytes").Str)); err != nil {
		return errFraming
	}
	u.out = sse.Append(u.out, typeOf(u.event), u.event)
	return nil
}

// typeOf is the type of an event, as far as it can be the name of a
// server-sent one.
func typeOf(event []byte) string {
	name := gjson.GetBytes(event, "type").Str
	for i := 0; i < len(name); i++ {
		if c := name[i]; (c < 'a' || c > 'z') && c != '_' {
			return ""
		}
	}
	return name
}

// fail tells an exception as the Messages API tells an error.
func (u *unframer) fail(m eventstream.Message) {
	told := converse.Failure(m)
	data := dialect.AppendString([]byte(`{"type":"error","error":{"type":`), told.Kind)
	data = append(dialect.AppendString(append(data, `,"message":`...), told.Message), "}}"...)
	u.out = sse.Append(u.out, "error", data)
}
