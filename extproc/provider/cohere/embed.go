package cohere

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/plain"
)

// OpenAI's embeddings over version 2's /embed.

// most is how many texts a call may have.
const most = 96

// embedNames are OpenAI's parameters that Cohere has, and Cohere's own.
var embedNames = map[string]string{
	"dimensions": "output_dimension", "input_type": "input_type", "truncate": "truncate", "max_tokens": "max_tokens", "priority": "priority",
}

// embedBodies cuts a call's texts into as many calls as Cohere needs.
// input_type is Cohere's own and needed; "search_document" stands in.
func embedBodies(c *plain.Context) ([][]byte, *dialect.Error) {
	if _, e := plain.ReadEncoding(c.Request); e != nil {
		return nil, e
	}
	texts, e := plain.Texts(c, "input")
	if e != nil {
		return nil, e
	}
	rest := plain.NewObject(128)
	rest.String("model", c.Model)
	if !plain.Get(c.Request, "input_type").Exists() {
		rest.String("input_type", "search_document")
	}
	rest.Raw("embedding_types", `["float"]`)
	if e := plain.Parameters(c, embedNames, func(name string, v gjson.Result) { rest.Raw(name, v.Raw) }); e != nil {
		return nil, e
	}
	head := rest.Bytes()
	head = head[:len(head)-1]
	var bodies [][]byte
	for part := range slices.Chunk(texts, most) {
		body := append(slices.Clone(head), `,"texts":[`...)
		bodies = append(bodies, append(append(body, strings.Join(part, ",")...), "]}"...))
	}
	return bodies, nil
}

func embedReply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	replies := []gjson.Result{reply}
	if reply.IsArray() {
		replies = reply.Array()
	}
	var all []plain.Vector
	total := int64(0)
	for _, one := range replies {
		vectors, ok := plain.Vectors(one.Get("embeddings.float"))
		if !ok {
			return nil, plain.ErrReply
		}
		all = append(all, vectors...)
		n := plain.Count(one.Get("meta.billed_units.input_tokens"))
		if n < 0 || total < 0 {
			total = -1
		} else {
			total += n
		}
	}
	c.Usage.Input, c.Usage.Output = total, 0
	return c.OpenAIEmbeddings(nil, all), nil
}
