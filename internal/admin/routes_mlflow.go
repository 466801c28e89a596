package admin

import (
	"strings"

	"sluice/policies"
)

// mlflowRoutes are MLflow's control plane and OpenAI's list of models, which
// Domino serves under a prefix too. Calls of models never come here: Envoy
// sends them to the ext_proc server.
func (s *server) mlflowRoutes(prefix string) []route {
	const endpoints = policies.ResourceEndpoints
	list, read := policies.VerbList, policies.VerbRead
	get := "GET " + prefix
	pages := []parameter{{name: "page_token", kind: kindText, text: "The next_page_token of the page before."}}
	rows := []route{
		{pattern: get + "/health", handle: s.mlflowHealth, doc: doc{id: "mlflowHealth", summary: "Tell that the server answers.", out: health{}}},
		{
			pattern: get + "/api/2.0/endpoints", access: authenticated, narrow: true, handle: s.redirectToSlash,
			doc: doc{id: "mlflowListEndpointsWithoutSlash", summary: "Redirect to the path with a slash.", status: 307},
		},
		{
			pattern: get + "/api/2.0/gateway/routes", access: authenticated, narrow: true, handle: s.redirectToSlash,
			doc: doc{id: "mlflowListRoutesWithoutSlash", summary: "Redirect to the path with a slash.", status: 307},
		},
		{
			pattern: get + "/api/2.0/endpoints/{$}", access: decided, resource: endpoints, verb: list, handle: s.mlflowList,
			doc: doc{id: "mlflowListEndpoints", summary: "List the endpoints that the caller may call.", query: pages, out: mlflowEndpoints{}},
		},
		{
			pattern: get + "/api/2.0/endpoints/{name}", access: decided, resource: endpoints, verb: read, handle: s.mlflowGet,
			doc: doc{id: "mlflowGetEndpoint", summary: "Show an endpoint.", out: mlflowEndpoint{}},
		},
		{
			pattern: get + "/api/2.0/gateway/routes/{$}", access: decided, resource: endpoints, verb: list, handle: s.mlflowListRoutes,
			doc: doc{id: "mlflowListRoutes", summary: "List endpoints in MLflow's older words.", query: pages, out: mlflowRoutes{}},
		},
		{
			pattern: get + "/api/2.0/gateway/routes/{name}", access: decided, resource: endpoints, verb: read, handle: s.mlflowGetRoute,
			doc: doc{id: "mlflowGetRoute", summary: "Show an endpoint in MLflow's older words.", out: mlflowRoute{}},
		},
		{
			pattern: get + "/api/3.0/gateway/endpoint/{name}", access: decided, resource: endpoints, verb: read, handle: s.mlflowGet,
			doc: doc{id: "mlflowGetGatewayEndpoint", summary: "Show an endpoint.", out: mlflowEndpoint{}},
		},
		{
			pattern: get + "/api/3.0/gateway/route/{name}", access: decided, resource: endpoints, verb: read, handle: s.mlflowGetTraffic,
			doc: doc{id: "mlflowGetTrafficRoute", summary: "Show how an endpoint of several targets shares its calls.", out: mlflowTraffic{}},
		},
		{
			pattern: get + "/v1/models", access: decided, resource: endpoints, verb: list, handle: s.listModels,
			doc: doc{id: "listModels", summary: "List the endpoints that the caller may call, as OpenAI or Anthropic do.", out: anyModelList},
		},
		{
			pattern: get + "/v1/models/{name}", access: decided, resource: endpoints, verb: read, handle: s.readModel,
			doc: doc{id: "readModel", summary: "Show an endpoint as OpenAI or Anthropic do.", out: anyModel},
		},
	}
	rows = append(rows, s.limitRoutes(prefix)...)
	if prefix == "" {
		rows = append(rows, route{
			pattern: "GET /gateway/mlflow/v1/models", access: decided, resource: endpoints, verb: list, handle: s.listUnifiedModels,
			doc: doc{id: "listUnifiedModels", summary: "List the endpoints that the caller may call, as MLflow's newer gateway does.", out: modelList{}},
		})
	}
	for i := range rows {
		rows[i].doc.tag = tagMLflow
		if strings.Contains(rows[i].pattern, "/v1/models") {
			rows[i].doc.tag = tagModels
		}
	}
	return rows
}

// limitRoutes are those of MLflow's limits, which it has and does not answer.
func (s *server) limitRoutes(prefix string) []route {
	var rows []route
	for word, limits := range map[string]string{"Endpoint": "/api/2.0/endpoints/limits/", "Route": "/api/2.0/gateway/limits/"} {
		rows = append(rows,
			route{
				pattern: "GET " + prefix + limits + "{name}", access: authenticated, handle: s.mlflowGetLimits,
				doc: doc{id: "mlflowGet" + word + "Limits", summary: "Not available, as on MLflow's server.", status: 501},
			},
			route{
				pattern: "POST " + prefix + limits + "{$}", access: authenticated, handle: s.mlflowSetLimits,
				doc: doc{
					id: "mlflowSet" + word + "Limits", summary: "Not available, as on MLflow's server.", status: 501,
					in: media("application/json"), also: []int{422},
				},
			})
	}
	return rows
}
