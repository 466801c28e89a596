// Package tgi is Hugging Face's Text Generation Inference server
// (huggingface.co/docs/text-generation-inference): its own API for texts.
package tgi

import (
	"math"
	"net/http"
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// Provider is a Text Generation Inference server.
var Provider = row()

func row() *kit.Provider {
	p := &kit.Provider{
		ID: "huggingface-text-generation-inference", Title: "Hugging Face Text Generation Inference",
		Fields: []kit.Field{
			{Name: "hf_server_url", Title: "Server URL", Required: true, URL: true, Description: "Where the server is reached."},
		},
		Types:    []string{kit.TypeCompletions},
		Features: kit.Features{Streams: []string{kit.TypeCompletions}},
		Models:   kit.KnownModels("huggingface-text-generation-inference"),
		Native:   native,
		Open:     open,
	}
	p.Address = plain.AtField(p, "hf_server_url")
	return p
}

func native(p *kit.Provider, t kit.Target) (kit.Native, error) {
	b, err := plain.BaseOf(p, t, "hf_server_url")
	if err != nil {
		return kit.Native{}, err
	}
	return kit.Native{Root: b.BasePath, Query: b.Query, Dialect: dialect.OpenAI, OneModel: true}, nil
}

func open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	b, err := plain.BaseOf(p, t, "hf_server_url")
	if err != nil {
		return nil, dialect.Internal()
	}
	way := plain.Way{Path: "/generate", Body: openAIBody, Reply: openAIReply, Stream: newStream}
	switch {
	case req.Dialect == dialect.MLflow:
		way.Body, way.Reply, way.Stream = mlflowBody, mlflowReply, nil
	case req.Stream:
		way.Path = "/generate_stream"
	}
	way.Path = b.BasePath + way.Path
	if b.Query != "" {
		way.Path += "?" + b.Query
	}
	return plain.Open(p, t, req, env, way)
}

// What MLflow's HFTextGenerationInferenceServerProvider does
// (mlflow/gateway/providers/huggingface.py).

var renames = plain.Renames{"max_tokens": "max_new_tokens"}

func mlflowBody(c *plain.Context) ([]byte, *dialect.Error) {
	if e := plain.NoModel(c.Request); e != nil {
		return nil, e
	}
	if e := renames.Check(c.Request, http.StatusUnprocessableEntity); e != nil {
		return nil, e
	}
	if n := plain.Get(c.Request, "n"); n.Exists() && n.Num != 1 {
		return nil, plain.Refuse(http.StatusUnprocessableEntity,
			"'n' must be '1' for the Text Generation Inference provider.Received value: '"+n.Raw+"'.")
	}
	parameters := plain.NewObject(len(c.Request.Payload) + 64)
	plain.Payload(c.Request, func(name string, v gjson.Result) {
		switch name {
		case "n", "prompt", "details", "decoder_input_details":
		case "temperature": // TGI's goes to 100, and takes no 0
			parameters.Raw(name, strconv.FormatFloat(math.Max(50*v.Num, 1e-3), 'g', -1, 64))
		default:
			parameters.Raw(renames.Of(name), v.Raw)
		}
	})
	return request(plain.Get(c.Request, "prompt").Raw, parameters, false), nil
}

// request asks for details with the text: why it ended, and tokens. Those of
// the prompt are not to be had in streams.
func request(prompt string, parameters *plain.Object, stream bool) []byte {
	parameters.Raw("details", "true")
	if !stream {
		parameters.Raw("decoder_input_details", "true")
	}
	text := parameters.Bytes()
	o := plain.NewObject(len(prompt) + len(text) + 32)
	o.Raw("inputs", prompt)
	o.Raw("parameters", string(text))
	return o.Bytes()
}

func mlflowReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	choice, ok := read(c, reply)
	if !ok {
		return nil, plain.ErrReply
	}
	var n plain.Counts
	if c.Usage.Input >= 0 && c.Usage.Output >= 0 {
		n.Prompt, n.Completion = strconv.FormatInt(c.Usage.Input, 10), strconv.FormatInt(c.Usage.Output, 10)
		n.Total = strconv.FormatInt(c.Usage.Input+c.Usage.Output, 10)
	}
	return c.TextReply(nil, plain.Head{}, []plain.Choice{choice}, n), nil
}

// read reads an answer and its tokens.
func read(c *plain.Context, reply gjson.Result) (plain.Choice, bool) {
	text, details := reply.Get("generated_text"), reply.Get("details")
	if text.Type != gjson.String {
		return plain.Choice{}, false
	}
	c.Usage.Output = plain.Count(details.Get("generated_tokens"))
	c.Usage.Input = plain.Count(details.Get("input_length"))
	if prefill := details.Get("prefill"); prefill.IsArray() && c.Usage.Input < 0 {
		c.Usage.Input = int64(len(prefill.Array()))
	}
	return plain.Choice{Text: text.Raw, Finish: plain.StringOr(details.Get("finish_reason"), "")}, true
}

// OpenAI's completions.

// names are OpenAI's parameters that TGI has, and TGI's own.
var names = map[string]string{
	"max_tokens": "max_new_tokens", "temperature": "temperature", "top_p": "top_p", "seed": "seed", "stop": "stop",
	"frequency_penalty": "frequency_penalty", "best_of": "best_of", "echo": "return_full_text",
	"top_k": "top_k", "typical_p": "typical_p", "repetition_penalty": "repetition_penalty", "watermark": "watermark",
	"truncate": "truncate", "do_sample": "do_sample", "grammar": "grammar", "adapter_id": "adapter_id",
}

func openAIBody(c *plain.Context) ([]byte, *dialect.Error) {
	prompt, e := plain.OneText(c, "prompt")
	if e != nil {
		return nil, e
	}
	parameters := plain.NewObject(len(c.Request.Payload) + 64)
	e = plain.Parameters(c, names, func(name string, v gjson.Result) {
		switch {
		case name == "stop":
			parameters.Raw(name, plain.List(v))
		case name == "temperature" && v.Num == 0:
			parameters.Raw("do_sample", "false") // what 0 means; TGI takes no 0
		case name == "top_p" && v.Num >= 1: // all tokens; TGI takes no 1
		case name == "best_of" && v.Num == 1, name == "frequency_penalty" && v.Num == 0, name == "return_full_text" && !v.Bool():
		default:
			parameters.Raw(name, v.Raw)
		}
	})
	return request(prompt, parameters, c.Request.Stream), e
}

// finish is OpenAI's word for why a text ended.
func finish(raw string) string {
	switch raw {
	case "", `"length"`:
		return raw
	}
	return `"stop"` // eos_token, stop_sequence
}

func openAIReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	choice, ok := read(c, reply)
	if !ok {
		return nil, plain.ErrReply
	}
	choice.Finish = finish(choice.Finish)
	return c.OpenAIText(nil, []plain.Choice{choice}), nil
}

// stream reads /generate_stream: an event for each token, the last with the
// whole text and the details.
type stream struct{ c *plain.Context }

func newStream(c *plain.Context) plain.Stream { return stream{c} }

func (s stream) Event(b []byte, event gjson.Result) ([]byte, bool, error) {
	token := event.Get("token")
	if !token.IsObject() {
		return b, false, plain.ErrReply
	}
	var choice plain.Choice
	if !token.Get("special").Bool() {
		choice.Text = plain.StringOr(token.Get("text"), "")
	}
	last := jsontext.Present(event.Get("generated_text"))
	if last {
		whole, _ := read(s.c, event)
		choice.Finish = finish(whole.Finish)
		if choice.Finish == "" {
			choice.Finish = `"stop"`
		}
	}
	if choice.Text != "" || last {
		b = s.c.OpenAITextChunk(b, []plain.Choice{choice})
	}
	if last {
		b = s.c.OpenAITextEnd(b)
	}
	return b, last, nil
}

func (s stream) Close(b []byte) ([]byte, bool) { return b, false }
