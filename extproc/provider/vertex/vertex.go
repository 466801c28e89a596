// Package vertex calls models on Google Cloud's Vertex AI: Gemini and Google's
// others by Gemini's API, Claude by Anthropic's Messages API, and those of other
// makers ("model as a service") by OpenAI's.
package vertex

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/anthropic"
	"sluice/extproc/provider/gemini"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/openai"
	"sluice/extproc/provider/plain"
)

// Provider is Vertex AI.
var Provider = &kit.Provider{
	ID:    "vertex_ai",
	Title: "Vertex AI",
	Fields: []kit.Field{
		{Name: "vertex_project", Title: "Project", Required: true,
			Description: "The id of the Google Cloud project that is billed."},
		{Name: "vertex_location", Title: "Location",
			Description: "A region like us-central1, or eu, us or global. Without it: global, and us-central1 for models of other makers than Google and Anthropic."},
		{Name: "vertex_credentials", Title: "Credentials", Secret: true, Multiline: true,
			Description: "The JSON key of a service account, or other credentials in Google's JSON form. Without it: application default credentials."},
		{Name: "vertex_anthropic_betas", Title: "Claude's betas",
			Description: "The values of anthropic-beta, with commas between them, that clients may send to Claude models. Without it: all."},
	},
	Types: []string{kit.TypeChat, kit.TypeCompletions, kit.TypeEmbeddings},
	Features: kit.Features{
		Streams: []string{kit.TypeChat, kit.TypeCompletions},
		Tools:   true, Images: true, JSONSchema: true, Reasoning: true,
	},
	Models:     kit.KnownModels("vertex_ai"),
	Check:      check,
	Address:    address,
	Credential: credential,
	Open:       open,
	Native:     native,
}

// maker is whose API a model has.
type maker int

const (
	google maker = iota
	claude
	others
)

// makerOf classifies a model by its name as MLflow does.
func makerOf(model string) maker {
	name := strings.ToLower(model)
	switch {
	case strings.HasPrefix(name, "claude"):
		return claude
	case strings.Contains(name, "/"), strings.HasSuffix(name, "-maas"):
		return others
	}
	for _, prefix := range []string{"mistral", "codestral", "jamba"} {
		if strings.HasPrefix(name, prefix) {
			return others
		}
	}
	return google
}

// locationOf is where a target's model runs.
func locationOf(t kit.Target) string {
	if location := t.Config["vertex_location"]; location != "" {
		return location
	}
	if makerOf(t.Model) == others {
		return "us-central1"
	}
	return "global"
}

// hostOf is the host that serves a location
// (docs.cloud.google.com/vertex-ai/docs/general/googleapi-access-methods).
func hostOf(location string) string {
	switch location {
	case "global":
		return "aiplatform.googleapis.com"
	case "eu", "us":
		return "aiplatform." + location + ".rep.googleapis.com"
	}
	return location + "-aiplatform.googleapis.com"
}

// valid reports whether a project or a location holds nothing but letters,
// digits and what else is allowed: they become parts of host and path.
func valid(s, also string) bool {
	return s != "" && len(s) <= 100 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-"+also) == "" &&
		!strings.Contains(s, "..") && s != "."
}

