package mosaicml

import (
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/plain"
)

// OpenAI's completions and embeddings.

// openAINames are OpenAI's parameters that MosaicML has, and its own.
var openAINames = map[string]string{
	"max_tokens": "max_new_tokens", "temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "n": "n",
	"max_new_tokens": "max_new_tokens", "do_sample": "do_sample", "use_cache": "use_cache",
}

func openAIText(c *plain.Context) ([]byte, *dialect.Error) {
	prompts, e := plain.Texts(c, "prompt")
	if e != nil {
		return nil, e
	}
	parameters := plain.NewObject(len(c.Request.Payload))
	if e := plain.Parameters(c, openAINames, func(name string, v gjson.Result) { parameters.Raw(name, v.Raw) }); e != nil {
		return nil, e
	}
	o := plain.NewObject(len(c.Request.Payload) + 32)
	o.Raw("inputs", "["+strings.Join(prompts, ",")+"]")
	o.Raw("parameters", string(parameters.Bytes()))
	return o.Bytes(), nil
}

func openAITextReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	list, err := choices(reply)
	if err != nil {
		return nil, err
	}
	return c.OpenAIText(nil, list), nil
}

func openAIEmbeddings(c *plain.Context) ([]byte, *dialect.Error) {
	if _, e := plain.ReadEncoding(c.Request); e != nil {
		return nil, e
	}
	inputs, e := plain.Texts(c, "input")
	if e != nil {
		return nil, e
	}
	o := plain.NewObject(len(c.Request.Payload))
	o.Raw("inputs", "["+strings.Join(inputs, ",")+"]")
	return o.Bytes(), plain.Parameters(c, nil, nil)
}

func openAIEmbeddingsReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	vectors, ok := plain.Vectors(reply.Get("outputs"))
	if !ok {
		return nil, plain.ErrReply
	}
	return c.OpenAIEmbeddings(nil, vectors), nil
}
