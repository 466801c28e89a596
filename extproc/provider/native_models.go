package provider

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect/jsontext"
)

// NativeNames are the models that a call of a provider's own API names.
type NativeNames struct {
	// Models are all of them, each once, in the order in which they were found.
	// Providers read keys in different ways, so a key that is there twice, or in
	// another case, counts for every value.
	Models []string
	// Unnamed: the call has a body, and nothing tells which model it runs: it
	// names none, it is not readable here, or it is to a path where the names
	// are in a file (batches) or somewhere at the provider (threads).
	Unnamed bool
}

// maxNamed is how many models a call may name; none needs so many.
const maxNamed = 64

// NativeModels finds the models in path, query and body. rest is the path below
// the API's root, with the query.
func NativeModels(rest, contentType string, body []byte) NativeNames {
	path, query, _ := strings.Cut(rest, "?")
	var n NativeNames
	indirect := n.path(path)
	told := len(n.Models) > 0
	inBody := NativeNames{}
	inBody.body(contentType, body)
	told = told || len(inBody.Models) > 0 && !indirect
	n.add(inBody.Models...)
	if values, err := url.ParseQuery(query); err == nil {
		n.values(values) // names more, but does not stand for what a body hides
	}
	n.Unnamed = len(body) > 0 && !told || len(n.Models) > maxNamed
	return n
}

func (n *NativeNames) add(names ...string) {
	for _, name := range names {
		name = bareModel(name)
		if name != "" && len(n.Models) <= maxNamed && !slices.Contains(n.Models, name) {
			n.Models = append(n.Models, name)
		}
	}
}

// bareModel is a model's name without where Google has it: "models/…",
// "publishers/google/models/…", "projects/…/publishers/google/models/…".
func bareModel(name string) string {
	if rest, ok := strings.CutPrefix(name, "models/"); ok {
		return rest
	}
	if strings.HasPrefix(name, "projects/") || strings.HasPrefix(name, "publishers/") {
		if i := strings.LastIndex(name, "/models/"); i >= 0 {
			return name[i+len("/models/"):]
		}
	}
	return name
}

// Calls reports whether a target is what a call of its own API means by a
// model's name.
func Calls(t Target, model string) bool {
	return model == bareModel(t.Model) || model == t.Config["openai_deployment_name"] || model == t.Config["sap_ai_core_deployment_id"]
}

// modelSegments are the segments of paths that a model's name follows, in lower
// case, and what may follow that is none.
var modelSegments = map[string][]string{
	"models":            nil,
	"model":             nil,
	"tunedmodels":       nil,
	"deployments":       nil,
	"engines":           nil,
	"endpoints":         {"openapi"}, // Vertex AI: a model that someone has deployed
	"serving-endpoints": {"chat", "completions", "embeddings", "responses", "anthropic", "v1"},
}

// indirect are segments of paths below which the models that run are named in a
// file or in something that is stored at the provider.
var indirect = []string{
	"batches", "batch", "batchpredictionjobs", "files", "upload", "uploads", "fine_tuning", "fine-tunes", "finetuning",
	"assistants", "threads", "agents", "vector_stores", "customjobs", "pipelinejobs", "reasoningengines",
}

// path finds the names in a path. A segment with escaped slashes is taken for
// the segments that a careless server would see, unless it is a name.
func (n *NativeNames) path(path string) (hidden bool) {
	parts := strings.Split(path, "/")
	inline := false // Anthropic's batches name the models themselves
	for i := 0; i < len(parts); i++ {
		part := unescaped(parts[i])
		if more := strings.Split(part, "/"); len(more) > 1 {
			parts = slices.Concat(parts[:i], more, parts[i+1:])
			part = more[0]
		}
		part = strings.ToLower(part)
		inline = inline || part == "messages"
		if slices.Contains(indirect, part) && !(inline && part == "batches") {
			hidden = true
		}
		others, names := modelSegments[part]
		if !names || i+1 >= len(parts) {
			continue
		}
		name := unescaped(parts[i+1])
		if part != "model" && part != "deployments" && part != "engines" { // "gemini-2.5-pro:generateContent"
			if at := strings.LastIndexByte(name, ':'); at > 0 {
				name = name[:at]
			}
		}
		if slices.Contains(others, strings.ToLower(name)) {
			continue
		}
		if part == "tunedmodels" {
			name = "tunedModels/" + name
		}
		n.add(name)
		i++ // what is in the name is no segment
	}
	return hidden
}

