// Package conversation is the one form in memory of a call to a chat model and
// of its answer, for exchanges whose client and provider speak different wire
// formats. A Client codec reads a client's request into it and writes the
// answer from it; a Provider codec does the reverse. Codecs are in the folders
// below, one for each format; those of one format share a folder. Where client
// and provider speak the same format, none of this is used: bodies are edited
// in place.
//
// The rule of translation: what a Client codec reads it either puts into the
// form or refuses by name; what a Provider codec finds in the form it either
// writes or refuses by name (dialect.Unsupported). Nothing is dropped in silence
// that would change the answer.
//
// Values of JSON are kept as they came, as text (Raw): tool schemas and
// arguments are neither decoded nor encoded again.
package conversation

import "sluice/extproc/dialect"

// Raw is a JSON value as text; "" where there is none.
type Raw string

// Request is a call. Model is the endpoint's name as the client gave it; a
// Provider codec gets the target's model separately.
type Request struct {
	System   []Block // text blocks
	Messages []Message
	Tools    []Tool

	ToolChoice   ToolChoice
	ToolName     string // of ChooseTool
	SingleTool   bool   // at most one tool call in an answer
	MaxTokens    int64  // 0: not given
	Temperature  Raw    // numbers as the client wrote them; "": not given
	TopP         Raw
	TopK         Raw
	Seed         Raw
	FrequencyPen Raw
	PresencePen  Raw
	Stop         []string
	Candidates   int64 // how many answers are asked for; 0: not given, one
	Format       Format
	Reasoning    Reasoning
	Stream       bool
	User         string // an id of the end user, for the provider's abuse detection
	ServiceTier  string // OpenAI's words: auto, default, flex, priority
	// Extra are members that no field stands for and that can't be left out in
	// silence. A Provider codec writes those that its format has under the same
	// name and refuses the others by name.
	Extra []Member
}

// Member is a named JSON value of a client's request.
type Member struct {
	Name  string
	Value Raw
}

// Role says whose turn a message is.
type Role string

// The roles. System text is in Request.System, except where a client put it
// between other messages.
const (
	System    Role = "system"
	User      Role = "user"
	Assistant Role = "assistant"
)

// Message is one turn. Turns may follow each other with the same role: a codec
// whose format forbids that joins them. Tool results are blocks of a user turn;
// all results of one assistant turn are in one user turn, in the order in which
// they came.
type Message struct {
	Role   Role
	Name   string // of the participant; "" for most
	Blocks []Block
	// Number is the message's place in the client's list, from 1, for errors;
	// 0: not known. Of several joined into one turn it is the first's.
	Number int
}

// Kind tells what a block holds.
type Kind uint8

// The kinds of blocks.
const (
	Text       Kind = iota + 1 // Text
	Image                      // URL, or MediaType and Data
	Document                   // URL, or MediaType and Data; Name
	Audio                      // MediaType and Data
	ToolUse                    // ID, Name, Input
	ToolResult                 // ID, Name (where known), Blocks, IsError
	Thinking                   // Text and Signature
	Redacted                   // Data: reasoning that only its provider can read
	Refusal                    // Text: why the model refused
)

// Block is one piece of content.
type Block struct {
	Kind      Kind
	Text      string
	URL       string // http, https or gs
	MediaType string // e.g. "image/png"
	Data      string // base64, as it came
	Detail    string // of an image: auto, low, high; "" for not given
	ID        string // of the tool call
	Name      string
	Input     Raw // of a tool call: an object
	Blocks    []Block
	IsError   bool
	// Signature proves reasoning, or a tool call's, to its provider: Anthropic's
	// signature of thinking, Gemini's thoughtSignature. It goes back as it came.
	Signature string
	// Cache is set where a prompt cache may end after this block: Anthropic's
	// cache_control object as it came. Formats without one leave it out.
	Cache Raw
}

// Tool is a function that the model may call.
type Tool struct {
	Name        string
	Description string
	Schema      Raw // JSON Schema of the arguments; "": none given
	Strict      Raw // true or false; "": not given
	Cache       Raw // as Block.Cache
}

