package openai

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// Traits are what servers of chat completions differ in. The zero value is
// what every one of them takes.
type Traits struct {
	// CompletionTokens: max_completion_tokens in place of max_tokens, which
	// OpenAI's reasoning models refuse.
	CompletionTokens bool
	// TopK: top_k is taken, which is not OpenAI's.
	TopK bool
	// NoStreamOptions: stream_options is refused; the last chunk tells usage
	// unasked.
	NoStreamOptions bool
	// Reasoning is how reasoning is asked for.
	Reasoning ReasoningStyle
	// Echo is how reasoning of earlier turns goes back, which some servers need
	// between tool calls. Others have no place for it: it is left out, as these
	// models reason anew in each turn.
	Echo EchoStyle
}

// ReasoningStyle is how a server is asked for reasoning.
type ReasoningStyle uint8

// The styles.
const (
	// EffortString is OpenAI's reasoning_effort. A budget in tokens becomes the
	// nearest effort; reasoning is switched off by the effort none only.
	EffortString ReasoningStyle = iota
	// ReasoningObject is OpenRouter's reasoning object.
	ReasoningObject
	// ThinkingSwitch is thinking.type enabled or disabled, as DeepSeek and
	// Moonshot have it, with nothing between.
	ThinkingSwitch
)

// EchoStyle is how reasoning goes back to a server.
type EchoStyle uint8

// The styles.
const (
	EchoNothing EchoStyle = iota
	EchoContent           // reasoning_content
	EchoDetails           // OpenRouter's reasoning_details, with signatures
)

// NewChatProvider is the codec for a server of chat completions. It writes
// what every such server understands: content that is text only is one string,
// the images of tool results follow in a user message, since tool messages hold
// text only, and a failed tool's result begins with "Error: ". Names and cache
// marks of blocks, and details of images that are not OpenAI's, are left out.
func NewChatProvider(t Traits) conversation.Provider { return chatProvider{t} }

type chatProvider struct{ traits Traits }

// Write makes a chat completion call.
func (p chatProvider) Write(r *conversation.Request, model string) ([]byte, *dialect.Error) {
	w := chatWriter{traits: p.traits, form: r, b: make([]byte, 0, size(r))}
	if model != "" {
		w.b = codec.AppendText(append(w.b, '{'), "model", model)
	} else {
		w.b = append(w.b, '{')
	}
	for _, step := range []func() *dialect.Error{w.messages, w.tools, w.sampling, w.format, w.reasoning, w.extra} {
		if e := step(); e != nil {
			return nil, e
		}
	}
	w.stream()
	return append(w.b, '}'), nil
}

// size is about how long the body will be.
func size(r *conversation.Request) int {
	n := 512
	add := func(blocks []conversation.Block) {
		for i := range blocks {
			n += 64 + len(blocks[i].Text) + len(blocks[i].Data) + len(blocks[i].Input)
		}
	}
	add(r.System)
	for i := range r.Messages {
		n += 48
		add(r.Messages[i].Blocks)
	}
	for i := range r.Tools {
		n += 96 + len(r.Tools[i].Description) + len(r.Tools[i].Schema)
	}
	return n + n/16
}

// chatWriter writes one call.
type chatWriter struct {
	traits Traits
	form   *conversation.Request
	b      []byte
}

// maxUser is how long "user" may be at OpenAI.
const maxUser = 64

// userOf is an end user's id, or what stands for one that is too long, as
// Claude Code's are: the same for the same.
func userOf(user string) string {
	if len(user) <= maxUser {
		return user
	}
	sum := sha256.Sum256([]byte(user))
	return hex.EncodeToString(sum[:])
}

func (w *chatWriter) sampling() *dialect.Error {
	f := w.form
	switch {
	case f.Candidates > 1:
		return dialect.Unsupported("n", "must be 1 here: one answer is carried.")
	case f.TopK != "" && !w.traits.TopK:
		return dialect.Unsupported("top_k", codec.NotCarried)
	}
	limit := "max_tokens"
	if w.traits.CompletionTokens {
		limit = "max_completion_tokens"
	}
	w.count(limit, f.MaxTokens)
	w.b = codec.AppendRaw(w.b, "temperature", f.Temperature)
	w.b = codec.AppendRaw(w.b, "top_p", f.TopP)
	w.b = codec.AppendRaw(w.b, "top_k", f.TopK)
	w.b = codec.AppendRaw(w.b, "seed", f.Seed)
	w.b = codec.AppendRaw(w.b, "frequency_penalty", f.FrequencyPen)
	w.b = codec.AppendRaw(w.b, "presence_penalty", f.PresencePen)
	if len(f.Stop) > 0 {
		w.b = append(codec.AppendMember(w.b, "stop"), '[')
		for _, s := range f.Stop {
			w.b = dialect.AppendString(jsontext.Comma(w.b), s)
		}
		w.b = append(w.b, ']')
	}
	if f.User != "" {
		w.b = codec.AppendText(w.b, "user", userOf(f.User))
	}
	if f.ServiceTier != "" && f.ServiceTier != "auto" { // auto is what is done unasked
		w.b = codec.AppendText(w.b, "service_tier", f.ServiceTier)
	}
	return nil
}

