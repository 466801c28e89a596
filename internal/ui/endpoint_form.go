package ui

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"

	"sluice/internal/admin/api"
	"sluice/internal/client"
	"sluice/policies"
)

// endpointForm is the dialog for an endpoint: details, then permissions.
type endpointForm struct {
	*form
	Details []*field
	Model   *modelForm // nil: the endpoint has several targets, which have forms of their own
	Limit   []*field
	Grants  *grantsForm
	Version string // ETag of what is being changed
	Name    string // of the endpoint that is changed, "" for a new one
	Target  string // the one that Model is about
}

var endpointTypes = []option{
	{Value: "llm/v1/chat", Label: "Chat"}, {Value: "llm/v1/completions", Label: "Completions"}, {Value: "llm/v1/embeddings", Label: "Embeddings"},
}

var auditBodies = []option{
	{Value: "full", Label: "In full"}, {Value: "redacted", Label: "Without personal data and keys"}, {Value: "none", Label: "Not at all"},
}

var limitPeriods = []string{"second", "minute", "hour", "day", "month"}

// newEndpointForm makes the form with what is stored, or with what was typed
// where values is not nil.
func (c *call) newEndpointForm(e api.Endpoint, p api.Permissions, target string, values url.Values) (*endpointForm, error) {
	f := &endpointForm{form: &form{Back: endpointsPath}, Name: e.EndpointName, Target: target}
	f.Details = []*field{
		{Name: "endpointName", Label: "Name", Required: true, Focus: e.EndpointName == "", Value: e.EndpointName, Placeholder: "my-model", Help: "What people write as the model. Letters, digits, '_', '-' and '.'."},
		{Name: "endpointType", Label: "Type", Kind: kindChoice, Required: true, Options: endpointTypes, Value: e.EndpointType},
		{Name: "description", Label: "Description", Kind: kindLong, Value: e.Description, Placeholder: "What it is good for, what it costs, whom to ask"},
	}
	if e.EndpointType == "" {
		f.field("endpointType").Value = endpointTypes[0].Value
	}
	calls, period := "", "minute"
	if e.Limit != nil {
		calls, period = strconv.FormatInt(e.Limit.Calls, 10), e.Limit.RenewalPeriod
	}
	f.Limit = []*field{
		{Name: "calls", Label: "Limit", Kind: kindNumber, Minimum: "1", Value: calls, Placeholder: "calls"},
		{Name: "renewal_period", Label: "In each", Kind: kindSuggest, Required: true, Value: period},
	}
	if c.may(policies.ResourceSettings, policies.VerbUpdate) {
		f.Limit = append(f.Limit, &field{
			Name: "auditBodies", Label: "Audit trail keeps bodies", Kind: kindChoice, Options: auditBodies, Value: cmp.Or(e.AuditBodies, "full"),
			Help: "The most that is kept of what is asked and answered. The installation or a policy may want less.",
		})
	}
	for _, name := range limitPeriods {
		f.Limit[1].Options = append(f.Limit[1].Options, option{Value: name})
	}
	f.Fields = append(append(f.Fields, f.Details...), f.Limit...)
	if values != nil {
		f.read(c.r)
	}
	f.Details = f.Fields[:3]
	if e.TargetCount <= 1 {
		was := storedModel{provider: e.ModelProvider, model: e.ModelName, credential: e.CredentialID, config: e.ModelConfig, secrets: e.ModelConfigSecrets}
		m, err := c.newModelForm(f.value("endpointType"), was, values, false)
		if err != nil {
			return nil, err
		}
		f.Model = m
		f.Fields = append(f.Fields, m.all()...)
	}
	g, err := c.newGrantsForm(f.Name, p, values)
	f.Grants = g
	return f, err
}

// limit is the limit that was typed; the key of the stored one stays.
func (f *endpointForm) limit(was *api.Limit) *api.Limit {
	calls, err := strconv.ParseInt(f.value("calls"), 10, 64)
	if f.value("calls") == "" {
		return nil
	}
	if err != nil {
		calls = 0 // which REST refuses, at this field
	}
	l := &api.Limit{Calls: calls, RenewalPeriod: f.value("renewal_period")}
	if was != nil {
		l.Key = was.Key
	}
	return l
}

func (c *call) endpointForm(f *endpointForm) error {
	status := http.StatusOK
	if f.failed() || f.Grants.failed() {
		status = http.StatusUnprocessableEntity
	}
	return c.pageStatus(status, "endpointform", f.Title, f)
}

