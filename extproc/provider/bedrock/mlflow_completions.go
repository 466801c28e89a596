package bedrock

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/anthropic"
	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/plain"
)

// anthropicVersion is the version of the Messages API on Bedrock.
const anthropicVersion = "bedrock-2023-05-31"

// mlflowMaxSample is MLflow's bound on max_tokens_to_sample on Bedrock.
const mlflowMaxSample = 8191

// textModel is how MLflow calls the text models of a vendor.
type textModel struct {
	vendor string
	body   func(c *plain.Context) ([]byte, *dialect.Error)
	// list and text are where a reply has its answers.
	list, text string
}

// textModels in the order in which MLflow looks for a vendor's name in the
// model's.
var textModels = []textModel{
	{"amazon", titanText, "results", "outputText"},
	{"cohere", cohereText, "generations", "text"},
	{"ai21", ai21Text, "completions", "data.text"},
	{"anthropic", anthropicText, "", "completion"},
}

// textModelOf finds a model's vendor as AmazonBedrockModelProvider.of_str does.
func textModelOf(model string) (textModel, bool) {
	if !strings.Contains(model, ".") {
		return textModel{}, false
	}
	for _, m := range textModels {
		if strings.Contains(strings.ToLower(model), m.vendor) {
			return m, true
		}
	}
	return textModel{}, false
}

// openMLflowCompletions begins a completions call of MLflow's dialect, which
// goes to the vendor's own API, as MLflow's adapters for Bedrock do it.
func openMLflowCompletions(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env, at place) (kit.Call, *dialect.Error) {
	if req.Stream {
		return nil, kit.NotImplemented(p, req)
	}
	m, ok := textModelOf(t.Model)
	if !ok {
		return nil, plain.Refuse(http.StatusUnprocessableEntity, "Unknown Amazon Bedrock model type None")
	}
	return plain.Open(p, t, req, env, plain.Way{Path: at.base + "/" + opInvoke, Headers: at.headers, Body: m.body, Reply: m.reply})
}

// reply writes MLflow's answer. A reply without its list has no answers to
// MLflow.
func (m textModel) reply(c *plain.Context, reply gjson.Result) ([]byte, error) {
	if !reply.IsObject() {
		return nil, plain.ErrReply
	}
	var choices []plain.Choice
	if m.list == "" {
		text := reply.Get(m.text)
		if text.Type != gjson.String {
			return nil, plain.ErrReply
		}
		finish := `"length"`
		if reply.Get("stop_reason").Str == "stop_sequence" {
			finish = `"stop"`
		}
		choices = []plain.Choice{{Text: text.Raw, Finish: finish}}
	}
	reply.Get(m.list).ForEach(func(_, v gjson.Result) bool {
		choices = append(choices, plain.Choice{Text: plain.StringOr(v.Get(m.text), "")})
		c.Usage.Output = addCount(c.Usage.Output, v.Get("tokenCount"))
		return true
	})
	c.Usage.Input = plain.Count(reply.Get("inputTextTokenCount"))
	return c.TextReply(make([]byte, 0, len(reply.Raw)+256), plain.Head{}, choices, plain.Counts{}), nil
}

// addCount adds a count to a sum that is negative as long as there was none.
func addCount(sum int64, v gjson.Result) int64 {
	if n := plain.Count(v); n >= 0 {
		return max(sum, 0) + n
	}
	return sum
}

// members calls fn for the members of a payload as MLflow dumps it here: n is
// left out where it is the default.
func members(c *plain.Context, fn func(name string, v gjson.Result)) {
	plain.Payload(c.Request, func(name string, v gjson.Result) {
		if name != "n" || v.Num != 1 {
			fn(name, v)
		}
	})
}

