package simulate

import "net/http"

// The older and smaller servers: one operation or two each.

var (
	jurassicShape = shapeOf(`prompt numResults maxTokens minTokens temperature topP topKReturn stopSequences logitBias countPenalty
		presencePenalty frequencyPenalty`)
	mosaicShape = shapeOf(`inputs parameters`)
	tgiShape    = shapeOf(`inputs parameters stream`)
	mlflowShape = shapeOf(`inputs params`)
)

// messageOnly renders a problem as {name: message}.
func messageOnly(name string) func(p *problem) reply {
	return func(p *problem) reply { return errorReply(p.status, map[string]string{name: p.message}) }
}

// refused is an unknown member, in words that many servers share.
func refused(x extra) *problem {
	return badRequest("", "extra fields not permitted: %s", x.path())
}

// needBearer refuses a call without a bearer token of the provider's.
func needBearer(c *call) *problem {
	if key := bearerKey(c.Received); key != "" && c.env.accepts(key) {
		return nil
	}
	return &problem{status: http.StatusUnauthorized, message: "Forbidden: Bad or missing API token."}
}

// NewAI21 returns a stand-in for api.ai21.com: Jurassic's complete under
// /studio/v1/{model} with a bearer token.
func NewAI21(o Options) *Provider {
	say := standInVoice("AI21")
	serve := func(c *call) (reply, *problem) {
		var request struct {
			Prompt string   `json:"prompt"`
			N      *int     `json:"numResults"`
			Max    *int     `json:"maxTokens"`
			Stop   []string `json:"stopSequences"`
		}
		if p := c.read(&request, jurassicShape, refused); p != nil {
			return reply{}, p
		}
		if p := first(integerInRange("numResults", request.N, 1, 16), integerInRange("maxTokens", request.Max, 0, 8191)); p != nil {
			return reply{}, p
		}
		if request.Prompt == "" {
			return reply{}, badRequest("", "prompt: field required")
		}
		q := c.question(c.args["model"])
		q.text, q.stop = request.Prompt, request.Stop
		if request.N != nil {
			q.choices = *request.N
		}
		if request.Max != nil {
			q.maxWords = *request.Max
		}
		return jsonReply(jurassicBody(q, answerTo(q, say, c.act))), nil
	}
	return newProvider(&api{check: needBearer, render: messageOnly("detail"), failure: plainFailure,
		broken: func(*call) []byte { return nil },
		routes: []apiRoute{{method: "POST", pattern: "/studio/v1/{model}/complete", serve: serve}}}, o)
}

// NewMosaicML returns a stand-in for models.hosted-on.mosaicml.hosting: texts and
// vectors (models "instructor-…") under /{model}/v1/predict, with the key alone
// in Authorization.
func NewMosaicML(o Options) *Provider {
	say := standInVoice("MosaicML")
	serve := func(c *call) (reply, *problem) {
		var request struct {
			Inputs     []string `json:"inputs"`
			Parameters struct {
				Max int `json:"max_new_tokens"`
			} `json:"parameters"`
		}
		if p := c.read(&request, mosaicShape, refused); p != nil {
			return reply{}, p
		}
		if len(request.Inputs) == 0 {
			return reply{}, badRequest("", "inputs must be a non-empty list")
		}
		outputs := []any{}
		for _, input := range request.Inputs {
			if len(c.args["model"]) > 10 && c.args["model"][:10] == "instructor" {
				outputs = append(outputs, embed([]byte(input), 768))
				continue
			}
			q := c.question(c.args["model"])
			q.text, q.maxWords = input, request.Parameters.Max
			outputs = append(outputs, answerTo(q, say, c.act).text)
		}
		return jsonReply(map[string]any{"outputs": outputs}), nil
	}
	check := func(c *call) *problem {
		if key := c.Header.Get("Authorization"); key != "" && c.env.accepts(key) {
			return nil
		}
		return &problem{status: http.StatusUnauthorized, message: "Unauthorized"}
	}
	return newProvider(&api{check: check, render: messageOnly("message"), failure: plainFailure,
		broken: func(*call) []byte { return nil },
		routes: []apiRoute{{method: "POST", pattern: "/{model}/v1/predict", serve: serve}}}, o)
}

// NewMLflowServing returns a stand-in for a model that MLflow serves: texts at
// /invocations, vectors at /embeddings/invocations. It needs no credential.
func NewMLflowServing(o Options) *Provider {
	say := standInVoice("MLflow")
	read := func(c *call) ([]string, map[string]any, *problem) {
		var request struct {
			Inputs []string       `json:"inputs"`
			Params map[string]any `json:"params"`
		}
		p := c.read(&request, mlflowShape, refused)
		if p == nil && (len(request.Inputs) == 0 || !isJSON(c.Header.Get("Content-Type"))) {
			p = badRequest("", "The request body needs application/json and 'inputs'.")
		}
		return request.Inputs, request.Params, p
	}
	predict := func(one func(c *call, text string) any) func(c *call) (reply, *problem) {
		return func(c *call) (reply, *problem) {
			inputs, _, p := read(c)
			if p != nil {
				return reply{}, p
			}
			predictions := []any{}
			for _, text := range inputs {
				predictions = append(predictions, one(c, text))
			}
			return jsonReply(map[string]any{"predictions": predictions}), nil
		}
	}
	text := predict(func(c *call, text string) any {
		q := c.question("model")
		q.text = text
		return answerTo(q, say, c.act).text
	})
	vector := predict(func(_ *call, text string) any { return embed([]byte(text), 384) })
	return newProvider(&api{failure: plainFailure, broken: func(*call) []byte { return nil },
		render: func(p *problem) reply {
			return errorReply(p.status, map[string]string{"error_code": "BAD_REQUEST", "message": p.message})
		},
		routes: []apiRoute{{method: "POST", pattern: "/invocations", serve: text},
			{method: "POST", pattern: "/embeddings/invocations", serve: vector}}}, o)
}
