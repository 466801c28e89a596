package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"sluice/extproc/dialect"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/identity"
	"sluice/internal/mlflowconfig"
	"sluice/policies"
)

// resolve turns the endpoints of a file into the catalog's: providers are
// checked and named canonically, keys told from parameters, and the names of
// users and organizations in permissions turned into ids. An endpoint whose
// permissions the file does not give has none. The first that is wrong is
// named in the error.
func resolve(
	ctx context.Context, people *identity.Store, snap *catalog.Snapshot, list []mlflowconfig.Endpoint,
) ([]catalog.Endpoint, error) {
	out := make([]catalog.Endpoint, 0, len(list))
	for _, in := range list {
		e, err := inFile(in, snap).settle(nil, snap)
		if err == nil && in.Permissions != nil {
			e.Permissions, err = resolvePermissions(ctx, people, *in.Permissions)
		}
		if err != nil {
			return nil, inEndpoint(in.Name, err)
		}
		out = append(out, *e)
	}
	return out, nil
}

// inFile is an endpoint of a file as a client's description of it. Files name
// stored credentials; one that is not there is told by settle.
func inFile(in mlflowconfig.Endpoint, snap *catalog.Snapshot) definition {
	d := definition{name: in.Name, kind: string(in.Type), limit: in.Limit, headTimeout: in.HeadTimeout}
	set(&d.description, in.Description)
	set(&d.disabled, in.Disabled)
	set(&d.auditBodies, in.AuditBodies)
	for i, t := range in.Targets {
		credential := t.Credential
		if c, ok := snap.CredentialNamed(t.Credential); ok {
			credential = c.ID
		}
		at := ""
		if len(in.Targets) > 1 {
			at = place(i)
		}
		d.targets = append(d.targets, targetDefinition{
			at: at, name: t.Name, weight: int64(t.Weight), order: int64(t.Order), disabled: t.Disabled,
			provider: t.Provider, model: t.Model, config: t.Config, credential: credential,
		})
	}
	return d
}

// inEndpoint says which of several endpoints an error is about.
func inEndpoint(name string, err error) error {
	var told *dialect.Error
	var wrong *catalog.FieldError
	switch {
	case errors.As(err, &wrong):
		told = asError(err)
	case !errors.As(err, &told):
		return fmt.Errorf("endpoint %q: %w", name, err)
	}
	e := *told
	e.Message = fmt.Sprintf("Endpoint %q: %s", name, e.Message)
	return &e
}

func resolvePermissions(ctx context.Context, people *identity.Store, p catalog.Permissions) (catalog.Permissions, error) {
	users, organizations := []string{}, []string{}
	for _, name := range p.Users {
		u, err := people.GetUser(ctx, name)
		if err != nil {
			u, err = people.FindUser(ctx, name)
		}
		if err != nil {
			return p, badRequest("unknown_id", "permissions.users", "There is no user %q.", name)
		}
		users = append(users, u.ID)
	}
	for _, name := range p.Organizations {
		o, err := people.GetOrganization(ctx, name)
		if err != nil {
			o, err = people.FindOrganization(ctx, name)
		}
		if err != nil {
			return p, badRequest("unknown_id", "permissions.organizations", "There is no organization %q.", name)
		}
		organizations = append(organizations, o.ID)
	}
	p.Users, p.Organizations = distinct(users), distinct(organizations)
	for i, name := range p.Owners {
		owner, err := find(ctx, people, name)
		if err != nil {
			return p, err
		}
		p.Owners[i] = owner
	}
	return p, nil
}

// find is the id of the user or organization that has an id or a name. A name
// that both have is refused: nobody comes in by the name of another.
func find(ctx context.Context, people *identity.Store, name string) (string, error) {
	if u, err := people.GetUser(ctx, name); err == nil {
		return u.ID, nil
	}
	if o, err := people.GetOrganization(ctx, name); err == nil {
		return o.ID, nil
	}
	u, noUser := people.FindUser(ctx, name)
	o, noOrganization := people.FindOrganization(ctx, name)
	switch {
	case noUser == nil && noOrganization == nil:
		return "", badRequest("ambiguous_name", "permissions.owners",
			"There are a user and an organization named %q. Give the id of the one that is meant.", name)
	case noUser == nil:
		return u.ID, nil
	case noOrganization == nil:
		return o.ID, nil
	}
	return "", badRequest("unknown_id", "permissions.owners", "There is no user or organization %q.", name)
}

// step is what apply does with one endpoint. before is nil for a new one.
type step struct {
	before, after *catalog.Endpoint
	changes       []audit.Change
}

func (st step) kind() string {
	switch {
	case st.before == nil:
		return audit.KindCreateEndpoint
	case onlyPermissions(st.changes):
		return audit.KindChangeEndpointPermissions
	}
	return audit.KindUpdateEndpoint
}

// shape is what the step would do.
func (st step) shape() api.Applied {
	out := api.Applied{EndpointName: st.after.Name, Change: api.Updated}
	switch {
	case st.before == nil:
		out.Change = api.Created
	case len(st.changes) == 0:
		out.Change = api.Unchanged
	default:
		for _, ch := range st.changes {
			out.Fields = append(out.Fields, ch.Field)
		}
	}
	return out
}

func onlyPermissions(changes []audit.Change) bool {
	return !slices.ContainsFunc(changes, func(ch audit.Change) bool { return !isPermission(ch) })
}

func isPermission(ch audit.Change) bool {
	switch ch.Field {
	case "isEveryoneAllowed", "userIds", "organizationIds", "roles", "projects", "ownerIds":
		return true
	}
	return false
}

