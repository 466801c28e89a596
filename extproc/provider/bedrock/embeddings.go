package bedrock

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation/converse"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// embedder is how the embedding models of a vendor are called: the sources are
// the pages of model parameters in the user guides of Bedrock and of Nova.
type embedder struct {
	// most is how many texts go into one request.
	most int
	// params are the members of OpenAI's call that the model takes, and the
	// model's names for them.
	params map[string]string
	// body makes the request for some texts, which are JSON strings. params are
	// members that are JSON, by the model's names.
	body func(texts []string, params []param) []byte
	// vectors are where a reply has its vectors, the first place that has a list
	// of them.
	vectors []string
	// single: the vector is not in a list.
	single bool
}

type param struct{ name, raw string }

var (
	titanEmbedder = embedder{
		most: 1, body: titanEmbedding, vectors: []string{"embedding"}, single: true,
		params: map[string]string{"dimensions": "dimensions", "normalize": "normalize"},
	}
	// The first Titan has one size.
	titanV1Embedder = embedder{most: 1, body: titanEmbedding, vectors: []string{"embedding"}, single: true}
	// Titan for images nests the size.
	titanImageEmbedder = embedder{
		most: 1, body: titanImageEmbedding, vectors: []string{"embedding"}, single: true,
		params: map[string]string{"dimensions": "outputEmbeddingLength"},
	}
	novaEmbedder = embedder{
		most: 1, body: novaEmbedding, vectors: []string{"embeddings.#.embedding"},
		params: map[string]string{"dimensions": "embeddingDimension"},
	}
	cohereEmbedder = embedder{
		most: 96, body: cohereEmbedding, vectors: []string{"embeddings.float", "embeddings"},
		params: map[string]string{"input_type": "input_type", "truncate": "truncate"},
	}
	cohereV4Embedder = embedder{
		most: 96, body: cohereEmbedding, vectors: []string{"embeddings.float", "embeddings"},
		params: map[string]string{"input_type": "input_type", "truncate": "truncate", "dimensions": "output_dimension"},
	}
)

// embedderOf is how a model is called. An ARN that does not say its vendor is
// taken for Titan, as MLflow takes every model.
func embedderOf(model string) (embedder, bool) {
	vendor, name := converse.Vendor(model)
	switch {
	case vendor == "cohere" && strings.HasPrefix(name, "embed-v4"):
		return cohereV4Embedder, true
	case vendor == "cohere":
		return cohereEmbedder, true
	case strings.HasPrefix(name, "nova"):
		return novaEmbedder, vendor == "amazon"
	case strings.HasPrefix(name, "titan-embed-image"):
		return titanImageEmbedder, vendor == "amazon"
	case strings.HasPrefix(name, "titan-embed-text-v1"), strings.HasPrefix(name, "titan-embed-g1"):
		return titanV1Embedder, vendor == "amazon"
	}
	return titanEmbedder, vendor == "amazon" || vendor == ""
}

func titanEmbedding(texts []string, params []param) []byte {
	o := plain.NewObject(len(texts[0]) + 64)
	o.Raw("inputText", texts[0])
	for _, p := range params {
		o.Raw(p.name, p.raw)
	}
	return o.Bytes()
}

func titanImageEmbedding(texts []string, params []param) []byte {
	o := plain.NewObject(len(texts[0]) + 64)
	o.Raw("inputText", texts[0])
	for _, p := range params {
		o.Raw("embeddingConfig", `{"`+p.name+`":`+p.raw+"}")
	}
	return o.Bytes()
}

func novaEmbedding(texts []string, params []param) []byte {
	inner := plain.NewObject(len(texts[0]) + 128)
	inner.String("embeddingPurpose", "GENERIC_INDEX")
	for _, p := range params {
		inner.Raw(p.name, p.raw)
	}
	// Nothing is cut off in silence: a text that is too long is refused.
	inner.Raw("text", `{"truncationMode":"NONE","value":`+texts[0]+"}")
	o := plain.NewObject(len(texts[0]) + 256)
	o.String("schemaVersion", "nova-multimodal-embed-v1")
	o.String("taskType", "SINGLE_EMBEDDING")
	o.Raw("singleEmbeddingParams", string(inner.Bytes()))
	return o.Bytes()
}

