package anthropic

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// DefaultMaxTokens is the max_tokens sent when the client gave none: the API
// requires one. It is also MLflow's.
const DefaultMaxTokens = 8192

// JSONInstruction is added to the system prompt where any JSON object is asked
// for: the API has no JSON mode without a schema. MLflow's words.
const JSONInstruction = "Respond with only a single valid JSON object. Do not include any " +
	"explanatory text, markdown, or code fences before or after the JSON object."

// EmptySchema is the input schema of a tool without parameters.
const EmptySchema = `{"type":"object","properties":{}}`

// extras are the members of Request.Extra that the API has too.
var extras = []string{"thinking", "cache_control", "inference_geo", "speed"}

// request is a body on its way.
type request struct {
	b    []byte
	form *conversation.Request
}

// Write makes a request body. Reasoning that no server of the API has signed is
// left out, since it would be refused, as are empty texts; system text between
// other messages joins the system prompt. A refusal names OpenAI's field.
func (provider) Write(form *conversation.Request, model string) ([]byte, *dialect.Error) {
	r := request{form: form, b: make([]byte, 0, sizeOf(form))}
	r.b = dialect.AppendString(append(r.b, `{"model":`...), model)
	r.b = strconv.AppendInt(append(r.b, `,"max_tokens":`...), maxTokens(form), 10)
	for _, step := range []func() *dialect.Error{
		r.messages, r.system, r.tools, r.choice, r.sampling, r.reasoning, r.outputConfig, r.account, r.extra,
	} {
		if e := step(); e != nil {
			return nil, e
		}
	}
	return append(r.b, '}'), nil
}

// sizeOf guesses the size of a body, so that it grows once at most.
func sizeOf(form *conversation.Request) int {
	n := 512
	add := func(blocks []conversation.Block) {
		for i := range blocks {
			b := &blocks[i]
			n += 64 + len(b.Text) + len(b.Text)/16 + len(b.Data) + len(b.Input) + len(b.Signature)
			for j := range b.Blocks {
				n += 64 + len(b.Blocks[j].Text) + len(b.Blocks[j].Data)
			}
		}
	}
	add(form.System)
	for i := range form.Messages {
		n += 32
		add(form.Messages[i].Blocks)
	}
	for i := range form.Tools {
		n += 64 + len(form.Tools[i].Description) + len(form.Tools[i].Schema)
	}
	return n
}

// maxTokens leaves room for the answer beside the reasoning.
func maxTokens(form *conversation.Request) int64 {
	if form.MaxTokens > 0 {
		return form.MaxTokens
	}
	if form.Reasoning.Budget >= DefaultMaxTokens {
		return form.Reasoning.Budget + DefaultMaxTokens
	}
	return DefaultMaxTokens
}

func (r *request) raw(name string, raw string) {
	r.b = append(append(append(r.b, `,"`...), name...), `":`...)
	r.b = append(r.b, raw...)
}

func (r *request) text(name, text string) {
	r.b = append(append(append(r.b, `,"`...), name...), `":`...)
	r.b = dialect.AppendString(r.b, text)
}

// messages writes the turns.
func (r *request) messages() *dialect.Error {
	r.b = append(r.b, `,"messages":[`...)
	turns := 0
	for i := range r.form.Messages {
		m := &r.form.Messages[i]
		if m.Role == conversation.System {
			continue
		}
		turns++
		if e := r.message(m); e != nil {
			return within(e, m)
		}
	}
	r.b = append(r.b, ']')
	if turns == 0 {
		return dialect.InvalidField("messages", "must hold a message besides system and developer messages.")
	}
	return nil
}

// within tells in which message of the client's a refusal is.
func within(e *dialect.Error, m *conversation.Message) *dialect.Error {
	if e == nil || m.Number > 0 {
		return dialect.Within(e, "messages", m.Number-1)
	}
	inner := e.Param
	e.Param = strings.TrimSuffix("messages."+inner, ".")
	e.Message = "'" + e.Param + e.Message[1+len(inner):]
	return e
}

func (r *request) message(m *conversation.Message) *dialect.Error {
	if m.Name != "" {
		return dialect.Unsupported("name", "can't be told to Anthropic models. Put the name into the content.")
	}
	r.b = append(append(jsontext.Comma(r.b), `{"role":"`...), m.Role...)
	r.b = append(r.b, `","content":`...)
	var e *dialect.Error
	r.b, e = appendContent(r.b, m.Blocks)
	r.b = append(r.b, '}')
	return e
}

