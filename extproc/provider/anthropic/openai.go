package anthropic

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// defaultMaxTokens is the max_tokens sent when the client gave none:
// Anthropic requires one. It is also MLflow's.
const defaultMaxTokens = 8192

// jsonInstruction is added to the system prompt for response_format
// json_object: Anthropic has no JSON mode without a schema. MLflow's words.
const jsonInstruction = "Respond with only a single valid JSON object. Do not include any " +
	"explanatory text, markdown, or code fences before or after the JSON object."

// openAIToMessages turns an OpenAI chat call into a request to Anthropic's
// Messages API. Every member of the call is carried, or asks for nothing, or
// is refused by name.
func openAIToMessages(model string, req *dialect.Request) ([]byte, *dialect.Error) {
	f, e := readMembers(req, openAIChatFields)
	if e != nil {
		return nil, e
	}
	r := openAIRequest{members: f, out: make([]byte, 0, len(req.Payload)+len(req.Payload)/8+256)}
	r.out = append(r.out, `{"model":`...)
	r.out = dialect.AppendString(r.out, model)
	for _, step := range []func() *dialect.Error{
		r.maxTokens, r.messages, r.tools, r.sampling, r.outputConfig, r.account, r.extensions,
	} {
		if e := step(); e != nil {
			return nil, e
		}
	}
	return append(r.out, '}'), nil
}

// openAICompletionToMessages carries an OpenAI completions call over the
// Messages API, as one user message: Anthropic's own completions API is
// closed to current models.
func openAICompletionToMessages(model string, req *dialect.Request) ([]byte, *dialect.Error) {
	f, e := readMembers(req, openAICompletionFields)
	if e != nil {
		return nil, e
	}
	prompt := f.get("prompt")
	if prompt.IsArray() {
		if list := prompt.Array(); len(list) == 1 {
			prompt = list[0]
		}
	}
	if prompt.Type != gjson.String {
		return nil, dialect.Unsupported("prompt", "must be one string here: Anthropic takes neither token ids nor several prompts.")
	}
	r := openAIRequest{members: f, out: make([]byte, 0, len(req.Payload)+256)}
	r.out = append(r.out, `{"model":`...)
	r.out = dialect.AppendString(r.out, model)
	if e := r.maxTokens(); e != nil {
		return nil, e
	}
	r.out = append(r.out, `,"messages":[{"role":"user","content":`...)
	r.out = append(append(r.out, prompt.Raw...), "}]"...)
	for _, step := range []func() *dialect.Error{r.sampling, r.account} {
		if e := step(); e != nil {
			return nil, e
		}
	}
	return append(r.out, '}'), nil
}

// openAIRequest is a request to Anthropic on its way from an OpenAI call.
type openAIRequest struct {
	members members
	out     []byte // the request so far
}

// carry adds a member under Anthropic's name, as it is.
func (r *openAIRequest) carry(name, as string) {
	if v := r.members.get(name); jsontext.Present(v) {
		r.raw(as, v.Raw)
	}
}

func (r *openAIRequest) raw(name, raw string) {
	r.out = append(append(append(r.out, `,"`...), name...), `":`...)
	r.out = append(r.out, raw...)
}

func (r *openAIRequest) maxTokens() *dialect.Error {
	a, b := r.members.get("max_tokens"), r.members.get("max_completion_tokens")
	switch {
	case jsontext.Present(a) && jsontext.Present(b) && a.Int() != b.Int():
		return dialect.InvalidField("max_tokens", "and max_completion_tokens differ. Give one of them.")
	case jsontext.Present(b):
		r.raw("max_tokens", b.Raw)
	case jsontext.Present(a):
		r.raw("max_tokens", a.Raw)
	default:
		r.raw("max_tokens", strconv.Itoa(defaultMaxTokens))
	}
	return nil
}

func (r *openAIRequest) messages() *dialect.Error {
	list := r.members.get("messages")
	if !list.IsArray() {
		return dialect.InvalidField("messages", "must be a list of messages.")
	}
	t := openAITurns{out: append(r.out, `,"messages":[`...)}
	i := 0
	var e *dialect.Error
	list.ForEach(func(_, m gjson.Result) bool {
		e = dialect.Within(t.add(m), "messages", i)
		i++
		return e == nil
	})
	if e != nil {
		return e
	}
	if r.members.get("response_format").Get("type").Str == "json_object" {
		t.instruct(jsonInstruction)
	}
	t.closeResults()
	if !t.any {
		return dialect.InvalidField("messages", "must hold a message besides system and developer messages.")
	}
	r.out = append(t.out, ']')
	if s := t.systemPrompt(); s != "" {
		r.raw("system", s)
	}
	return nil
}

