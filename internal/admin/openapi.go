package admin

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"sluice/extproc/dialect"
)

// Tags group the routes of the description.
const (
	tagEndpoints  = "endpoints"
	tagTargets    = "targets"
	tagProviders  = "providers"
	tagPeople     = "people"
	tagTokens     = "tokens"
	tagSCIM       = "scim"
	tagAudit      = "audit"
	tagUsage      = "usage"
	tagPolicies   = "policies"
	tagOperations = "operations"
	tagDomino     = "domino"
	tagMLflow     = "mlflow"
	tagModels     = "models"
)

// tags say what the groups are, in the order in which they are shown.
var tags = []struct{ name, text string }{
	{tagEndpoints, "Endpoints and who may use them, in Domino's shapes and more."},
	{tagTargets, "What stands behind an endpoint: providers, models, weights and order."},
	{tagProviders, "Kinds of provider, their models, fields and prices."},
	{tagPeople, "Users, service accounts and organizations."},
	{tagTokens, "API tokens."},
	{tagSCIM, "SCIM 2.0, by which a company's directory keeps users and organizations here."},
	{tagCredentials, "Stored credentials of providers, and the vault that keeps them."},
	{tagAudit, "The audit trail."},
	{tagUsage, "How much is used, by whom and of what: requests, tokens, cost, latency."},
	{tagPolicies, "Bundles in force and what they decide."},
	{tagOperations, "The gateway itself: health, status, this description."},
	{tagDomino, "Domino's other routes, in its shapes."},
	{tagMLflow, "MLflow's Deployments Server: calls of models, and its lists."},
	{tagModels, "Models that the caller may call, as OpenAI's and Anthropic's clients list them."},
	{tagOpenAI, "Calls of models in OpenAI's formats; \"model\" names the endpoint."},
	{tagAnthropic, "Calls of models in Anthropic's format; \"model\" names the endpoint."},
	{tagGemini, "Calls of models in Gemini's format."},
	{tagNative, "Calls of a provider's own API, with its credential put in."},
}

const aboutAPI = "An AI gateway. People call models through endpoints with a token of the gateway; administrators say who may " +
	"use which. Errors carry a stable code and a sentence that says what to do."

// credentials are the ways to present a token. Any one of them will do.
var credentials = object{
	"bearer":       object{"type": "http", "scheme": "bearer", "description": "A token of the gateway, or a JWT of the configured issuer."},
	"basic":        object{"type": "http", "scheme": "basic", "description": "The password is the token; the user name is not read."},
	"dominoApiKey": object{"type": "apiKey", "in": "header", "name": "X-Domino-Api-Key"},
	"apiKey":       object{"type": "apiKey", "in": "header", "name": "x-api-key"},
	"azureApiKey":  object{"type": "apiKey", "in": "header", "name": "api-key"},
	"googleApiKey": object{"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
	"certificate":  object{"type": "mutualTLS", "description": "Where the listener asks for client certificates."},
}

// describe makes the description of the routes, in OpenAPI 3.1.
func describe(version string, routes []route) ([]byte, error) {
	d := &description{schemas: newSchemas(), paths: map[string]object{}}
	for i := range routes {
		if !strings.HasPrefix(routes[i].path(), dialect.Prefix+"/") { // the same as without, see path
			d.route(&routes[i])
		}
	}
	for _, call := range modelCalls() {
		d.call(call)
	}
	var security, groups []object
	for _, name := range sortedKeys(credentials) {
		security = append(security, object{name: []string{}})
	}
	for _, t := range tags {
		groups = append(groups, object{"name": t.name, "description": t.text})
	}
	return json.Marshal(object{
		"openapi":    "3.1.0",
		"info":       object{"title": "Sluice", "version": version, "description": aboutAPI, "license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"}},
		"servers":    []object{{"url": "/"}},
		"tags":       groups,
		"security":   security,
		"paths":      d.paths,
		"components": object{"schemas": d.schemas.byName, "securitySchemes": credentials},
	})
}

type description struct {
	schemas *schemas
	paths   map[string]object
}

// path returns the item of a path, which is made where it is not there yet.
func (d *description) path(path string) object {
	item, known := d.paths[path]
	if !known {
		item = object{}
		if under := dialect.Of(path); under == dialect.MLflow || under == dialect.OpenAI {
			if dialect.Of(dialect.Prefix+path) == under && !strings.HasPrefix(path, "/gateway/") {
				item["servers"] = []object{{"url": "/"}, {"url": dialect.Prefix, "description": "Where Domino's clients look for it."}}
			}
		}
		d.paths[path] = item
	}
	return item
}

