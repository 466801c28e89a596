package admin

import (
	"sluice/internal/admin/api"
	"sluice/policies"
)

// tagCredentials groups what is about keys in the description.
const tagCredentials = "credentials"

// credentialRoutes are about stored credentials, and about trying keys.
func (s *server) credentialRoutes() []route {
	const credentials = policies.ResourceCredentials
	all, one := own+"/credentials", own+"/credentials/{id}"
	return []route{
		{
			pattern: "GET " + all, access: decided, resource: credentials, verb: policies.VerbList, handle: s.listCredentials,
			doc: doc{
				id: "listCredentials", tag: tagCredentials, summary: "List the stored credentials, without their values.",
				query: paging("name", "provider", "created", "rotated", "usedByCount"), out: api.CredentialList{},
			},
		},
		{
			pattern: "POST " + all, access: decided, resource: credentials, verb: policies.VerbCreate, handle: s.createCredential,
			doc: doc{
				id: "createCredential", tag: tagCredentials, summary: "Store a credential that many targets can use.",
				in: api.NewCredential{}, out: api.Credential{}, versioned: true,
			},
		},
		{
			pattern: "GET " + one, access: decided, resource: credentials, verb: policies.VerbRead, handle: s.readCredential,
			doc: doc{id: "readCredential", tag: tagCredentials, summary: "Show a stored credential, without its values.", out: api.Credential{}, versioned: true},
		},
		{
			pattern: "PATCH " + one, access: decided, resource: credentials, verb: policies.VerbUpdate, handle: s.patchCredential,
			doc: doc{
				id: "updateCredential", tag: tagCredentials, in: api.CredentialPatch{}, out: api.Credential{}, versioned: true,
				summary: "Rename a credential, or rotate its values, which are in force for every target at once.",
			},
		},
		{
			pattern: "DELETE " + one, access: decided, resource: credentials, verb: policies.VerbDelete, handle: s.deleteCredential,
			doc: doc{
				id: "deleteCredential", tag: tagCredentials, summary: "Delete a credential that no target uses.",
				versioned: true, also: []int{400},
			},
		},
		{
			pattern: "POST " + own + "/targets/test", access: authenticated, handle: s.testTarget,
			doc: doc{
				id: "testTarget", tag: tagTargets, in: api.TargetTest{}, out: api.TargetTestResult{}, also: []int{403, 404},
				summary: "Try whether a provider takes a key and knows a model, by one small call, before anything is saved.",
			},
		},
	}
}

// vaultRoutes are about where credentials are kept.
func (s *server) vaultRoutes() []route {
	const settings = policies.ResourceSettings
	return []route{
		{
			pattern: "GET " + own + "/vault", access: decided, resource: settings, verb: policies.VerbRead, handle: s.readVault,
			doc: doc{id: "readVault", tag: tagCredentials, summary: "Show the state of the vault, and of a migration or rotation.", out: api.Vault{}},
		},
		{
			pattern: "POST " + own + "/vault/migrate", access: decided, resource: settings, verb: policies.VerbUpdate, handle: s.migrateVault,
			doc: doc{
				id: "migrateVault", tag: tagCredentials, summary: "Begin to move all values to the vault that is configured.",
				in: api.VaultMigration{}, out: api.Vault{}, also: []int{503},
			},
		},
		{
			pattern: "POST " + own + "/vault/rotate", access: decided, resource: settings, verb: policies.VerbUpdate, handle: s.rotateVault,
			doc: doc{
				id: "rotateVault", tag: tagCredentials, summary: "Begin to seal all values with a new key of the vault.",
				out: api.Vault{}, also: []int{400, 503},
			},
		},
	}
}