// titanText is a request to Amazon's text models (AWSTitanAdapter).
func titanText(c *plain.Context) ([]byte, *dialect.Error) {
	prompt := ""
	config := plain.NewObject(len(c.Request.Payload))
	renames := plain.Renames{"max_tokens": "maxTokenCount", "stop": "stopSequences", "top_p": "topP"}
	var e *dialect.Error
	members(c, func(name string, v gjson.Result) {
		switch name {
		case "n":
			e = plain.Refuse(http.StatusUnprocessableEntity, "'n' must be '1' for AWS Titan models. Received value: '"+v.Raw+"'.")
		case "prompt":
			prompt = v.Raw
		case "temperature":
			config.Raw(name, plain.Scaled(v, 0.5))
		case "stop":
			config.Raw(renames.Of(name), plain.List(v))
		case "top_p":
			if v.Num == 0 && e == nil {
				e = plain.Refuse(http.StatusUnprocessableEntity, "'top_p' must be greater than 0 for AWS Titan models. Received value: '"+
					string(jsontext.AppendPython(nil, v))+"'.")
			}
			config.Raw(renames.Of(name), v.Raw)
		default:
			config.Raw(renames.Of(name), v.Raw)
		}
	})
	if e != nil {
		return nil, e
	}
	body := plain.NewObject(len(c.Request.Payload) + 128)
	body.Raw("inputText", prompt)
	body.Raw("textGenerationConfig", string(config.Bytes()))
	return body.Bytes(), nil
}

// cohereText is a request to Cohere's generate (CohereAdapter).
func cohereText(c *plain.Context) ([]byte, *dialect.Error) {
	renames := plain.Renames{"stop": "stop_sequences", "n": "num_generations"}
	if e := renames.Check(c.Request, http.StatusBadRequest); e != nil {
		return nil, e
	}
	return renamed(c, renames, 2.5), nil
}

// ai21Text is a request to AI21's first models (AI21Adapter).
func ai21Text(c *plain.Context) ([]byte, *dialect.Error) {
	return renamed(c, plain.Renames{"stop": "stopSequences", "n": "numResults", "max_tokens": "maxTokens", "top_p": "topP"}, 1), nil
}

// renamed is a payload with the vendor's names, and the temperature on its
// scale.
func renamed(c *plain.Context, renames plain.Renames, scale float64) []byte {
	body := plain.NewObject(len(c.Request.Payload) + 64)
	members(c, func(name string, v gjson.Result) {
		switch name {
		case "temperature":
			body.Raw(name, plain.Scaled(v, scale))
		case "stop":
			body.Raw(renames.Of(name), plain.List(v))
		default:
			body.Raw(renames.Of(name), v.Raw)
		}
	})
	return body.Bytes()
}

// anthropicText is a request to Anthropic's old text completions
// (AmazonBedrockAnthropicAdapter): Anthropic's own with another bound, a stop
// sequence more, and the version in place of the model.
func anthropicText(c *plain.Context) ([]byte, *dialect.Error) {
	given := *c.Request
	if m := given.Members(); len(m) > 0 {
		given = dialect.Request{Route: given.Route, Payload: withoutModel(given.Payload, m)}
	}
	made, e := anthropic.CompletionOfMLflow(c.Model, &given)
	if e != nil {
		return nil, e
	}
	body := plain.NewObject(len(made) + 64)
	const human = `"\n\nHuman:"`
	stop := "[" + human + "]"
	jsontext.View(made).ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "model":
		case "stop_sequences":
			stop = plain.List(v)
			if !holds(v, "\n\nHuman:") {
				stop = strings.TrimSuffix(stop, "]") + "," + human + "]"
			}
		case "max_tokens_to_sample":
			body.Raw(key.Str, strconv.FormatInt(min(v.Int(), mlflowMaxSample), 10))
		default:
			body.Raw(key.Str, v.Raw)
		}
		return true
	})
	body.Raw("stop_sequences", stop)
	body.String("anthropic_version", anthropicVersion)
	return body.Bytes(), nil
}

// withoutModel is a payload without "model", which MLflow drops here.
func withoutModel(payload []byte, m dialect.Members) []byte {
	for i := range m {
		if m[i].Key == "model" {
			return jsontext.Apply(payload, m.Without(i))
		}
	}
	return payload
}

func holds(list gjson.Result, text string) bool {
	for _, v := range list.Array() {
		if v.Str == text {
			return true
		}
	}
	return false
}