// system writes the system prompt: a string where there is one text without
// marks.
func (r *request) system() *dialect.Error {
	blocks := r.form.System
	for i := range r.form.Messages {
		if m := &r.form.Messages[i]; m.Role == conversation.System {
			for j := range m.Blocks {
				if m.Blocks[j].Kind != conversation.Text {
					return within(dialect.Within(dialect.Unsupported("type", "must be text in system messages for Anthropic models."), "content", j), m)
				}
			}
			blocks = append(blocks[:len(blocks):len(blocks)], m.Blocks...)
		}
	}
	if r.form.Format.Kind == conversation.FormatJSON {
		blocks = append(blocks[:len(blocks):len(blocks)], conversation.Block{Kind: conversation.Text, Text: JSONInstruction})
	}
	if !slices.ContainsFunc(blocks, func(b conversation.Block) bool { return b.Text != "" }) {
		return nil
	}
	var e *dialect.Error
	r.b, e = appendContent(append(r.b, `,"system":`...), blocks)
	return e
}

// tools writes the tools. Their schemas go as they are.
func (r *request) tools() *dialect.Error {
	if len(r.form.Tools) == 0 {
		return nil
	}
	r.b = append(r.b, `,"tools":[`...)
	for i := range r.form.Tools {
		t := &r.form.Tools[i]
		r.b = dialect.AppendString(append(jsontext.Comma(r.b), `{"name":`...), t.Name)
		if t.Description != "" {
			r.text("description", t.Description)
		}
		if t.Strict != "" {
			r.raw("strict", string(t.Strict))
		}
		schema := string(t.Schema)
		if schema == "" {
			schema = EmptySchema
		}
		r.raw("input_schema", schema)
		r.b = append(appendCache(r.b, t.Cache), '}')
	}
	r.b = append(r.b, ']')
	return nil
}

// choice writes tool_choice, in which the API also says "one call at a time".
// Without tools only choices that ask for nothing pass, and are not sent.
func (r *request) choice() *dialect.Error {
	f := r.form
	if len(f.Tools) == 0 {
		if f.ToolChoice == conversation.ChooseAny || f.ToolChoice == conversation.ChooseTool {
			return dialect.InvalidField("tool_choice", "needs tools to choose from.")
		}
		return nil
	}
	choice := ""
	switch f.ToolChoice {
	case conversation.ChooseNone:
		r.raw("tool_choice", `{"type":"none"}`)
		return nil
	case conversation.ChooseAny:
		choice = `{"type":"any"`
	case conversation.ChooseTool:
		choice = `{"type":"tool","name":` + string(dialect.AppendString(nil, f.ToolName))
	case conversation.ChooseAuto:
		choice = `{"type":"auto"`
	case conversation.ChooseDefault:
		if !f.SingleTool {
			return nil
		}
		choice = `{"type":"auto"`
	}
	if f.SingleTool {
		choice += `,"disable_parallel_tool_use":true`
	}
	r.raw("tool_choice", choice+"}")
	return nil
}

// sampling writes what steers the choice of tokens. Nothing is scaled.
func (r *request) sampling() *dialect.Error {
	f := r.form
	switch {
	case f.Candidates > 1:
		return dialect.Unsupported("n", "must be 1 for Anthropic models: they give one answer at a time.")
	case f.Seed != "":
		return dialect.Unsupported("seed", "can't be passed to Anthropic models. Leave it out, or use another endpoint.")
	case !zero(f.FrequencyPen):
		return dialect.Unsupported("frequency_penalty", "must be 0 for Anthropic models.")
	case !zero(f.PresencePen):
		return dialect.Unsupported("presence_penalty", "must be 0 for Anthropic models.")
	}
	if f.Temperature != "" {
		if t, err := strconv.ParseFloat(string(f.Temperature), 64); err != nil || t < 0 || t > 1 {
			return dialect.Unsupported("temperature", "must be between 0 and 1 for Anthropic models.")
		}
		r.raw("temperature", string(f.Temperature))
	}
	// 1 is what is done unasked, and most models take one of the two only.
	if f.TopP != "" && (f.TopP != "1" || f.Temperature == "") {
		r.raw("top_p", string(f.TopP))
	}
	if len(f.Stop) > 0 {
		r.b = append(r.b, `,"stop_sequences":[`...)
		for _, s := range f.Stop {
			if strings.TrimSpace(s) == "" {
				return dialect.Unsupported("stop", "must hold more than white space for Anthropic models.")
			}
			r.b = dialect.AppendString(jsontext.Comma(r.b), s)
		}
		r.b = append(r.b, ']')
	}
	if f.Stream {
		r.raw("stream", "true")
	}
	return nil
}

