package anthropic

import (
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// openAITurns collects the messages of an OpenAI chat call as Anthropic's
// turns and system prompt.
type openAITurns struct {
	out     []byte // the request so far, in its list of turns
	any     bool   // there is a turn
	results bool   // the last turn holds tool results and is still open
	system  []byte // text blocks, with commas between
	prompt  string // the only system text, as JSON; "" if there are none, several, or marked ones
	systems int
}

// openAIMessage is one message. Members that are null do not exist.
type openAIMessage struct {
	role, content, name, toolCalls, toolCallID, refusal, thinking gjson.Result
}

// add appends a message.
func (t *openAITurns) add(m gjson.Result) *dialect.Error {
	msg, e := readOpenAIMessage(m)
	if e != nil {
		return e
	}
	if msg.role.Str != "tool" {
		t.closeResults()
		if jsontext.Present(msg.name) {
			return dialect.Unsupported("name", "can't be told to Anthropic models. Put the name into the content.")
		}
	}
	switch msg.role.Str {
	case "system", "developer":
		return t.addSystem(msg)
	case "user":
		return t.addUser(msg)
	case "assistant":
		return t.addAssistant(msg)
	case "tool":
		return t.addResult(msg)
	}
	return dialect.Unsupported("role", "must be system, developer, user, assistant or tool for Anthropic models.")
}

// readOpenAIMessage reads a message's members and refuses unknown ones.
func readOpenAIMessage(m gjson.Result) (msg openAIMessage, e *dialect.Error) {
	if !m.IsObject() {
		return msg, dialect.InvalidField("", "must be an object.")
	}
	m.ForEach(func(k, v gjson.Result) bool {
		if v.Type == gjson.Null {
			return true
		}
		switch k.Str {
		case "role":
			msg.role = v
		case "content":
			msg.content = v
		case "name":
			msg.name = v
		case "tool_calls":
			msg.toolCalls = v
		case "tool_call_id":
			msg.toolCallID = v
		case "refusal":
			msg.refusal = v
		case "thinking_blocks":
			msg.thinking = v
		case "annotations", "reasoning_content":
			// Parts of an earlier reply that say nothing new to the model:
			// the reasoning is in thinking_blocks, which it can verify.
		default:
			e = dialect.Unsupported(k.Str, "can't be told to Anthropic models.")
		}
		return e == nil
	})
	return msg, e
}

// next begins a turn.
func (t *openAITurns) next(role string) {
	t.any = true
	t.out = append(append(append(jsontext.Comma(t.out), `{"role":"`...), role...), `","content":`...)
}

// closeResults ends the turn that tool results are collected in.
func (t *openAITurns) closeResults() {
	if t.results {
		t.out = append(t.out, "]}"...)
		t.results = false
	}
}

// addSystem hoists a system or developer message: Anthropic takes one prompt,
// before all turns. Each text stays a block of its own.
func (t *openAITurns) addSystem(msg openAIMessage) *dialect.Error {
	if msg.content.Type == gjson.String {
		t.addSystemText(msg.content.Raw, "")
		return nil
	}
	if !msg.content.IsArray() {
		return dialect.InvalidField("content", "must be a string or a list of text parts.")
	}
	return eachPart(msg.content, func(p openAIPart) *dialect.Error {
		if p.kind != "text" {
			return dialect.Unsupported("type", "must be text in system messages for Anthropic models.")
		}
		t.addSystemText(p.text.Raw, p.cache.Raw)
		return nil
	})
}

func (t *openAITurns) addSystemText(raw, cache string) {
	if raw == `""` {
		return // Anthropic refuses empty blocks, and they say nothing
	}
	if t.systems++; t.systems == 1 && cache == "" {
		t.prompt = raw
	} else {
		t.prompt = ""
	}
	t.system = appendTextBlock(t.system, raw, cache)
}

// instruct adds a system text of our own.
func (t *openAITurns) instruct(text string) {
	t.addSystemText(string(dialect.AppendString(nil, text)), "")
}

// systemPrompt is the value of "system", "" if there is none.
func (t *openAITurns) systemPrompt() string {
	if t.prompt != "" || t.systems == 0 {
		return t.prompt
	}
	return "[" + string(t.system) + "]"
}

func (t *openAITurns) addUser(msg openAIMessage) *dialect.Error {
	t.next("user")
	if msg.content.Type == gjson.String {
		t.out = append(append(t.out, msg.content.Raw...), '}')
		return nil
	}
	if !msg.content.IsArray() {
		return dialect.InvalidField("content", "must be a string or a list of parts.")
	}
	t.out = append(t.out, '[')
	e := eachPart(msg.content, func(p openAIPart) (e *dialect.Error) {
		t.out, e = p.appendBlock(t.out)
		return e
	})
	t.out = append(t.out, "]}"...)
	return e
}

// addAssistant keeps text and refusal beside the tool calls. thinking_blocks
// come first: Anthropic wants them back, unchanged, before its tool calls.
func (t *openAITurns) addAssistant(msg openAIMessage) *dialect.Error {
	t.next("assistant")
	plain := !jsontext.Present(msg.toolCalls) && !jsontext.Present(msg.refusal) && !jsontext.Present(msg.thinking)
	if plain && msg.content.Type == gjson.String {
		t.out = append(append(t.out, msg.content.Raw...), '}')
		return nil
	}
	t.out = append(t.out, '[')
	if e := t.addThinking(msg.thinking); e != nil {
		return e
	}
	switch {
	case msg.content.Type == gjson.String:
		t.out = appendTextBlock(t.out, msg.content.Raw, "")
	case msg.content.IsArray():
		e := eachPart(msg.content, func(p openAIPart) (e *dialect.Error) {
			if p.kind != "text" && p.kind != "refusal" {
				return dialect.Unsupported("type", "must be text or refusal in assistant messages for Anthropic models.")
			}
			t.out, e = p.appendBlock(t.out)
			return e
		})
		if e != nil {
			return e
		}
	case jsontext.Present(msg.content):
		return dialect.InvalidField("content", "must be a string or a list of parts.")
	}
	if jsontext.Present(msg.refusal) {
		t.out = appendTextBlock(t.out, msg.refusal.Raw, "")
	}
	if e := t.addToolCalls(msg.toolCalls); e != nil {
		return e
	}
	t.out = append(t.out, "]}"...)
	return nil
}

func (t *openAITurns) addThinking(blocks gjson.Result) (e *dialect.Error) {
	blocks.ForEach(func(_, b gjson.Result) bool {
		if kind := b.Get("type").Str; kind != "thinking" && kind != "redacted_thinking" {
			e = dialect.InvalidField("thinking_blocks", "must be thinking blocks as a reply gave them.")
			return false
		}
		t.out = append(jsontext.Comma(t.out), b.Raw...)
		return true
	})
	return e
}

func (t *openAITurns) addToolCalls(calls gjson.Result) (e *dialect.Error) {
	if jsontext.Present(calls) && !calls.IsArray() {
		return dialect.InvalidField("tool_calls", "must be a list.")
	}
	i := 0
	calls.ForEach(func(_, c gjson.Result) bool {
		e = dialect.Within(t.addToolCall(c), "tool_calls", i)
		i++
		return e == nil
	})
	return e
}

func (t *openAITurns) addToolCall(c gjson.Result) *dialect.Error {
	if kind := c.Get("type"); jsontext.Present(kind) && kind.Str != "function" {
		return dialect.Unsupported("type", "must be function for Anthropic models.")
	}
	id, name, args := c.Get("id"), c.Get("function.name"), c.Get("function.arguments")
	if id.Type != gjson.String || name.Type != gjson.String {
		return dialect.InvalidField("", "must have an id and a function.name.")
	}
	input := strings.TrimSpace(args.Str)
	if input == "" {
		input = "{}" // what models write for a function without parameters
	}
	if !jsontext.Valid([]byte(input)) || !gjson.Parse(input).IsObject() {
		return dialect.Unsupported("function.arguments", "must be a JSON object in a string for Anthropic models.")
	}
	t.out = append(append(jsontext.Comma(t.out), `{"type":"tool_use","id":`...), id.Raw...)
	t.out = append(append(t.out, `,"name":`...), name.Raw...)
	t.out = append(append(append(t.out, `,"input":`...), input...), '}')
	return nil
}

// addResult puts a tool's result into a user turn; all results that follow
// each other share one, as Anthropic wants for parallel calls.
func (t *openAITurns) addResult(msg openAIMessage) *dialect.Error {
	if msg.toolCallID.Type != gjson.String {
		return dialect.InvalidField("tool_call_id", "must name the tool call that this answers.")
	}
	if !t.results {
		t.next("user")
		t.out = append(t.out, '[')
		t.results = true
	}
	t.out = append(append(jsontext.Comma(t.out), `{"type":"tool_result","tool_use_id":`...), msg.toolCallID.Raw...)
	t.out = append(t.out, `,"content":`...)
	if msg.content.Type == gjson.String {
		t.out = append(append(t.out, msg.content.Raw...), '}')
		return nil
	}
	if !msg.content.IsArray() {
		return dialect.InvalidField("content", "must be a string or a list of parts.")
	}
	t.out = append(t.out, '[')
	e := eachPart(msg.content, func(p openAIPart) (e *dialect.Error) {
		t.out, e = p.appendBlock(t.out)
		return e
	})
	t.out = append(t.out, "]}"...)
	return e
}

// appendTextBlock adds a text block whose text and cache_control are JSON. An
// empty text adds nothing: Anthropic refuses it, and it says nothing.
func appendTextBlock(b []byte, raw, cache string) []byte {
	if raw == `""` {
		return b
	}
	b = append(append(jsontext.Comma(b), `{"type":"text","text":`...), raw...)
	return append(appendCache(b, cache), '}')
}

func appendCache(b []byte, cache string) []byte {
	if cache == "" {
		return b
	}
	return append(append(b, `,"cache_control":`...), cache...)
}