func (w *chatWriter) count(name string, n int64) {
	if n > 0 {
		w.b = strconv.AppendInt(codec.AppendMember(w.b, name), n, 10)
	}
}

func (w *chatWriter) tools() *dialect.Error {
	f := w.form
	if len(f.Tools) == 0 {
		return nil
	}
	w.b = append(codec.AppendMember(w.b, "tools"), '[')
	for i := range f.Tools {
		t := &f.Tools[i]
		w.b = codec.AppendText(append(jsontext.Comma(w.b), `{"type":"function","function":{`...), "name", t.Name)
		if t.Description != "" {
			w.b = codec.AppendText(w.b, "description", t.Description)
		}
		w.b = codec.AppendRaw(w.b, "parameters", t.Schema)
		w.b = append(codec.AppendRaw(w.b, "strict", t.Strict), "}}"...)
	}
	w.b = append(w.b, ']')
	switch f.ToolChoice {
	case conversation.ChooseAuto:
		w.b = append(w.b, `,"tool_choice":"auto"`...)
	case conversation.ChooseNone:
		w.b = append(w.b, `,"tool_choice":"none"`...)
	case conversation.ChooseAny:
		w.b = append(w.b, `,"tool_choice":"required"`...)
	case conversation.ChooseTool:
		w.b = codec.AppendText(append(w.b, `,"tool_choice":{"type":"function","function":{`...), "name", f.ToolName)
		w.b = append(w.b, "}}"...)
	}
	if f.SingleTool {
		w.b = append(w.b, `,"parallel_tool_calls":false`...)
	}
	return nil
}

// formatName is the name of a schema to which the client gave none.
const formatName = "response"

func (w *chatWriter) format() *dialect.Error {
	f := &w.form.Format
	switch f.Kind {
	case conversation.FormatJSON:
		w.b = append(codec.AppendMember(w.b, "response_format"), `{"type":"json_object"}`...)
	case conversation.FormatSchema:
		w.b = append(codec.AppendMember(w.b, "response_format"), `{"type":"json_schema","json_schema":{`...)
		name := f.Name
		if name == "" {
			name = formatName
		}
		w.b = codec.AppendText(w.b, "name", name)
		if f.Description != "" {
			w.b = codec.AppendText(w.b, "description", f.Description)
		}
		w.b = codec.AppendRaw(w.b, "schema", f.Schema)
		w.b = append(codec.AppendRaw(w.b, "strict", f.Strict), "}}"...)
	}
	return nil
}

func (w *chatWriter) reasoning() *dialect.Error {
	r := w.form.Reasoning
	switch w.traits.Reasoning {
	case ReasoningObject:
		w.reasoningObject(r)
	case ThinkingSwitch:
		switch {
		case r.Off:
			w.b = append(codec.AppendMember(w.b, "thinking"), `{"type":"disabled"}`...)
		case r.Effort != "" || r.Budget > 0:
			w.b = append(codec.AppendMember(w.b, "thinking"), `{"type":"enabled"}`...)
		}
	default:
		if effort := effortOf(r); effort != "" {
			w.b = codec.AppendText(w.b, "reasoning_effort", effort)
		}
	}
	return nil
}

// The budgets, in tokens, up to which an effort is low or medium.
const (
	lowBudget    = 4096
	mediumBudget = 16384
)

func effortOf(r conversation.Reasoning) string {
	switch {
	case r.Effort == "max":
		return "xhigh" // OpenAI's most
	case r.Effort != "" || r.Off || r.Budget == 0:
		return r.Effort
	case r.Budget <= lowBudget:
		return "low"
	case r.Budget <= mediumBudget:
		return "medium"
	}
	return "high"
}

func (w *chatWriter) reasoningObject(r conversation.Reasoning) {
	switch {
	case r.Off:
		w.b = append(codec.AppendMember(w.b, "reasoning"), `{"enabled":false}`...)
	case r.Budget > 0 && r.Effort == "":
		w.b = strconv.AppendInt(append(codec.AppendMember(w.b, "reasoning"), `{"max_tokens":`...), r.Budget, 10)
		w.b = append(w.b, '}')
	case r.Effort != "":
		w.b = append(codec.AppendText(append(codec.AppendMember(w.b, "reasoning"), '{'), "effort", effortOf(r)), '}')
	case r.Adaptive:
		w.b = append(codec.AppendMember(w.b, "reasoning"), `{"enabled":true}`...)
	}
}

// extras are members of chat completions that no field of the form stands for.
var extras = []string{
	"audio", "function_call", "functions", "logit_bias", "logprobs", "metadata", "modalities", "prediction",
	"prompt_cache_key", "store", "top_logprobs", "verbosity", "web_search_options",
}

func (w *chatWriter) extra() *dialect.Error {
	for _, m := range w.form.Extra {
		if !slices.Contains(extras, m.Name) {
			return dialect.Unsupported(m.Name, codec.NotCarried)
		}
		w.b = codec.AppendRaw(w.b, m.Name, m.Value)
	}
	return nil
}

// stream asks for a stream, and for usage in it: the gateway counts it.
func (w *chatWriter) stream() {
	if !w.form.Stream {
		return
	}
	w.b = append(w.b, `,"stream":true`...)
	if !w.traits.NoStreamOptions {
		w.b = append(w.b, `,"stream_options":{"include_usage":true}`...)
	}
}
