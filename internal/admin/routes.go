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
		{pattern: "GET " + domino + "/endpoints", access: decided, resource: endpoints, verb: policies.VerbList, handle: s.listEndpoints},
		{pattern: "POST " + domino + "/endpoints", access: decided, resource: endpoints, verb: policies.VerbCreate, handle: s.createEndpoint},
		{pattern: "GET " + one, access: decided, resource: endpoints, verb: policies.VerbRead, handle: s.readEndpoint},
		{pattern: "PATCH " + one, access: decided, resource: endpoints, verb: policies.VerbUpdate, handle: s.patchEndpoint},
		{pattern: "DELETE " + one, access: decided, resource: endpoints, verb: policies.VerbDelete, handle: s.deleteEndpoint},
		{pattern: "GET " + grants, access: decided, resource: permissions, verb: policies.VerbRead, handle: s.readPermissions},
		{pattern: "PATCH " + grants, access: decided, resource: permissions, verb: policies.VerbUpdate, handle: s.updatePermissions},
		{pattern: "GET " + targets, access: decided, resource: endpoints, verb: policies.VerbRead, handle: s.listTargets},
		{pattern: "PUT " + targets, access: decided, resource: endpoints, verb: policies.VerbUpdate, handle: s.putTargets},
		{pattern: "POST " + targets, access: decided, resource: endpoints, verb: policies.VerbUpdate, handle: s.addTarget},
		{pattern: "GET " + target, access: decided, resource: endpoints, verb: policies.VerbRead, handle: s.readTarget},
		{pattern: "PATCH " + target, access: decided, resource: endpoints, verb: policies.VerbUpdate, handle: s.patchTarget},
		{pattern: "DELETE " + target, access: decided, resource: endpoints, verb: policies.VerbUpdate, handle: s.deleteTarget},
		{pattern: "GET " + own + "/providers", access: authenticated, handle: s.listProviders},
		{pattern: "GET " + own + "/providers/{id}/schema", access: authenticated, handle: s.readSchema},
		{pattern: "GET " + own + "/prices", access: authenticated, handle: s.readPrices},
		{pattern: "GET /v4/aigateway/provider-models", access: authenticated, handle: s.dominoModels},
		{pattern: "GET /v4/aigateway/provider-configs", access: authenticated, handle: s.dominoConfigs},
		{pattern: "POST " + own + "/apply", access: decided, resource: endpoints, verb: policies.VerbCreate, handle: s.apply},
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
		{pattern: "GET " + own + "/users", access: decided, resource: users, verb: policies.VerbList, handle: s.listUsers},
		{pattern: "POST " + own + "/users", access: decided, resource: users, verb: policies.VerbCreate, handle: s.createUser},
		{pattern: "GET " + own + "/users/{id}", access: decided, resource: users, verb: policies.VerbRead, handle: s.readUser},
		{pattern: "PATCH " + own + "/users/{id}", access: decided, resource: users, verb: policies.VerbUpdate, handle: s.patchUser},
		{pattern: "DELETE " + own + "/users/{id}", access: decided, resource: users, verb: policies.VerbDelete, handle: s.deleteUser},
		{pattern: "GET " + own + "/organizations", access: decided, resource: organizations, verb: policies.VerbList, handle: s.listOrganizations},
		{pattern: "POST " + own + "/organizations", access: decided, resource: organizations, verb: policies.VerbCreate, handle: s.createOrganization},
		{pattern: "GET " + own + "/organizations/{id}", access: decided, resource: organizations, verb: policies.VerbRead, handle: s.readOrganization},
		{pattern: "PATCH " + own + "/organizations/{id}", access: decided, resource: organizations, verb: policies.VerbUpdate, handle: s.patchOrganization},
		{pattern: "DELETE " + own + "/organizations/{id}", access: decided, resource: organizations, verb: policies.VerbDelete, handle: s.deleteOrganization},
		{pattern: "PUT " + member, access: decided, resource: organizations, verb: policies.VerbUpdate, handle: s.addMember},
		{pattern: "DELETE " + member, access: decided, resource: organizations, verb: policies.VerbUpdate, handle: s.removeMember},
		{pattern: "GET " + own + "/tokens", access: decided, resource: tokens, verb: policies.VerbList, handle: s.listTokens},
		{pattern: "POST " + own + "/tokens", access: decided, resource: tokens, verb: policies.VerbCreate, handle: s.createToken},
		{pattern: "DELETE " + own + "/tokens/{id}", access: decided, resource: tokens, verb: policies.VerbDelete, handle: s.revokeToken},
		{pattern: "GET /api/users/v1/self", access: authenticated, handle: s.dominoSelf},
		{pattern: "GET /api/users/v1/users", access: decided, resource: users, verb: policies.VerbList, handle: s.dominoUsers},
		{pattern: "GET /api/organizations/v1/organizations", access: authenticated, handle: s.dominoOrganizations},
		{pattern: "GET /api/organizations/v1/organizations/all", access: decided, resource: organizations, verb: policies.VerbList, handle: s.dominoAllOrganizations},
	}
}

