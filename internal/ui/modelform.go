package ui

import (
	"net/url"
	"slices"
	"sort"
	"strings"

	"sluice/internal/admin/api"
	"sluice/policies"
)

// modelForm are the fields about a provider, a model and keys, which endpoints,
// targets and credentials share. They depend on the provider, so a change of it
// replaces them.
type modelForm struct {
	Providers []option // of the picker
	Provider  *field
	Chosen    *api.Provider // nil: none yet
	Type      string        // endpoint type; "": it does not matter
	Notice    string        // why type and provider do not go together, or the provider should not be chosen
	Fields    []*field      // those that are needed, the model first
	More      []*field      // the others
	Open      bool          // More is not folded
	Stored    string        // the provider whose secrets are stored
	Secrets   bool          // ask for secrets only, as credentials do
	Trial     []*field      // with Secrets: what a test needs beside them, which is not kept
	TrialOpen bool          // Trial is not folded

	stored []string // names of secrets that are stored
}

// storedModel is what is stored of a target, or of a credential.
type storedModel struct {
	provider, model, credential string
	config                      map[string]string
	secrets                     []string
}

// newModelForm makes the fields with what is stored, or with what values hold
// where it is not nil.
func (c *call) newModelForm(kind string, was storedModel, values url.Values, onlySecrets bool) (*modelForm, error) {
	list, err := c.rest.Providers(c.ctx())
	if err != nil {
		return nil, err
	}
	m := &modelForm{Type: kind, Stored: was.provider, stored: was.secrets, Secrets: onlySecrets}
	chosen := was.provider
	if values != nil {
		chosen = values.Get("modelProvider")
	}
	for _, p := range inOrder(list.Providers, onlySecrets) {
		o := option{Value: p.ID, Label: p.Title}
		if p.Title == "" {
			o.Label = p.ID
		}
		if p.Deprecated != "" {
			o.Label += " (deprecated)"
		}
		m.Providers = append(m.Providers, o)
		if p.ID == chosen || slices.Contains(p.Aliases, chosen) {
			m.Chosen = &p
		}
	}
	m.Provider = &field{Name: "modelProvider", Label: "Provider", Required: true, Options: m.Providers, Value: chosen}
	if m.Chosen == nil {
		return m, nil
	}
	m.Provider.Value = m.Chosen.ID
	m.warn()
	if m.Chosen.ID != was.provider {
		was = storedModel{}
		m.stored = nil
	}
	return m, c.fillModel(m, was, values)
}

// inOrder are the providers by name, those that should not be chosen last.
// Without secrets a provider takes no credential.
func inOrder(list []api.Provider, withSecrets bool) []api.Provider {
	list = slices.Clone(list)
	if withSecrets {
		list = slices.DeleteFunc(list, func(p api.Provider) bool {
			return !slices.ContainsFunc(p.Fields, func(f api.ProviderField) bool { return f.Secret })
		})
	}
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i], list[j]
		if (a.Deprecated == "") != (b.Deprecated == "") {
			return a.Deprecated == ""
		}
		return strings.ToLower(a.Title) < strings.ToLower(b.Title)
	})
	return list
}

// warn says what is wrong with the choice of the provider.
func (m *modelForm) warn() {
	p := m.Chosen
	switch {
	case m.Type != "" && !p.NativeOnly && !slices.Contains(p.Types, m.Type):
		names := make([]string, 0, len(p.Types))
		for _, t := range p.Types {
			names = append(names, strings.ToLower(typeName(t)))
		}
		m.Notice = p.Title + " does not answer " + strings.ToLower(typeName(m.Type)) + " here, only " + strings.Join(names, ", ") + ". Choose another type or provider."
	case p.Deprecated != "":
		m.Notice = p.Deprecated
	case p.NativeOnly:
		m.Notice = p.Title + " is called with its own API only, under /native/."
	}
}

