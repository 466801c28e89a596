package simulate

import (
	"encoding/json"
	"strconv"
)

// textInput is one thing to embed: a text, or a list of token numbers.
type textInput struct {
	text   string
	tokens int
}

// listInputs reads what OpenAI takes as input and as a prompt: a string, an
// array of strings, an array of tokens, or an array of arrays of tokens.
func listInputs(name string, raw json.RawMessage) ([]textInput, *problem) {
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []textInput{{text: one, tokens: countWords(one)}}, nil
	}
	var texts []string
	if json.Unmarshal(raw, &texts) == nil && len(texts) > 0 {
		out := make([]textInput, len(texts))
		for i, t := range texts {
			out[i] = textInput{text: t, tokens: countWords(t)}
		}
		return out, nil
	}
	var tokens []int
	if json.Unmarshal(raw, &tokens) == nil && len(tokens) > 0 {
		return []textInput{tokenInput(tokens)}, nil
	}
	var lists [][]int
	if json.Unmarshal(raw, &lists) == nil && len(lists) > 0 {
		out := make([]textInput, len(lists))
		for i, l := range lists {
			out[i] = tokenInput(l)
		}
		return out, nil
	}
	return nil, badRequest(name, "'$.%s' is invalid. "+
		"Please check the API reference: https://platform.openai.com/docs/api-reference.", name)
}

func tokenInput(tokens []int) textInput {
	text := ""
	for _, t := range tokens {
		text += strconv.Itoa(t) + ","
	}
	return textInput{text: text, tokens: len(tokens)}
}

type openAIEmbedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // []float32, or base64
}

func (o openAI) embeddings(r *Received, route openAIRoute, e env) (reply, *problem) {
	var request struct {
		Model          string          `json:"model"`
		Input          json.RawMessage `json:"input"`
		Dimensions     *int            `json:"dimensions"`
		EncodingFormat string          `json:"encoding_format"`
	}
	unknown, p := decode(r.Body, &request, o.own.without(openAIEmbeddingNames))
	if p := first(p, o.checkNames(unknown, request.Model, route, e),
		integerInRange("dimensions", request.Dimensions, 1, maxDimensions), checkEncoding(request.EncodingFormat)); p != nil {
		return reply{}, p
	}
	inputs, p := listInputs("input", request.Input)
	if p != nil {
		return reply{}, p
	}
	dimensions := o.dimensions
	if request.Dimensions != nil {
		dimensions = *request.Dimensions
	}
	if route.model != "" {
		request.Model = route.model
	}
	id := ""
	if o.own != nil && o.own.alwaysID {
		id = "emb-" + idOf(r.Body)
	}
	return embeddingsReply(id, request.Model, inputs, dimensions, request.EncodingFormat == "base64"), nil
}

func checkEncoding(format string) *problem {
	switch format {
	case "", "float", "base64":
		return nil
	}
	return badRequest("encoding_format", "Invalid value for 'encoding_format': '%s'. Use 'float' or 'base64'.", format)
}

func embeddingsReply(id, model string, inputs []textInput, dimensions int, asBase64 bool) reply {
	data := make([]openAIEmbedding, len(inputs))
	tokens := 0
	for i, input := range inputs {
		vector := embed([]byte(input.text), dimensions)
		data[i] = openAIEmbedding{Object: "embedding", Index: i, Embedding: vector}
		if asBase64 {
			data[i].Embedding = base64Floats(vector)
		}
		tokens += input.tokens
	}
	return jsonReply(struct {
		ID     string            `json:"id,omitempty"`
		Object string            `json:"object"`
		Data   []openAIEmbedding `json:"data"`
		Model  string            `json:"model"`
		Usage  openAIUsage       `json:"usage"`
	}{id, "list", data, model, openAIUsage{PromptTokens: tokens, TotalTokens: tokens}})
}
