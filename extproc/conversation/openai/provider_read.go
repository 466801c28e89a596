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
	c := readChunk(jsontext.View(body))
	choice := readChoice(c.choices.Get("0"))
	if err := failureOf(c.failed, choice.failed); err != nil {
		return nil, err
	}
	if !choice.message.IsObject() {
		return nil, errNoChoices
	}
	r := &conversation.Reply{
		ID: c.id.Str, Model: c.model.Str, Usage: ReadUsage(c.usage), ServiceTier: c.tier.Str,
		Blocks: readSaid(choice.message).blocks(c.id.Str),
	}
	r.Stop, r.StopText = choice.stop()
	if r.Stop == conversation.StopEnd {
		r.Stop = stopBy(has(r.Blocks, conversation.ToolUse), has(r.Blocks, conversation.Refusal))
	}
	return r, nil
}

// chunk is a chunk or a whole reply, by its members.
type chunk struct {
	id, model, choices, usage, failed, groq, tier gjson.Result
}

func readChunk(root gjson.Result) (c chunk) {
	if !root.IsObject() {
		return c
	}
	root.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "id":
			c.id = v
		case "model":
			c.model = v
		case "choices":
			c.choices = v
		case "usage":
			c.usage = v
		case "error":
			c.failed = v
		case "x_groq":
			c.groq = v
		case "service_tier":
			c.tier = v
		}
		return true
	})
	return c
}

// choice is one choice, by its members. message is a chunk's delta.
type choice struct {
	message, reason, stopText, failed gjson.Result
}

func readChoice(v gjson.Result) (c choice) {
	if !v.IsObject() {
		return c
	}
	v.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "message", "delta":
			c.message = v
		case "finish_reason":
			c.reason = v
		case "stop_reason": // vLLM tells the stop string here
			c.stopText = v
		case "error": // OpenRouter's place
			c.failed = v
		}
		return true
	})
	return c
}

// said is what a message or delta says, by its members.
type said struct {
	content, refusal, reasoning, other, details, thinking, calls gjson.Result
}

func readSaid(v gjson.Result) (s said) {
	v.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "content":
			s.content = v
		case "refusal":
			s.refusal = v
		case "reasoning_content":
			s.reasoning = v
		case "reasoning":
			s.other = v
		case "reasoning_details":
			s.details = v
		case "thinking_blocks":
			s.thinking = v
		case "tool_calls":
			s.calls = v
		}
		return true
	})
	if s.reasoning.Str == "" {
		s.reasoning = s.other
	}
	return s
}

// failureOf is the error that a reply or chunk of status 200 tells, itself or
// in its choice.
func failureOf(failed, inner gjson.Result) error {
	if !jsontext.Present(failed) {
		failed = inner
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

// stopBy is why an answer ended that its server calls a stop. Several say so
// where they mean tool calls.
func stopBy(called, refused bool) conversation.StopReason {
	switch {
	case called:
		return conversation.StopTools
	case refused:
		return conversation.StopRefusal
	}
	return conversation.StopEnd
}

func (c choice) stop() (conversation.StopReason, string) {
	switch c.reason.Str {
	case "stop", "eos", "end_turn":
		if c.stopText.Type == gjson.String && c.stopText.Str != "" {
			return conversation.StopSequence, strings.Clone(c.stopText.Str)
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

// blocks are reasoning, text, refusal, and tool calls. reply is the reply's id.
func (s said) blocks(reply string) (blocks []conversation.Block) {
	blocks = s.thought()
	if s.content.Type == gjson.String {
		blocks = appendBlock(blocks, conversation.Text, s.content.Str)
	} else if s.content.IsArray() {
		s.content.ForEach(func(_, part gjson.Result) bool {
			kind, text := partOf(part)
			blocks = appendBlock(blocks, kind, text)
			return true
		})
	}
	blocks = appendBlock(blocks, conversation.Refusal, s.refusal.Str)
	calls := 0
	s.calls.ForEach(func(_, c gjson.Result) bool {
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

// thought is the reasoning: best what can be verified, details with signatures.
func (s said) thought() (blocks []conversation.Block) {
	for _, list := range []gjson.Result{s.thinking, s.details} {
		list.ForEach(func(_, v gjson.Result) bool {
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
	if s.reasoning.Str != "" && !has(blocks, conversation.Thinking) {
		blocks = append([]conversation.Block{{Kind: conversation.Thinking, Text: s.reasoning.Str}}, blocks...)
	}
	return blocks
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
