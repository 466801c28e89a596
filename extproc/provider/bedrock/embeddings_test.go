package bedrock_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
)

func TestOpenAIEmbeddings(t *testing.T) {
	const (
		titan  = "amazon.titan-embed-text-v2:0"
		nova   = "amazon.nova-2-multimodal-embeddings-v1:0"
		novaIn = `{"schemaVersion":"nova-multimodal-embed-v1","taskType":"SINGLE_EMBEDDING","singleEmbeddingParams":{"embeddingPurpose":"GENERIC_INDEX",%s"text":{"truncationMode":"NONE","value":"a"}}}`
	)
	for name, c := range map[string]struct {
		model, in, want string // want: the list of bodies
	}{
		"titan":              {titan, `"input":"a"`, `[{"inputText":"a"}]`},
		"titan several":      {titan, `"input":["a","b \"é"],"dimensions":256,"normalize":false,"user":"u"`, `[{"inputText":"a","dimensions":256,"normalize":false},{"inputText":"b \"é","dimensions":256,"normalize":false}]`},
		"titan v1":           {"amazon.titan-embed-text-v1", `"input":"a"`, `[{"inputText":"a"}]`},
		"titan image":        {"amazon.titan-embed-image-v1", `"input":"a","dimensions":256`, `[{"inputText":"a","embeddingConfig":{"outputEmbeddingLength":256}}]`},
		"profile":            {"arn:aws:bedrock:us-east-1:1:application-inference-profile/x", `"input":"a"`, `[{"inputText":"a"}]`},
		"nova":               {nova, `"input":["a"]`, "[" + fmt.Sprintf(novaIn, "") + "]"},
		"nova with size":     {"us." + nova, `"input":"a","dimensions":384`, "[" + fmt.Sprintf(novaIn, `"embeddingDimension":384,`) + "]"},
		"cohere":             {"cohere.embed-english-v3", `"input":["a","b"]`, `[{"texts":["a","b"],"input_type":"search_document","embedding_types":["float"]}]`},
		"cohere query":       {"cohere.embed-english-v3", `"input":"a","input_type":"search_query","truncate":"END"`, `[{"texts":["a"],"input_type":"search_query","truncate":"END","embedding_types":["float"]}]`},
		"cohere v4":          {"global.cohere.embed-v4:0", `"input":"a","dimensions":512`, `[{"texts":["a"],"input_type":"search_document","output_dimension":512,"embedding_types":["float"]}]`},
		"dimensions refused": {"cohere.embed-english-v3", `"input":"a","dimensions":512`, "dimensions"},
		"v1 dimensions":      {"amazon.titan-embed-text-v1", `"input":"a","dimensions":512`, "dimensions"},
		"unknown":            {titan, `"input":"a","news":1`, "news"},
		"tokens":             {titan, `"input":[1,2]`, "input"},
		"token lists":        {titan, `"input":[[1,2]]`, "input"},
		"nothing":            {titan, `"input":[]`, "input"},
		"encoding":           {titan, `"input":"a","encoding_format":"hex"`, "encoding_format"},
	} {
		t.Run(name, func(t *testing.T) {
			call, e := open(target(c.model), parsed(t, dialect.OpenAI, dialect.Embeddings, `{"model":"e",`+c.in+`}`))
			if c.want[0] != '[' {
				require.NotNil(t, e)
				require.Equal(t, 400, e.Status)
				require.Equal(t, c.want, e.Param)
				return
			}
			require.Nil(t, e)
			require.JSONEq(t, c.want, list(call.Upstream()))
			require.Regexp(t, "^/model/.*/invoke$", call.Upstream().Path)
		})
	}
	_, e := open(target("meta.llama3-8b-instruct-v1:0"), parsed(t, dialect.OpenAI, dialect.Embeddings, `{"model":"e","input":"a"}`))
	require.Equal(t, 501, e.Status)
}

