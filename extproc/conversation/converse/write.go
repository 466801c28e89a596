package converse

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/anthropic"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// writer makes one request body.
type writer struct {
	request *conversation.Request
	family  family
	out     []byte
	// more are the members of additionalModelRequestFields.
	more []byte
	// calls: a turn holds tool calls or results, which Bedrock takes only
	// together with tools.
	calls     bool
	documents int
}

// Write makes the body of Converse and of ConverseStream: the two differ in
// their paths only.
func (provider) Write(r *conversation.Request, model string) ([]byte, *dialect.Error) {
	w := &writer{request: r, family: familyOf(model), out: make([]byte, 0, sizeOf(r))}
	w.out = append(w.out, '{')
	for _, step := range []func() *dialect.Error{
		w.candidates, w.messages, w.system, w.inference, w.toolConfig, w.output, w.sampling, w.reasoning, w.tier, w.extra,
	} {
		if e := step(); e != nil {
			return nil, e
		}
	}
	if len(w.more) > 0 {
		w.member("additionalModelRequestFields")
		w.out = append(append(append(w.out, '{'), w.more...), '}')
	}
	return append(w.out, '}'), nil
}

// sizeOf estimates the size of a request's body.
func sizeOf(r *conversation.Request) int {
	n := 512
	for i := range r.Messages {
		for j := range r.Messages[i].Blocks {
			b := &r.Messages[i].Blocks[j]
			n += 96 + len(b.Text) + len(b.Text)/16 + len(b.Data) + len(b.Input)
		}
	}
	for i := range r.Tools {
		n += 96 + len(r.Tools[i].Schema) + len(r.Tools[i].Description)
	}
	return n
}

// member begins a member of the object under way.
func (w *writer) member(name string) {
	w.out = append(append(append(jsontext.Comma(w.out), '"'), name...), `":`...)
}

// field adds a member of additionalModelRequestFields.
func (w *writer) field(name, raw string) {
	if len(w.more) > 0 {
		w.more = append(w.more, ',')
	}
	w.more = append(append(dialect.AppendString(w.more, name), ':'), raw...)
}

func (w *writer) candidates() *dialect.Error {
	if w.request.Candidates > 1 {
		return dialect.Unsupported("n", "must be 1: Bedrock gives one answer.")
	}
	return nil
}

// system adds the system text, wherever the client put it.
func (w *writer) system() *dialect.Error {
	start := len(w.out)
	w.member("system")
	w.out = append(w.out, '[')
	empty := len(w.out)
	if e := w.systemBlocks(w.request.System); e != nil {
		return dialect.Within(e, "system", 0)
	}
	for i := range w.request.Messages {
		if m := &w.request.Messages[i]; m.Role == conversation.System {
			if e := w.systemBlocks(m.Blocks); e != nil {
				return dialect.Within(e, "messages", i)
			}
		}
	}
	if w.request.Format.Kind == conversation.FormatJSON {
		w.text(anthropic.JSONInstruction) // Converse has no such mode: it is no guarantee
	}
	if len(w.out) == empty {
		w.out = w.out[:start]
		return nil
	}
	w.out = append(w.out, ']')
	return nil
}

func (w *writer) systemBlocks(blocks []conversation.Block) *dialect.Error {
	for i := range blocks {
		b := &blocks[i]
		if b.Kind != conversation.Text {
			return dialect.Unsupported("content", "must be text in system messages for Bedrock.")
		}
		w.text(b.Text)
		w.cachePoint(b.Cache, w.family.cache)
	}
	return nil
}

// text adds a block of text, unless it is empty.
func (w *writer) text(s string) {
	if s == "" {
		return
	}
	w.out = append(jsontext.Comma(w.out), `{"text":`...)
	w.out = append(dialect.AppendString(w.out, s), '}')
}

// cachePoint marks that a prompt cache may end here, for models that have one.
func (w *writer) cachePoint(cache conversation.Raw, ok bool) {
	if !ok || cache == "" || w.out[len(w.out)-1] == '[' {
		return
	}
	w.out = append(w.out, `,{"cachePoint":{"type":"default"`...)
	if v := jsontext.View([]byte(cache)).Get("ttl"); v.Str == "1h" {
		w.out = append(w.out, `,"ttl":"1h"`...)
	}
	w.out = append(w.out, "}}"...)
}