// ToolChoice says whether the model may or must call tools.
type ToolChoice uint8

// The choices.
const (
	ChooseDefault ToolChoice = iota // not given
	ChooseAuto
	ChooseNone
	ChooseAny  // must call one
	ChooseTool // must call Request.ToolName
)

// Format is the form that the answer's text must have.
type Format struct {
	Kind        FormatKind
	Name        string // of FormatSchema
	Description string
	Schema      Raw
	Strict      Raw // true or false; "": not given
}

// FormatKind is a kind of Format.
type FormatKind uint8

// The kinds of formats.
const (
	FormatDefault FormatKind = iota // not given: text
	FormatText
	FormatJSON   // any JSON object
	FormatSchema // JSON by a schema
)

// Reasoning asks for reasoning before the answer. The zero value leaves it to
// the provider.
type Reasoning struct {
	Off    bool
	Effort string // none, minimal, low, medium, high, xhigh, max; "": not given
	Budget int64  // tokens to think with at most; 0: not given
	// Adaptive: the model decides how much to think (Anthropic's "adaptive").
	Adaptive bool
	// Show: the client wants to see the reasoning, or a summary of it.
	Show bool
}

// StopReason is why an answer ended.
type StopReason string

// The reasons.
const (
	StopEnd      StopReason = "end"     // the model had said all
	StopSequence StopReason = "stop"    // a stop sequence came: Reply.StopText
	StopLength   StopReason = "length"  // the limit on tokens, or the context, was reached
	StopTools    StopReason = "tools"   // tools are to be called
	StopFilter   StopReason = "filter"  // the provider's content filter ended it
	StopRefusal  StopReason = "refusal" // the model refused
	StopPause    StopReason = "pause"   // a long turn is to be continued
	StopUnknown  StopReason = "unknown" // the provider said something new, or nothing
)

// Reply is a whole answer: one candidate.
type Reply struct {
	ID       string // the provider's; "" where it gives none
	Model    string // as the provider named it
	Blocks   []Block
	Stop     StopReason
	StopText string // the stop sequence that came; "" where it is not known
	Usage    Usage
	// ServiceTier that answered, in OpenAI's words: default, priority, flex; ""
	// where it is not told.
	ServiceTier string
}

// Usage counts tokens; a negative number was not reported. Input holds what
// was read from and written to a cache; Output holds reasoning.
type Usage struct {
	Input, Output, CacheRead, CacheWrite, Reasoning int64
}

// NoUsage is the Usage of which nothing was reported.
var NoUsage = Usage{Input: -1, Output: -1, CacheRead: -1, CacheWrite: -1, Reasoning: -1}

// Counts is the usage as records and metrics take it.
func (u Usage) Counts() dialect.Usage {
	return dialect.Usage{Input: u.Input, Output: u.Output, Cached: u.CacheRead, CacheWrite: u.CacheWrite, Reasoning: u.Reasoning}
}

// EventKind tells what an event says.
type EventKind uint8

// The kinds of events, in the order of a stream: Start; then for each block
// BlockStart, any number of Delta, BlockStop; Finish; End. Blocks do not
// overlap: a Reader whose provider interleaves blocks puts them in order, or
// ends one before the next begins (two tool calls under way at once: the
// second's deltas come after the first has stopped).
const (
	Start      EventKind = iota + 1 // ID, Model; Usage as far as known
	BlockStart                      // Block: its Kind, and of tool calls ID and Name
	Delta                           // Text: more of the block's text or thinking, or of a tool call's arguments as JSON text
	BlockStop                       // Block.Signature where thinking or a tool call has one; Block.Data of Redacted
	Finish                          // Stop, StopText
	End                             // Usage is complete; the stream is whole
)

// Event is a step of a streamed answer. It and what it points to are valid
// during one call only.
type Event struct {
	Kind     EventKind
	Index    int // of the block, from 0
	Block    Block
	Text     string
	ID       string
	Model    string
	Stop     StopReason
	StopText string
	Usage    Usage // the totals so far; NoUsage where nothing is known
}
