package simulate

import (
	"net/http"
	"strings"
)

// databricks is a workspace's serving endpoints: OpenAI's format, and below it
// Anthropic's and Gemini's for the models of these makers.
type databricks struct {
	serving openAI
	claude  anthropic
	gemini  *api
}

const (
	databricksServing = "/serving-endpoints"
	databricksClaude  = databricksServing + "/anthropic"
	databricksGemini  = databricksServing + "/gemini"
)

// NewDatabricks returns a stand-in for a Databricks workspace with a bearer
// token: OpenAI's API under /serving-endpoints and /ai-gateway/mlflow/v1,
// Anthropic's Messages under /serving-endpoints/anthropic and Gemini's API under
// /serving-endpoints/gemini, and the client's token at /oidc/v1/token
// (Options.Tokens).
func NewDatabricks(client OAuthClient, o Options) *Provider {
	credential := bearer(problem{code: "401", message: "Credential was not sent or was of an unsupported type for this API."})
	say := standInVoice("Databricks")
	g := google{gemini: say}
	d := databricks{
		serving: openAI{voice: say, dimensions: 1024, own: &compatible{prefixes: []string{databricksServing + "/",
			"/ai-gateway/mlflow/v1/"},
			more: []string{"databricks_options"}, render: (*problem).databricks, credential: credential}},
		claude: anthropic{voice: say},
		gemini: &api{render: (*problem).google, failure: googleFailure, broken: g.broken, routes: g.routes("/v1beta"),
			check: func(c *call) *problem { return credential(c.Received, c.env) }},
	}
	return newProvider(besideToken{wire: d, path: "/oidc/v1/token", client: client, scope: "all-apis"}, o)
}

var _ wire = databricks{}

// part is the format of a path, and the request as that format knows it.
func (d databricks) part(r *Received) (wire, *Received) {
	for prefix, w := range map[string]wire{databricksClaude: d.claude, databricksGemini: d.gemini} {
		if strings.HasPrefix(r.Path, prefix+"/") {
			inner := *r
			inner.Path, inner.Target = strings.TrimPrefix(r.Path, prefix), strings.TrimPrefix(r.Target, prefix)
			return w, &inner
		}
	}
	return d.serving, r
}

func (d databricks) model(r *Received) string {
	w, inner := d.part(r)
	return w.model(inner)
}

func (d databricks) answer(r *Received, act Act, e env) reply {
	w, inner := d.part(r)
	return w.answer(inner, act, e)
}

func (d databricks) fail(r *Received, status int) reply {
	w, inner := d.part(r)
	return w.fail(inner, status)
}

func (d databricks) errorEvent(r *Received) []byte {
	w, inner := d.part(r)
	return w.errorEvent(inner)
}

func (d databricks) stamp(h http.Header, requestID string) { d.serving.stamp(h, requestID) }

func (p *problem) databricks() reply {
	code := p.code
	if code == "" || code == "invalid_api_key" {
		code = map[int]string{400: "BAD_REQUEST", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "RESOURCE_DOES_NOT_EXIST",
			429: "REQUEST_LIMIT_EXCEEDED", 500: "INTERNAL_ERROR", 503: "TEMPORARILY_UNAVAILABLE"}[p.status]
	}
	return errorReply(p.status, map[string]string{"error_code": code, "message": p.message})
}
