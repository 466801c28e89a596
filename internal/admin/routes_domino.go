package admin

import "sluice/policies"

// dominoRoutes are Domino's routes that are about people and the trail, beside
// those of endpoints.
func (s *server) dominoRoutes() []route {
	const trail = policies.ResourceAudit
	rows := []route{
		{
			pattern: "GET /v4/aigateway/audit/download", access: decided, resource: trail, verb: policies.VerbList, handle: s.downloadAudit,
			doc: doc{
				id: "downloadAuditData", summary: "Download what happened to endpoints and with them in the past six months.",
				query: []parameter{{name: "useJson", kind: kindBoolean, fallback: false, text: "A JSON file in place of a text file."}},
				out:   media("application/octet-stream"),
			},
		},
		{
			pattern: "GET /v4/users/self", access: authenticated, narrow: true, handle: s.dominoPersonSelf,
			doc: doc{id: "getSelf", summary: "Show the caller's user.", out: dominoPerson{}, also: []int{404}},
		},
		{
			pattern: "GET /v4/auth/principal", access: authenticated, narrow: true, handle: s.dominoPrincipalSelf,
			doc: doc{id: "getPrincipal", summary: "Show who the caller is, and whether he is an administrator.", out: dominoPrincipal{}},
		},
	}
	for path, id := range map[string]string{"/api/audittrail/v1/auditevents": "fetchAuditEvents", "/auditevents": "fetchAuditEventsShort"} {
		rows = append(rows, route{
			pattern: "GET " + path, access: decided, resource: trail, verb: policies.VerbList, handle: s.listAuditEvents,
			doc: doc{id: id, summary: "List events of the trail in the shape of Domino's unified one.", query: eventParameters, out: trailEvents{}},
		})
	}
	rows = append(rows, s.dominoOrganizationRoutes()...)
	rows = append(rows, s.accountRoutes()...)
	for i := range rows {
		rows[i].doc.tag = tagDomino
	}
	return rows
}

func (s *server) dominoOrganizationRoutes() []route {
	const organizations = policies.ResourceOrganizations
	all := "/api/organizations/v1/organizations"
	return []route{
		{
			pattern: "GET " + all, access: authenticated, handle: s.dominoOrganizations,
			doc: doc{
				id: "getUserOrgs", summary: "List the caller's own organizations.",
				query: dominoOrganizationPaging, out: dominoOrganizationList{},
			},
		},
		{
			pattern: "GET " + all + "/all", access: decided, resource: organizations, verb: policies.VerbList, handle: s.dominoAllOrganizations,
			doc: doc{id: "getAllOrgs", summary: "List organizations.", query: dominoOrganizationPaging, out: dominoOrganizationList{}},
		},
		{
			pattern: "POST " + all, access: decided, resource: organizations, verb: policies.VerbCreate, handle: s.dominoCreateOrganization,
			doc: doc{id: "createOrg", summary: "Create an organization.", in: dominoNewOrganization{}, out: dominoOrganizationEnvelope{}},
		},
		{
			pattern: "GET " + all + "/{id}", access: decided, resource: organizations, verb: policies.VerbRead, handle: s.dominoOrganization,
			doc: doc{id: "getOrg", summary: "Show an organization.", out: dominoOrganizationEnvelope{}},
		},
		{
			pattern: "PUT " + all + "/{id}/user", access: decided, resource: organizations, verb: policies.VerbUpdate, scoped: true, handle: s.dominoAddUser,
			doc: doc{
				id: "addUserToOrg", summary: "Make a user a member, or change a member's role.",
				in: dominoMember{}, out: dominoOrganizationEnvelope{}, also: []int{412},
			},
		},
		{
			pattern: "DELETE " + all + "/{id}/user", access: decided, resource: organizations, verb: policies.VerbUpdate, scoped: true,
			handle: s.dominoRemoveUser,
			doc: doc{
				id: "removeUserFromOrg", summary: "End a user's membership.", out: dominoOrganizationEnvelope{}, also: []int{412},
				query: []parameter{{name: "memberToRemoveId", kind: kindText, required: true, text: "The id of the user."}},
			},
		},
	}
}

var dominoOrganizationPaging = with(organizationPaging,
	parameter{name: "nameFilter", kind: kindText, text: "Domino's word for searchFilter."})

func (s *server) accountRoutes() []route {
	const users, tokens = policies.ResourceUsers, policies.ResourceTokens
	all := "/api/serviceAccounts/v1/serviceAccounts"
	one := all + "/{id}"
	token := one + "/tokens/{token}"
	return []route{
		{
			pattern: "GET " + all, access: decided, resource: users, verb: policies.VerbList, handle: s.listAccounts,
			doc: doc{
				id: "getServiceAccounts", summary: "List service accounts.", out: serviceAccountList{},
				query: with(paging("username"), parameter{
					name: "includeDeactivated", kind: kindBoolean, fallback: false, text: "Those too that were deactivated.",
				}),
			},
		},
		{
			pattern: "POST " + all, access: decided, resource: users, verb: policies.VerbCreate, handle: s.createAccount,
			doc: doc{id: "createServiceAccount", summary: "Create a service account.", in: newServiceAccount{}, out: serviceAccountEnvelope{}},
		},
		{
			pattern: "GET " + one, access: decided, resource: users, verb: policies.VerbRead, handle: s.readAccount,
			doc: doc{id: "getServiceAccount", summary: "Show a service account.", out: serviceAccountEnvelope{}},
		},
		{
			pattern: "DELETE " + one, access: decided, resource: users, verb: policies.VerbDelete, handle: s.deleteAccount,
			doc: doc{id: "deleteServiceAccount", summary: "Delete a service account, and revoke its tokens.", also: []int{400, 412}},
		},
		{
			pattern: "POST " + one + "/activate", access: decided, resource: users, verb: policies.VerbUpdate, handle: s.activateAccount,
			doc: doc{id: "activateServiceAccount", summary: "Let a service account in again.", out: serviceAccountEnvelope{}},
		},
		{
			pattern: "POST " + one + "/deactivate", access: decided, resource: users, verb: policies.VerbUpdate, handle: s.deactivateAccount,
			doc: doc{id: "deactivateServiceAccount", summary: "Refuse a service account's tokens.", out: serviceAccountEnvelope{}, also: []int{400}},
		},
		{
			pattern: "GET " + one + "/tokens", access: decided, resource: tokens, verb: policies.VerbList, handle: s.listAccountTokens,
			doc: doc{id: "getServiceAccountTokens", summary: "List the tokens of a service account.", query: paging("createdAt"), out: accountTokenList{}},
		},
		{
			pattern: "POST " + one + "/tokens", access: decided, resource: tokens, verb: policies.VerbCreate, handle: s.createAccountToken,
			doc: doc{
				id: "createServiceAccountToken", summary: "Make a token, which is shown in this reply and never again.",
				in: newAccountToken{}, out: issuedAccountToken{},
			},
		},
		{
			pattern: "GET " + token, access: decided, resource: tokens, verb: policies.VerbRead, handle: s.readAccountToken,
			doc: doc{id: "getServiceAccountToken", summary: "Show what is known of a token.", out: accountTokenEnvelope{}},
		},
		{
			pattern: "POST " + token + "/invalidate", access: decided, resource: tokens, verb: policies.VerbDelete, handle: s.invalidateAccountToken,
			doc: doc{id: "invalidateServiceAccountToken", summary: "Revoke a token."},
		},
	}
}