// sampling carries what steers the choice of tokens. Nothing is scaled.
func (r *openAIRequest) sampling() *dialect.Error {
	if t := r.members.get("temperature"); jsontext.Present(t) {
		if t.Type != gjson.Number || t.Num < 0 || t.Num > 1 {
			return dialect.Unsupported("temperature", "must be between 0 and 1 for Anthropic models.")
		}
		r.raw("temperature", t.Raw)
	}
	r.carry("top_p", "top_p")
	stop := r.members.get("stop")
	list := stop.Array() // of a string: itself
	for _, s := range list {
		if strings.TrimSpace(s.Str) == "" {
			return dialect.Unsupported("stop", "must hold more than white space for Anthropic models.")
		}
	}
	switch {
	case len(list) == 0:
	case stop.IsArray():
		r.raw("stop_sequences", stop.Raw)
	default:
		r.raw("stop_sequences", "["+stop.Raw+"]")
	}
	if s := r.members.get("stream"); s.Type == gjson.True {
		r.raw("stream", "true")
	}
	return nil
}

// outputConfig carries response_format and reasoning_effort.
func (r *openAIRequest) outputConfig() *dialect.Error {
	var effort, format string
	switch v := r.members.get("reasoning_effort"); v.Str {
	case "":
	case "none":
		if jsontext.Present(r.members.get("thinking")) {
			return dialect.InvalidField("reasoning_effort", "must not be given beside thinking when it is 'none'.")
		}
		r.raw("thinking", `{"type":"disabled"}`)
	case "low", "medium", "high", "xhigh", "max":
		effort = `"effort":` + v.Raw
	default:
		return dialect.Unsupported("reasoning_effort", "must be none, low, medium, high, xhigh or max for Anthropic models.")
	}
	switch f := r.members.get("response_format"); f.Get("type").Str {
	case "", "text", "json_object":
	case "json_schema":
		var e *dialect.Error
		if format, e = outputFormat(f.Get("json_schema")); e != nil {
			return e
		}
	default:
		return dialect.Unsupported("response_format.type", "must be text, json_object or json_schema for Anthropic models.")
	}
	switch {
	case effort != "" && format != "":
		r.raw("output_config", "{"+effort+","+format+"}")
	case effort+format != "":
		r.raw("output_config", "{"+effort+format+"}")
	}
	return nil
}

// outputFormat is the "format" member of output_config. The schema goes as it
// is. Its name is a label without effect and has no place at Anthropic; its
// description reaches the model as the schema's own.
func outputFormat(spec gjson.Result) (string, *dialect.Error) {
	schema := spec.Get("schema")
	if !schema.IsObject() {
		return "", dialect.InvalidField("response_format.json_schema.schema", "must be a JSON schema.")
	}
	raw := schema.Raw
	if d := spec.Get("description"); d.Str != "" {
		own := schema.Get("description")
		switch {
		case !own.Exists():
			raw = withMember(raw, "description", d.Raw)
		case own.Str != d.Str:
			return "", dialect.Unsupported("response_format.json_schema.description",
				"can't be told to Anthropic models beside another description in the schema. Give one of them.")
		}
	}
	return `"format":{"type":"json_schema","schema":` + raw + "}", nil
}

// account carries who asks and at which service level.
func (r *openAIRequest) account() *dialect.Error {
	user := r.members.get("safety_identifier") // OpenAI's successor of user
	if user.Str == "" {
		user = r.members.get("user")
	}
	if user.Str != "" {
		r.raw("metadata", `{"user_id":`+user.Raw+"}")
	}
	switch v := r.members.get("service_tier"); v.Str {
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

// extensions carries Anthropic's own members, which OpenAI SDKs send with
// extra_body; Anthropic's own OpenAI layer takes thinking in the same way.
func (r *openAIRequest) extensions() *dialect.Error {
	r.carry("thinking", "thinking")
	r.carry("top_k", "top_k")
	return nil
}

// withMember puts a member first into the text of a JSON object.
func withMember(object, name, raw string) string {
	rest := object[1:]
	sep := ","
	if gjson.Parse(object).Get("@keys.#").Int() == 0 {
		sep = ""
	}
	return `{"` + name + `":` + raw + sep + rest
}
