package admin

import (
	"sluice/extproc/dialect"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
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
		s.openRoutes(), s.endpointRoutes(), s.targetRoutes(), s.providerRoutes(),
		s.userRoutes(), s.organizationRoutes(), s.tokenRoutes(), s.sessionRoutes(), s.scimRoutes(), s.credentialRoutes(), s.vaultRoutes(),
		s.auditRoutes(), s.trailKeyRoutes(), s.sinkRoutes(), s.custodyRoutes(), s.verificationRoutes(), s.dominoRoutes(), s.operationRoutes(),
		s.usageRoutes(), s.candidateRoutes(),
		s.mlflowRoutes(""), s.mlflowRoutes(dialect.Prefix),
	} {
		all = append(all, group...)
	}
	return all
}

func (s *server) openRoutes() []route {
	return []route{
		{
			pattern: "GET /{$}", handle: s.home,
			doc: doc{id: "home", tag: tagOperations, summary: "Show the ways in, as a page to browsers.", out: home{}},
		},
		{
			pattern: "GET /healthz", handle: s.healthz,
			doc: doc{id: "healthz", tag: tagOperations, summary: "Tell that the process answers.", out: health{}},
		},
		{
			pattern: "GET /readyz", handle: s.readyz,
			doc: doc{
				id: "readyz", tag: tagOperations, summary: "Tell whether calls can be served, and what is missing.",
				out: readiness{}, also: []int{503},
			},
		},
		{
			pattern: "GET /api/openapi.json", handle: s.readDescription,
			doc: doc{
				id: "readDescription", tag: tagOperations, summary: "Show this description.",
				out: media("application/json"), versioned: true,
			},
		},
		{
			pattern: "GET " + own + "/sign-in", handle: s.signIn,
			doc: doc{
				id: "readSignIn", tag: tagPeople, summary: "Show the ways to sign in, to whoever has no token yet.",
				out: api.SignIn{},
			},
		},
	}
}

// operationRoutes are about the gateway itself.
func (s *server) operationRoutes() []route {
	const bundles = policies.ResourcePolicies
	return []route{
		{
			pattern: "GET " + own + "/policies", access: decided, resource: bundles, verb: policies.VerbRead, handle: s.readPolicies,
			doc: doc{id: "readPolicies", tag: tagPolicies, summary: "Show which bundles are in force.", out: policies.Status{}},
		},
		{
			pattern: "POST " + own + "/policies/reload", access: decided, resource: bundles, verb: policies.VerbUpdate, handle: s.reloadPolicies,
			doc: doc{id: "reloadPolicies", tag: tagPolicies, summary: "Read the bundles anew.", out: policies.Status{}},
		},
		{
			pattern: "POST " + own + "/policies/check", access: decided, resource: bundles, verb: policies.VerbRead, handle: s.checkPolicies,
			doc: doc{
				id: "checkPolicies", tag: tagPolicies, out: api.PolicyCheck{},
				summary: "Read the configured bundles, compile them and run their tests, and put nothing into force.",
			},
		},
		{
			pattern: "POST " + own + "/policies/access", access: decided, resource: bundles, verb: policies.VerbRead, handle: s.explainAccess,
			doc: doc{
				id: "explainAccess", tag: tagPolicies, summary: "Tell who may see and call an endpoint, or what a user may, and why.",
				in: api.AccessQuestion{}, out: api.AccessAnswers{},
			},
		},
		{
			pattern: "GET " + own + "/policies/bundles/{name}/files", access: decided, resource: bundles, verb: policies.VerbRead, handle: s.readPolicyFiles,
			doc: doc{
				id: "readPolicyFiles", tag: tagPolicies, summary: "Show the files of a bundle in force.",
				out: api.PolicyFiles{}, versioned: true,
			},
		},
		{
			pattern: "GET " + own + "/roles", access: decided, resource: bundles, verb: policies.VerbRead, handle: s.listRoles,
			doc: doc{id: "listRoles", tag: tagPolicies, summary: "List roles, with what the policy lets each do.", out: api.RoleList{}},
		},
		{
			pattern: "GET " + own + "/settings", access: decided, resource: policies.ResourceSettings, verb: policies.VerbRead, handle: s.readSettings,
			doc: doc{id: "readSettings", tag: tagOperations, summary: "Show the configuration in force.", out: api.Settings{}},
		},
		{
			pattern: "GET " + own + "/status", access: decided, resource: policies.ResourceStatus, verb: policies.VerbRead, handle: s.readStatus,
			doc: doc{id: "readStatus", tag: tagOperations, summary: "Show the state of the gateway's parts.", out: api.Status{}},
		},
	}
}

func (s *server) auditRoutes() []route {
	const trail = policies.ResourceAudit
	return []route{
		{
			pattern: "GET " + domino + "/audit", access: decided, resource: trail, verb: policies.VerbList, handle: s.dominoAudit,
			doc: doc{
				id: "getAIGatewayAuditData", tag: tagAudit, summary: "List what happened to endpoints and with them, oldest first.",
				query: auditWindow(endpointFilters...), out: []auditData{},
			},
		},
		{
			pattern: "GET " + own + "/audit", access: decided, resource: trail, verb: policies.VerbList, handle: s.listAudit,
			doc: doc{
				id: "listAuditRecords", tag: tagAudit, summary: "List records of the trail, newest first.",
				query: auditWindow(auditFilters...), out: auditPage{}, as: []media{ndjson},
			},
		},
		{
			pattern: "GET " + own + "/audit/{id}", access: decided, resource: trail, verb: policies.VerbRead, handle: s.readAudit,
			doc: doc{id: "readAuditRecord", tag: tagAudit, summary: "Show a record with both bodies.", out: audit.Record{}},
		},
	}
}
