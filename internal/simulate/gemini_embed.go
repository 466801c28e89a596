package simulate

import "strings"

// geminiDimensions is gemini-embedding-001's length of a vector, the default.
const geminiDimensions = 3072

var (
	geminiEmbedShape = shapeOf(`model content{role parts{text inlineData fileData}} taskType title outputDimensionality
		autoTruncate embedContentConfig{taskType title outputDimensionality autoTruncate}`)
	geminiBatchShape   = shape{"requests": geminiEmbedShape}
	vertexPredictShape = shapeOf(`instances{content taskType title} parameters{outputDimensionality autoTruncate}`)
)

type geminiEmbedRequest struct {
	Model      string         `json:"model"`
	Content    *geminiContent `json:"content"`
	Dimensions *int           `json:"outputDimensionality"`
	Config     struct {
		Dimensions *int `json:"outputDimensionality"`
	} `json:"embedContentConfig"`
}

// vector embeds what the request holds.
func (r *geminiEmbedRequest) vector(c *call) ([]float32, int, *problem) {
	if r.Content == nil || len(r.Content.Parts) == 0 {
		return nil, 0, badRequest("", "* EmbedContentRequest.content: contents is not specified")
	}
	if r.Model != "" && strings.TrimPrefix(r.Model, "models/") != c.args["model"] && !c.onVertex() {
		return nil, 0, badRequest("", "* BatchEmbedContentsRequest.requests.model: the model %s is not the one of the path.",
			r.Model)
	}
	text, _, _ := geminiText(r.Content.Parts)
	if text == "" {
		return nil, 0, badRequest("", "* EmbedContentRequest.content: content is empty")
	}
	dimensions := geminiDimensions
	for _, asked := range []*int{r.Dimensions, r.Config.Dimensions} {
		if asked == nil {
			continue
		}
		if *asked < 1 || *asked > geminiDimensions {
			return nil, 0, badRequest("", "* EmbedContentRequest.output_dimensionality: must be from 1 to %d.", geminiDimensions)
		}
		dimensions = *asked
	}
	return embed([]byte(text), dimensions), countWords(text), nil
}

func (g google) embed(c *call) (reply, *problem) {
	var request geminiEmbedRequest
	if p := c.readGoogle(c.Body, &request, geminiEmbedShape); p != nil {
		return reply{}, p
	}
	values, words, p := request.vector(c)
	if p != nil {
		return reply{}, p
	}
	return jsonReply(map[string]any{"embedding": map[string]any{"values": values},
		"usageMetadata": map[string]any{"promptTokenCount": words}}), nil
}

func (g google) batchEmbed(c *call) (reply, *problem) {
	var batch struct {
		Requests []geminiEmbedRequest `json:"requests"`
	}
	if p := c.readGoogle(c.Body, &batch, geminiBatchShape); p != nil {
		return reply{}, p
	}
	if len(batch.Requests) == 0 || len(batch.Requests) > 100 {
		return reply{}, badRequest("", "* BatchEmbedContentsRequest.requests: at least one and at most 100 requests can "+
			"be in one batch")
	}
	embeddings := []any{}
	total := 0
	for _, r := range batch.Requests {
		if r.Model == "" && !c.onVertex() {
			return reply{}, badRequest("", "* BatchEmbedContentsRequest.requests.model: unexpected model name format")
		}
		values, words, p := r.vector(c)
		if p != nil {
			return reply{}, p
		}
		total += words
		embeddings = append(embeddings, map[string]any{"values": values})
	}
	return jsonReply(map[string]any{"embeddings": embeddings, "usageMetadata": map[string]any{"promptTokenCount": total}}), nil
}

// predict is Vertex AI's older way to embed.
func (g google) predict(c *call) (reply, *problem) {
	var request struct {
		Instances []struct {
			Content string `json:"content"`
		} `json:"instances"`
		Parameters struct {
			Dimensions *int `json:"outputDimensionality"`
		} `json:"parameters"`
	}
	if p := c.readGoogle(c.Body, &request, vertexPredictShape); p != nil {
		return reply{}, p
	}
	if len(request.Instances) == 0 {
		return reply{}, badRequest("", "Empty instances.")
	}
	dimensions := 768
	if d := request.Parameters.Dimensions; d != nil {
		dimensions = *d
	}
	predictions, characters := []any{}, 0
	for _, i := range request.Instances {
		if i.Content == "" {
			return reply{}, badRequest("", "The text content is empty.")
		}
		characters += len(i.Content)
		predictions = append(predictions, map[string]any{"embeddings": map[string]any{"values": embed([]byte(i.Content),
			dimensions),
			"statistics": map[string]any{"truncated": false, "token_count": countWords(i.Content)}}})
	}
	return jsonReply(map[string]any{"predictions": predictions,
		"metadata": map[string]int{"billableCharacterCount": characters}}), nil
}