func TestManyTextsOfCohere(t *testing.T) {
	texts := strings.Repeat(`"a",`, 199) + `"a"`
	call, e := open(target("cohere.embed-english-v3"), parsed(t, dialect.OpenAI, dialect.Embeddings, `{"model":"e","input":[`+texts+`]}`))
	require.Nil(t, e)
	require.Len(t, call.Upstream().Batch, 3)
	require.Empty(t, call.Upstream().Body)
}

func TestOpenAIEmbeddingsReply(t *testing.T) {
	const head = `{"object":"list","data":[`
	const one = `{"object":"embedding","index":0,"embedding":[0.5,-1]}`
	const two = `,{"object":"embedding","index":1,"embedding":[2]}`
	tail := func(model string, n int) string {
		return fmt.Sprintf(`],"model":%q,"usage":{"prompt_tokens":%d,"total_tokens":%d}}`, model, n, n)
	}
	const titan, nova, cohere = "amazon.titan-embed-text-v2:0", "amazon.nova-2-multimodal-embeddings-v1:0", "cohere.embed-v4:0"
	for name, c := range map[string]struct {
		model, in, reply, want string
		counted                string // Bedrock's header
	}{
		"titan":        {titan, `"a"`, `{"embedding":[0.5,-1],"embeddingsByType":{"float":[0.5,-1]},"inputTextTokenCount":3}`, head + one + tail(titan, 3), ""},
		"titan batch":  {titan, `["a","b"]`, `[{"embedding":[0.5,-1],"inputTextTokenCount":3},{"embedding":[2],"inputTextTokenCount":4}]`, head + one + two + tail(titan, 7), ""},
		"nova":         {nova, `"a"`, `{"embeddings":[{"embeddingType":"TEXT","embedding":[0.5,-1]}]}`, head + one + tail(nova, 9), "9"},
		"nova batch":   {nova, `["a","b"]`, `[{"embeddings":[{"embedding":[0.5,-1]}]},{"embeddings":[{"embedding":[2]}]}]`, head + one + two + tail(nova, 0), ""},
		"cohere v3":    {cohere, `["a","b"]`, `{"id":"i","texts":["a","b"],"response_type":"embeddings_floats","embeddings":[[0.5,-1],[2]]}`, head + one + two + tail(cohere, 9), "9"},
		"cohere v4":    {cohere, `["a","b"]`, `{"id":"i","response_type":"embeddings_by_type","embeddings":{"float":[[0.5,-1],[2]]}}`, head + one + two + tail(cohere, 9), "9"},
		"base64":       {titan, `"a","encoding_format":"base64"`, `{"embedding":[0.5,-1],"inputTextTokenCount":3}`, head + `{"object":"embedding","index":0,"embedding":"AAAAPwAAgL8="}` + tail(titan, 3), ""},
		"no vector":    {titan, `"a"`, `{"message":"x"}`, "", ""},
		"not numbers":  {titan, `"a"`, `{"embedding":["x"]}`, "", ""},
		"too few":      {titan, `["a","b"]`, `[{"embedding":[1]}]`, "", ""},
		"not a list":   {titan, `["a","b"]`, `{"embedding":[1]}`, "", ""},
		"not JSON":     {titan, `"a"`, `{"embedding":[1]`, "", ""},
		"vector lists": {nova, `"a"`, `{"embeddings":[{"embedding":{"x":1}}]}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			call, e := open(target(c.model), parsed(t, dialect.OpenAI, dialect.Embeddings, `{"model":"e","input":`+c.in+`}`))
			require.Nil(t, e)
			r := call.Complete(200, headers("content-type", "application/json", "x-amzn-bedrock-input-token-count", c.counted), []byte(c.reply))
			if c.want == "" {
				require.NotNil(t, r.Error)
				require.Equal(t, dialect.CodeProviderReply, r.Error.Code)
				return
			}
			require.Nil(t, r.Error)
			require.Equal(t, c.want, string(r.Body))
			require.Equal(t, int64(0), call.Usage().Output)
		})
	}
}