// fillModel makes the fields of the chosen provider.
func (c *call) fillModel(m *modelForm, was storedModel, values url.Values) error {
	value := func(name, stored string) string {
		if values != nil && values.Has(name) {
			return values.Get(name)
		}
		return stored
	}
	credential := ""
	if m.Secrets {
		m.Type, m.TrialOpen = value("endpointType", m.Type), values.Has("endpointType")
		m.Trial = append(m.Trial, m.typeField(), m.modelField(value("modelName", "")))
	} else {
		m.Fields = append(m.Fields, m.modelField(value("modelName", was.model)))
		keys, err := c.credentialField(m.Chosen)
		if err != nil {
			return err
		}
		if keys != nil {
			if credential = value("credentialId", was.credential); credential != "" {
				keys.Value = credential
			}
			credential = credentialOf(url.Values{"credentialId": {keys.Value}})
			m.Fields = append(m.Fields, keys)
		}
	}
	for i, x := range fieldsOf(m.Chosen.Fields, was.config, m.stored) {
		p := m.Chosen.Fields[i]
		if !p.Secret {
			x.Value = value(p.Name, was.config[p.Name])
		}
		m.place(x, p, credential != "", value(clearPrefix+p.Name, ""))
	}
	return nil
}

// place puts a field of the provider where it belongs: those that are needed
// are shown, the others folded.
func (m *modelForm) place(x *field, p api.ProviderField, credential bool, remove string) {
	needed, stored := p.Required || p.Usual, p.Secret && slices.Contains(m.stored, p.Name)
	switch {
	case p.Secret && credential:
	case m.Secrets && !p.Secret:
		if needed {
			x.Required = false
			m.Trial = append(m.Trial, x)
		}
	case needed || stored || m.Secrets:
		x.Required = x.Required && !m.Secrets
		m.Fields = append(m.Fields, x)
		if stored && !p.Required {
			m.Fields = append(m.Fields, &field{Name: clearPrefix + p.Name, Label: "Remove the stored " + p.Title, Kind: kindCheck, Value: remove})
		}
	default:
		m.More = append(m.More, x)
		m.Open = m.Open || x.Value != ""
	}
}

func (m *modelForm) modelField(value string) *field {
	f := &field{Name: "modelName", Label: "Model", Kind: kindSuggest, Required: !m.Secrets, Value: value, Help: "One of the list, or any other that the provider has."}
	for _, name := range m.Chosen.Models[m.Type] {
		f.Options = append(f.Options, option{Value: name})
	}
	if len(f.Options) == 0 {
		f.Help = "The name that the provider gives it."
	}
	if m.Secrets && value == "" && len(f.Options) > 0 {
		f.Value = f.Options[0].Value
	}
	return f
}

// typeField chooses the type of call for a test.
func (m *modelForm) typeField() *field {
	f := &field{Name: "endpointType", Label: "Type", Kind: kindChoice, Required: true, Value: m.Type}
	for _, o := range endpointTypes {
		if m.Chosen.NativeOnly || slices.Contains(m.Chosen.Types, o.Value) {
			f.Options = append(f.Options, o)
		}
	}
	if len(f.Options) > 0 && !slices.ContainsFunc(f.Options, func(o option) bool { return o.Value == f.Value }) {
		f.Value = f.Options[0].Value
	}
	m.Type = f.Value
	return f
}

// clearPrefix names the box that takes a stored secret away.
const clearPrefix = "remove-"

// ownKeys is the choice of no stored credential.
const ownKeys = "-"

// credentialOf is the stored credential that a form names, "" for none.
func credentialOf(values url.Values) string {
	if id := values.Get("credentialId"); id != ownKeys {
		return id
	}
	return ""
}

// credentialField chooses between keys of one's own and a stored credential;
// nil where there is none to choose.
func (c *call) credentialField(p *api.Provider) (*field, error) {
	if !c.may(policies.ResourceCredentials, policies.VerbList) {
		return nil, nil
	}
	all, err := c.rest.AllCredentials(c.ctx(), "")
	if err != nil {
		return nil, err
	}
	f := &field{Name: "credentialId", Label: "Keys", Kind: kindChoice, Required: true, Value: ownKeys, Options: []option{{Value: ownKeys, Label: "Enter keys for this endpoint alone"}}}
	for _, k := range all {
		if k.Provider == p.ID {
			f.Options = append(f.Options, option{Value: k.ID, Label: "Use the credential " + k.Name})
		}
	}
	if len(f.Options) == 1 {
		return nil, nil
	}
	return f, nil
}

