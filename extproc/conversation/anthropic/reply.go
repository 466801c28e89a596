package anthropic

import (
	"errors"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect/jsontext"
)

var errReply = errors.New("reading a reply of the Messages API: it is not a message")

// stopReasons are the API's words for why an answer ended.
var stopReasons = map[string]conversation.StopReason{
	"end_turn":                      conversation.StopEnd,
	"stop_sequence":                 conversation.StopSequence,
	"max_tokens":                    conversation.StopLength,
	"model_context_window_exceeded": conversation.StopLength,
	"tool_use":                      conversation.StopTools,
	"refusal":                       conversation.StopRefusal,
	"pause_turn":                    conversation.StopPause,
}

func stopOf(reason string) conversation.StopReason {
	if s, ok := stopReasons[reason]; ok {
		return s
	}
	return conversation.StopUnknown
}

// Read reads a message. Blocks of tools that the provider runs itself are
// left out: their results are in the text.
func (provider) Read(body []byte) (*conversation.Reply, error) {
	r := &conversation.Reply{Stop: conversation.StopUnknown, Usage: conversation.NoUsage}
	var kind, reason string
	var content, usage, details, failed gjson.Result
	jsontext.View(body).ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "type":
			kind = v.Str
		case "id":
			r.ID = v.Str
		case "model":
			r.Model = v.Str
		case "content":
			content = v
		case "stop_reason":
			reason = v.Str
		case "stop_sequence":
			r.StopText = v.Str
		case "stop_details":
			details = v
		case "usage":
			usage = v
		case "error":
			failed = v
		}
		return true
	})
	switch {
	case kind == "error":
		return nil, failure(failed)
	case kind != "message" || !content.IsArray():
		return nil, errReply
	}
	content.ForEach(func(_, v gjson.Result) bool {
		if b, ok := readReplyBlock(v); ok {
			r.Blocks = append(r.Blocks, b)
		}
		return true
	})
	if words := details.Get("explanation").Str; words != "" {
		r.Blocks = append(r.Blocks, conversation.Block{Kind: conversation.Refusal, Text: words})
	}
	r.Stop = stopOf(reason)
	counts := NoUsage
	counts.Update(usage)
	r.Usage = counts.form()
	r.ServiceTier = tierOf(usage.Get("service_tier").Str)
	return r, nil
}

// tierOf is a service tier in OpenAI's words.
func tierOf(tier string) string {
	switch tier {
	case "standard":
		return "default"
	case "priority":
		return tier
	}
	return ""
}

// readReplyBlock reads a block of a reply, or the start of one in a stream;
// ok is false for those that the form does not have.
func readReplyBlock(v gjson.Result) (b conversation.Block, ok bool) {
	var text, thinking, kind string
	v.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "type":
			kind = v.Str
		case "text":
			text = v.Str
		case "thinking":
			thinking = v.Str
		case "signature":
			b.Signature = v.Str
		case "data":
			b.Data = v.Str
		case "id":
			b.ID = v.Str
		case "name":
			b.Name = v.Str
		case "input":
			b.Input = conversation.Raw(v.Raw)
		}
		return true
	})
	switch kind {
	case "text":
		return conversation.Block{Kind: conversation.Text, Text: text}, true
	case "thinking":
		return conversation.Block{Kind: conversation.Thinking, Text: thinking, Signature: b.Signature}, true
	case "redacted_thinking":
		return conversation.Block{Kind: conversation.Redacted, Data: b.Data}, true
	case "tool_use":
		return conversation.Block{Kind: conversation.ToolUse, ID: b.ID, Name: b.Name, Input: objectOf(b.Input)}, true
	}
	return b, false
}

// objectOf is the text of a tool call's arguments without space between its
// tokens: an object, whatever came.
func objectOf(raw conversation.Raw) conversation.Raw {
	if !strings.HasPrefix(string(raw), "{") {
		return "{}"
	}
	if !strings.ContainsAny(string(raw), " \t\r\n") {
		return raw
	}
	return conversation.Raw(jsontext.AppendCompact(make([]byte, 0, len(raw)), []byte(raw)))
}
