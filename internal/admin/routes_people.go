package admin

import (
	"sluice/internal/admin/api"
	"sluice/policies"
)

func (s *server) userRoutes() []route {
	const users = policies.ResourceUsers
	return []route{
		{
			pattern: "GET " + own + "/users/self", access: authenticated, narrow: true, handle: s.self,
			doc: doc{id: "readSelf", tag: tagPeople, summary: "Show who the caller is.", out: api.Self{}, also: []int{404}},
		},
		{
			pattern: "GET " + own + "/users", access: decided, resource: users, verb: policies.VerbList, handle: s.listUsers,
			doc: doc{id: "listUsers", tag: tagPeople, summary: "List users.", query: userFilters, out: api.UserList{}},
		},
		{
			pattern: "POST " + own + "/users", access: decided, resource: users, verb: policies.VerbCreate, handle: s.createUser,
			doc: doc{id: "createUser", tag: tagPeople, summary: "Create a user.", in: api.NewUser{}, out: api.User{}, versioned: true},
		},
		{
			pattern: "GET " + own + "/users/{id}", access: decided, resource: users, verb: policies.VerbRead, handle: s.readUser,
			doc: doc{id: "readUser", tag: tagPeople, summary: "Show a user.", out: api.User{}, versioned: true},
		},
		{
			pattern: "PATCH " + own + "/users/{id}", access: decided, resource: users, verb: policies.VerbUpdate, handle: s.patchUser,
			doc: doc{
				id: "updateUser", tag: tagPeople, summary: "Change a user; what is not given stays.",
				in: api.UserPatch{}, out: api.User{}, versioned: true,
			},
		},
		{
			pattern: "DELETE " + own + "/users/{id}", access: decided, resource: users, verb: policies.VerbDelete, handle: s.deleteUser,
			doc: doc{
				id: "deleteUser", tag: tagPeople, versioned: true,
				summary: "Delete a user: the tokens are revoked, and the id goes out of organizations and permissions.",
			},
		},
		{
			pattern: "GET /api/users/v1/self", access: authenticated, narrow: true, handle: s.dominoSelf,
			doc: doc{id: "getCurrentUser", tag: tagDomino, summary: "Show the caller's user.", out: dominoUserEnvelope{}, also: []int{404}},
		},
		{
			pattern: "GET /api/users/v1/users", access: decided, resource: users, verb: policies.VerbList, handle: s.dominoUsers,
			doc: doc{id: "listUsersV1", tag: tagDomino, summary: "List users in Domino's shape.", query: userPaging, out: dominoUserList{}},
		},
	}
}

var userPaging = paging("userName", "fullName", "email", "created", "lastSeen")

var userFilters = with(userPaging,
	parameter{name: "kind", kind: kindText, text: "Only those of this kind.", enum: []string{api.KindPerson, api.KindServiceAccount}},
	parameter{name: "organizationId", kind: kindText, text: "Only members of this organization."},
	parameter{name: "role", kind: kindText, text: "Only those that have this role."},
	parameter{name: "disabled", kind: kindBoolean, text: "Only those that are disabled, or that are not."})

func (s *server) organizationRoutes() []route {
	const organizations = policies.ResourceOrganizations
	one, member := own+"/organizations/{id}", own+"/organizations/{id}/members/{user}"
	return []route{
		{
			pattern: "GET " + own + "/organizations", access: decided, resource: organizations, verb: policies.VerbList, handle: s.listOrganizations,
			doc: doc{
				id: "listOrganizations", tag: tagPeople, summary: "List organizations.",
				query: organizationPaging, out: api.OrganizationList{},
			},
		},
		{
			pattern: "POST " + own + "/organizations", access: decided, resource: organizations, verb: policies.VerbCreate, handle: s.createOrganization,
			doc: doc{
				id: "createOrganization", tag: tagPeople, summary: "Create an organization.",
				in: api.NewOrganization{}, out: api.Organization{}, versioned: true,
			},
		},
		{
			pattern: "GET " + one, access: decided, resource: organizations, verb: policies.VerbRead, handle: s.readOrganization,
			doc: doc{id: "readOrganization", tag: tagPeople, summary: "Show an organization.", out: api.Organization{}, versioned: true},
		},
		{
			pattern: "PATCH " + one, access: decided, resource: organizations, verb: policies.VerbUpdate, handle: s.patchOrganization,
			doc: doc{
				id: "updateOrganization", tag: tagPeople, summary: "Rename an organization.",
				in: api.OrganizationPatch{}, out: api.Organization{}, versioned: true,
			},
		},
		{
			pattern: "DELETE " + one, access: decided, resource: organizations, verb: policies.VerbDelete, handle: s.deleteOrganization,
			doc: doc{
				id: "deleteOrganization", tag: tagPeople, summary: "Delete an organization; its id goes out of all permissions.",
				versioned: true,
			},
		},
		{
			pattern: "PATCH " + one + "/members", access: decided, resource: organizations, verb: policies.VerbUpdate, scoped: true,
			handle: s.patchMembers,
			doc: doc{
				id: "updateOrganizationMembers", tag: tagPeople, summary: "Change several members at once, all or none.",
				in: api.MembersPatch{}, out: api.Organization{}, versioned: true,
			},
		},
		{
			pattern: "PUT " + member, access: decided, resource: organizations, verb: policies.VerbUpdate, scoped: true, handle: s.putMember,
			doc: doc{
				id: "addOrganizationMember", tag: tagPeople, summary: "Make a user, given by id or name, a member, or change his role.",
				in: api.MemberRole{}, optional: true, out: api.Organization{}, versioned: true,
			},
		},
		{
			pattern: "DELETE " + member, access: decided, resource: organizations, verb: policies.VerbUpdate, scoped: true, handle: s.removeMember,
			doc: doc{
				id: "removeOrganizationMember", tag: tagPeople, summary: "End a user's membership.",
				out: api.Organization{}, versioned: true,
			},
		},
	}
}

var organizationPaging = paging("name", "created", "memberCount")

func (s *server) tokenRoutes() []route {
	const tokens = policies.ResourceTokens
	return []route{
		{
			pattern: "GET " + own + "/tokens", access: decided, resource: tokens, verb: policies.VerbList, handle: s.listTokens,
			doc: doc{
				id: "listTokens", tag: tagTokens, summary: "List the caller's tokens, or those of others for who may see them.",
				query: with(paging("created", "name", "expires", "lastUsed"),
					parameter{name: "userId", kind: kindText, text: "Only those of this user."},
					parameter{name: "active", kind: kindBoolean, text: "True leaves out those that are revoked or have expired.", fallback: false}),
				out: api.TokenList{},
			},
		},
		{
			pattern: "POST " + own + "/tokens", access: decided, resource: tokens, verb: policies.VerbCreate, handle: s.createToken,
			doc: doc{
				id: "createToken", tag: tagTokens, summary: "Make a token, which is shown in this reply and never again.",
				in: api.NewToken{}, out: api.IssuedToken{},
			},
		},
		{
			pattern: "GET " + own + "/tokens/{id}", access: decided, resource: tokens, verb: policies.VerbRead, handle: s.readToken,
			doc: doc{id: "readToken", tag: tagTokens, summary: "Show what is known of a token.", out: api.Token{}, versioned: true},
		},
		{
			pattern: "DELETE " + own + "/tokens/{id}", access: decided, resource: tokens, verb: policies.VerbDelete, handle: s.revokeToken,
			doc: doc{id: "revokeToken", tag: tagTokens, summary: "Revoke a token.", out: api.Token{}, versioned: true},
		},
	}
}