// inference adds the common fields of sampling.
func (w *writer) inference() *dialect.Error {
	r := w.request
	if t, err := strconv.ParseFloat(string(r.Temperature), 64); err == nil && (t < 0 || t > 1) {
		return dialect.Unsupported("temperature", "must be between 0 and 1 for Bedrock.")
	}
	if r.MaxTokens == 0 && r.Temperature == "" && r.TopP == "" && len(r.Stop) == 0 {
		return nil
	}
	w.member("inferenceConfig")
	w.out = append(w.out, '{')
	if r.MaxTokens > 0 {
		w.member("maxTokens")
		w.out = strconv.AppendInt(w.out, r.MaxTokens, 10)
	}
	if r.Temperature != "" {
		w.member("temperature")
		w.out = append(w.out, r.Temperature...)
	}
	// 1 is what every model does unasked, and Claude takes one of the two only.
	if r.TopP != "" && (r.TopP != "1" || r.Temperature == "") {
		w.member("topP")
		w.out = append(w.out, r.TopP...)
	}
	if len(r.Stop) > 0 {
		w.member("stopSequences")
		w.out = append(w.out, '[')
		for _, s := range r.Stop {
			w.out = dialect.AppendString(jsontext.Comma(w.out), s)
		}
		w.out = append(w.out, ']')
	}
	w.out = append(w.out, '}')
	return nil
}

// sampling adds what only some vendors have.
func (w *writer) sampling() *dialect.Error {
	r, f := w.request, w.family
	switch {
	case r.TopK == "":
	case f.topK == "":
		return dialect.Unsupported("top_k", notOfModel)
	case f.topK == novaTopK:
		w.field("inferenceConfig", `{"topK":`+string(r.TopK)+"}")
	default:
		w.field(f.topK, string(r.TopK))
	}
	if r.Seed != "" {
		if !f.seed {
			return dialect.Unsupported("seed", notOfModel)
		}
		w.field("seed", string(r.Seed))
	}
	for _, p := range []struct {
		name  string
		value conversation.Raw
	}{{"frequency_penalty", r.FrequencyPen}, {"presence_penalty", r.PresencePen}} {
		if n, err := strconv.ParseFloat(string(p.value), 64); p.value == "" || err == nil && n == 0 {
			continue // asks for nothing
		}
		if !f.penalties {
			return dialect.Unsupported(p.name, notOfModel)
		}
		w.field(p.name, string(p.value))
	}
	return nil
}

// notOfModel completes a refusal.
const notOfModel = "is not something that this endpoint's model takes on Bedrock."

// tier adds the service level. "auto" is what Bedrock does anyway.
func (w *writer) tier() *dialect.Error {
	switch t := w.request.ServiceTier; t {
	case "", "auto":
	case "default", "flex", "priority", "reserved":
		w.member("serviceTier")
		w.out = append(append(append(w.out, `{"type":"`...), t...), `"}`...)
	default:
		return dialect.Unsupported("service_tier", "must be auto, default, flex, priority or reserved for Bedrock.")
	}
	return nil
}

// own are Bedrock's further members of a request, which clients may give under
// Bedrock's names.
const own = " guardrailConfig performanceConfig requestMetadata promptVariables additionalModelResponseFieldPaths "

// extra adds members of the client's that are Bedrock's own.
func (w *writer) extra() *dialect.Error {
	for _, m := range w.request.Extra {
		switch {
		case strings.Contains(own, " "+m.Name+" "):
			w.member(m.Name)
			w.out = append(w.out, m.Value...)
		case m.Name == "additionalModelRequestFields":
			if e := w.fields(m.Value); e != nil {
				return e
			}
		default:
			return dialect.Unsupported(m.Name, "is not something that Bedrock's Converse API takes.")
		}
	}
	return nil
}

// fields adds a client's own additionalModelRequestFields.
func (w *writer) fields(raw conversation.Raw) *dialect.Error {
	v := jsontext.View([]byte(raw))
	if !v.IsObject() {
		return dialect.InvalidField("additionalModelRequestFields", "must be an object.")
	}
	taken := jsontext.View(append(append([]byte{'{'}, w.more...), '}')).Map()
	var e *dialect.Error
	v.ForEach(func(key, value gjson.Result) bool {
		if _, twice := taken[key.Str]; twice {
			e = dialect.InvalidField("additionalModelRequestFields", "holds what another field of the request says too. Give one of them.")
			return false
		}
		w.field(key.Str, value.Raw)
		return true
	})
	return e
}
