package provider

import (
	"bytes"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream/eventstreamapi"
)

func messagesAnswer() []byte {
	return fmt.Appendf(nil, `{"id":"msg_bench","type":"message","role":"assistant","model":"claude-sonnet-4-5",`+
		`"content":[{"type":"text","text":%q}],"stop_reason":"end_turn","stop_sequence":null,`+
		`"usage":{"input_tokens":300,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":50}}`, text())
}

func messagesChunks() [][]byte {
	event := func(name, data string) []byte { return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, data) }
	start := append(event("message_start", `{"type":"message_start","message":{"id":"msg_bench","type":"message","role":"assistant",`+
		`"model":"claude-sonnet-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":300,"output_tokens":1}}}`),
		event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)...)
	out := [][]byte{start}
	for i := range Chunks {
		out = append(out, event("content_block_delta",
			fmt.Sprintf(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word%d"}}`, i)))
	}
	return append(out, bytes.Join([][]byte{
		event("content_block_stop", `{"type":"content_block_stop","index":0}`),
		event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":20}}`),
		event("message_stop", `{"type":"message_stop"}`),
	}, nil))
}

func converseAnswer() []byte {
	return fmt.Appendf(nil, `{"metrics":{"latencyMs":5},"output":{"message":{"role":"assistant","content":[{"text":%q}]}},`+
		`"stopReason":"end_turn","usage":{"inputTokens":300,"outputTokens":50,"totalTokens":350}}`, text())
}

func converseChunks() [][]byte {
	encoder := eventstream.NewEncoder()
	frame := func(kind, data string) []byte {
		m := eventstream.Message{Payload: []byte(data)}
		m.Headers.Set(eventstreamapi.MessageTypeHeader, eventstream.StringValue(eventstreamapi.EventMessageType))
		m.Headers.Set(eventstreamapi.EventTypeHeader, eventstream.StringValue(kind))
		m.Headers.Set(eventstreamapi.ContentTypeHeader, eventstream.StringValue("application/json"))
		var b bytes.Buffer
		if err := encoder.Encode(&b, m); err != nil {
			panic(fmt.Sprintf("bench: encoding an event: %v", err))
		}
		return b.Bytes()
	}
	out := [][]byte{frame("messageStart", `{"role":"assistant"}`)}
	for i := range Chunks {
		out = append(out, frame("contentBlockDelta", fmt.Sprintf(`{"contentBlockIndex":0,"delta":{"text":" word%d"}}`, i)))
	}
	return append(out, bytes.Join([][]byte{
		frame("contentBlockStop", `{"contentBlockIndex":0}`), frame("messageStop", `{"stopReason":"end_turn"}`),
		frame("metadata", `{"usage":{"inputTokens":300,"outputTokens":20,"totalTokens":320},"metrics":{"latencyMs":5}}`),
	}, nil))
}
