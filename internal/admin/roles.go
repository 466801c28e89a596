package admin

import (
	"errors"
	"net/http"
	"slices"

	"sluice/internal/admin/api"
	"sluice/internal/identity"
	"sluice/policies"
)

// resourcesOf and verbs are what the policy is asked about a role.
var (
	resourcesOf = []string{
		policies.ResourceEndpoints, policies.ResourcePermissions, policies.ResourceAudit, policies.ResourceTokens,
		policies.ResourceUsers, policies.ResourceOrganizations, policies.ResourcePolicies, policies.ResourceStatus,
		policies.ResourceCredentials, policies.ResourceUsage, policies.ResourceSessions, policies.ResourceSettings,
		policies.ResourceProvisioning, policies.ResourceHolds, policies.ResourceEvidence,
	}
	verbs        = []string{policies.VerbList, policies.VerbRead, policies.VerbCreate, policies.VerbUpdate, policies.VerbDelete}
	builtInRoles = []string{identity.RoleAdministrator, identity.RoleAuditor, identity.RoleEndpointOwner, identity.RoleProvisioner}
)

// listRoles is GET /api/sluice/v1/roles.
func (s *server) listRoles(c *call) error {
	roles := map[string]*api.Role{}
	role := func(name string) *api.Role {
		if roles[name] == nil {
			roles[name] = &api.Role{Name: name, BuiltIn: slices.Contains(builtInRoles, name), Endpoints: []string{}}
		}
		return roles[name]
	}
	for _, name := range builtInRoles {
		role(name)
	}
	for _, u := range s.Identity.Users() {
		for _, name := range u.Roles {
			role(name).Users++
		}
	}
	for _, e := range s.Catalog.Snapshot().All() {
		for _, name := range e.Permissions.Roles {
			r := role(name)
			r.Endpoints = append(r.Endpoints, e.Name)
		}
	}
	everyone, err := s.rolesMay(c)
	if err != nil {
		return err
	}
	out := api.RoleList{Everyone: everyone, Roles: []api.Role{}, Revision: s.Policy.Status().Revision}
	for _, name := range sortedKeys(roles) {
		r := roles[name]
		if r.May, err = s.rolesMay(c, name); err != nil {
			return err
		}
		out.Roles = append(out.Roles, *r)
	}
	return c.reply(http.StatusOK, out)
}

// rolesMay asks the policy what a caller with the roles may do.
func (s *server) rolesMay(c *call, roles ...string) (map[string]map[string]string, error) {
	caller := somebody(roles, nil, "")
	may := map[string]map[string]string{}
	for _, resource := range resourcesOf {
		for _, verb := range verbs {
			d, err := s.Policy.Decide(c.ctx(), &policies.Input{
				Action: policies.ActionAPI, Caller: caller, Resource: resource, Verb: verb, Time: c.start,
			})
			if err != nil && c.ctx().Err() != nil {
				return nil, err
			}
			scope, _ := d.Obligations[policies.ObligationScope].(string)
			if !d.Allow || scope == "" {
				continue
			}
			if may[resource] == nil {
				may[resource] = map[string]string{}
			}
			may[resource][verb] = scope
		}
	}
	return may, nil
}

// checkPolicies is POST /api/sluice/v1/policies/check.
func (s *server) checkPolicies(c *call) error {
	report, err := s.Policy.Check(c.ctx())
	if err != nil && c.ctx().Err() != nil {
		return err
	}
	out := api.PolicyCheck{OK: err == nil}
	if err != nil {
		out.Error = err.Error()
	}
	if err == nil || errors.Is(err, policies.ErrTestsFailed) {
		report.Tests, report.Uncovered = notNilOf(report.Tests), notNilOf(report.Uncovered)
		out.Report = &report
	}
	return c.reply(http.StatusOK, out)
}

func notNilOf[T any](list []T) []T { return append([]T{}, list...) }

// readPolicyFiles is GET /api/sluice/v1/policies/bundles/{name}/files.
func (s *server) readPolicyFiles(c *call) error {
	name := c.r.PathValue("name")
	files, ok := s.Policy.Files(name)
	if !ok {
		return notFound("bundle", name)
	}
	out := api.PolicyFiles{Name: name, Files: files}
	return c.replyVersioned(etagOf(files), out)
}

// readSettings is GET /api/sluice/v1/settings.
func (s *server) readSettings(c *call) error {
	out := api.Settings{Read: s.started, Settings: []api.Setting{}, Pending: []string{}, Problems: []string{}}
	if s.Settings != nil {
		out = s.Settings()
	}
	return c.reply(http.StatusOK, out)
}