func (f *endpointForm) show(c *call) error { return c.endpointForm(f) }

// refused puts an error of REST at its field in either step.
func (f *endpointForm) refused(err error) bool { return f.Grants.refused(err) || f.form.refused(err) }

// newEndpoint is GET and POST /ui/admin/endpoints/~new.
func (s *UI) newEndpoint(c *call) error {
	f, err := c.newEndpointForm(api.Endpoint{}, api.Permissions{}, "", c.typed())
	if err != nil {
		return err
	}
	f.Title, f.Action, f.Submit = "New endpoint", endpointsPath+"/~new", "Create endpoint"
	if !c.post() {
		return c.endpointForm(f)
	}
	grants, err := c.grants(f.Grants)
	if err != nil {
		return err
	}
	if f.Grants.failed() {
		return c.endpointForm(f)
	}
	if grants.OwnerIDs != nil && len(*grants.OwnerIDs) == 0 {
		grants.OwnerIDs = nil // who makes it as an owner is one
	}
	values := c.r.PostForm
	_, err = c.rest.CreateEndpoint(c.ctx(), api.NewEndpoint{
		EndpointName: f.value("endpointName"), EndpointType: f.value("endpointType"), EndpointPermissions: &grants,
		ModelProvider: f.value("modelProvider"), ModelName: f.value("modelName"), ModelConfig: f.Model.config(values),
		CredentialID: credentialOf(values), Description: f.value("description"), Limit: f.limit(nil),
		AuditBodies: f.value("auditBodies"),
	})
	return c.saved(f, err, adminEndpointPath(f.value("endpointName")), "The endpoint "+f.value("endpointName")+" was made.")
}

// typed are the values of a form that was sent, nil where none was.
func (c *call) typed() url.Values {
	if !c.post() || c.r.ParseForm() != nil {
		return nil
	}
	return c.r.PostForm
}

// editEndpoint is GET and POST /ui/admin/endpoints/{name}/edit.
func (s *UI) editEndpoint(c *call) error {
	name, version := c.r.PathValue("name"), ""
	e, err := c.rest.GetEndpoint(client.At(c.ctx(), &version), name)
	if err != nil {
		return err
	}
	p, err := c.rest.Permissions(c.ctx(), name)
	if err != nil {
		return err
	}
	targets, err := c.rest.Targets(c.ctx(), name)
	if err != nil {
		return err
	}
	if v := c.r.PostFormValue("version"); c.post() && v != "" {
		version = v
	}
	f, err := c.newEndpointForm(e, p, targets.Targets[0].Name, c.typed())
	if err != nil {
		return err
	}
	f.Title, f.Action, f.Submit, f.Back, f.Version = "Change "+name, adminEndpointPath(name, "edit"), "Save", adminEndpointPath(name), version
	if !c.post() {
		return c.endpointForm(f)
	}
	grants, err := c.grants(f.Grants)
	if err != nil {
		return err
	}
	if f.Grants.failed() {
		return c.endpointForm(f)
	}
	err = c.saveEndpoint(f, e, grants)
	return c.saved(f, err, adminEndpointPath(f.value("endpointName")), "The endpoint was changed.")
}

// saveEndpoint changes the details, then the permissions, each only where
// nobody else has changed the endpoint since the form was shown. The details
// alone may have been saved where the permissions are refused: the form goes on
// from there.
func (c *call) saveEndpoint(f *endpointForm, e api.Endpoint, grants api.PermissionsPatch) error {
	limit, name := f.limit(e.Limit), f.value("endpointName")
	patch := api.EndpointPatch{EndpointName: &name, Limit: &limit}
	kind, description := f.value("endpointType"), f.value("description")
	patch.EndpointType, patch.Description = &kind, &description
	if bodies := f.value("auditBodies"); bodies != "" {
		patch.AuditBodies = &bodies
	}
	if f.Model != nil {
		provider, model := f.value("modelProvider"), f.value("modelName")
		config, credential := f.Model.config(c.r.PostForm), credentialOf(c.r.PostForm)
		patch.ModelProvider, patch.ModelName, patch.ModelConfig = &provider, &model, &config
		if credential != e.CredentialID {
			patch.CredentialID = &credential
		}
	}
	if _, err := c.rest.UpdateEndpoint(client.At(c.ctx(), &f.Version), e.EndpointName, patch); err != nil {
		return err
	}
	f.Name, f.Action = name, adminEndpointPath(name, "edit")
	_, err := c.rest.SetPermissions(client.At(c.ctx(), &f.Version), name, grants)
	return err
}
