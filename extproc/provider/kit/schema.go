package kit

import (
	"encoding/json"
	"strconv"
)

// Schema is the JSON Schema (draft 2020-12) of a target's parameters: what
// forms, clients and documentation are made of. A parameter that goes to the
// vault has "writeOnly".
func (p *Provider) Schema() []byte {
	type property struct {
		Type        string   `json:"type"`
		Title       string   `json:"title,omitempty"`
		Description string   `json:"description,omitempty"`
		Default     string   `json:"default,omitempty"`
		Enum        []string `json:"enum,omitempty"`
		Format      string   `json:"format,omitempty"`
		Pattern     string   `json:"pattern,omitempty"`
		Maximum     string   `json:"x-maximum,omitempty"`
		WriteOnly   bool     `json:"writeOnly,omitempty"`
		Multiline   bool     `json:"x-multiline,omitempty"`
		Group       string   `json:"x-group,omitempty"`
		Usual       bool     `json:"x-usual,omitempty"`
	}
	schema := struct {
		Schema     string              `json:"$schema"`
		Title      string              `json:"title"`
		Type       string              `json:"type"`
		Properties map[string]property `json:"properties"`
		Order      []string            `json:"x-order"`
		Required   []string            `json:"required"`
		Additional bool                `json:"additionalProperties"`
	}{
		Schema: "https://json-schema.org/draft/2020-12/schema", Title: p.Title, Type: "object",
		Properties: map[string]property{}, Order: []string{}, Required: []string{},
	}
	for _, f := range p.Fields {
		v := property{
			Type: "string", Title: f.Title, Description: f.Description, Default: f.Default, Enum: f.Enum,
			WriteOnly: f.Secret, Multiline: f.Multiline, Group: f.Group, Usual: f.Usual,
		}
		if f.URL {
			v.Format = "uri"
		}
		if f.Max > 0 {
			v.Pattern, v.Maximum = "^[0-9]+$", strconv.Itoa(f.Max)
		}
		schema.Properties[f.Name] = v
		schema.Order = append(schema.Order, f.Name)
		if f.Required {
			schema.Required = append(schema.Required, f.Name)
		}
	}
	b, err := json.Marshal(schema)
	if err != nil {
		panic("encoding a schema of strings: " + err.Error())
	}
	return b
}
