package simulate

import (
	"encoding/json"
	"net/http"
	"strings"
)

// sap is the wire format of SAP AI Core's orchestration service, version 2
// (help.sap.com/docs/sap-ai-core): the prompt is a template, and the model's
// answer is OpenAI's, inside final_result.
type sap struct{ model openAI }

var sapShape = shapeOf(`config{modules{prompt_templating{prompt{template tools response_format defaults} model{name version params}}
	filtering masking grounding translation} stream{enabled chunk_size delimiters}} placeholder_values messages_history`)

// NewSAP returns a stand-in for SAP AI Core: POST below any deployment,
// /v2/inference/deployments/{deployment}/v2/completion, and /v2/completion or / for
// a gateway that leads there; with a bearer token and AI-Resource-Group where
// the path is a deployment's. The client's token is at /oauth/token (Options.Tokens).
func NewSAP(client OAuthClient, o Options) *Provider {
	s := sap{model: openAI{voice: standInVoice("SAP"), own: &compatible{prefixes: []string{"/"}, render: (*problem).sap,
		credential: func(*Received, env) *problem { return nil }}}}
	routes := []apiRoute{}
	for _, path := range []string{"/", "/completion", "/v2/completion",
		"/v2/inference/deployments/{deployment}/v2/completion"} {
		routes = append(routes, apiRoute{method: "POST", pattern: path, serve: s.complete})
	}
	return newProvider(besideToken{path: "/oauth/token", client: client, wire: sapWire{&api{routes: routes, check: checkSAP,
		render: (*problem).sap, failure: plainFailure, broken: func(*call) []byte { return dataEvent(sapError(plainFailure(500))) }}}}, o)
}

// sapWire finds the model inside the template.
type sapWire struct{ *api }

func (sapWire) model(r *Received) string { return readSAP(r.Body).model() }

func checkSAP(c *call) *problem {
	key := bearerKey(c.Received)
	switch {
	case key == "" || !c.env.accepts(key):
		return &problem{status: http.StatusUnauthorized, message: "Jwt is missing or not valid"}
	case c.args["deployment"] != "" && c.Header.Get("Ai-Resource-Group") == "":
		return badRequest("", "Missing required header 'AI-Resource-Group'")
	case !isJSON(c.Header.Get("Content-Type")):
		return badRequest("", "The content type must be application/json")
	}
	return nil
}

func sapError(p *problem) map[string]any {
	return map[string]any{"error": map[string]any{"request_id": "00000000-0000-4000-8000-000000000004", "code": p.status,
		"message": p.message, "location": "LLM Module"}}
}

func (p *problem) sap() reply { return errorReply(p.status, sapError(p)) }

type sapRequest struct {
	Config struct {
		Modules struct {
			Templating struct {
				Prompt struct {
					Template json.RawMessage `json:"template"`
					Tools    json.RawMessage `json:"tools"`
					Format   json.RawMessage `json:"response_format"`
				} `json:"prompt"`
				Model struct {
					Name   string                     `json:"name"`
					Params map[string]json.RawMessage `json:"params"`
				} `json:"model"`
			} `json:"prompt_templating"`
		} `json:"modules"`
		Stream struct {
			Enabled bool `json:"enabled"`
		} `json:"stream"`
	} `json:"config"`
}

func readSAP(body []byte) *sapRequest {
	var r sapRequest
	_ = json.Unmarshal(body, &r) // a broken body is refused by complete
	return &r
}

func (r *sapRequest) model() string { return r.Config.Modules.Templating.Model.Name }

// complete asks the model behind the template, as OpenAI's chat.
func (s sap) complete(c *call) (reply, *problem) {
	var request sapRequest
	if p := c.read(&request, sapShape, func(x extra) *problem {
		return badRequest("", "Additional properties are not allowed ('%s' was unexpected)", x.path())
	}); p != nil {
		return reply{}, p
	}
	t := request.Config.Modules.Templating
	inner := map[string]json.RawMessage{"model": marshal(t.Model.Name), "messages": t.Prompt.Template}
	for name, raw := range map[string]json.RawMessage{"tools": t.Prompt.Tools, "response_format": t.Prompt.Format} {
		if len(raw) > 0 {
			inner[name] = raw
		}
	}
	for name, raw := range t.Model.Params {
		inner[name] = raw
	}
	if request.Config.Stream.Enabled {
		inner["stream"] = json.RawMessage("true")
	}
	received := *c.Received
	received.Body, received.Path = marshal(inner), "/chat/completions"
	out, p := s.model.handle(&received, c.act, c.env)
	if p != nil {
		return reply{}, p
	}
	id := idOf(c.Body)
	for i, e := range out.events {
		data, ok := strings.CutPrefix(string(e.data), "data: {")
		if ok {
			out.events[i].data = dataEvent(sapResult(id, json.RawMessage("{"+strings.TrimSpace(data))))
		}
	}
	if len(out.events) == 0 {
		out.body = marshal(sapResult(id, out.body))
	}
	return out, nil
}

func sapResult(id string, final json.RawMessage) map[string]any {
	return map[string]any{"request_id": id, "intermediate_results": map[string]any{}, "final_result": final}
}