// all are the fields that a person can fill in.
func (m *modelForm) all() []*field {
	return slices.Concat([]*field{m.Provider}, m.Fields, m.More, m.Trial)
}

// config is what was typed, as REST takes it: secrets only where they were
// given, "" for those to be removed. With Secrets it has nothing else.
func (m *modelForm) config(values url.Values) map[string]string {
	out := m.typed(values)
	for name := range out {
		if m.Secrets && !m.secret(name) {
			delete(out, name)
		}
	}
	return out
}

func (m *modelForm) secret(name string) bool {
	return slices.ContainsFunc(m.Chosen.Fields, func(f api.ProviderField) bool { return f.Secret && f.Name == name })
}

func (m *modelForm) typed(values url.Values) map[string]string {
	out := map[string]string{}
	if m.Chosen == nil {
		return out
	}
	credential := credentialOf(values) != ""
	for _, p := range m.Chosen.Fields {
		v := values.Get(p.Name)
		if !p.Secret {
			v = strings.TrimSpace(v)
		}
		switch {
		case p.Secret && credential:
		case v != "":
			out[p.Name] = v
		case p.Secret && values.Get(clearPrefix+p.Name) == "true":
			out[p.Name] = ""
		}
	}
	return out
}

// test is what the form asks to be tested.
func (m *modelForm) test(values url.Values) api.TargetTest {
	credential := credentialOf(values)
	if id := values.Get("storedCredential"); id != "" {
		credential = id
	}
	return api.TargetTest{
		EndpointType: values.Get("endpointType"), ModelProvider: values.Get("modelProvider"),
		ModelName: strings.TrimSpace(values.Get("modelName")), ModelConfig: m.typed(values), CredentialID: credential,
		EndpointName: values.Get("storedEndpoint"), TargetName: values.Get("storedTarget"),
	}
}

// asked takes the form's values and what is stored behind it.
func (c *call) asked() (values url.Values, was storedModel, onlySecrets bool, err error) {
	if err := c.r.ParseForm(); err != nil {
		return nil, was, false, err
	}
	values = c.r.PostForm
	if id := values.Get("storedCredential"); id != "" {
		k, err := c.rest.GetCredential(c.ctx(), id)
		return values, storedModel{provider: k.Provider, secrets: k.Secrets}, true, err
	}
	if name := values.Get("storedEndpoint"); name != "" && values.Get("storedTarget") != "" {
		t, err := c.rest.GetTarget(c.ctx(), name, values.Get("storedTarget"))
		return values, storedTarget(t), false, err
	}
	return values, was, values.Get("onlySecrets") == "true", nil
}

func storedTarget(t api.Target) storedModel {
	return storedModel{provider: t.ModelProvider, model: t.ModelName, credential: t.CredentialID, config: t.ModelConfig, secrets: t.ModelConfigSecrets}
}

// modelPart is POST /ui/admin/endpoints/~part: the fields for the provider that
// was chosen.
func (s *UI) modelPart(c *call) error {
	values, was, onlySecrets, err := c.asked()
	if err != nil {
		return err
	}
	m, err := c.newModelForm(values.Get("endpointType"), was, values, onlySecrets)
	if err != nil {
		return err
	}
	if values.Get("testOnly") == "true" {
		m.Fields = nil
	}
	return c.part("endpointform", "model-part", m)
}

// testConnection is POST /ui/admin/endpoints/~test: whether the provider takes
// what was typed. Nothing of it is kept.
func (s *UI) testConnection(c *call) error {
	values, was, onlySecrets, err := c.asked()
	if err != nil {
		return err
	}
	m, err := c.newModelForm(values.Get("endpointType"), was, values, onlySecrets)
	if err != nil {
		return err
	}
	result, err := c.rest.TestTarget(c.ctx(), m.test(values))
	if err != nil {
		f := &form{}
		if !f.refused(err) {
			return err
		}
		result.Message = f.Error
	}
	return c.part("endpointform", "test-result", result)
}