func (d *description) route(rt *route) {
	path := strings.TrimSuffix(rt.path(), "{$}")
	op := object{
		"operationId": rt.doc.id, "tags": []string{rt.doc.tag}, "summary": strings.TrimSuffix(rt.doc.summary, "."),
		"responses": d.responses(rt, path),
	}
	if parameters := d.parameters(rt, path); len(parameters) > 0 {
		op["parameters"] = parameters
	}
	if rt.doc.in != nil {
		op["requestBody"] = object{"required": !rt.doc.optional, "content": d.content(rt.doc.in)}
		if _, free := rt.doc.in.(media); !free {
			d.schemas.close(reflect.TypeOf(rt.doc.in))
		}
	}
	if rt.access == open {
		op["security"] = []object{}
	}
	d.path(path)[strings.ToLower(rt.method())] = op
}

var wildcard = regexp.MustCompile(`\{(\w+)\}`)

func (d *description) parameters(rt *route, path string) []object {
	var out []object
	for _, m := range wildcard.FindAllStringSubmatch(path, -1) {
		out = append(out, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string", "minLength": 1}})
	}
	for _, p := range rt.doc.query {
		out = append(out, p.describe())
	}
	if status, name, text := rt.precondition(); status != 0 {
		out = append(out, object{"name": name, "in": "header", "description": text, "schema": object{"type": "string"}})
	}
	return out
}

func (p parameter) describe() object {
	schema := object{"type": p.kind}
	switch p.kind {
	case kindTime:
		schema = object{"type": "string", "format": "date-time"}
	case kindTexts:
		schema = object{"type": "array", "items": object{"type": "string"}}
	}
	if p.enum != nil {
		schema["enum"] = p.enum
	}
	if p.low != 0 || p.high != 0 {
		schema["minimum"], schema["maximum"] = p.low, p.high
	}
	if p.fallback != nil {
		schema["default"] = p.fallback
	}
	out := object{"name": p.name, "in": "query", "description": p.text, "schema": schema}
	if p.required {
		out["required"] = true
	}
	return out
}

func (d *description) responses(rt *route, path string) object {
	out := object{}
	for _, status := range rt.statuses() {
		r := object{"description": http.StatusText(status)}
		shared := status == rt.doc.success() || status == http.StatusServiceUnavailable && rt.access == open
		switch {
		case shared && rt.doc.out != nil:
			content := d.content(rt.doc.out)
			for _, form := range rt.doc.as {
				content[string(form)] = object{"schema": object{"type": "string"}}
			}
			r["content"] = content
			if rt.doc.versioned {
				r["headers"] = object{"ETag": object{"description": "Changes whenever the thing does.", "schema": object{"type": "string"}}}
			}
		case status >= http.StatusBadRequest:
			under := dialect.Of(path)
			content := object{dialect.ContentType(under): object{"schema": d.schemas.of(errorShape(under, status))}}
			if _, plain := content[dialect.ContentTypeJSON]; !plain { // Envoy's own word for a path that can't be read
				content[dialect.ContentTypeJSON] = object{"schema": object{"type": "object"}}
			}
			r["content"] = content
		}
		out[strconv.Itoa(status)] = r
	}
	return out
}

func (d *description) content(body any) object {
	if m, free := body.(media); free {
		return object{string(m): object{}}
	}
	return object{"application/json": object{"schema": d.schemas.of(body)}}
}

// readDescription is GET /api/openapi.json.
func (s *server) readDescription(c *call) error {
	text, tag := s.description()
	if c.unchanged(tag) {
		return nil
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-cache") // may be kept, is asked for anew
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(text)
	return nil
}

// call describes a path of calls of models, coarsely: the bodies are those of
// the vendors.
func (d *description) call(m modelCall) {
	item := d.path(m.path)
	answer := object{"application/json": object{"schema": object{"type": "object"}}, "text/event-stream": object{}}
	failure := d.content(errorShape(m.dialect, 0))
	if m.dialect == dialect.Native { // the provider's own, whatever it is
		answer, failure = object{"*/*": object{}}, object{"*/*": object{}}
	}
	for _, method := range m.methods {
		op := object{
			"operationId": m.id, "tags": []string{m.tag}, "summary": m.summary,
			"responses": object{
				"200":     object{"description": "The answer of the model.", "content": answer},
				"default": object{"description": "A refusal, or what the provider answered.", "content": failure},
			},
		}
		if len(m.methods) > 1 {
			op["operationId"] = m.id + strings.ToUpper(method[:1]) + method[1:]
		}
		if method != "get" && method != "delete" {
			op["requestBody"] = object{"required": m.dialect != dialect.Native, "content": object{
				"application/json": object{"schema": object{"type": "object"}},
			}}
		}
		if parameters := d.parameters(&route{}, m.path); len(parameters) > 0 {
			op["parameters"] = parameters
		}
		maps.Copy(item, object{method: op})
	}
}