// body finds the names in a body.
func (n *NativeNames) body(contentType string, body []byte) {
	if len(body) == 0 {
		return
	}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind, _, _ = strings.Cut(strings.ToLower(contentType), ";")
	}
	switch kind = strings.TrimSpace(kind); {
	case strings.HasPrefix(kind, "multipart/"):
		n.parts(params["boundary"], body)
		return
	case kind == "application/x-www-form-urlencoded":
		if values, err := url.ParseQuery(string(body)); err == nil {
			n.values(values)
		}
	}
	n.object(body, 0)
}

// bodyKeys are the members that name a model, or what stands for one, by a
// text or a list of them.
var bodyKeys = []string{"model", "models", "modelId", "model_id", "model_name", "engine", "agent_id", "preset", "fallbacks"}

// bodyInner are members that hold calls, which name models themselves: of
// batches, of Gemini's countTokens, of SAP's orchestration.
var bodyInner = []string{
	"requests", "params", "body", "request", "generateContentRequest", "generate_content_request", "batch", "inputConfig", "input_config",
	"config", "modules", "prompt_templating", "orchestration_config", "module_configurations", "llm_module_config", "translation",
}

// object finds the names in a JSON object. One that is not readable names none.
func (n *NativeNames) object(text []byte, depth int) {
	const deepest = 4 // batch.inputConfig.requests.requests[].request
	members, fault := jsontext.Scan(text)
	if fault != nil {
		return
	}
	for i := range members {
		value := jsontext.View(text[members[i].Start:members[i].End])
		switch {
		case folded(bodyKeys, members[i].Key):
			n.value(value)
		case depth <= deepest && folded(bodyInner, members[i].Key):
			n.inner(value, depth+1)
		}
	}
}

func (n *NativeNames) inner(v gjson.Result, depth int) {
	switch {
	case v.IsObject():
		n.object([]byte(v.Raw), depth)
	case v.IsArray():
		v.ForEach(func(_, one gjson.Result) bool {
			if one.IsObject() {
				n.object([]byte(one.Raw), depth)
			}
			return true
		})
	}
}

// value is the value of a member that names a model.
func (n *NativeNames) value(v gjson.Result) {
	switch {
	case v.Type == gjson.String:
		n.add(v.Str)
	case v.IsArray():
		v.ForEach(func(_, one gjson.Result) bool {
			n.value(one)
			return true
		})
	case v.IsObject(): // {"model": {"name": …}}, {"fallbacks": [{"model": …}]}
		v.ForEach(func(key, one gjson.Result) bool {
			if one.Type == gjson.String && folded([]string{"name", "id"}, key.Str) || folded(bodyKeys, key.Str) {
				n.value(one)
			}
			return true
		})
	}
}

// parts finds the names in a form with parts. Where one is not readable, none
// is trusted.
func (n *NativeNames) parts(boundary string, body []byte) {
	var found NativeNames
	for form := multipart.NewReader(bytes.NewReader(body), boundary); ; {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			n.add(found.Models...)
			return
		}
		if err != nil || part.FormName() == "" {
			return
		}
		if folded(bodyKeys, strings.TrimSuffix(part.FormName(), "[]")) {
			value, err := io.ReadAll(io.LimitReader(part, maxPartName+1))
			if err != nil || len(value) > maxPartName || part.Header.Get("Content-Transfer-Encoding") != "" {
				return
			}
			found.add(strings.TrimSpace(string(value)))
		}
	}
}

// maxPartName bounds what is read of a part that names a model.
const maxPartName = 1 << 10

func (n *NativeNames) values(values url.Values) {
	for name, list := range values {
		if folded(bodyKeys, strings.TrimSuffix(name, "[]")) {
			n.add(list...)
		}
	}
}

func folded(list []string, key string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, key) })
}

func unescaped(segment string) string {
	if s, err := url.PathUnescape(segment); err == nil {
		return s
	}
	return segment
}
