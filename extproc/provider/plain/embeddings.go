package plain

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
)

// Encoding is the form in which an OpenAI client wants its vectors.
type Encoding struct {
	Base64 bool // little-endian float32, in base64; else a list of numbers
}

// ReadEncoding reads encoding_format.
func ReadEncoding(req *dialect.Request) (Encoding, *dialect.Error) {
	switch v := Get(req, "encoding_format"); {
	case !jsontext.Present(v), v.Str == "float":
		return Encoding{}, nil
	case v.Str == "base64":
		return Encoding{Base64: true}, nil
	}
	return Encoding{}, dialect.InvalidField("encoding_format", "must be \"float\" or \"base64\".")
}

// OpenAIEmbeddings adds the answer to an OpenAI embeddings call. OpenAI's
// clients need numbers in usage: tokens that the provider did not report are
// told as 0 (records say that they are unknown).
func (c *Context) OpenAIEmbeddings(b []byte, vectors []Vector) []byte {
	encoding, _ := ReadEncoding(c.Request)
	b = append(b, `{"object":"list","data":[`...)
	for i, v := range vectors {
		b = append(jsontext.Comma(b), `{"object":"embedding","index":`...)
		b = append(append(b, or(v.Index, strconv.Itoa(i))...), `,"embedding":`...)
		b = append(encoding.append(b, v.Raw), '}')
	}
	b = append(append(b, `],"model":`...), kit.Quoted(c.Model)...)
	b = strconv.AppendInt(append(b, `,"usage":{"prompt_tokens":`...), max(c.Usage.Input, 0), 10)
	return append(strconv.AppendInt(append(b, `,"total_tokens":`...), max(c.Usage.Input, 0), 10), "}}"...)
}

func (e Encoding) append(b []byte, vector string) []byte {
	if !e.Base64 {
		return append(b, vector...)
	}
	raw := make([]byte, 0, len(vector)/2)
	gjson.Parse(vector).ForEach(func(_, v gjson.Result) bool {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(v.Num)))
		return true
	})
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), raw), '"')
}

// Vectors are the lists of numbers in a list. false: there is something else in
// it.
func Vectors(list gjson.Result) ([]Vector, bool) {
	if !list.IsArray() {
		return nil, false
	}
	var vectors []Vector
	ok := true
	list.ForEach(func(_, v gjson.Result) bool {
		ok = numbers(v)
		vectors = append(vectors, Vector{Raw: v.Raw})
		return ok
	})
	return vectors, ok
}

func numbers(list gjson.Result) bool {
	ok := list.IsArray()
	list.ForEach(func(_, v gjson.Result) bool {
		ok = ok && v.Type == gjson.Number
		return ok
	})
	return ok
}
