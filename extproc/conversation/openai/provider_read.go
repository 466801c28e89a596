package openai

import (
	"errors"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

var (
	errNoChoices = errors.New("the reply has no choices")
	errNotJSON   = errors.New("an event is not JSON")
)

// Read reads a chat completion.
func (chatProvider) Read(body []byte) (*conversation.Reply, error) {
	root := jsontext.View(body)
	choice := root.Get("choices.0")
	if err := failureOf(root, choice); err != nil {
		return nil, err
	}
	message := choice.Get("message")
	if !message.IsObject() {
		return nil, errNoChoices
	}
	r := &conversation.Reply{
		ID: root.Get("id").Str, Model: root.Get("model").Str,
		Usage: ReadUsage(root.Get("usage")), ServiceTier: root.Get("service_tier").Str,
	}
	r.Blocks = readBlocks(message, r.ID)
	r.Stop, r.StopText = stopOf(choice, r.Blocks)
	return r, nil
}

// failureOf is the error that a reply or chunk of status 200 tells.
func failureOf(root, choice gjson.Result) error {
	failed := root.Get("error")
	if !jsontext.Present(failed) {
		failed = choice.Get("error") // OpenRouter's place
	}
	switch {
	case failed.Type == gjson.String:
		return &conversation.Failure{Message: strings.Clone(failed.Str)}
	case !failed.IsObject():
		return nil
	}
	f := &conversation.Failure{Kind: strings.Clone(failed.Get("type").Str), Message: strings.Clone(failed.Get("message").Str)}
	switch code := failed.Get("code"); code.Type {
	case gjson.Number:
		f.Status = int(code.Int())
	case gjson.String:
		f.Code = strings.Clone(code.Str)
	}
	return f
}

// stopOf reads why an answer ended. Several servers say "stop" where they mean
// tool calls.
func stopOf(choice gjson.Result, blocks []conversation.Block) (conversation.StopReason, string) {
	reason, text := stopReason(choice)
	switch {
	case reason != conversation.StopEnd:
	case has(blocks, conversation.ToolUse):
		reason = conversation.StopTools
	case has(blocks, conversation.Refusal):
		reason = conversation.StopRefusal
	}
	return reason, text
}

func stopReason(choice gjson.Result) (conversation.StopReason, string) {
	switch choice.Get("finish_reason").Str {
	case "stop", "eos", "end_turn":
		// vLLM tells the stop string beside it.
		if text := choice.Get("stop_reason"); text.Type == gjson.String && text.Str != "" {
			return conversation.StopSequence, strings.Clone(text.Str)
		}
		return conversation.StopEnd, ""
	case "length", "model_length", "max_tokens":
		return conversation.StopLength, ""
	case "tool_calls", "function_call":
		return conversation.StopTools, ""
	case "content_filter":
		return conversation.StopFilter, ""
	}
	return conversation.StopUnknown, ""
}

// readBlocks reads a message: reasoning, text, refusal, tool calls.
func readBlocks(message gjson.Result, reply string) (blocks []conversation.Block) {
	blocks = readReasoning(message)
	content := message.Get("content")
	if content.Type == gjson.String {
		blocks = appendBlock(blocks, conversation.Text, content.Str)
	}
	content.ForEach(func(_, part gjson.Result) bool {
		kind, text := partOf(part)
		if content.IsArray() {
			blocks = appendBlock(blocks, kind, text)
		}
		return content.IsArray()
	})
	blocks = appendBlock(blocks, conversation.Refusal, message.Get("refusal").Str)
	calls := 0
	message.Get("tool_calls").ForEach(func(_, c gjson.Result) bool {
		id := c.Get("id").Str
		if id == "" {
			id = callID(reply, calls)
		}
		calls++
		blocks = append(blocks, conversation.Block{
			Kind: conversation.ToolUse, ID: id, Name: c.Get("function.name").Str,
			Input: argumentsOf(c.Get("function.arguments")), Signature: callSignature(c),
		})
		return true
	})
	return blocks
}

func appendBlock(blocks []conversation.Block, kind conversation.Kind, text string) []conversation.Block {
	if text == "" {
		return blocks
	}
	return append(blocks, conversation.Block{Kind: kind, Text: text})
}

// partOf reads a part of content that is a list, as Mistral and Databricks
// give it where there is reasoning.
func partOf(part gjson.Result) (conversation.Kind, string) {
	switch part.Get("type").Str {
	case "text", "output_text":
		return conversation.Text, part.Get("text").Str
	case "refusal":
		return conversation.Refusal, part.Get("refusal").Str
	case "thinking":
		return conversation.Thinking, textsOf(part.Get("thinking"))
	case "reasoning":
		return conversation.Thinking, textsOf(part.Get("summary"))
	}
	return conversation.Text, ""
}

// textsOf is a string, or the texts in a list of parts.
func textsOf(v gjson.Result) string {
	if v.Type == gjson.String {
		return v.Str
	}
	var all string
	v.ForEach(func(_, part gjson.Result) bool {
		all += part.Get("text").Str
		return true
	})
	return all
}

// readReasoning prefers what can be verified: details with signatures.
func readReasoning(message gjson.Result) (blocks []conversation.Block) {
	for _, list := range []string{"thinking_blocks", "reasoning_details"} {
		message.Get(list).ForEach(func(_, v gjson.Result) bool {
			switch d := readDetail(v); {
			case d.data != "":
				blocks = append(blocks, conversation.Block{Kind: conversation.Redacted, Data: d.data})
			case d.text != "" || d.signature != "":
				blocks = append(blocks, conversation.Block{Kind: conversation.Thinking, Text: d.text, Signature: d.signature})
			}
			return true
		})
		if len(blocks) > 0 {
			break
		}
	}
	if has(blocks, conversation.Thinking) {
		return blocks
	}
	if text := reasoningText(message); text != "" {
		blocks = append([]conversation.Block{{Kind: conversation.Thinking, Text: text}}, blocks...)
	}
	return blocks
}

// reasoningText is the reasoning of a message or delta in either of its names.
func reasoningText(message gjson.Result) string {
	if text := message.Get("reasoning_content").Str; text != "" {
		return text
	}
	return message.Get("reasoning").Str
}

func callSignature(call gjson.Result) string {
	if s := call.Get("extra_content.google.thought_signature").Str; s != "" {
		return s
	}
	return call.Get("thought_signature").Str
}

// argumentsOf is the object of a tool call's arguments. What a model wrote
// that is none is kept as text, for the tool, or the model, to see.
func argumentsOf(v gjson.Result) conversation.Raw {
	if v.IsObject() { // some servers give the object itself
		return conversation.Raw(v.Raw)
	}
	if input, ok := codec.Object(v.Str); ok {
		return input
	}
	return conversation.Raw(append(dialect.AppendString([]byte(`{"invalid_arguments":`), v.Str), '}'))
}
