package admin

import (
	"sluice/extproc/dialect"
	"sluice/policies"
)

const (
	domino = "/api/aigateway/v1"
	own    = "/api/sluice/v1"
)

// routes is the whole table. The mux answers HEAD where it answers GET.
func (s *server) routes() []route {
	var all []route
	for _, group := range [][]route{
		s.openRoutes(), s.endpointRoutes(), s.peopleRoutes(), s.operationRoutes(),
		s.mlflowRoutes(""), s.mlflowRoutes(dialect.Prefix),
	} {
		all = append(all, group...)
	}
	return all
}

func (s *server) openRoutes() []route {
	return []route{
		{pattern: "GET /{$}", handle: s.home},
		{pattern: "GET /healthz", handle: s.healthz},
		{pattern: "GET /readyz", handle: s.readyz},
	}
}

func (s *server) endpointRoutes() []route {
	const (
		endpoints   = policies.ResourceEndpoints
		permissions = policies.ResourcePermissions
	)
	one, grants := domino+"/endpoints/{name}", domino+"/endpoints/{name}/permissions"
	targets, target := own+"/endpoints/{name}/targets", own+"/endpoints/{name}/targets/{target}"
	return []route{
		{"GET " + domino + "/endpoints", decided, endpoints, policies.VerbList, s.listEndpoints},
		{"POST " + domino + "/endpoints", decided, endpoints, policies.VerbCreate, s.createEndpoint},
		{"GET " + one, decided, endpoints, policies.VerbRead, s.readEndpoint},
		{"PATCH " + one, decided, endpoints, policies.VerbUpdate, s.patchEndpoint},
		{"DELETE " + one, decided, endpoints, policies.VerbDelete, s.deleteEndpoint},
		{"GET " + grants, decided, permissions, policies.VerbRead, s.readPermissions},
		{"PATCH " + grants, decided, permissions, policies.VerbUpdate, s.updatePermissions},
		{"GET " + targets, decided, endpoints, policies.VerbRead, s.listTargets},
		{"PUT " + targets, decided, endpoints, policies.VerbUpdate, s.putTargets},
		{"POST " + targets, decided, endpoints, policies.VerbUpdate, s.addTarget},
		{"GET " + target, decided, endpoints, policies.VerbRead, s.readTarget},
		{"PATCH " + target, decided, endpoints, policies.VerbUpdate, s.patchTarget},
		{"DELETE " + target, decided, endpoints, policies.VerbUpdate, s.deleteTarget},
		{pattern: "GET " + own + "/providers", access: authenticated, handle: s.listProviders},
		{pattern: "GET " + own + "/providers/{id}/schema", access: authenticated, handle: s.readSchema},
		{pattern: "GET " + own + "/prices", access: authenticated, handle: s.readPrices},
		{pattern: "GET /v4/aigateway/provider-models", access: authenticated, handle: s.dominoModels},
		{pattern: "GET /v4/aigateway/provider-configs", access: authenticated, handle: s.dominoConfigs},
		{"POST " + own + "/apply", decided, endpoints, policies.VerbCreate, s.apply},
	}
}

