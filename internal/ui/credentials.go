package ui

import (
	"net/http"
	"net/url"

	"sluice/internal/admin/api"
	"sluice/internal/client"
	"sluice/policies"
)

const credentialsPath = "/ui/credentials"

func (s *UI) credentialRoutes() []route {
	return []route{
		{pattern: "GET /ui/credentials", handle: s.credentials},
		{pattern: "GET /ui/credentials/~new", handle: s.newCredential},
		{pattern: "POST /ui/credentials/~new", handle: s.newCredential},
		{pattern: "GET /ui/credentials/{id}/rotate", handle: s.rotateCredential},
		{pattern: "POST /ui/credentials/{id}/rotate", handle: s.rotateCredential},
		{pattern: "GET /ui/credentials/{id}/test", handle: s.tryCredential},
		{pattern: "GET /ui/credentials/{id}/rename", handle: s.renameCredential},
		{pattern: "POST /ui/credentials/{id}/rename", handle: s.renameCredential},
		{pattern: "GET /ui/credentials/{id}/delete", handle: s.deleteCredential},
		{pattern: "POST /ui/credentials/{id}/delete", handle: s.deleteCredential},
	}
}

// credentialRow is a credential in the list.
type credentialRow struct {
	api.Credential
	ProviderTitle string
	State         map[string]any
	Set           []string // titles of the secrets that are set
	Users         []pair   // endpoints that use it, and their pages
	Others        int      // how many more
	Base          string
}

// fewUsers is how many of the endpoints that use a credential are named.
const fewUsers = 3

// credentials is GET /ui/credentials.
func (s *UI) credentials(c *call) error {
	l := c.listing("name", "provider", "rotated", "usedByCount")
	found, err := c.rest.ListCredentials(c.ctx(), l.Query())
	if err != nil {
		return err
	}
	l.Total = found.Metadata.TotalCount
	providers, err := c.rest.Providers(c.ctx())
	if err != nil {
		return err
	}
	rows := make([]credentialRow, 0, len(found.Credentials))
	for _, k := range found.Credentials {
		row := credentialRow{
			Credential: k, ProviderTitle: providerTitle(k.Provider), Base: credentialsPath + "/" + url.PathEscape(k.ID),
			State: map[string]any{"Text": "Ready", "Tone": "good"},
		}
		if k.Problem != "" {
			row.State = map[string]any{"Text": "Can't be opened", "Tone": "bad"}
		}
		for _, p := range settings(providers.Providers, k.Provider, nil, k.Secrets) {
			row.Set = append(row.Set, p.Name)
		}
		for i, name := range k.UsedBy {
			if i == fewUsers {
				break
			}
			row.Users = append(row.Users, pair{name, adminEndpointPath(name)})
		}
		row.Others = k.UsedByCount - len(row.Users)
		rows = append(rows, row)
	}
	return c.page("credentials", "Credentials", map[string]any{
		"List": l, "Rows": rows, "MayCreate": c.may(policies.ResourceCredentials, policies.VerbCreate),
	})
}

// credentialForm is the dialog for a credential.
type credentialForm struct {
	*form
	Details  []*field
	Model    *modelForm
	ID       string // of the stored one, "" for a new one
	Version  string
	TestOnly bool
}

func (c *call) credentialForm(f *credentialForm) error {
	status := http.StatusOK
	if f.failed() {
		status = http.StatusUnprocessableEntity
	}
	return c.pageStatus(status, "credentialform", f.Title, f)
}

// newCredential is GET and POST /ui/credentials/~new.
func (s *UI) newCredential(c *call) error {
	f := &credentialForm{form: &form{
		Title: "New credential", Action: credentialsPath + "/~new", Submit: "Store", Back: credentialsPath,
		Text: "Keys that many endpoints can share. They are kept in the vault and never shown again.",
	}}
	f.Details = []*field{{Name: "name", Label: "Name", Required: true, Focus: true, Placeholder: "openai-production", Help: "Unique; what people choose it by."}}
	f.Fields = f.Details
	values := c.typed()
	if values != nil {
		f.read(c.r)
	}
	m, err := c.newModelForm("", storedModel{}, values, true)
	if err != nil {
		return err
	}
	f.Model, f.Fields = m, append(f.Fields, m.all()...)
	if !c.post() {
		return c.credentialForm(f)
	}
	_, err = c.rest.CreateCredential(c.ctx(), api.NewCredential{Name: f.value("name"), Provider: f.value("modelProvider"), Values: m.config(values)})
	return c.saved(f, err, credentialsPath, "The credential "+f.value("name")+" was stored.")
}

