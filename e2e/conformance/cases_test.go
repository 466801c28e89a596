package conformance_test

import (
	"encoding/json"
	"path"
	"strings"
)

// The data of the matrix, as the files in testdata have it.

// row is a provider as an endpoint has it: providers.json.
type row struct {
	Name     string            `json:"name"`
	Provider string            `json:"provider"`
	Root     string            `json:"root"` // of the URLs of its wires
	Auth     map[string]string `json:"auth"` // the credential headers, all of them
	Config   json.RawMessage   `json:"config"`
	// IDs "rewritten": the provider wants ids of tool calls in a form of its own.
	IDs string `json:"ids"`
	// SchemaTool is the tool that stands for a schema of the answer, where the
	// provider has none.
	SchemaTool  string `json:"schema_tool"`
	Chat        *kind  `json:"chat"`
	Completions *kind  `json:"completions"`
	Embeddings  *kind  `json:"embeddings"`
}

// kind is how a provider answers one endpoint type.
type kind struct {
	Model string          `json:"model"`
	Root  string          `json:"root"`  // "": the row's
	Wires map[string]wire `json:"wires"` // by client dialect; "*": all others
}

// wire is what the provider must see.
type wire struct {
	Format  string  `json:"format"`
	Path    string  `json:"path"`
	Stream  string  `json:"stream"` // path of streams; "": Path
	Batch   string  `json:"batch"`  // path for several inputs; "": Path
	URL     string  `json:"url"`    // in place of root and path
	Framing string  `json:"framing"`
	Model   *string `json:"model"` // that bodies name; none: the target's; "": not looked at
}

func (k *kind) wire(client string) wire {
	w, ok := k.Wires[client]
	if !ok {
		w = k.Wires["*"]
	}
	if w.Model == nil {
		w.Model = &k.Model
	}
	return w
}

// url is where the request must go.
func (r row) url(k *kind, w wire, stream, batch bool) string {
	if w.URL != "" {
		return w.URL
	}
	root := r.Root
	if k.Root != "" {
		root = k.Root
	}
	if stream && w.Stream != "" {
		return root + w.Stream
	}
	if batch && w.Batch != "" {
		return root + w.Batch
	}
	return root + w.Path
}

// types are the endpoint types.
var types = []string{"chat", "completions", "embeddings"}

// kind is how the row answers an endpoint type; nil: it does not.
func (r row) kind(endpointType string) *kind {
	return map[string]*kind{"chat": r.Chat, "completions": r.Completions, "embeddings": r.Embeddings}[endpointType]
}

// endpoint is the row as an endpoint in MLflow's form.
func (r row) endpoint(endpointType string) json.RawMessage {
	b, _ := json.Marshal(map[string]any{"name": r.Name + "-" + endpointType, "endpoint_type": "llm/v1/" + endpointType,
		"model": map[string]any{"provider": r.Provider, "name": r.kind(endpointType).Model, "config": r.Config}})
	return b
}

// feature is a thing that clients do: features.json.
type feature struct {
	Type     string                     `json:"type"` // of the endpoint; "": chat
	Asks     asks                       `json:"asks"`
	Answer   string                     `json:"answer"`
	Requests map[string]json.RawMessage `json:"requests"` // by client dialect
	Modes    string                     `json:"modes"`    // whole or stream; "": both
}

// exception is a pair that is not as the others are: refusals.json.
type exception struct {
	// What it is about: names, "*" allowed, with commas between.
	Client, Provider, Feature, Mode string
	// Status and Field of the refusal. 0: it is none.
	Status int
	Field  string
	// Skip are the facts that need not hold.
	Skip []string
	Why  string
}

func (e exception) fits(client, provider, feature, mode string) bool {
	return fitsOne(e.Client, client) && fitsOne(e.Provider, provider) && fitsOne(e.Feature, feature) && fitsOne(e.Mode, mode)
}

func fitsOne(patterns, name string) bool {
	for p := range strings.SplitSeq(patterns, ",") {
		if ok, _ := path.Match(strings.TrimSpace(p), name); ok || patterns == "" {
			return true
		}
	}
	return false
}
