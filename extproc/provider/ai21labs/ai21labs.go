// Package ai21labs is AI21's completion API for its Jurassic-2 models
// (docs.ai21.com/reference/j2-complete-ref), the one that MLflow calls.
package ai21labs

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

var models = []string{"j2-ultra", "j2-mid", "j2-light"}

// Provider is AI21.
var Provider = &kit.Provider{
	ID: "ai21labs", Title: "AI21Labs",
	Deprecated: "Only AI21's older Jurassic-2 models are reached, as MLflow reaches them.",
	Fields: []kit.Field{
		{Name: "ai21labs_api_key", Title: "API key", Required: true, Secret: true, Description: "Sent as a bearer token."},
	},
	Types:   []string{kit.TypeCompletions},
	Models:  map[string][]string{kit.TypeCompletions: models},
	Check:   check,
	Address: plain.At("https://api.ai21.com/studio/v1"),
	Native:  plain.NativeAt("/studio", headers),
	Open:    open,
}

func headers(t kit.Target) [][2]string { return plain.Bearer(t.Config["ai21labs_api_key"]) }

// check is MLflow's rule for names of models.
func check(t kit.Target, _ string) []kit.FieldError {
	if slices.Contains(models, t.Model) {
		return nil
	}
	return []kit.FieldError{{Field: "model", Message: "An Unsupported AI21Labs model has been specified: '" + t.Model + "'. " +
		"Please see documentation for supported models."}}
}

func open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	way := plain.Way{
		Path: "/studio/v1/" + url.PathEscape(t.Model) + "/complete", Headers: headers(t),
		Body: openAIBody, Reply: openAIReply,
	}
	if req.Dialect == dialect.MLflow {
		way.Body, way.Reply = mlflowBody, mlflowReply
	}
	return plain.Open(p, t, req, env, way)
}

var renames = plain.Renames{"stop": "stopSequences", "n": "numResults", "max_tokens": "maxTokens"}

func mlflowBody(c *plain.Context) ([]byte, *dialect.Error) {
	if e := plain.NoModel(c.Request); e != nil {
		return nil, e
	}
	if e := renames.Check(c.Request, http.StatusUnprocessableEntity); e != nil {
		return nil, e
	}
	o := plain.NewObject(len(c.Request.Payload))
	plain.Payload(c.Request, func(name string, v gjson.Result) { o.Raw(renames.Of(name), v.Raw) })
	return o.Bytes(), nil
}

func mlflowReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	choices, ok := read(c, reply)
	if !ok {
		return nil, plain.ErrReply
	}
	return c.TextReply(nil, plain.Head{}, choices, plain.Counts{}), nil
}

// read reads the answers, and counts tokens where the reply lists them.
func read(c *plain.Context, reply gjson.Result) ([]plain.Choice, bool) {
	list := reply.Get("completions")
	if !list.IsArray() {
		return nil, false
	}
	var choices []plain.Choice
	output, ok := int64(0), true
	list.ForEach(func(_, v gjson.Result) bool {
		text := v.Get("data.text")
		ok = text.Type == gjson.String
		choices = append(choices, plain.Choice{Text: text.Raw, Finish: plain.StringOr(v.Get("finishReason.reason"), "")})
		if n := v.Get("data.tokens.#"); n.Exists() && output >= 0 {
			output += n.Int()
		} else {
			output = -1
		}
		return ok
	})
	if n := reply.Get("prompt.tokens.#"); n.Exists() && output >= 0 {
		c.Usage.Input, c.Usage.Output = n.Int(), output
	}
	return choices, ok
}

// names are OpenAI's parameters that AI21 has, and AI21's own.
var names = map[string]string{
	"max_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP", "n": "numResults", "stop": "stopSequences",
	"minTokens": "minTokens", "topKReturn": "topKReturn", "presencePenalty": "presencePenalty", "countPenalty": "countPenalty",
	"frequencyPenalty": "frequencyPenalty",
}

func openAIBody(c *plain.Context) ([]byte, *dialect.Error) {
	prompt, e := plain.OneText(c, "prompt")
	if e != nil {
		return nil, e
	}
	o := plain.NewObject(len(c.Request.Payload))
	o.Raw("prompt", prompt)
	e = plain.Parameters(c, names, func(name string, v gjson.Result) {
		if name == "stopSequences" {
			o.Raw(name, plain.List(v))
		} else {
			o.Raw(name, v.Raw)
		}
	})
	return o.Bytes(), e
}

func openAIReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	choices, ok := read(c, reply)
	if !ok {
		return nil, plain.ErrReply
	}
	for i := range choices {
		if choices[i].Finish != `"length"` {
			choices[i].Finish = "" // "endoftext" and "stop"
		}
	}
	return c.OpenAIText(nil, choices), nil
}