func cohereEmbedding(texts []string, params []param) []byte {
	o := plain.NewObject(256)
	o.Raw("texts", "["+strings.Join(texts, ",")+"]")
	if !slices.ContainsFunc(params, func(p param) bool { return p.name == "input_type" }) {
		o.String("input_type", "search_document")
	}
	for _, p := range params {
		o.Raw(p.name, p.raw)
	}
	o.Raw("embedding_types", `["float"]`)
	return o.Bytes()
}

// openEmbeddings begins an embeddings call, of OpenAI's dialect or MLflow's.
// Models that take one text get a request for each. MLflow drops all
// parameters.
func openEmbeddings(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, at place) (kit.Call, *dialect.Error) {
	m, ok := embedderOf(t.Model)
	if !ok || req.Dialect != dialect.MLflow && req.Dialect != dialect.OpenAI {
		return nil, kit.NotImplemented(p, req)
	}
	c := &embedding{invocation: newInvocation(p, t, req, env, at.upstream(opInvoke, nil, dialect.ContentTypeJSON)), model: m}
	params, e := c.params()
	if e != nil {
		return nil, e
	}
	texts, e := plain.Texts(&c.context, "input")
	if e != nil {
		return nil, e
	}
	for some := range slices.Chunk(texts, m.most) {
		c.up.Batch = append(c.up.Batch, m.body(some, params))
	}
	if len(c.up.Batch) == 1 {
		c.up.Body, c.up.Batch = c.up.Batch[0], nil
	}
	return c, nil
}

// embedding is an embeddings call.
type embedding struct {
	invocation
	model embedder
}

// params are the parameters of the client's call, in the model's words.
func (c *embedding) params() (params []param, e *dialect.Error) {
	if c.context.Request.Dialect == dialect.MLflow {
		return nil, plain.NoModel(c.context.Request)
	}
	if _, e := plain.ReadEncoding(c.context.Request); e != nil {
		return nil, e
	}
	e = plain.Parameters(&c.context, c.model.params, func(name string, v gjson.Result) {
		params = append(params, param{name, v.Raw})
	})
	return params, e
}

func (c *embedding) Complete(status int, header func(string) string, body []byte) kit.Reply {
	return c.complete(status, header, body, func(reply gjson.Result) []byte {
		vectors, ok := c.vectors(reply)
		if !ok {
			return nil
		}
		c.context.Usage.Output = 0
		b := make([]byte, 0, len(body)+len(body)/4)
		if c.context.Request.Dialect == dialect.OpenAI {
			return c.context.OpenAIEmbeddings(b, vectors)
		}
		n := strconv.FormatInt(max(c.context.Usage.Input, 0), 10)
		return c.context.EmbeddingsReply(b, "", vectors, plain.Counts{Prompt: n, Total: n})
	})
}

// vectors reads a reply, or the list of the replies of a batch.
func (c *embedding) vectors(reply gjson.Result) (all []plain.Vector, ok bool) {
	if len(c.up.Batch) == 0 {
		return c.read(nil, reply)
	}
	ok = reply.IsArray()
	n := 0
	reply.ForEach(func(_, one gjson.Result) bool {
		n++
		all, ok = c.read(all, one)
		return ok
	})
	return all, ok && n == len(c.up.Batch)
}

// read adds the vectors of one reply, and counts its tokens.
func (c *embedding) read(all []plain.Vector, reply gjson.Result) ([]plain.Vector, bool) {
	c.context.Usage.Input = addCount(c.context.Usage.Input, reply.Get("inputTextTokenCount"))
	for _, at := range c.model.vectors {
		list := reply.Get(at)
		if !list.IsArray() {
			continue
		}
		if c.model.single {
			list = jsontext.View([]byte("[" + list.Raw + "]"))
		}
		vectors, ok := plain.Vectors(list)
		return append(all, vectors...), ok
	}
	return all, false
}

var _ kit.Call = (*embedding)(nil)
