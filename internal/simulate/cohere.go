package simulate

import (
	"net/http"
)

// cohere is the wire format of Cohere's API (docs.cohere.com), versions 1 and 2.
type cohere struct{ voice voice }

// NewCohere returns a stand-in for Cohere (api.cohere.com, api.cohere.ai): v1
// chat, generate and embed; v2 chat and embed; with a bearer token.
func NewCohere(o Options) *Provider {
	w := cohere{voice: standInVoice("Cohere")}
	return newProvider(&api{render: (*problem).cohere, failure: cohereFailure, broken: cohereBroken,
		check: func(c *call) *problem {
			if key := bearerKey(c.Received); key == "" || !c.env.accepts(key) {
				return &problem{status: http.StatusUnauthorized, message: "invalid api token"}
			}
			if !isJSON(c.Header.Get("Content-Type")) {
				return badRequest("", "invalid request: the content type must be application/json")
			}
			return nil
		},
		headers: func(h http.Header, id string) { h.Set("X-Debug-Trace-Id", id) },
		routes: []apiRoute{
			{method: "POST", pattern: "/v1/chat", serve: w.chatOne},
			{method: "POST", pattern: "/v1/generate", serve: w.generate},
			{method: "POST", pattern: "/v1/embed", serve: w.embedOne},
			{method: "POST", pattern: "/v2/chat", serve: w.chatTwo},
			{method: "POST", pattern: "/v2/embed", serve: w.embedTwo},
		}}, o)
}

func (p *problem) cohere() reply {
	return errorReply(p.status, map[string]string{"id": "00000000-0000-4000-8000-000000000003", "message": p.message})
}

func cohereFailure(status int) *problem {
	p := plainFailure(status)
	switch {
	case status == http.StatusUnauthorized:
		p.message = "invalid api token"
	case status == http.StatusTooManyRequests:
		p.message = "You are past the per minute request limit, please wait and try again later."
	case status >= 500:
		p.message = "internal server error, this has been reported to our developers"
	}
	return p
}

// cohereBroken is how a stream ends that failed: with a finish reason.
func cohereBroken(c *call) []byte {
	if c.Path == "/v2/chat" {
		return namedEvent("message-end", map[string]any{"type": "message-end", "delta": map[string]any{
			"error": "internal server error", "finish_reason": "ERROR"}})
	}
	return jsonLine(map[string]any{"is_finished": true, "event_type": "stream-end", "finish_reason": "ERROR",
		"response": map[string]any{"text": ""}})
}

// jsonLine is one line of a stream of JSON values.
func jsonLine(v any) []byte { return append(marshal(v), '\n') }

func jsonLines(events []event) reply {
	return reply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/stream+json"}}, events: events}
}

func cohereFinish(f finish) string {
	switch f {
	case finishSequence:
		return "STOP_SEQUENCE"
	case finishLength:
		return "MAX_TOKENS"
	case finishTool:
		return "TOOL_CALL"
	case finishRefusal:
		return "ERROR_TOXIC"
	}
	return "COMPLETE"
}

// readCohere decodes a body and refuses members that the API does not have.
func (c *call) readCohere(v any, s shape) *problem {
	return c.read(v, s, func(x extra) *problem {
		return &problem{status: http.StatusUnprocessableEntity, message: "unknown field: parameter '" + x.path() +
			"' is not a valid field"}
	})
}

func cohereMeta(version string, input, output int) map[string]any {
	tokens := map[string]int{"input_tokens": input, "output_tokens": output}
	return map[string]any{"api_version": map[string]string{"version": version}, "billed_units": tokens, "tokens": tokens}
}

// cohereSampling is what the operations share.
type cohereSampling struct {
	Model       string   `json:"model"`
	Stream      bool     `json:"stream"`
	Temperature *float64 `json:"temperature"`
	P           *float64 `json:"p"`
	MaxTokens   *int     `json:"max_tokens"`
	Stop        []string `json:"stop_sequences"`
}

func (s *cohereSampling) question(c *call) (*question, *problem) {
	q := c.question(s.Model)
	q.stream, q.stop = s.Stream, s.Stop
	if s.MaxTokens != nil {
		q.maxWords = *s.MaxTokens
	}
	wrong := first(inRange("temperature", s.Temperature, 0, 5), inRange("p", s.P, 0, 0.99), integerInRange("max_tokens",
		s.MaxTokens, 1, 1<<20))
	if len(s.Stop) > 5 {
		wrong = badRequest("", "invalid request: a maximum of 5 stop sequences is allowed.")
	}
	return q, wrong
}

const cohereDimensions = 1024

var (
	cohereEmbedOneShape = shapeOf(`model texts images input_type truncate embedding_types`)
	cohereEmbedTwoShape = shapeOf(`model texts images inputs{content} input_type truncate embedding_types output_dimension max_tokens priority`)
)

type cohereEmbedRequest struct {
	Model     string   `json:"model"`
	Texts     []string `json:"texts"`
	InputType string   `json:"input_type"`
	Types     []string `json:"embedding_types"`
	Dimension *int     `json:"output_dimension"`
	Inputs    []struct {
		Content []struct {
			Type, Text string
		} `json:"content"`
	} `json:"inputs"`
}

// vectors embeds the texts of a request.
func (r *cohereEmbedRequest) vectors() (vectors [][]float32, words int, p *problem) {
	for _, input := range r.Inputs {
		for _, part := range input.Content {
			r.Texts = append(r.Texts, part.Text)
		}
	}
	size := cohereDimensions
	if r.Dimension != nil {
		size = *r.Dimension
	}
	switch {
	case len(r.Texts) == 0:
		return nil, 0, badRequest("", "invalid request: texts must be a non-empty list of strings")
	case len(r.Texts) > 96:
		return nil, 0, badRequest("", "invalid request: cannot have more than 96 texts")
	case size < 1 || size > 1536:
		return nil, 0, badRequest("", "invalid request: output_dimension must be one of 256, 512, 1024 or 1536")
	}
	for _, text := range r.Texts {
		vectors = append(vectors, embed([]byte(text), size))
		words += countWords(text)
	}
	return vectors, words, nil
}

func (w cohere) embedOne(c *call) (reply, *problem) {
	var request cohereEmbedRequest
	if p := c.readCohere(&request, cohereEmbedOneShape); p != nil {
		return reply{}, p
	}
	vectors, words, p := request.vectors()
	if p != nil {
		return reply{}, p
	}
	out := map[string]any{"id": idOf(c.Body), "texts": request.Texts, "meta": cohereMeta("1", words, 0)}
	out["embeddings"], out["response_type"] = vectors, "embeddings_floats"
	if len(request.Types) > 0 {
		out["embeddings"], out["response_type"] = map[string]any{"float": vectors}, "embeddings_by_type"
	}
	return jsonReply(out), nil
}

func (w cohere) embedTwo(c *call) (reply, *problem) {
	var request cohereEmbedRequest
	if p := c.readCohere(&request, cohereEmbedTwoShape); p != nil {
		return reply{}, p
	}
	switch {
	case request.Model == "":
		return reply{}, badRequest("", "model is required")
	case request.InputType == "":
		return reply{}, badRequest("", "valid input_type must be provided with the provided model")
	}
	vectors, words, p := request.vectors()
	if p != nil {
		return reply{}, p
	}
	return jsonReply(map[string]any{"id": idOf(c.Body), "texts": request.Texts, "embeddings": map[string]any{"float": vectors},
		"meta": cohereMeta("2", words, 0), "response_type": "embeddings_by_type"}), nil
}
