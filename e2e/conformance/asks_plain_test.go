package conformance_test

import (
	"strings"

	"github.com/tidwall/gjson"
)

// The formats of text completions and of embeddings, which say little: where
// in a body it is said.

type places struct{ prompt, maxTokens, stop, inputs, model string }

var placesOf = map[string]places{
	"openai-text":          {prompt: "prompt", maxTokens: "max_tokens", stop: "stop", model: "model"},
	"anthropic-complete":   {prompt: "prompt", maxTokens: "max_tokens_to_sample", stop: "stop_sequences", model: "model"},
	"cohere-generate":      {prompt: "prompt", maxTokens: "max_tokens", stop: "stop_sequences", model: "model"},
	"ai21":                 {prompt: "prompt", maxTokens: "maxTokens", stop: "stopSequences"},
	"mosaicml-text":        {prompt: "inputs.0", maxTokens: "parameters.max_new_tokens", stop: "parameters.stop"},
	"palm-text":            {prompt: "prompt.text", maxTokens: "maxOutputTokens", stop: "stopSequences"},
	"mlflow-serving-text":  {prompt: "inputs.0", maxTokens: "params.max_tokens", stop: "params.stop"},
	"tgi":                  {prompt: "inputs", maxTokens: "parameters.max_new_tokens", stop: "parameters.stop"},
	"titan-text":           {prompt: "inputText", maxTokens: "textGenerationConfig.maxTokenCount", stop: "textGenerationConfig.stopSequences"},
	"bedrock-claude":       {prompt: "prompt", maxTokens: "max_tokens_to_sample", stop: "stop_sequences"},
	"openai-embed":         {inputs: "input", model: "model"},
	"gemini-embed":         {inputs: "content.parts.0.text|@or:requests.#.content.parts.0.text"},
	"vertex-embed":         {inputs: "instances.#.content"},
	"palm-embed":           {inputs: "texts"},
	"mosaicml-embed":       {inputs: "inputs"},
	"mlflow-serving-embed": {inputs: "inputs"},
	"titan-embed":          {inputs: "inputText"},
	"cohere-embed1":        {inputs: "texts", model: "model"},
	"cohere-embed2":        {inputs: "texts", model: "model"},
	"cohere-embed-bedrock": {inputs: "texts"},
}

func askedByPath(format string, body []byte) (a asks) {
	at, known := placesOf[format]
	demand(known, "nobody reads the format %q", format)
	demand(gjson.ValidBytes(body), "the request is not JSON")
	get := func(path string) gjson.Result {
		if path == "" {
			return gjson.Result{}
		}
		for p := range strings.SplitSeq(path, "|@or:") {
			if v := gjson.GetBytes(body, p); v.Exists() && (!v.IsArray() || len(v.Array()) > 0) {
				return v
			}
		}
		return gjson.Result{}
	}
	a.model = get(at.model).Str
	if at.inputs != "" {
		for _, v := range get(at.inputs).Array() {
			a.Inputs = append(a.Inputs, v.Str)
		}
		return a
	}
	a.loose = []string{get(at.prompt).Str}
	if v := get(at.maxTokens); v.Exists() {
		n := v.Int()
		a.MaxTokens = &n
	}
	for _, v := range get(at.stop).Array() {
		if v.Str != "\n\nHuman:" { // the format's own
			a.Stop = append(a.Stop, v.Str)
		}
	}
	return a
}

// choices are the formats' words for the choice of tools, and the facts'.
var choices = map[string]string{
	"auto": "auto", "AUTO": "auto", "none": "none", "NONE": "none", "required": "any", "REQUIRED": "any", "any": "any", "ANY": "any",
}

// choiceOf reads the choice of tools, which stands in a place of its own in
// each format.
func choiceOf(body []byte) string {
	get := func(path string) gjson.Result { return gjson.GetBytes(body, path) }
	for _, path := range []string{
		"tool_choice.function.name", "tool_choice.name", "toolConfig.toolChoice.tool.name", "toolConfig.functionCallingConfig.allowedFunctionNames.0",
		"config.modules.prompt_templating.model.params.tool_choice.function.name",
	} {
		if name := get(path).Str; name != "" {
			return "tool:" + name
		}
	}
	for _, path := range []string{
		"tool_choice", "tool_choice.type", "toolConfig.functionCallingConfig.mode", "additionalModelRequestFields.tool_choice.type",
		"config.modules.prompt_templating.model.params.tool_choice",
	} {
		if v := get(path); v.Type == gjson.String {
			return choices[v.Str]
		}
	}
	for _, word := range []string{"auto", "any"} {
		if get("toolConfig.toolChoice." + word).Exists() {
			return word
		}
	}
	return ""
}

// sapParams is where SAP has the model's parameters.
const sapParams = "config.modules.prompt_templating.model.params."

// gjsonAt is the first of several places that has a value.
func gjsonAt(body []byte, paths ...string) gjson.Result {
	for _, path := range paths {
		if v := gjson.GetBytes(body, path); v.Exists() {
			return v
		}
	}
	return gjson.Result{}
}

func intAt(body []byte, paths ...string) *int64 {
	v := gjsonAt(body, paths...)
	if !v.Exists() {
		return nil
	}
	n := v.Int()
	return &n
}
