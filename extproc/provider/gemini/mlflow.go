package gemini

import (
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// MLflow's dialect as MLflow 3.17.2 translates it for Gemini
// (mlflow/gateway/providers/gemini.py). What that crashes on (500) is refused
// here by name, or goes through where nothing is wrong with it: a tool without
// description or parameters, a call without arguments.

// renames are MLflow's sampling parameters that generationConfig calls otherwise.
var renames = plain.Renames{
	"stop": "stopSequences", "n": "candidateCount", "max_tokens": "maxOutputTokens", "top_k": "topK",
	"top_p": "topP", "frequency_penalty": "frequencyPenalty", "presence_penalty": "presencePenalty",
}

func openMLflow(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, place Place) (kit.Call, *dialect.Error) {
	way := plain.Way{Path: place.Path + ":" + generateMethod(req.Stream), Headers: place.Headers}
	switch req.Operation {
	case dialect.Chat:
		way.Body, way.Reply = place.mlflowChat, mlflowChatReply
		way.Stream = func(c *plain.Context) plain.Stream {
			return &mlflowChunks{context: c, calls: map[int64]int{}, write: mlflowChatChunk}
		}
	case dialect.Completions:
		way.Body, way.Reply = place.mlflowCompletion, mlflowTextReply
		way.Stream = func(c *plain.Context) plain.Stream {
			return &mlflowChunks{context: c, calls: map[int64]int{}, write: mlflowTextChunk}
		}
	case dialect.Embeddings:
		texts, e := inputs(p, req)
		if e != nil {
			e.Status = http.StatusUnprocessableEntity
			return nil, e
		}
		way.Path = place.Path + ":" + embedMethod(len(texts))
		way.Body = func(c *plain.Context) ([]byte, *dialect.Error) { return mlflowEmbed(c, texts) }
		way.Reply = mlflowEmbeddings
	default:
		return nil, kit.NotImplemented(p, req)
	}
	return plain.Open(p, t, req, env, way)
}

// mlflowChat is GeminiAdapter.chat_to_model.
func (place Place) mlflowChat(c *plain.Context) ([]byte, *dialect.Error) {
	return place.mlflowBody(c.Request, func(w *mlflowTurns) (e *dialect.Error) {
		i := 0
		plain.Get(c.Request, "messages").ForEach(func(_, m gjson.Result) bool {
			if e = w.message(m); e != nil && e.Param != "" { // MLflow's own words stay as they are
				e = dialect.Within(e, "messages", i)
			}
			i++
			return e == nil
		})
		return e
	})
}

// mlflowCompletion is GeminiAdapter.completions_to_model: the prompt is a
// user's message.
func (place Place) mlflowCompletion(c *plain.Context) ([]byte, *dialect.Error) {
	return place.mlflowBody(c.Request, func(w *mlflowTurns) *dialect.Error {
		switch system := plain.Get(c.Request, "system_prompt"); {
		case system.Type == gjson.String && system.Str != "":
			w.system = append(append(append(w.system, `{"text":`...), system.Raw...), '}')
		case jsontext.Present(system) && system.Type != gjson.String:
			return kit.MLflowField("system_prompt", "must be a string.")
		}
		w.turn(roleUser)
		w.b = append(append(append(w.b, `{"text":`...), plain.Get(c.Request, "prompt").Raw...), '}')
		return nil
	})
}

const (
	roleUser  = "user"
	roleModel = "model"
)

func (place Place) mlflowBody(req *dialect.Request, fill func(*mlflowTurns) *dialect.Error) ([]byte, *dialect.Error) {
	if e := plain.NoModel(req); e != nil {
		return nil, e
	}
	if e := renames.Check(req, http.StatusUnprocessableEntity); e != nil {
		return nil, e
	}
	w := &mlflowTurns{vertex: place.Vertex, calls: map[string]mlflowCall{}}
	if e := fill(w); e != nil {
		return nil, e
	}
	o := plain.NewObject(len(req.Payload) + 256)
	o.Raw("contents", string(w.bytes()))
	if w.system != nil {
		o.Raw("system_instruction", `{"parts":[`+string(w.system)+`]}`)
	}
	o.Raw("generationConfig", mlflowGeneration(req))
	if e := mlflowTools(o, req); e != nil {
		return nil, e
	}
	return o.Bytes(), nil
}

// mlflowGeneration is never empty: MLflow always has an n.
func mlflowGeneration(req *dialect.Request) string {
	o := plain.NewObject(256)
	limited := plain.Get(req, "max_tokens").Exists()
	plain.Payload(req, func(name string, v gjson.Result) {
		switch name {
		case "stop":
			if v.Type == gjson.String { // MLflow's server takes lists only
				o.Raw(renames.Of(name), "["+v.Raw+"]")
				return
			}
			o.Raw(renames.Of(name), v.Raw)
		case "max_completion_tokens":
			if !limited {
				o.Raw(renames.Of("max_tokens"), v.Raw)
			}
		case "temperature", "n", "max_tokens", "top_k", "top_p", "frequency_penalty", "presence_penalty":
			o.Raw(renames.Of(name), v.Raw)
		}
	})
	switch format := plain.Get(req, "response_format"); format.Get("type").Str {
	case "json_schema":
		if schema := format.Get("json_schema.schema"); schema.Exists() {
			o.Raw("responseJsonSchema", schema.Raw)
			o.String("responseMimeType", dialect.ContentTypeJSON)
		}
	case "json_object":
		o.String("responseMimeType", dialect.ContentTypeJSON)
	}
	return string(o.Bytes())
}

func mlflowTools(o *plain.Object, req *dialect.Request) (e *dialect.Error) {
	list := plain.Get(req, "tools")
	if !list.IsArray() || len(list.Array()) == 0 {
		return nil
	}
	b := []byte(`[{"functionDeclarations":[`)
	list.ForEach(func(_, t gjson.Result) bool {
		if kind := t.Get("type").Str; kind != "function" {
			e = plain.Refuse(http.StatusUnprocessableEntity, "Only function calling tool is supported, but received tool type "+kind)
			return false
		}
		f := t.Get("function")
		if f.Get("name").Type != gjson.String {
			e = kit.MLflowField("tools", "of type function must have a function with a name.")
			return false
		}
		b = append(append(jsontext.Comma(b), `{"name":`...), f.Get("name").Raw...)
		if d := f.Get("description"); d.Exists() {
			b = append(append(b, `,"description":`...), d.Raw...)
		}
		if schema := f.Get("parameters"); schema.Exists() {
			b = append(append(b, `,"parametersJsonSchema":`...), schema.Raw...)
		}
		b = append(b, '}')
		return true
	})
	if e != nil {
		return e
	}
	o.Raw("tools", string(append(b, "]}]"...)))
	switch choice := plain.Get(req, "tool_choice"); {
	case choice.Str == "none":
		o.Raw("toolConfig", `{"functionCallingConfig":{"mode":"NONE"}}`)
	case choice.Str == "required":
		o.Raw("toolConfig", `{"functionCallingConfig":{"mode":"ANY"}}`)
	case choice.Get("type").Str == "function" && choice.Get("function.name").Exists():
		o.Raw("toolConfig", `{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":[`+choice.Get("function.name").Raw+"]}}")
	}
	return nil
}

// mlflowCall is what is remembered of a tool call for its result and for
// another call of the same id.
type mlflowCall struct {
	name      string // JSON
	signature string // JSON; "" for none
}

// mlflowTurns writes contents as MLflow does: a message each, but for the
// results of a turn's calls.
type mlflowTurns struct {
	vertex bool
	b      []byte
	system []byte // parts
	calls  map[string]mlflowCall
	// results: the content that is open holds nothing but function responses.
	results bool
}

// turn begins a content.
func (w *mlflowTurns) turn(role string) {
	if w.b != nil {
		w.b = append(w.b, "]},"...)
	}
	w.b = append(append(append(w.b, `{"role":"`...), role...), `","parts":[`...)
	w.results = false
}

func (w *mlflowTurns) bytes() []byte {
	if w.b == nil {
		return []byte("[]")
	}
	return slices.Concat([]byte{'['}, w.b, []byte("]}]"))
}

// message adds one message. Roles that MLflow does not know are left out, as
// it does.
func (w *mlflowTurns) message(m gjson.Result) *dialect.Error {
	content := m.Get("content")
	switch role := m.Get("role").Str; role {
	case "user", "assistant":
		calls := m.Get("tool_calls")
		if role == "assistant" && calls.IsArray() && len(calls.Array()) > 0 {
			w.turn(roleModel)
			return w.functionCalls(calls)
		}
		if !content.Exists() {
			return kit.MLflowField("content", "is missing.")
		}
		if role == "assistant" {
			role = roleModel
		}
		w.turn(role)
		w.parts(content)
	case "system":
		return w.instructions(content)
	case "tool":
		return w.functionResponse(m.Get("tool_call_id"), content)
	}
	return nil
}

// instructions adds a system message, part by part where it is a list.
func (w *mlflowTurns) instructions(content gjson.Result) (e *dialect.Error) {
	add := func(text gjson.Result) bool {
		if text.Type != gjson.String {
			e = kit.MLflowField("content", "must be text in system messages for Gemini.")
			return false
		}
		w.system = append(append(append(jsontext.Comma(w.system), `{"text":`...), text.Raw...), '}')
		return true
	}
	if !content.IsArray() {
		add(content)
		return e
	}
	if w.system == nil {
		w.system = []byte{}
	}
	content.ForEach(func(_, part gjson.Result) bool { return add(part.Get("text")) })
	return e
}

// parts is _to_gemini_parts: images as data become inline data, for others the
// model gets a note, and parts of other kinds go as they are.
func (w *mlflowTurns) parts(content gjson.Result) {
	if !content.IsArray() {
		w.b = append(append(append(w.b, `{"text":`...), content.Raw...), '}')
		return
	}
	content.ForEach(func(_, part gjson.Result) bool {
		w.b = jsontext.Comma(w.b)
		switch part.Get("type").Str {
		case "text":
			w.b = append(append(append(w.b, `{"text":`...), part.Get("text").Raw...), '}')
		case "image_url":
			w.image(part.Get("image_url.url").Str)
		default:
			w.b = append(w.b, part.Raw...)
		}
		return true
	})
}

func (w *mlflowTurns) image(url string) {
	media, data, ok := dataURL(url)
	if !ok {
		w.b = append(w.b, `{"text":`...)
		w.b = append(dialect.AppendString(w.b, "[unsupported image reference: "+url+"]"), '}')
		return
	}
	w.b = dialect.AppendString(append(w.b, `{"inlineData":{"mimeType":`...), media)
	w.b = dialect.AppendString(append(w.b, `,"data":`...), data)
	w.b = append(w.b, "}}"...)
}

// dataURL is MLflow's pattern ^data:(?P<mime>[^;]+);base64,(?P<data>.*)$.
func dataURL(url string) (media, data string, ok bool) {
	rest, ok := strings.CutPrefix(url, "data:")
	if !ok {
		return "", "", false
	}
	media, data, _ = strings.Cut(rest, ";")
	data, ok = strings.CutPrefix(data, "base64,")
	return media, data, ok && media != ""
}

// functionCalls writes an assistant's tool calls. MLflow drops the text beside
// them.
func (w *mlflowTurns) functionCalls(list gjson.Result) (e *dialect.Error) {
	i := 0
	list.ForEach(func(_, c gjson.Result) bool {
		id, function := c.Get("id"), c.Get("function")
		args := function.Get("arguments").Str
		switch {
		case !jsontext.Valid([]byte(args)):
			e = kit.MLflowField("function.arguments", "must be JSON in a string.")
		case function.Get("name").Type != gjson.String:
			e = kit.MLflowField("function.name", "must be the name of a function.")
		}
		if e != nil {
			e = dialect.Within(e, "tool_calls", i)
			return false
		}
		i++
		call := mlflowCall{name: function.Get("name").Raw, signature: w.calls[id.Str].signature}
		if s := c.Get("thought_signature"); s.Str != "" {
			call.signature = s.Raw
		}
		w.calls[id.Str] = call
		w.b = append(jsontext.Comma(w.b), `{"functionCall":{`...)
		w.id(id)
		w.b = append(append(append(w.b, `"name":`...), call.name...), `,"args":`...)
		w.b = append(append(w.b, args...), '}')
		if call.signature != "" {
			w.b = append(append(w.b, `,"thoughtSignature":`...), call.signature...)
		}
		w.b = append(w.b, '}')
		return true
	})
	return e
}

func (w *mlflowTurns) id(id gjson.Result) {
	if !w.vertex {
		w.b = append(append(append(w.b, `"id":`...), id.Raw...), ',')
	}
}

func (w *mlflowTurns) functionResponse(id, content gjson.Result) *dialect.Error {
	call, ok := w.calls[id.Str]
	switch {
	case !ok || id.Type != gjson.String:
		named := "None" // as Python writes it
		if id.Type == gjson.String {
			named = id.Str
		}
		return plain.Refuse(http.StatusUnprocessableEntity, "Invalid tool message: tool_call_id="+named+
			" does not match any tool call in a preceding assistant message.")
	case !content.Exists():
		return kit.MLflowField("content", "is missing.")
	}
	if w.results {
		w.b = append(w.b, ',')
	} else {
		w.turn(roleUser)
	}
	w.results = true
	w.b = append(w.b, `{"functionResponse":{`...)
	w.id(id)
	w.b = append(append(append(w.b, `"name":`...), call.name...), `,"response":`...)
	w.b = append(w.b, mlflowResult(content)...)
	w.b = append(w.b, "}}"...)
	return nil
}

// mlflowResult is _tool_result_to_response: a JSON object in text goes as it
// is, all else as "result".
func mlflowResult(content gjson.Result) string {
	if content.Type == gjson.String && jsontext.Valid([]byte(content.Str)) {
		parsed := strings.TrimSpace(content.Str)
		if strings.HasPrefix(parsed, "{") {
			return parsed
		}
		return `{"result":` + parsed + "}"
	}
	return `{"result":` + content.Raw + "}"
}
