package simulate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// The bodies of the model families that InvokeModel takes.
var (
	titanTextShape  = shapeOf(`inputText textGenerationConfig{maxTokenCount stopSequences temperature topP}`)
	titanEmbedShape = shapeOf(`inputText dimensions normalize embeddingTypes`)
	bedrockCohere   = shapeOf(`prompt max_tokens temperature p k stop_sequences num_generations return_likelihoods stream truncate logit_bias`)
	bedrockVectors  = shapeOf(`texts input_type truncate embedding_types images inputs output_dimension max_tokens`)
	bedrockJurassic = shapeOf(`prompt maxTokens temperature topP stopSequences numResults countPenalty presencePenalty frequencyPenalty`)
)

// invoked is what an invoked model answers: one body, or the pieces of a stream.
type invoked struct {
	body          any
	pieces        []any // the last one tells how it ended
	input, output int
}

func (b bedrock) invoke(c *call) (reply, *problem) {
	said, p := b.ask(c)
	if p != nil {
		return reply{}, p
	}
	out := jsonReply(said.body)
	out.header.Set("X-Amzn-Bedrock-Invocation-Latency", "1")
	out.header.Set("X-Amzn-Bedrock-Input-Token-Count", fmt.Sprint(said.input))
	out.header.Set("X-Amzn-Bedrock-Output-Token-Count", fmt.Sprint(said.output))
	return out, nil
}

func (b bedrock) invokeStream(c *call) (reply, *problem) {
	said, p := b.ask(c)
	if p != nil {
		return reply{}, p
	}
	if len(said.pieces) == 0 {
		return reply{}, invalid("The model is unsupported for streaming.")
	}
	var events []event
	for i, piece := range said.pieces {
		if i == len(said.pieces)-1 {
			piece = withMetrics(piece, said)
		}
		events = append(events, chunkOf(i < len(said.pieces)-1, piece))
	}
	return awsStream(events), nil
}

// withMetrics adds what Bedrock puts into the last piece of any stream.
func withMetrics(piece any, said *invoked) any {
	var members map[string]any
	_ = json.Unmarshal(marshal(piece), &members) // an object of this package's own
	members["amazon-bedrock-invocationMetrics"] = map[string]int{"inputTokenCount": said.input, "outputTokenCount": said.output,
		"invocationLatency": 1, "firstByteLatency": 1}
	return members
}

func (b bedrock) ask(c *call) (*invoked, *problem) {
	model := c.args["model"]
	switch kind := family(model); {
	case c.Header.Get("Content-Type") != "" && !isJSON(c.Header.Get("Content-Type")): // JSON is the default
		return nil, &problem{status: http.StatusUnsupportedMediaType, code: "ValidationException",
			message: "The provided Content Type is invalid or not supported for this model"}
	case kind == "anthropic":
		return b.askClaude(c)
	case kind == "amazon" && strings.Contains(model, "embed"):
		return b.titanEmbed(c)
	case kind == "amazon":
		return b.titanText(c)
	case kind == "cohere" && strings.Contains(model, "embed"):
		return b.cohereEmbed(c)
	case kind == "cohere":
		return b.cohereText(c)
	case kind == "ai21":
		return b.jurassic(c)
	}
	return nil, invalid("The provided model identifier is invalid.")
}

// readBody decodes the body of a family.
func (c *call) readBody(v any, s shape) *problem {
	p := c.read(v, s, func(x extra) *problem {
		return invalid("Malformed input request: #: extraneous key [%s] is not permitted, please reformat your input "+
			"and try again.", x.path())
	})
	if p != nil {
		p.code = "ValidationException"
	}
	return p
}

// askClaude answers Messages, or the legacy prompt.
func (b bedrock) askClaude(c *call) (*invoked, *problem) {
	var legacy struct {
		Prompt *string `json:"prompt"`
	}
	if json.Unmarshal(c.Body, &legacy) == nil && legacy.Prompt != nil {
		return b.legacyClaude(c)
	}
	place := anthropicAt(c.args["model"], "bedrock-2023-05-31", "model", "stream", "service_tier")
	request, q, p := place.read(c.Body, c.env)
	if p != nil {
		return nil, invalid("%s", p.message)
	}
	out := b.claude.reply(request, q, c.act)
	out.ID = strings.Replace(out.ID, "msg_", "msg_bdrk_", 1)
	said := &invoked{body: out, input: out.Usage.InputTokens, output: out.Usage.OutputTokens}
	for _, s := range messageSteps(out) {
		if s.name != "ping" { // Bedrock sends none
			said.pieces = append(said.pieces, s.value)
		}
	}
	return said, nil
}

