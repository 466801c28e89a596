package cohere

import (
	"errors"
	"net/http"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect/jsontext"
)

var errReply = errors.New("the reply is not what Cohere's API promises")

// Read reads a whole reply.
func (codec) Read(body []byte) (*conversation.Reply, error) {
	root := jsontext.View(body)
	message := root.Get("message")
	if !message.IsObject() {
		return nil, errReply
	}
	r := &conversation.Reply{ID: root.Get("id").Str, Usage: usage(root.Get("usage"))}
	var failed error
	if r.Stop, failed = stop(root.Get("finish_reason").Str); failed != nil {
		return nil, failed
	}
	message.Get("content").ForEach(func(_, part gjson.Result) bool {
		switch part.Get("type").Str {
		case "text":
			r.Blocks = append(r.Blocks, conversation.Block{Kind: conversation.Text, Text: part.Get("text").Str})
		case "thinking":
			r.Blocks = append(r.Blocks, conversation.Block{Kind: conversation.Thinking, Text: part.Get("thinking").Str})
		}
		return true
	})
	if plan := message.Get("tool_plan").Str; plan != "" {
		r.Blocks = append(r.Blocks, conversation.Block{Kind: conversation.Text, Text: plan})
	}
	message.Get("tool_calls").ForEach(func(_, call gjson.Result) bool {
		r.Blocks = append(r.Blocks, conversation.Block{
			Kind: conversation.ToolUse, ID: call.Get("id").Str, Name: call.Get("function.name").Str,
			Input: conversation.Raw(input(call.Get("function.arguments").Str)),
		})
		return true
	})
	return r, nil
}

// input is the arguments of a tool call, which Cohere tells as text, as the
// object that they must be.
func input(text string) string {
	if b := []byte(text); !jsontext.Valid(b) || !jsontext.View(b).IsObject() {
		return "{}"
	}
	return text
}

// stop is why an answer ended. Cohere tells its own failures here, too.
func stop(reason string) (conversation.StopReason, error) {
	switch reason {
	case "COMPLETE":
		return conversation.StopEnd, nil
	case "STOP_SEQUENCE":
		return conversation.StopSequence, nil
	case "MAX_TOKENS", "ERROR_LIMIT":
		return conversation.StopLength, nil
	case "TOOL_CALL":
		return conversation.StopTools, nil
	case "ERROR_TOXIC":
		return conversation.StopFilter, nil
	case "ERROR":
		return "", &conversation.Failure{Status: http.StatusBadGateway, Message: "Cohere failed while it answered. Try again."}
	case "TIMEOUT":
		return "", &conversation.Failure{Status: http.StatusGatewayTimeout, Message: "Cohere took too long to answer. Try again."}
	}
	return conversation.StopUnknown, nil
}

// usage counts what Cohere bills: its tokens hold prompts of its own, which
// nobody pays for. Where nothing is billed, as for trial keys, those count.
func usage(v gjson.Result) conversation.Usage {
	u := conversation.NoUsage
	for _, group := range []string{"billed_units", "tokens"} {
		in, out := v.Get(group+".input_tokens"), v.Get(group+".output_tokens")
		if in.Type == gjson.Number && out.Type == gjson.Number && in.Num >= 0 && out.Num >= 0 {
			u.Input, u.Output = in.Int(), out.Int()
			break
		}
	}
	if cached := v.Get("cached_tokens"); cached.Type == gjson.Number && cached.Num >= 0 {
		u.CacheRead = min(cached.Int(), max(u.Input, 0))
	}
	return u
}
