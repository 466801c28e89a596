package scim

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed schemas/*.json
var schemaFiles embed.FS

// Kind is a kind of resource.
type Kind struct {
	Name     string // "User" or "Group"
	Endpoint string // "/Users" or "/Groups"
	Schema   string // URN
	naming   string // the attribute that names a resource to people
	lists    string // the attribute that Resource.Document makes only where it is asked for
	schema   json.RawMessage
	attrs    []*attribute
	// others are attributes of the standard that are taken and not kept.
	others map[string]bool
}

// attribute is one attribute of a schema.
type attribute struct {
	Name       string       `json:"name"`
	Type       string       `json:"type"`
	Multi      bool         `json:"multiValued"`
	Required   bool         `json:"required"`
	CaseExact  bool         `json:"caseExact"`
	Mutability string       `json:"mutability"`
	Sub        []*attribute `json:"subAttributes"`
}

const (
	typeComplex = "complex"
	typeBoolean = "boolean"
	readOnly    = "readOnly"
)

// Users and Groups are the kinds of resources.
var (
	Users = load("User", "userName", "groups", "nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale", "timezone",
		"password", "phoneNumbers", "ims", "photos", "addresses", "entitlements", "roles", "x509Certificates")
	Groups = load("Group", "displayName", "members")
)

// common are the attributes that every resource has.
var common = []*attribute{
	{Name: "id", Type: "string", CaseExact: true, Mutability: readOnly},
	{Name: "externalId", Type: "string", CaseExact: true},
	{Name: "schemas", Type: "string", Multi: true, CaseExact: true, Mutability: readOnly},
	{Name: "meta", Type: typeComplex, Mutability: readOnly, Sub: []*attribute{
		{Name: "resourceType", Type: "string", CaseExact: true, Mutability: readOnly},
		{Name: "created", Type: "string", Mutability: readOnly}, {Name: "lastModified", Type: "string", Mutability: readOnly},
		{Name: "location", Type: "string", CaseExact: true, Mutability: readOnly}, {Name: "version", Type: "string", CaseExact: true, Mutability: readOnly},
	}},
}

func load(name, naming, lists string, others ...string) *Kind {
	raw, err := schemaFiles.ReadFile("schemas/" + name + ".json")
	if err != nil {
		panic(err) // embedded
	}
	var s struct {
		ID         string       `json:"id"`
		Attributes []*attribute `json:"attributes"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		panic(fmt.Sprintf("scim: schema %s: %v", name, err))
	}
	k := &Kind{
		Name: name, Endpoint: "/" + name + "s", Schema: s.ID, naming: naming, lists: lists, schema: raw,
		attrs: append(append([]*attribute{}, common...), s.Attributes...), others: map[string]bool{},
	}
	for _, o := range others {
		k.others[strings.ToLower(o)] = true
	}
	return k
}

func find(list []*attribute, name string) *attribute {
	for _, a := range list {
		if strings.EqualFold(a.Name, name) {
			return a
		}
	}
	return nil
}

// resolve finds the attribute that a path names, and its sub-attribute, either
// of which may be nil. taken reports that the standard or an extension has it,
// so that it is passed over in silence.
func (k *Kind) resolve(urn, name, sub string) (a, s *attribute, taken bool) {
	if urn != "" && !strings.EqualFold(urn, k.Schema) {
		return nil, nil, true // an attribute of an extension
	}
	if a = find(k.attrs, name); a == nil {
		// An extension as a whole is read as an attribute of its URN's beginning.
		return nil, nil, k.others[strings.ToLower(name)]
	}
	if sub == "" {
		return a, nil, false
	}
	if s = find(a.Sub, sub); s == nil {
		return nil, nil, a.Type == typeComplex && k == Users
	}
	return a, s, false
}

// clean brings what a client sent into the form of a document: attributes in
// their own spelling, unknown and read-only ones left out, nulls and empty lists
// too. A value of the wrong type is refused by name.
func (k *Kind) clean(d Document) (Document, error) {
	out, err := cleanObject("", d, k.attrs)
	if err != nil {
		return nil, err
	}
	for _, a := range k.attrs {
		if text, _ := out[a.Name].(string); a.Required && strings.TrimSpace(text) == "" {
			return nil, Invalid("The attribute %s is required.", a.Name)
		}
	}
	return out, k.bounds(out)
}

// bounds holds lists to a length that the gateway can keep.
func (k *Kind) bounds(d Document) error {
	for name, most := range map[string]int{"emails": maxEmails, "members": maxMembers} {
		if list, _ := d[name].([]any); len(list) > most {
			return Invalid("The attribute %s has more than %d values.", name, most)
		}
	}
	return nil
}

func cleanObject(prefix string, d Document, attrs []*attribute) (Document, error) {
	out := Document{}
	for key, value := range d {
		a := find(attrs, key)
		if a == nil || a.Mutability == readOnly || value == nil {
			continue
		}
		v, err := cleanValue(prefix+a.Name, value, a)
		if err != nil {
			return nil, err
		}
		if _, twice := out[a.Name]; twice {
			return nil, refuse(typeSyntax, "The attribute %s is given twice.", prefix+a.Name)
		}
		if v != nil {
			out[a.Name] = v
		}
	}
	return out, nil
}

// cleanValue brings one value into form. An empty list and an empty object are
// nil: RFC 7643 section 2.5 takes them for no value.
func cleanValue(path string, value any, a *attribute) (any, error) {
	if !a.Multi {
		return cleanOne(path, value, a)
	}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	out := []any{}
	for _, v := range list {
		one, err := cleanOne(path, v, a)
		if err != nil {
			return nil, err
		}
		if one != nil {
			out = append(out, one)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

func cleanOne(path string, value any, a *attribute) (any, error) {
	if value == nil {
		return nil, nil
	}
	switch a.Type {
	case typeComplex:
		object, ok := value.(Document)
		if text, plain := value.(string); plain && a.Multi {
			object, ok = Document{"value": text}, true
		}
		if !ok {
			return nil, Invalid("The attribute %s must be an object.", path)
		}
		out, err := cleanObject(path+".", object, a.Sub)
		if err != nil || len(out) == 0 {
			return nil, err
		}
		return out, nil
	case typeBoolean:
		switch v := value.(type) {
		case bool:
			return v, nil
		case string:
			if strings.EqualFold(v, "true") || strings.EqualFold(v, "false") {
				return strings.EqualFold(v, "true"), nil
			}
		}
		return nil, Invalid("The attribute %s must be true or false.", path)
	}
	text, ok := value.(string)
	switch {
	case !ok:
		return nil, Invalid("The attribute %s must be a string.", path)
	case len(text) > maxText:
		return nil, Invalid("The attribute %s is longer than %d bytes.", path, maxText)
	}
	return text, nil
}