func (s *server) operationRoutes() []route {
	return []route{
		{pattern: "GET /gateway/mlflow/v1/models", access: decided, resource: policies.ResourceEndpoints, verb: policies.VerbList, handle: s.listUnifiedModels},
		{pattern: "GET " + domino + "/audit", access: decided, resource: policies.ResourceAudit, verb: policies.VerbList, handle: s.dominoAudit},
		{pattern: "GET " + own + "/audit", access: decided, resource: policies.ResourceAudit, verb: policies.VerbList, handle: s.listAudit},
		{pattern: "GET " + own + "/audit/{id}", access: decided, resource: policies.ResourceAudit, verb: policies.VerbRead, handle: s.readAudit},
		{pattern: "GET " + own + "/policies", access: decided, resource: policies.ResourcePolicies, verb: policies.VerbRead, handle: s.readPolicies},
		{pattern: "POST " + own + "/policies/reload", access: decided, resource: policies.ResourcePolicies, verb: policies.VerbUpdate, handle: s.reloadPolicies},
		{pattern: "GET " + own + "/status", access: decided, resource: policies.ResourceStatus, verb: policies.VerbRead, handle: s.readStatus},
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
		{pattern: get + "/api/2.0/endpoints/{$}", access: decided, resource: endpoints, verb: list, handle: s.mlflowList},
		{pattern: get + "/api/2.0/endpoints/{name}", access: decided, resource: endpoints, verb: read, handle: s.mlflowGet},
		{pattern: get + "/api/2.0/gateway/routes/{$}", access: decided, resource: endpoints, verb: list, handle: s.mlflowListRoutes},
		{pattern: get + "/api/2.0/gateway/routes/{name}", access: decided, resource: endpoints, verb: read, handle: s.mlflowGetRoute},
		{pattern: get + "/api/3.0/gateway/endpoint/{name}", access: decided, resource: endpoints, verb: read, handle: s.mlflowGet},
		{pattern: get + "/api/3.0/gateway/route/{name}", access: decided, resource: endpoints, verb: read, handle: s.mlflowGetTraffic},
		{pattern: get + "/v1/models", access: decided, resource: endpoints, verb: list, handle: s.listModels},
		{pattern: get + "/v1/models/{name}", access: decided, resource: endpoints, verb: read, handle: s.readModel},
	}
	for _, limits := range []string{"/api/2.0/endpoints/limits/", "/api/2.0/gateway/limits/"} {
		rows = append(rows,
			route{pattern: get + limits + "{name}", access: authenticated, handle: s.mlflowGetLimits},
			route{pattern: "POST " + prefix + limits + "{$}", access: authenticated, handle: s.mlflowSetLimits})
	}
	return rows
}
