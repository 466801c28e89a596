package gemini

import (
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// inputs are the texts to embed, as JSON strings.
func inputs(p *kit.Provider, req *dialect.Request) ([]string, *dialect.Error) {
	return plain.Texts(&plain.Context{Provider: p, Request: req}, "input")
}

// embedMethod is the method for a number of texts.
func embedMethod(n int) string {
	if n == 1 {
		return embed
	}
	return embedBatch
}

// appendEmbed adds a request for one text. more, which may be empty, are
// further members, each with a comma before it.
func appendEmbed(b []byte, model, text, more string) []byte {
	b = append(b, '{')
	if model != "" {
		b = append(append(append(b, `"model":`...), model...), ',')
	}
	b = append(append(append(b, `"content":{"parts":[{"text":`...), text...), "}]}"...)
	return append(append(b, more...), '}')
}

// appendBatch adds a request for several texts.
func appendBatch(b []byte, model string, texts []string, more string) []byte {
	b = append(b, `{"requests":[`...)
	for _, text := range texts {
		b = appendEmbed(jsontext.Comma(b), model, text, more)
	}
	return append(b, "]}"...)
}

// mlflowEmbed is GeminiAdapter.embeddings_to_model.
func mlflowEmbed(c *plain.Context, texts []string) ([]byte, *dialect.Error) {
	if e := plain.NoModel(c.Request); e != nil {
		return nil, e
	}
	if len(texts) == 1 {
		return appendEmbed(nil, "", texts[0], ""), nil
	}
	return appendBatch(nil, kit.Quoted("models/"+c.Model), texts, ""), nil
}

func mlflowEmbeddings(c *plain.Context, reply gjson.Result) ([]byte, error) {
	vectors, err := vectorsOf(reply)
	if err != nil {
		return nil, err
	}
	countEmbeddings(c, reply)
	return c.EmbeddingsReply(nil, "", vectors, plain.Counts{}), nil
}

// countEmbeddings takes over the tokens, which only newer models report.
func countEmbeddings(c *plain.Context, reply gjson.Result) {
	c.Usage.Input = plain.Count(reply.Get("usageMetadata.promptTokenCount"))
	c.Usage.Output = 0
}

// vectorsOf are the vectors of a reply to one text or to several.
func vectorsOf(reply gjson.Result) (vectors []plain.Vector, err error) {
	add := func(v gjson.Result) bool {
		values := v.Get("values")
		if !isVector(values) {
			err = plain.ErrReply
			return false
		}
		vectors = append(vectors, plain.Vector{Raw: values.Raw})
		return true
	}
	if one := reply.Get("embedding"); one.IsObject() {
		add(one)
	} else {
		reply.Get("embeddings").ForEach(func(_, v gjson.Result) bool { return add(v) })
	}
	if len(vectors) == 0 {
		return nil, plain.ErrReply
	}
	return vectors, err
}

func isVector(v gjson.Result) bool {
	ok := v.IsArray()
	v.ForEach(func(_, n gjson.Result) bool {
		ok = n.Type == gjson.Number
		return ok
	})
	return ok
}

// wantedDimensions is the number of dimensions that an OpenAI client wants; 0: the
// model's own. What else a call asks for is refused by name.
func wantedDimensions(req *dialect.Request) (n int64, e *dialect.Error) {
	plain.Payload(req, func(name string, v gjson.Result) {
		switch name {
		case "model", "input", "encoding_format", "user":
		case "dimensions":
			if n = v.Int(); jsontext.Present(v) && (v.Type != gjson.Number || v.Num != float64(n) || n < 1) {
				e = dialect.InvalidField(name, "must be a whole number from 1 on.")
			}
		default:
			if jsontext.Present(v) && e == nil {
				e = dialect.Unsupported(name, "can't be expressed for Google's embedding models.")
			}
		}
	})
	if e == nil {
		_, e = plain.ReadEncoding(req)
	}
	return n, e
}

// openEmbeddings carries OpenAI's embeddings.
func openEmbeddings(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, place Place) (kit.Call, *dialect.Error) {
	texts, e := inputs(p, req)
	if e != nil {
		return nil, e
	}
	dimensions, e := wantedDimensions(req)
	if e != nil {
		return nil, e
	}
	way := plain.Way{Path: place.Path + ":" + embedMethod(len(texts)), Headers: place.Headers, Reply: openAIEmbeddings}
	way.Body = func(c *plain.Context) ([]byte, *dialect.Error) {
		more, model := "", ""
		switch {
		case dimensions > 0 && place.Vertex:
			more = `,"embedContentConfig":{"outputDimensionality":` + strconv.FormatInt(dimensions, 10) + "}"
		case dimensions > 0:
			more = `,"outputDimensionality":` + strconv.FormatInt(dimensions, 10)
		}
		if len(texts) == 1 {
			return appendEmbed(nil, "", texts[0], more), nil
		}
		if !place.Vertex { // each of Gemini's names the model again
			path, _ := modelPath(c.Model)
			model = kit.Quoted(path)
		}
		return appendBatch(nil, model, texts, more), nil
	}
	return plain.Open(p, t, req, env, way)
}

func openAIEmbeddings(c *plain.Context, reply gjson.Result) ([]byte, error) {
	vectors, err := vectorsOf(reply)
	if err != nil {
		return nil, err
	}
	countEmbeddings(c, reply)
	return c.OpenAIEmbeddings(make([]byte, 0, len(reply.Raw)+256), vectors), nil
}

// OpenPredict carries OpenAI's embeddings to Vertex AI's text embeddings API, which
// the models have that are not Gemini's
// (docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api).
func OpenPredict(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, place Place) (kit.Call, *dialect.Error) {
	texts, e := inputs(p, req)
	if e != nil {
		return nil, e
	}
	dimensions, e := wantedDimensions(req)
	if e != nil {
		return nil, e
	}
	way := plain.Way{Path: place.Path + ":predict", Headers: place.Headers, Reply: predictions}
	way.Body = func(*plain.Context) ([]byte, *dialect.Error) {
		b := []byte(`{"instances":[`)
		for _, text := range texts {
			b = append(append(append(jsontext.Comma(b), `{"content":`...), text...), '}')
		}
		b = append(b, ']')
		if dimensions > 0 {
			b = strconv.AppendInt(append(b, `,"parameters":{"outputDimensionality":`...), dimensions, 10)
			b = append(b, '}')
		}
		return append(b, '}'), nil
	}
	return plain.Open(p, t, req, env, way)
}

func predictions(c *plain.Context, reply gjson.Result) ([]byte, error) {
	var vectors []plain.Vector
	tokens := int64(0)
	ok := true
	reply.Get("predictions").ForEach(func(_, v gjson.Result) bool {
		values := v.Get("embeddings.values")
		ok = isVector(values)
		vectors = append(vectors, plain.Vector{Raw: values.Raw})
		if n := plain.Count(v.Get("embeddings.statistics.token_count")); n < 0 || tokens < 0 {
			tokens = -1
		} else {
			tokens += n
		}
		return ok
	})
	if !ok || len(vectors) == 0 {
		return nil, plain.ErrReply
	}
	c.Usage.Input, c.Usage.Output = tokens, 0
	return c.OpenAIEmbeddings(make([]byte, 0, len(reply.Raw)+256), vectors), nil
}
