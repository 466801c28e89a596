package simulate

import (
	"encoding/json"
	"net/http"
	"strings"
)

// tgi is the wire format of Hugging Face's Text Generation Inference
// (huggingface.github.io/text-generation-inference).
type tgi struct{ voice voice }

// NewTGI returns a stand-in for a Text Generation Inference server: /generate
// and /generate_stream. It needs a bearer token only where Options.Keys are set.
func NewTGI(o Options) *Provider {
	t := tgi{voice: standInVoice("TGI")}
	return newProvider(&api{failure: tgiFailure, render: (*problem).tgi,
		check: func(c *call) *problem {
			if c.env.accepts(bearerKey(c.Received)) {
				return nil
			}
			return &problem{status: http.StatusUnauthorized, kind: "authentication", message: "Unauthorized"}
		},
		broken: func(*call) []byte {
			return tgiEvent(map[string]string{"error": "Request failed during generation: Server error: CUDA out of memory",
				"error_type": "generation"})
		},
		routes: []apiRoute{{method: "POST", pattern: "/generate", serve: t.generate},
			{method: "POST", pattern: "/generate_stream", serve: t.stream}}}, o)
}

func (p *problem) tgi() reply {
	return errorReply(p.status, map[string]string{"error": p.message, "error_type": p.kind})
}

func tgiFailure(status int) *problem {
	p := plainFailure(status)
	p.kind = "generation"
	if status == http.StatusTooManyRequests {
		p.kind, p.message = "overloaded", "Model is overloaded"
	}
	return p
}

// tgiEvent is an event as the server writes it: without a space.
func tgiEvent(v any) []byte { return append(append([]byte("data:"), marshal(v)...), "\n\n"...) }

// notValid is a parameter that the server's validation refuses.
func notValid(message string) *problem {
	return &problem{status: http.StatusUnprocessableEntity, kind: "validation", message: "Input validation error: " + message}
}

type tgiRequest struct {
	Inputs     *string `json:"inputs"`
	Parameters struct {
		Temperature *float64 `json:"temperature"`
		TopP        *float64 `json:"top_p"`
		TopK        *int     `json:"top_k"`
		Max         *int     `json:"max_new_tokens"`
		Stop        []string `json:"stop"`
		Details     bool     `json:"details"`
		Prefill     bool     `json:"decoder_input_details"`
		Repetition  *float64 `json:"repetition_penalty"`
	} `json:"parameters"`
}

func (t tgi) ask(c *call, stream bool) (*tgiRequest, *question, answer, *problem) {
	var r tgiRequest
	p := c.read(&r, tgiShape, refused)
	g := r.Parameters
	switch {
	case p != nil:
	case r.Inputs == nil || *r.Inputs == "":
		p = notValid("`inputs` cannot be empty")
	case g.Temperature != nil && *g.Temperature <= 0:
		p = notValid("`temperature` must be strictly positive")
	case g.TopP != nil && (*g.TopP <= 0 || *g.TopP >= 1):
		p = notValid("`top_p` must be > 0.0 and < 1.0")
	case g.TopK != nil && *g.TopK <= 0:
		p = notValid("`top_k` must be strictly positive")
	case g.Max != nil && *g.Max <= 0:
		p = notValid("`max_new_tokens` must be strictly positive")
	case len(g.Stop) > 4:
		p = notValid("`stop` supports up to 4 stop sequences")
	case stream && g.Prefill:
		p = notValid("`decoder_input_details` == true is not supported when streaming tokens")
	}
	if p != nil {
		return nil, nil, answer{}, p
	}
	q := c.question("model")
	q.text, q.words, q.stop = *r.Inputs, countWords(*r.Inputs), g.Stop
	if g.Max != nil {
		q.maxWords = *g.Max
	}
	return &r, q, answerTo(q, t.voice, c.act), nil
}

func tgiToken(i int, text string) map[string]any {
	return map[string]any{"id": i, "text": text, "logprob": -0.5, "special": false}
}

// tgiDetails tells about a generation; the prefill and tokens are told with a
// whole answer only.
func tgiDetails(a answer) map[string]any {
	reason := "eos_token"
	switch a.finish {
	case finishLength:
		reason = "length"
	case finishSequence:
		reason = "stop_sequence"
	}
	return map[string]any{"finish_reason": reason, "generated_tokens": a.words, "seed": nil}
}

func (t tgi) generate(c *call) (reply, *problem) {
	r, q, a, p := t.ask(c, false)
	if p != nil {
		return reply{}, p
	}
	out := map[string]any{"generated_text": a.text}
	if r.Parameters.Details {
		details := tgiDetails(a)
		prefill, tokens := []any{}, []any{}
		if r.Parameters.Prefill {
			for i, word := range strings.Fields(q.text) {
				prefill = append(prefill, map[string]any{"id": i, "text": word, "logprob": json.RawMessage("null")})
			}
		}
		for i, piece := range chunksOf(a.text) {
			tokens = append(tokens, tgiToken(i, piece))
		}
		details["prefill"], details["tokens"] = prefill, tokens
		out["details"] = details
	}
	return jsonReply(out), nil
}

func (t tgi) stream(c *call) (reply, *problem) {
	_, _, a, p := t.ask(c, true)
	if p != nil {
		return reply{}, p
	}
	var events []event
	pieces := chunksOf(a.text)
	for i, piece := range pieces {
		value := map[string]any{"index": i + 1, "token": tgiToken(i, piece), "generated_text": nil, "details": nil}
		if i == len(pieces)-1 {
			value["generated_text"], value["details"] = a.text, tgiDetails(a)
		}
		events = append(events, event{content: true, data: tgiEvent(value)})
	}
	return streamReply(events), nil
}
