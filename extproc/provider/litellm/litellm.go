// Package litellm stands in for MLflow's LiteLLM provider: where that calls a
// Python library for a provider, this calls Sluice's own row of it.
package litellm

import (
	"fmt"
	"slices"
	"strings"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

// Row is the row over the others.
func Row(rows []*kit.Provider) *kit.Provider {
	r := &router{rows: map[string]*kit.Provider{}}
	for _, p := range rows {
		r.rows[p.ID] = p
	}
	const group = "litellm_auth_config"
	return &kit.Provider{
		ID: "litellm", Title: "LiteLLM",
		Fields: []kit.Field{
			{Name: "litellm_provider", Title: "Provider", Required: true, Routes: true, Enum: r.names(),
				Description: "LiteLLM's name of the provider."},
			{Name: "auth_mode", Title: "Way to authenticate", Group: group, Description: "MLflow's own; not needed."},
			{Name: "api_key", Title: "API key", Group: group, Secret: true, Description: "The provider's key."},
			{Name: "api_base", Title: "API base URL", Group: group, Routes: true, Description: "Where the API is reached; the provider's own place if empty."},
			{Name: "api_version", Title: "API version", Group: group, Description: "Azure's."},
			{Name: "organization", Title: "Organization", Group: group, Description: "OpenAI's."},
			{Name: "aws_region_name", Title: "AWS region", Group: group, Description: "Bedrock's, e.g. us-east-1."},
			{Name: "aws_access_key_id", Title: "AWS access key ID", Group: group, Secret: true, Description: "Of static keys."},
			{Name: "aws_secret_access_key", Title: "AWS secret access key", Group: group, Secret: true, Description: "Of static keys."},
			{Name: "aws_session_token", Title: "AWS session token", Group: group, Secret: true, Description: "Of static keys that end."},
			{Name: "aws_role_name", Title: "AWS role", Group: group, Description: "The ARN of a role to assume."},
			{Name: "vertex_project", Title: "Google Cloud project", Group: group, Description: "The project's id."},
			{Name: "vertex_location", Title: "Google Cloud location", Group: group, Description: "Vertex AI's, e.g. us-central1."},
			{Name: "vertex_credentials", Title: "Google Cloud credentials", Group: group, Secret: true, Multiline: true,
				Description: "JSON of a service account."},
			{Name: "client_id", Title: "Client ID", Group: group, Description: "Of a Databricks service principal."},
			{Name: "client_secret", Title: "Client secret", Group: group, Secret: true, Description: "Of a Databricks service principal."},
		},
		Types: []string{kit.TypeChat, kit.TypeEmbeddings},
		Features: kit.Features{
			Streams: []string{kit.TypeChat}, Tools: true, Images: true, JSONSchema: true, Reasoning: true,
		},
		Check:      r.check,
		Address:    r.address,
		Credential: r.credential,
		Open:       r.open,
		Native:     r.native,
	}
}

// router finds the row behind a target. It is not changed after Row.
type router struct{ rows map[string]*kit.Provider }

// names are the providers that have a row.
func (r *router) names() []string {
	var names []string
	for name, way := range ways {
		if r.rows[way.row] != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// behind is the row that a target means, and the target in that row's terms.
func (r *router) behind(t kit.Target) (*kit.Provider, kit.Target, error) {
	name := strings.ToLower(t.Config["litellm_provider"])
	way, ok := ways[name]
	row := r.rows[way.row]
	if !ok || row == nil {
		return nil, t, fmt.Errorf("the provider %q is not one of %s", name, strings.Join(r.names(), ", "))
	}
	inner := kit.Target{Provider: row.ID, Model: t.Model, Config: map[string]string{}}
	for theirs, value := range t.Config {
		if ours := way.fields[theirs]; ours != "" && value != "" {
			inner.Config[ours] = value
		}
	}
	if way.fix != nil {
		way.fix(&inner)
	}
	return row, inner, nil
}

func (r *router) check(t kit.Target, endpointType string) []kit.FieldError {
	row, inner, err := r.behind(t)
	if err != nil {
		text := err.Error()
		return []kit.FieldError{{Field: "litellm_provider", Message: strings.ToUpper(text[:1]) + text[1:] + "."}}
	}
	way := ways[strings.ToLower(t.Config["litellm_provider"])]
	var errs []kit.FieldError
	for name, value := range t.Config {
		if value != "" && name != "litellm_provider" && name != "auth_mode" && way.fields[name] == "" {
			errs = append(errs, kit.FieldError{Field: name, Message: "The provider '" + row.ID + "' has no use for the parameter '" + name + "'."})
		}
	}
	slices.SortFunc(errs, func(a, b kit.FieldError) int { return strings.Compare(a.Field, b.Field) })
	for _, e := range row.CheckTarget(inner, endpointType) {
		if theirs := way.theirs(e.Field); theirs != "" {
			e.Message = strings.ReplaceAll(e.Message, "'"+e.Field+"'", "'"+theirs+"'")
			e.Field = theirs
		}
		errs = append(errs, e)
	}
	return errs
}

func (r *router) address(t kit.Target) (kit.Address, error) {
	row, inner, err := r.behind(t)
	if err != nil {
		return kit.Address{}, err
	}
	return row.Address(inner)
}

func (r *router) credential(t kit.Target) (kit.Credential, bool) {
	row, inner, err := r.behind(t)
	if err != nil || row.Credential == nil {
		return kit.Credential{}, false
	}
	return row.Credential(inner)
}

func (r *router) native(_ *kit.Provider, t kit.Target) (kit.Native, error) {
	row, inner, err := r.behind(t)
	if err != nil {
		return kit.Native{}, err
	}
	if row.Native == nil {
		return kit.Native{}, fmt.Errorf("the provider %q does not offer its own API", row.ID)
	}
	return row.Native(row, inner)
}

// open begins an exchange of the row behind, which MLflow's clients are told to
// be LiteLLM's.
func (r *router) open(p *kit.Provider, t kit.Target, req *dialect.Request, env kit.Env) (kit.Call, *dialect.Error) {
	row, inner, err := r.behind(t)
	if err != nil {
		return nil, dialect.Internal()
	}
	if !row.Answers("llm/v1/" + string(req.Operation)) {
		return nil, kit.NotImplemented(p, req)
	}
	named := *row
	named.ID, named.Title = p.ID, p.Title
	return row.Open(&named, inner, req, env)
}