func (f *credentialForm) show(c *call) error { return c.credentialForm(f) }

// refused puts an error of REST at its field, also at the provider, which has
// another name in targets.
func (f *credentialForm) refused(err error) bool {
	if !f.form.refused(err) {
		return false
	}
	if e, ok := err.(*client.Error); ok && e.Field == "provider" { //nolint:errorlint // the client returns it as it is
		f.Model.Provider.Error, f.Error = e.Error(), ""
	}
	return true
}

// storedCredentialForm makes a form about the credential that the path names.
func (c *call) storedCredentialForm() (*credentialForm, api.Credential, error) {
	version := ""
	k, err := c.rest.GetCredential(client.At(c.ctx(), &version), c.r.PathValue("id"))
	if err != nil {
		return nil, k, err
	}
	if c.post() {
		version = c.r.PostFormValue("version")
	}
	f := &credentialForm{form: &form{Back: credentialsPath}, ID: k.ID, Version: version}
	m, err := c.newModelForm("", storedModel{provider: k.Provider, secrets: k.Secrets}, c.typed(), true)
	if err != nil {
		return nil, k, err
	}
	m.Provider.Kind, m.Provider.Required = kindHidden, false
	f.Model, f.Fields = m, m.all()
	return f, k, nil
}

// rotateCredential is GET and POST /ui/credentials/{id}/rotate.
func (s *UI) rotateCredential(c *call) error {
	f, k, err := c.storedCredentialForm()
	if err != nil {
		return err
	}
	f.Title, f.Action, f.Submit = "Rotate "+k.Name, credentialsPath+"/"+url.PathEscape(k.ID)+"/rotate", "Rotate"
	f.Text = "Give the new keys of " + providerTitle(k.Provider) + ". What you leave empty stays as it is. " + plural(k.UsedByCount, "endpoint") + " will use the new ones from the next call on."
	if !c.post() {
		return c.credentialForm(f)
	}
	values := f.Model.config(c.r.PostForm)
	if len(values) == 0 {
		f.Error = "Give at least one new value."
		return c.credentialForm(f)
	}
	_, err = c.rest.UpdateCredential(client.At(c.ctx(), &f.Version), k.ID, api.CredentialPatch{Values: &values})
	return c.saved(f, err, credentialsPath, "The credential "+k.Name+" was rotated.")
}

// tryCredential is GET /ui/credentials/{id}/test: a form that only tests.
func (s *UI) tryCredential(c *call) error {
	f, k, err := c.storedCredentialForm()
	if err != nil {
		return err
	}
	f.Title, f.Text, f.TestOnly = "Test "+k.Name, "Makes a small call to "+providerTitle(k.Provider)+" with the stored keys.", true
	f.Model.Fields, f.Model.TrialOpen = nil, true
	return c.credentialForm(f)
}

// renameCredential is GET and POST /ui/credentials/{id}/rename.
func (s *UI) renameCredential(c *call) error {
	version := ""
	k, err := c.rest.GetCredential(client.At(c.ctx(), &version), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	f := &form{Title: "Rename " + k.Name, Action: credentialsPath + "/" + url.PathEscape(k.ID) + "/rename", Submit: "Rename", Back: credentialsPath,
		Fields: []*field{{Name: "name", Label: "Name", Required: true, Focus: true, Value: k.Name}}, Hidden: []option{{Value: "version", Label: version}}}
	if !c.post() {
		return c.form(f)
	}
	f.read(c.r)
	name := f.value("name")
	version = c.r.PostFormValue("version")
	_, err = c.rest.UpdateCredential(client.At(c.ctx(), &version), k.ID, api.CredentialPatch{Name: &name})
	return c.saved(f, err, credentialsPath, "The credential was renamed.")
}

// deleteCredential is GET and POST /ui/credentials/{id}/delete.
func (s *UI) deleteCredential(c *call) error {
	version := ""
	k, err := c.rest.GetCredential(client.At(c.ctx(), &version), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	f := confirm("Delete "+k.Name+"?", "Its keys are deleted from the vault. This can't be undone.", credentialsPath+"/"+url.PathEscape(k.ID)+"/delete", "Delete", credentialsPath)
	f.Hidden = []option{{Value: "version", Label: version}}
	if !c.post() {
		return c.form(f)
	}
	version = c.r.PostFormValue("version")
	err = c.rest.DeleteCredential(client.At(c.ctx(), &version), k.ID)
	return c.saved(f, err, credentialsPath, "The credential "+k.Name+" was deleted.")
}