// mayShare asks the policy about the permissions of endpoints that there are:
// who may change endpoints need not be allowed to change who calls them.
func (s *server) mayShare(c *call, steps []step) error {
	if !slices.ContainsFunc(steps, func(st step) bool { return st.before != nil && slices.ContainsFunc(st.changes, isPermission) }) {
		return nil
	}
	return s.alsoDecide(c, policies.ResourcePermissions, policies.VerbUpdate, "")
}

// apply is POST /api/sluice/v1/apply: the endpoints of a file in MLflow's form
// are created or brought to what the file says, all of them or none. With
// ?dryRun=true nothing is, and the reply tells what would be. With
// ?isEveryoneAllowed=true, a new endpoint whose permissions the file does not
// give is open to everyone, as it was on MLflow's server.
func (s *server) apply(c *call) error {
	if !c.all() {
		return s.beyond(c)
	}
	if err := s.alsoDecide(c, policies.ResourceEndpoints, policies.VerbUpdate, ""); err != nil {
		return err
	}
	everyone, err := readBool(c.r.URL.Query(), "isEveryoneAllowed", false)
	if err != nil {
		return err
	}
	dry, err := readBool(c.r.URL.Query(), "dryRun", false)
	if err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	file, err := mlflowconfig.Parse("body", body, mlflowconfig.Options{})
	if err != nil {
		return fileError(err)
	}
	wanted, err := resolve(c.ctx(), s.Identity, s.Catalog.Snapshot(), file.Endpoints)
	if err != nil {
		return err
	}
	out := api.ApplyResult{Results: []api.Applied{}, Warnings: append([]string{}, file.Warnings...)}
	if dry {
		for _, st := range s.plan(file.Endpoints, wanted, everyone) {
			out.Results = append(out.Results, st.shape())
		}
		return c.reply(http.StatusOK, out)
	}
	for attempt := 1; ; attempt++ {
		out.Results, err = s.tryApply(c, file.Endpoints, wanted, everyone, attempt == maxAttempts)
		if attempt == maxAttempts || !errors.Is(err, errMoved) {
			break
		}
	}
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, out)
}

func fileError(err error) error {
	var first *mlflowconfig.Error
	key := ""
	if errors.As(err, &first) {
		key = first.Key
	}
	return badRequest("invalid_file", key, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
}

func (s *server) tryApply(
	c *call, file []mlflowconfig.Endpoint, wanted []catalog.Endpoint, everyone, locked bool,
) ([]api.Applied, error) {
	if locked {
		s.endpoints.Lock()
		defer s.endpoints.Unlock()
	}
	steps := s.plan(file, wanted, everyone)
	if err := s.mayShare(c, steps); err != nil {
		return nil, err
	}
	for _, st := range steps {
		if err := s.mayKeep(c, st.before, st.after); err != nil {
			return nil, inEndpoint(st.after.Name, err)
		}
		if err := s.mayLend(c, st.before, st.after); err != nil {
			return nil, inEndpoint(st.after.Name, err)
		}
		if st.before == nil || !sameReach(st.before, st.after) {
			if err := s.reach(c.ctx(), st.before, st.after); err != nil {
				return nil, inEndpoint(st.after.Name, err)
			}
		}
	}
	if !locked {
		s.endpoints.Lock()
		defer s.endpoints.Unlock()
	}
	var events []*audit.Event
	var list []catalog.Endpoint
	for _, st := range steps {
		if now, _ := s.Catalog.Snapshot().Get(st.after.Name); now != st.before {
			return nil, errMoved
		}
		list = append(list, *st.after)
		if st.before == nil || len(st.changes) > 0 {
			events = append(events, c.endpointEvent(st.kind(), st.after, st.changes))
		}
	}
	results := []api.Applied{}
	err := s.change(c, func() error {
		changes, err := s.Catalog.Apply(c.ctx(), list)
		for i, ch := range changes {
			results = append(results, api.Applied{EndpointName: ch.Name, Change: ch.Action, Fields: steps[i].shape().Fields})
		}
		return err
	}, events...)
	return results, err
}

// adopt gives each target the id of the stored one of its name.
func adopt(after, before *catalog.Endpoint) {
	after.Targets = slices.Clone(after.Targets)
	for i := range after.Targets {
		if old, had := before.Target(after.Targets[i].Name); had {
			after.Targets[i].ID = old.ID
		}
	}
}

// plan compares what is wanted with what there is.
func (s *server) plan(file []mlflowconfig.Endpoint, wanted []catalog.Endpoint, everyone bool) []step {
	steps := make([]step, 0, len(wanted))
	snapshot := s.Catalog.Snapshot()
	for i := range wanted {
		after := wanted[i]
		before, exists := snapshot.Get(after.Name)
		switch {
		case !exists:
			before = nil
			if file[i].Permissions == nil {
				after.Permissions.Everyone = everyone
			}
		default:
			after.ID = before.ID
			adopt(&after, before)
			if file[i].Permissions == nil {
				after.Permissions = before.Permissions
			} else if after.Permissions.Owners == nil {
				after.Permissions.Owners = before.Permissions.Owners
			}
			if file[i].Description == nil {
				after.Description = before.Description
			}
			if file[i].Disabled == nil {
				after.Disabled = before.Disabled
			}
			if file[i].AuditBodies == nil {
				after.AuditBodies = before.AuditBodies
			}
		}
		steps = append(steps, step{before: before, after: &after, changes: endpointChanges(before, &after)})
	}
	return steps
}