func zero(number conversation.Raw) bool {
	f, err := strconv.ParseFloat(string(number), 64)
	return number == "" || err == nil && f == 0
}

// reasoning writes thinking. An effort alone leaves it to the model's default
// whether to think.
func (r *request) reasoning() *dialect.Error {
	w := r.form.Reasoning
	display := ""
	if w.Show {
		display = `,"display":"summarized"`
	}
	asked := w.Budget > 0 || w.Adaptive || hasExtra(r.form, "thinking")
	switch off := w.Off || w.Effort == "none"; {
	case off && asked:
		return dialect.InvalidField("reasoning_effort", "must not be given beside thinking when it is 'none'.")
	case off:
		r.raw("thinking", `{"type":"disabled"}`)
	case w.Budget > 0:
		r.raw("thinking", `{"type":"enabled","budget_tokens":`+strconv.FormatInt(w.Budget, 10)+display+"}")
	case w.Adaptive:
		r.raw("thinking", `{"type":"adaptive"`+display+"}")
	}
	return nil
}

func hasExtra(form *conversation.Request, name string) bool {
	return slices.ContainsFunc(form.Extra, func(m conversation.Member) bool { return m.Name == name })
}

// outputConfig writes how hard to think and the format of the answer.
func (r *request) outputConfig() *dialect.Error {
	effort := ""
	switch e := r.form.Reasoning.Effort; e {
	case "", "none":
	case "low", "medium", "high", "xhigh", "max":
		effort = `"effort":"` + e + `"`
	default:
		return dialect.Unsupported("reasoning_effort", "must be none, low, medium, high, xhigh or max for Anthropic models.")
	}
	format, e := outputFormat(r.form.Format)
	if e != nil {
		return e
	}
	switch {
	case effort != "" && format != "":
		r.raw("output_config", "{"+effort+","+format+"}")
	case effort+format != "":
		r.raw("output_config", "{"+effort+format+"}")
	}
	return nil
}

// outputFormat is the "format" member of output_config. The schema's objects
// are closed, which few clients think of. Its name is a label without effect and has no place in the API; its
// description reaches the model as the schema's own.
func outputFormat(f conversation.Format) (string, *dialect.Error) {
	if f.Kind != conversation.FormatSchema {
		return "", nil
	}
	schema := gjson.Parse(string(f.Schema))
	if !schema.IsObject() {
		return "", dialect.InvalidField("response_format.json_schema.schema", "must be a JSON schema.")
	}
	raw := schema.Raw
	if f.Description != "" {
		own := schema.Get("description")
		switch {
		case !own.Exists():
			b := dialect.AppendString([]byte(`{"description":`), f.Description)
			if members, _ := jsontext.Scan([]byte(raw)); len(members) > 0 {
				b = append(b, ',')
			}
			raw = string(b) + raw[1:]
		case own.Str != f.Description:
			return "", dialect.Unsupported("response_format.json_schema.description",
				"can't be told to Anthropic models beside another description in the schema. Give one of them.")
		}
	}
	if closed, ok := CloseObjects(nil, gjson.Parse(raw), false); ok {
		raw = string(closed)
	}
	return `"format":{"type":"json_schema","schema":` + raw + "}", nil
}

// account writes who asks and at which service level.
func (r *request) account() *dialect.Error {
	if user := r.form.User; user != "" {
		r.b = dialect.AppendString(append(r.b, `,"metadata":{"user_id":`...), user)
		r.b = append(r.b, '}')
	}
	switch r.form.ServiceTier {
	case "":
	case "auto":
		r.raw("service_tier", `"auto"`)
	case "default":
		r.raw("service_tier", `"standard_only"`)
	default:
		return dialect.Unsupported("service_tier", "must be auto or default for Anthropic models.")
	}
	return nil
}

// extra writes the members that the API has under the same name.
func (r *request) extra() *dialect.Error {
	if r.form.TopK != "" {
		r.raw("top_k", string(r.form.TopK))
	}
	for _, m := range r.form.Extra {
		if !slices.Contains(extras, m.Name) {
			return dialect.Unsupported(m.Name, "can't be passed to Anthropic models with this value. Leave it out, or use another endpoint.")
		}
		r.raw(m.Name, string(m.Value))
	}
	return nil
}
