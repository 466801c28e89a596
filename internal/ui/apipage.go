package ui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"
)

func (s *UI) apiRoutes() []route {
	return []route{
		{pattern: "GET /ui/api", handle: s.apiPage},
		{pattern: "GET /ui/api/openapi.json", handle: s.apiFile},
	}
}

// description is what the page shows of REST's OpenAPI description.
type description struct {
	Info struct{ Description string }
	Tags []struct{ Name, Description string }
	// Paths are methods by path; what is not a method has another shape.
	Paths      map[string]map[string]json.RawMessage
	Components struct{ Schemas map[string]schema }
}

type operation struct {
	OperationID string
	Summary     string
	Tags        []string
	Parameters  []struct {
		Name, In, Description string
		Required              bool
		Schema                schema
	}
	RequestBody struct {
		Content map[string]struct{ Schema schema }
	}
	Responses map[string]struct {
		Description string
		Content     map[string]struct{ Schema schema }
	}

	Method, Path string
}

// schema is a JSON Schema, as far as the description uses it.
type schema struct {
	Ref         string `json:"$ref"`
	Type        any    // a word, or a list of words
	Format      string
	Description string
	Enum        []any
	Default     any
	Items       *schema
	Properties  map[string]schema
	Required    []string
	AnyOf       []schema
	OneOf       []schema
	AllOf       []schema
	// Additional is a schema, or a boolean.
	Additional json.RawMessage `json:"additionalProperties"`
}

// Name is the name of the shape that the schema refers to.
func (x schema) Name() string { return strings.TrimPrefix(x.Ref, "#/components/schemas/") }

// Word is the type in words.
func (x schema) Word() string {
	for _, list := range [][]schema{x.AnyOf, x.OneOf, x.AllOf} {
		if len(list) > 0 {
			words := []string{}
			for _, y := range list {
				if w := y.Word(); w != "null" {
					words = append(words, w)
				}
			}
			return strings.Join(words, " or ")
		}
	}
	switch t := x.Type.(type) {
	case nil:
		return x.Name()
	case []any:
		words := []string{}
		for _, w := range t {
			if w != "null" {
				words = append(words, fmt.Sprint(w))
			}
		}
		return strings.Join(words, " or ")
	case string:
		if t == "array" && x.Items != nil {
			return "list of " + x.Items.Word()
		}
		if x.Format != "" {
			return t + " (" + x.Format + ")"
		}
		return t
	}
	return ""
}

// Target is the name of the shape that a field leads to, "" for none.
func (x schema) Target() string {
	switch {
	case x.Ref != "":
		return x.Name()
	case x.Items != nil:
		return x.Items.Target()
	}
	for _, list := range [][]schema{x.AnyOf, x.OneOf, x.AllOf} {
		for _, y := range list {
			if t := y.Target(); t != "" {
				return t
			}
		}
	}
	return ""
}

// Choices are the values that are allowed, in words.
func (x schema) Choices() string {
	words := []string{}
	for _, v := range x.Enum {
		words = append(words, fmt.Sprint(v))
	}
	return strings.Join(words, ", ")
}

type property struct {
	Name     string
	Required bool
	schema
}

// Fields are the properties, required ones first.
func (x schema) Fields() []property {
	var out []property
	for name, p := range x.Properties {
		out = append(out, property{name, slices.Contains(x.Required, name), p})
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Required != out[j].Required {
			return out[i].Required
		}
		return out[i].Name < out[j].Name
	})
	return out
}

// Body is the schema of the request, nil for none.
func (o operation) Body() *schema {
	for _, c := range o.RequestBody.Content {
		return &c.Schema
	}
	return nil
}

type answer struct {
	Status, Text string
	Schema       schema
}

// Answers are the responses by status.
func (o operation) Answers() []answer {
	var out []answer
	for status, r := range o.Responses {
		a := answer{Status: status, Text: r.Description}
		for _, c := range r.Content {
			a.Schema = c.Schema
		}
		out = append(out, a)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Status < out[j].Status })
	return out
}

type apiGroup struct {
	Name, Text string
	Operations []operation
}

type shape struct {
	Name string
	schema
}

var methods = []string{"get", "post", "put", "patch", "delete"}

// apiPage is GET /ui/api: REST's own description, to read.
func (s *UI) apiPage(c *call) error {
	raw, err := c.rest.Description(c.ctx())
	if err != nil {
		return err
	}
	var d description
	if err := json.Unmarshal(raw, &d); err != nil {
		return fmt.Errorf("reading the API's description: %w", err)
	}
	byTag := map[string][]operation{}
	for path, all := range d.Paths {
		for _, method := range methods {
			body, ok := all[method]
			if !ok {
				continue
			}
			o := operation{Method: strings.ToUpper(method), Path: path}
			if err := json.Unmarshal(body, &o); err != nil {
				return fmt.Errorf("reading the API's description of %s: %w", path, err)
			}
			tag := ""
			if len(o.Tags) > 0 {
				tag = o.Tags[0]
			}
			byTag[tag] = append(byTag[tag], o)
		}
	}
	var groups []apiGroup
	for _, t := range d.Tags {
		list := byTag[t.Name]
		sort.Slice(list, func(i, j int) bool {
			if list[i].Path != list[j].Path {
				return list[i].Path < list[j].Path
			}
			return slices.Index(methods, strings.ToLower(list[i].Method)) < slices.Index(methods, strings.ToLower(list[j].Method))
		})
		if len(list) > 0 {
			groups = append(groups, apiGroup{t.Name, t.Description, list})
		}
	}
	var shapes []shape
	for name, x := range d.Components.Schemas {
		shapes = append(shapes, shape{name, x})
	}
	sort.Slice(shapes, func(i, j int) bool { return shapes[i].Name < shapes[j].Name })
	return c.page("api", "API", map[string]any{"About": d.Info.Description, "Groups": groups, "Shapes": shapes, "Origin": c.origin()})
}

// apiFile is GET /ui/api/openapi.json: the description itself.
func (s *UI) apiFile(c *call) error {
	raw, err := c.rest.Description(c.ctx())
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
	_, err = c.w.Write(raw)
	return err
}