func (s *server) peopleRoutes() []route {
	const (
		users         = policies.ResourceUsers
		organizations = policies.ResourceOrganizations
		tokens        = policies.ResourceTokens
	)
	member := own + "/organizations/{id}/members/{user}"
	return []route{
		{pattern: "GET " + own + "/users/self", access: authenticated, handle: s.self},
		{"GET " + own + "/users", decided, users, policies.VerbList, s.listUsers},
		{"POST " + own + "/users", decided, users, policies.VerbCreate, s.createUser},
		{"GET " + own + "/users/{id}", decided, users, policies.VerbRead, s.readUser},
		{"PATCH " + own + "/users/{id}", decided, users, policies.VerbUpdate, s.patchUser},
		{"DELETE " + own + "/users/{id}", decided, users, policies.VerbDelete, s.deleteUser},
		{"GET " + own + "/organizations", decided, organizations, policies.VerbList, s.listOrganizations},
		{"POST " + own + "/organizations", decided, organizations, policies.VerbCreate, s.createOrganization},
		{"GET " + own + "/organizations/{id}", decided, organizations, policies.VerbRead, s.readOrganization},
		{"PATCH " + own + "/organizations/{id}", decided, organizations, policies.VerbUpdate, s.patchOrganization},
		{"DELETE " + own + "/organizations/{id}", decided, organizations, policies.VerbDelete, s.deleteOrganization},
		{"PUT " + member, decided, organizations, policies.VerbUpdate, s.addMember},
		{"DELETE " + member, decided, organizations, policies.VerbUpdate, s.removeMember},
		{"GET " + own + "/tokens", decided, tokens, policies.VerbList, s.listTokens},
		{"POST " + own + "/tokens", decided, tokens, policies.VerbCreate, s.createToken},
		{"DELETE " + own + "/tokens/{id}", decided, tokens, policies.VerbDelete, s.revokeToken},
		{pattern: "GET /api/users/v1/self", access: authenticated, handle: s.dominoSelf},
		{"GET /api/users/v1/users", decided, users, policies.VerbList, s.dominoUsers},
		{pattern: "GET /api/organizations/v1/organizations", access: authenticated, handle: s.dominoOrganizations},
		{"GET /api/organizations/v1/organizations/all", decided, organizations, policies.VerbList, s.dominoAllOrganizations},
	}
}

func (s *server) operationRoutes() []route {
	return []route{
		{"GET /gateway/mlflow/v1/models", decided, policies.ResourceEndpoints, policies.VerbList, s.listUnifiedModels},
		{"GET " + domino + "/audit", decided, policies.ResourceAudit, policies.VerbList, s.dominoAudit},
		{"GET " + own + "/audit", decided, policies.ResourceAudit, policies.VerbList, s.listAudit},
		{"GET " + own + "/audit/{id}", decided, policies.ResourceAudit, policies.VerbRead, s.readAudit},
		{"GET " + own + "/policies", decided, policies.ResourcePolicies, policies.VerbRead, s.readPolicies},
		{"POST " + own + "/policies/reload", decided, policies.ResourcePolicies, policies.VerbUpdate, s.reloadPolicies},
		{"GET " + own + "/status", decided, policies.ResourceStatus, policies.VerbRead, s.readStatus},
	}
}

// mlflowRoutes are MLflow's control plane and OpenAI's list of models, which
// Domino serves under a prefix too. Calls of models never come here: Envoy
// sends them to the ext_proc server.
func (s *server) mlflowRoutes(prefix string) []route {
	const endpoints = policies.ResourceEndpoints
	list, read := policies.VerbList, policies.VerbRead
	get := "GET " + prefix
	rows := []route{
		{pattern: get + "/health", handle: s.mlflowHealth},
		{pattern: get + "/api/2.0/endpoints", access: authenticated, handle: s.redirectToSlash},
		{pattern: get + "/api/2.0/gateway/routes", access: authenticated, handle: s.redirectToSlash},
		{get + "/api/2.0/endpoints/{$}", decided, endpoints, list, s.mlflowList},
		{get + "/api/2.0/endpoints/{name}", decided, endpoints, read, s.mlflowGet},
		{get + "/api/2.0/gateway/routes/{$}", decided, endpoints, list, s.mlflowListRoutes},
		{get + "/api/2.0/gateway/routes/{name}", decided, endpoints, read, s.mlflowGetRoute},
		{get + "/api/3.0/gateway/endpoint/{name}", decided, endpoints, read, s.mlflowGet},
		{get + "/api/3.0/gateway/route/{name}", decided, endpoints, read, s.mlflowGetTraffic},
		{get + "/v1/models", decided, endpoints, list, s.listModels},
		{get + "/v1/models/{name}", decided, endpoints, read, s.readModel},
	}
	for _, limits := range []string{"/api/2.0/endpoints/limits/", "/api/2.0/gateway/limits/"} {
		rows = append(rows,
			route{pattern: get + limits + "{name}", access: authenticated, handle: s.mlflowGetLimits},
			route{pattern: "POST " + prefix + limits + "{$}", access: authenticated, handle: s.mlflowSetLimits})
	}
	return rows
}
