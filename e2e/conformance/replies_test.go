package conformance_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// replies is replies.json: what providers reply, by format and by what the
// answer is.
type replies struct {
	Facts   map[string]answer              `json:"facts"`
	IDs     map[string][]string            `json:"ids"` // of the tool calls, where the format gives ids
	Formats map[string]map[string]scripted `json:"formats"`
}

type scripted struct {
	Status int               `json:"status"` // 0: 200
	Header map[string]string `json:"header"`
	// ContentType of a reply that is not JSON, which Reply has as a string.
	ContentType string            `json:"content_type"`
	Reply       json.RawMessage   `json:"reply"`
	Events      []json.RawMessage `json:"events"`
	// broken: the stream ends without its end.
	broken bool
}

// of finds a reply. SAP's are OpenAI's, wrapped.
func (r replies) of(format, what string) (scripted, bool) {
	from := format
	if format == "sap" {
		from = "openai"
	}
	s, ok := r.Formats[from][what]
	if format == "sap" && s.Status == 0 && ok {
		s.Reply = wrapSAP(s.Reply)
		wrapped := make([]json.RawMessage, len(s.Events))
		for i := range s.Events {
			if wrapped[i] = s.Events[i]; !bytes.HasPrefix(s.Events[i], []byte(`{"error"`)) {
				wrapped[i] = wrapSAP(s.Events[i])
			}
		}
		s.Events = wrapped
	}
	s.broken = r.Facts[what].Failure != ""
	return s, ok
}

func wrapSAP(b json.RawMessage) json.RawMessage {
	return json.RawMessage(`{"request_id":"r-1","intermediate_results":{},"final_result":` + string(b) + `}`)
}

// play makes the bytes of a reply. model is what the provider calls itself.
func (s scripted) play(t *testing.T, format, framing, model string, stream bool) reply {
	t.Helper()
	named := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("$UPSTREAM"), []byte(model)) }
	r := reply{status: s.Status, contentType: "application/json", header: s.Header, body: named(s.Reply)}
	if s.Status == 0 {
		r.status = 200
	}
	if s.ContentType != "" {
		r.contentType = s.ContentType
	}
	if len(s.Reply) > 0 && s.Reply[0] == '"' {
		var text string
		parse(s.Reply, &text)
		r.body = []byte(text)
	}
	if !stream || s.Status != 0 {
		return r
	}
	var b bytes.Buffer
	r.contentType = "text/event-stream"
	for _, ev := range s.Events {
		ev = named(ev)
		switch framing {
		case "aws":
			var pair [2]json.RawMessage
			parse(ev, &pair)
			var name string
			parse(pair[0], &name)
			frame(t, &b, name, pair[1])
		case "aws-bytes":
			frame(t, &b, "chunk", []byte(`{"bytes":"`+base64.StdEncoding.EncodeToString(ev)+`"}`))
		case "lines":
			b.Write(append(ev, '\n'))
		default:
			var typed struct {
				Type string `json:"type"`
			}
			if parse(ev, &typed); typed.Type != "" {
				b.WriteString("event: " + typed.Type + "\n")
			}
			b.WriteString("data: " + string(ev) + "\n\n")
		}
	}
	switch {
	case framing == "aws" || framing == "aws-bytes":
		r.contentType = "application/vnd.amazon.eventstream"
	case framing == "lines":
		r.contentType = "application/stream+json"
	case s.broken:
	case format == "openai" || format == "sap" || format == "openai-text":
		b.WriteString("data: [DONE]\n\n")
	}
	r.body = b.Bytes()
	return r
}

// frame adds a message of AWS's event stream.
func frame(t *testing.T, b *bytes.Buffer, name string, payload []byte) {
	t.Helper()
	m := eventstream.Message{Payload: payload}
	headers := [][2]string{{":message-type", "event"}, {":event-type", name}, {":content-type", "application/json"}}
	if exception, ok := strings.CutPrefix(name, "!"); ok {
		headers = [][2]string{{":message-type", "exception"}, {":exception-type", exception}, {":content-type", "application/json"}}
	}
	for _, h := range headers {
		m.Headers.Set(h[0], eventstream.StringValue(h[1]))
	}
	must(t, eventstream.NewEncoder().Encode(b, m))
}