// validModel reports whether a model's name can stand in a path.
func validModel(model string) bool {
	for segment := range strings.SplitSeq(model, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

func check(t kit.Target, endpointType string) (errs []kit.FieldError) {
	add := func(field, message string) { errs = append(errs, kit.FieldError{Field: field, Message: message}) }
	if !validModel(t.Model) {
		add("model", "The model's name must not have empty parts between slashes.")
	}
	if makerOf(t.Model) == claude && endpointType == kit.TypeEmbeddings {
		add("endpoint_type", "Claude models do not answer '"+kit.TypeEmbeddings+"'.")
	}
	if !valid(t.Config["vertex_project"], ":.") {
		add("vertex_project", "The parameter 'vertex_project' must be a project's id: lower-case letters, digits, '-', ':' and '.'.")
	}
	if !valid(locationOf(t), "") {
		add("vertex_location", "The parameter 'vertex_location' must be a location like us-central1.")
	}
	if keys := t.Config["vertex_credentials"]; keys != "" && (!gjson.Valid(keys) || gjson.Get(keys, "type").Type != gjson.String) {
		add("vertex_credentials", "The parameter 'vertex_credentials' must be JSON as Google issues it, with a \"type\".")
	}
	return errs
}

// root is the path of a target's project and location.
func root(t kit.Target) (string, error) {
	location := locationOf(t)
	if !valid(t.Config["vertex_project"], ":.") || !valid(location, "") {
		return "", fmt.Errorf("the parameters 'vertex_project' and 'vertex_location' name no place")
	}
	return "/v1/projects/" + t.Config["vertex_project"] + "/locations/" + location, nil
}

func address(t kit.Target) (kit.Address, error) {
	location := locationOf(t)
	if !valid(location, "") {
		return kit.Address{}, fmt.Errorf("the parameter 'vertex_location' names no place")
	}
	return kit.Address{TLS: true, Host: hostOf(location), Port: 443}, nil
}

func credential(t kit.Target) (kit.Credential, bool) {
	return kit.Credential{Kind: kit.Google, Params: map[string]string{"credentials": t.Config["vertex_credentials"]}}, true
}

func open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	base, err := root(t)
	if err != nil || !validModel(t.Model) {
		return nil, dialect.Internal()
	}
	whose := makerOf(t.Model)
	if whose != google && req.Dialect == dialect.MLflow && req.Operation == dialect.Completions {
		return nil, plain.Refuse(http.StatusNotImplemented, "The completions endpoint is not supported for "+t.Model+
			" on Vertex AI. Use the chat endpoint instead.")
	}
	switch whose {
	case claude:
		return openClaude(p, t, req, env, base)
	case others:
		return openai.Open(p, t, req, env, openai.Place{Path: base + "/endpoints/openapi", ChatOnly: true})
	}
	place := gemini.Place{Path: base + "/publishers/google/models/" + url.PathEscape(t.Model), Vertex: true}
	if req.Dialect == dialect.OpenAI && req.Operation == dialect.Embeddings && !strings.Contains(strings.ToLower(t.Model), "gemini") {
		return gemini.OpenPredict(p, t, req, env, place)
	}
	return gemini.Open(p, t, req, env, place)
}

// claudeVersion is the version of the Messages API that Vertex AI has.
const claudeVersion = "vertex-2023-10-16"

func openClaude(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, base string) (kit.Call, *dialect.Error) {
	if req.Operation == dialect.Embeddings {
		return nil, kit.NotImplemented(p, req)
	}
	models := base + "/publishers/anthropic/models/"
	model := models + url.PathEscape(t.Model)
	return anthropic.Open(p, t, req, env, anthropic.Place{
		Path: model + ":rawPredict", StreamPath: model + ":streamRawPredict", CountPath: models + "count-tokens:rawPredict",
		Unnamed: true, Version: claudeVersion, Beta: betas(t),
	})
}

// betas says which betas of the Messages API a client may ask for; nil: any.
func betas(t kit.Target) func(string) bool {
	given, ok := t.Config["vertex_anthropic_betas"]
	if !ok {
		return nil
	}
	allowed := map[string]bool{}
	for name := range strings.SplitSeq(given, ",") {
		allowed[strings.TrimSpace(name)] = true
	}
	return func(name string) bool { return allowed[name] }
}

// native: Vertex AI's paths begin with a version and name project, location
// and model; SDKs make them.
func native(_ *kit.Provider, t kit.Target) (kit.Native, error) {
	n := kit.Native{Dialect: dialect.Gemini}
	// The account may reach other projects. Makers' models are listed without one.
	for _, version := range []string{"/v1/", "/v1beta1/"} {
		n.Below = append(n.Below, version+"projects/"+t.Config["vertex_project"]+"/", version+"publishers/")
	}
	switch makerOf(t.Model) {
	case claude:
		n.Dialect = dialect.Anthropic
	case others:
		n.Dialect = dialect.OpenAI
	}
	return n, nil
}
