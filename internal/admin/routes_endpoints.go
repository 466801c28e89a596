package admin

import (
	"sluice/internal/admin/api"
	"sluice/policies"
)

func (s *server) endpointRoutes() []route {
	const (
		endpoints   = policies.ResourceEndpoints
		permissions = policies.ResourcePermissions
	)
	one, grants := domino+"/endpoints/{name}", domino+"/endpoints/{name}/permissions"
	return []route{
		{
			pattern: "GET " + domino + "/endpoints", access: decided, resource: endpoints, verb: policies.VerbList, handle: s.listEndpoints,
			doc: doc{
				id: "getAllGatewayEndpoints", tag: tagEndpoints, summary: "List the endpoints that the caller may use.",
				query: append(paging("endpointName", "creationDate", "endpointType", "modelName", "modelProvider"), parameter{
					name: "mayInvoke", kind: kindBoolean, fallback: false, text: "Leaves out what the caller may see and not call.",
				}),
				out: api.EndpointList{},
			},
		},
		{
			pattern: "POST " + domino + "/endpoints", access: decided, resource: endpoints, verb: policies.VerbCreate, handle: s.createEndpoint,
			doc: doc{
				id: "createGatewayEndpoint", tag: tagEndpoints, summary: "Create an endpoint.",
				in: api.NewEndpoint{}, out: api.Endpoint{}, versioned: true,
			},
		},
		{
			pattern: "GET " + one, access: decided, resource: endpoints, verb: policies.VerbRead, handle: s.readEndpoint,
			doc: doc{
				id: "getGatewayEndpointByName", tag: tagEndpoints, summary: "Show an endpoint.", versioned: true, out: api.Endpoint{},
				query: []parameter{{name: "numInputTokens", kind: kindInteger, high: 1<<31 - 1, text: "Sent by Domino's proxy; checked and not used."}},
			},
		},
		{
			pattern: "PATCH " + one, access: decided, resource: endpoints, verb: policies.VerbUpdate, handle: s.patchEndpoint,
			doc: doc{
				id: "updateGatewayEndpointByName", tag: tagEndpoints, summary: "Change an endpoint; what is not given stays.",
				in: api.EndpointPatch{}, out: api.Endpoint{}, versioned: true,
			},
		},
		{
			pattern: "DELETE " + one, access: decided, resource: endpoints, verb: policies.VerbDelete, handle: s.deleteEndpoint,
			doc: doc{id: "deleteGatewayEndpointByName", tag: tagEndpoints, summary: "Delete an endpoint.", versioned: true},
		},
		{
			pattern: "GET " + grants, access: decided, resource: permissions, verb: policies.VerbRead, handle: s.readPermissions,
			doc: doc{
				id: "getGatewayEndpointPermissionsByName", tag: tagEndpoints, summary: "Show who may use an endpoint.",
				out: api.Permissions{}, versioned: true,
			},
		},
		{
			pattern: "PATCH " + grants, access: decided, resource: permissions, verb: policies.VerbUpdate, handle: s.updatePermissions,
			doc: doc{
				id: "updateGatewayEndpointPermissionsByName", tag: tagEndpoints, in: api.PermissionsPatch{}, out: api.Permissions{},
				summary: "Change who may use an endpoint; each list that is given replaces the stored one.", versioned: true,
			},
		},
		{
			pattern: "POST " + own + "/apply", access: decided, resource: endpoints, verb: policies.VerbCreate, handle: s.apply,
			doc: doc{
				id: "applyEndpoints", tag: tagEndpoints, summary: "Create or update the endpoints of a file in MLflow's form, all or none.",
				in: media("application/yaml"), out: api.ApplyResult{},
				query: []parameter{{
					name: "isEveryoneAllowed", kind: kindBoolean, fallback: false,
					text: "Opens to everyone each new endpoint whose permissions the file does not give.",
				}, {
					name: "dryRun", kind: kindBoolean, fallback: false, text: "Tells what would be done, and does nothing.",
				}},
			},
		},
	}
}

func (s *server) targetRoutes() []route {
	const endpoints = policies.ResourceEndpoints
	targets, target := own+"/endpoints/{name}/targets", own+"/endpoints/{name}/targets/{target}"
	return []route{
		{
			pattern: "GET " + targets, access: decided, resource: endpoints, verb: policies.VerbRead, handle: s.listTargets,
			doc: doc{id: "listTargets", tag: tagTargets, summary: "List the targets of an endpoint.", out: api.TargetList{}, versioned: true},
		},
		{
			pattern: "PUT " + targets, access: decided, resource: endpoints, verb: policies.VerbUpdate, handle: s.putTargets,
			doc: doc{
				id: "replaceTargets", tag: tagTargets, summary: "Replace the targets of an endpoint.",
				in: api.TargetsPut{}, out: api.TargetList{}, versioned: true,
			},
		},
		{
			pattern: "POST " + targets, access: decided, resource: endpoints, verb: policies.VerbUpdate, handle: s.addTarget,
			doc: doc{
				id: "addTarget", tag: tagTargets, summary: "Add a target to an endpoint.",
				in: api.NewTarget{}, out: api.Target{}, versioned: true,
			},
		},
		{
			pattern: "GET " + target, access: decided, resource: endpoints, verb: policies.VerbRead, handle: s.readTarget,
			doc: doc{id: "readTarget", tag: tagTargets, summary: "Show a target.", out: api.Target{}, versioned: true},
		},
		{
			pattern: "PATCH " + target, access: decided, resource: endpoints, verb: policies.VerbUpdate, handle: s.patchTarget,
			doc: doc{
				id: "updateTarget", tag: tagTargets, summary: "Change a target; what is not given stays.",
				in: api.TargetPatch{}, out: api.Target{}, versioned: true,
			},
		},
		{
			pattern: "DELETE " + target, access: decided, resource: endpoints, verb: policies.VerbUpdate, handle: s.deleteTarget,
			doc: doc{id: "deleteTarget", tag: tagTargets, summary: "Delete a target.", versioned: true, also: []int{400}},
		},
	}
}

func (s *server) providerRoutes() []route {
	return []route{
		{
			pattern: "GET " + own + "/providers", access: authenticated, handle: s.listProviders,
			doc: doc{
				id: "listProviders", tag: tagProviders, out: api.ProviderList{},
				summary: "List the kinds of provider, with the fields of their modelConfig.",
			},
		},
		{
			pattern: "GET " + own + "/providers/{id}/schema", access: authenticated, handle: s.readSchema,
			doc: doc{
				id: "readProviderSchema", tag: tagProviders, summary: "Show the JSON Schema of a provider's modelConfig.",
				out: media("application/schema+json"),
			},
		},
		{
			pattern: "GET " + own + "/prices", access: authenticated, handle: s.readPrices,
			doc: doc{id: "readPrices", tag: tagProviders, summary: "Show the prices with which costs are estimated.", out: api.Prices{}},
		},
		{
			pattern: "GET /v4/aigateway/provider-models", access: authenticated, handle: s.dominoModels,
			doc: doc{
				id: "getAvailableModels", tag: tagProviders, summary: "List well-known models by provider and endpoint type.",
				out: availableModels{},
			},
		},
		{
			pattern: "GET /v4/aigateway/provider-configs", access: authenticated, handle: s.dominoConfigs,
			doc: doc{
				id: "getModelProviderConfigs", tag: tagProviders, summary: "List the fields of modelConfig that a provider needs.",
				query: []parameter{{name: "modelProvider", kind: kindText, required: true, text: "The id of the provider."}},
				out:   []string{},
			},
		},
	}
}
