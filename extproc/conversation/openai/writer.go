package openai

import (
	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
)

func (chatClient) NewWriter(m conversation.Meta) conversation.Writer {
	return &writer{meta: m, object: "chat.completion.chunk"}
}

func (completionsClient) NewWriter(m conversation.Meta) conversation.Writer {
	return &writer{meta: m, object: "text_completion", text: true}
}

// writer writes the chunks of one stream.
type writer struct {
	meta   conversation.Meta
	object string
	text   bool // text completions

	head  []byte // of every chunk, up to its choices
	tools int64  // tool calls begun
	args  bool   // the open tool call has been given arguments
	kind  conversation.Kind
}

func (w *writer) Append(b []byte, ev *conversation.Event) []byte {
	switch ev.Kind {
	case conversation.Start:
		return w.start(b, ev)
	case conversation.BlockStart:
		return w.blockStart(b, &ev.Block)
	case conversation.Delta:
		return w.delta(b, ev.Text)
	case conversation.BlockStop:
		return w.blockStop(b, &ev.Block)
	case conversation.Finish:
		return w.finish(b, ev.Stop)
	case conversation.End:
		return w.end(b, ev.Usage)
	}
	return b
}

func (w *writer) start(b []byte, ev *conversation.Event) []byte {
	w.head = appendHead(append(w.head[:0], "data: "...), ev.ID, ev.Model, w.object, w.meta)
	if w.text {
		return b
	}
	return w.close(append(w.open(b), `"role":"assistant","content":"","refusal":null`...), "")
}

// open begins a chat chunk with a delta; close ends it.
func (w *writer) open(b []byte) []byte {
	return append(append(b, w.head...), `{"index":0,"delta":{`...)
}

func (w *writer) close(b []byte, finish string) []byte {
	return w.closeChoice(append(b, '}'), finish)
}

// closeChoice adds what follows the delta or text of a choice.
func (w *writer) closeChoice(b []byte, finish string) []byte {
	b = append(b, `,"logprobs":null,"finish_reason":`...)
	if finish == "" {
		b = append(b, "null}]"...)
	} else {
		b = append(append(append(b, '"'), finish...), `"}]`...)
	}
	if w.meta.Request.IncludeUsage {
		b = append(b, `,"usage":null`...)
	}
	return append(b, "}\n\n"...)
}

// textChunk adds a chunk of a text completion.
func (w *writer) textChunk(b []byte, text, finish string) []byte {
	b = codec.AppendText(append(append(b, w.head...), `{"index":0`...), "text", text)
	return w.closeChoice(b, finish)
}

func (w *writer) blockStart(b []byte, block *conversation.Block) []byte {
	w.kind = block.Kind
	if w.kind != conversation.ToolUse || w.text {
		return b
	}
	w.args = false
	w.tools++
	b = w.openCall(b)
	b = codec.AppendText(b, "id", block.ID)
	b = codec.AppendText(append(b, `,"type":"function","function":{`...), "name", block.Name)
	return w.close(append(b, `,"arguments":""}}]`...), "")
}

// openCall begins a chunk about the tool call under way.
func (w *writer) openCall(b []byte) []byte {
	return appendCount(append(w.open(b), `"tool_calls":[{"index":`...), w.tools-1)
}

// delta adds a chunk for more of the open block. Empty text is no news.
func (w *writer) delta(b []byte, text string) []byte {
	switch {
	case text == "":
		return b
	case w.text:
		if w.kind == conversation.Text {
			return w.textChunk(b, text, "")
		}
		return b
	}
	switch w.kind {
	case conversation.Text:
		return w.member(b, "content", text)
	case conversation.Thinking:
		return w.member(b, "reasoning_content", text)
	case conversation.Refusal:
		return w.member(b, "refusal", text)
	case conversation.ToolUse:
		return w.arguments(b, text)
	}
	return b
}

// member adds a chunk whose delta is one string.
func (w *writer) member(b []byte, name, text string) []byte {
	return w.close(codec.AppendText(w.open(b), name, text), "")
}

func (w *writer) arguments(b []byte, part string) []byte {
	w.args = true
	b = codec.AppendText(append(w.openCall(b), `,"function":{`...), "arguments", part)
	return w.close(append(b, "}}]"...), "")
}

// blockStop tells what proves the block to its provider. It completes a tool
// call without arguments: what clients parse must be an object.
func (w *writer) blockStop(b []byte, block *conversation.Block) []byte {
	kind := w.kind
	w.kind = 0
	switch {
	case w.text:
	case kind == conversation.ToolUse:
		if !w.args {
			b = w.arguments(b, "{}")
		}
		if block.Signature != "" {
			// OpenAI's SDK wants a function in each part of a call.
			b = append(w.openCall(b), `,"function":{"arguments":""}`...)
			b = w.close(append(appendSignature(b, block.Signature), "}]"...), "")
		}
	case kind == conversation.Redacted, kind == conversation.Thinking && block.Signature != "":
		// The text of thinking went out as reasoning_content.
		proof := conversation.Block{Kind: kind, Signature: block.Signature, Data: block.Data}
		b = appendThinking(append(w.open(b), `"thinking_blocks":[`...), &proof)
		b = w.close(append(b, ']'), "")
	}
	return b
}

// finish tells why the answer ended.
func (w *writer) finish(b []byte, stop conversation.StopReason) []byte {
	if w.text {
		return w.textChunk(b, "", textFinishOf(stop))
	}
	return w.close(w.open(b), finishOf(stop))
}

func (w *writer) end(b []byte, u conversation.Usage) []byte {
	if w.meta.Request.IncludeUsage && u != conversation.NoUsage {
		b = appendUsage(append(append(b, w.head...), `],"usage":`...), u)
		b = append(b, "}\n\n"...)
	}
	return append(b, "data: [DONE]\n\n"...)
}

var _ conversation.Writer = (*writer)(nil)