func (b bedrock) legacyClaude(c *call) (*invoked, *problem) {
	var request struct {
		anthropicSampling
		Prompt            string `json:"prompt"`
		MaxTokensToSample *int   `json:"max_tokens_to_sample"`
	}
	unknown, p := decode(c.Body, &request, append([]string{"anthropic_version"}, anthropicCompleteNames...))
	request.Model = new(c.args["model"])
	if p := first(p, unknownInput(unknown, c.env), request.check(),
		checkMaxTokens("max_tokens_to_sample", request.MaxTokensToSample), checkPrompt(request.Prompt)); p != nil {
		return nil, invalid("%s", p.message)
	}
	q := request.question(*request.MaxTokensToSample, c.Body)
	q.text = lastHuman(request.Prompt)
	a := answerTo(q, b.voice, c.act)
	reason, stop := "stop_sequence", a.stopped
	if a.finish == finishLength {
		reason = "max_tokens"
	}
	if a.finish == finishEnd {
		stop = humanTurn
	}
	piece := func(text string, reason *string, stop string) any {
		return map[string]any{"type": "completion", "completion": text, "stop_reason": reason, "stop": optional(stop)}
	}
	said := &invoked{body: piece(" "+a.text, &reason, stop), input: countWords(request.Prompt), output: a.words}
	for i, text := range chunksOf(a.text) {
		if i == 0 {
			text = " " + text
		}
		said.pieces = append(said.pieces, piece(text, nil, ""))
	}
	said.pieces = append(said.pieces, piece("", &reason, stop))
	return said, nil
}

func (b bedrock) titanText(c *call) (*invoked, *problem) {
	var request struct {
		InputText string `json:"inputText"`
		Config    struct {
			Max         *int     `json:"maxTokenCount"`
			Stop        []string `json:"stopSequences"`
			Temperature *float64 `json:"temperature"`
			TopP        *float64 `json:"topP"`
		} `json:"textGenerationConfig"`
	}
	if p := first(c.readBody(&request, titanTextShape)); p != nil {
		return nil, p
	}
	g := request.Config
	if p := first(converseRange("temperature", g.Temperature), converseRange("topP", g.TopP)); p != nil {
		return nil, p
	}
	if request.InputText == "" || g.TopP != nil && *g.TopP == 0 || g.Max != nil && *g.Max < 1 {
		return nil, invalid("Malformed input request: inputText, topP over 0 and maxTokenCount over 0 are required.")
	}
	q := c.question(c.args["model"])
	q.text, q.words, q.stop = request.InputText, countWords(request.InputText), g.Stop
	if g.Max != nil {
		q.maxWords = *g.Max
	}
	a := answerTo(q, b.voice, c.act)
	reason := map[finish]string{finishEnd: "FINISH", finishLength: "LENGTH", finishSequence: "STOP_CRITERIA_MET",
		finishRefusal: "CONTENT_FILTERED"}[a.finish]
	said := &invoked{input: q.words, output: a.words, body: map[string]any{"inputTextTokenCount": q.words,
		"results": []any{map[string]any{"tokenCount": a.words, "outputText": a.text, "completionReason": reason}}}}
	texts := chunksOf(a.text)
	for i, text := range texts {
		piece := map[string]any{"outputText": text, "index": 0, "totalOutputTextTokenCount": i + 1, "completionReason": nil,
			"inputTextTokenCount": q.words}
		if i == len(texts)-1 {
			piece["completionReason"] = reason
		}
		said.pieces = append(said.pieces, piece)
	}
	return said, nil
}

func (b bedrock) titanEmbed(c *call) (*invoked, *problem) {
	var request struct {
		InputText  string `json:"inputText"`
		Dimensions *int   `json:"dimensions"`
	}
	p := c.readBody(&request, titanEmbedShape)
	older := strings.Contains(c.args["model"], "embed-text-v1")
	size := 1024
	switch {
	case p != nil:
		return nil, p
	case request.InputText == "":
		return nil, invalid("Malformed input request: expected minLength: 1, actual: 0, please reformat your input and try again.")
	case older && request.Dimensions != nil:
		return nil, invalid("Malformed input request: extraneous key [dimensions] is not permitted, please reformat " +
			"your input and try again.")
	case older:
		size = 1536
	case request.Dimensions != nil:
		size = *request.Dimensions
		if size != 256 && size != 512 && size != 1024 {
			return nil, invalid("Malformed input request: #/dimensions: %d is not a valid enum value, please reformat your "+
				"input and try again.", size)
		}
	}
	vector := embed([]byte(request.InputText), size)
	words := countWords(request.InputText)
	body := map[string]any{"embedding": vector, "inputTextTokenCount": words}
	if !older {
		body["embeddingsByType"] = map[string]any{"float": vector}
	}
	return &invoked{body: body, input: words}, nil
}

func (b bedrock) cohereEmbed(c *call) (*invoked, *problem) {
	var request struct {
		Texts     []string `json:"texts"`
		InputType string   `json:"input_type"`
	}
	if p := c.readBody(&request, bedrockVectors); p != nil {
		return nil, p
	}
	if len(request.Texts) == 0 || len(request.Texts) > 96 || request.InputType == "" {
		return nil, invalid("Malformed input request: texts (1 to 96) and input_type are required, please reformat your " +
			"input and try again.")
	}
	vectors, words := [][]float32{}, 0
	for _, text := range request.Texts {
		vectors = append(vectors, embed([]byte(text), 1024))
		words += countWords(text)
	}
	return &invoked{input: words, body: map[string]any{"id": idOf(c.Body), "embeddings": vectors, "texts": request.Texts,
		"response_type": "embeddings_floats"}}, nil
}
