package scim

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scim2/filter-parser/v2"
)

// Service answers requests, of a Directory and for clients that know it under
// an address.
type Service struct {
	Directory Directory
	// Address is where clients reach Base, e.g. "https://gateway.example/scim/v2".
	Address string
}

// List answers GET of a kind's endpoint.
func (s *Service) List(k *Kind, q url.Values) (Document, error) { return s.list(q, k) }

// list lists the resources of kinds, one kind after the other. Of several kinds
// a filter need make sense for one only.
func (s *Service) list(q url.Values, kinds ...*Kind) (Document, error) {
	start, err := number(q, "startIndex", 1)
	if err != nil {
		return nil, err
	}
	count, err := number(q, "count", defaultCount)
	if err != nil {
		return nil, err
	}
	start, count = max(start, 1), min(max(count, 0), maxCount)
	var found []func() Document
	var refused error
	answered := false
	for _, k := range kinds {
		more, err := s.found(k, q)
		if err != nil {
			refused = err
			continue
		}
		answered = true
		found = append(found, more...)
	}
	if !answered {
		return nil, refused
	}
	from := min(start-1, len(found))
	page := []Document{}
	for _, show := range found[from:min(from+count, len(found))] {
		page = append(page, show())
	}
	return Document{
		"schemas":      []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
		"totalResults": len(found), "startIndex": start, "itemsPerPage": len(page), "Resources": page,
	}, nil
}

// found are the resources of a kind that pass the filter, each as a function
// that makes what is shown of it.
func (s *Service) found(k *Kind, q url.Values) ([]func() Document, error) {
	show, err := k.projection(q)
	if err != nil {
		return nil, err
	}
	var e filter.Expression
	if text := strings.TrimSpace(q.Get("filter")); text != "" {
		if e, err = k.parseFilter(text); err != nil {
			return nil, err
		}
	}
	all, err := s.Directory.List(k)
	if err != nil {
		return nil, err
	}
	lists := e != nil && k.names(e, k.lists)
	var found []func() Document
	for i := range all {
		r := &all[i]
		if e == nil || !k.excludes(r, e) && k.matches(s.document(k, r, lists), e) {
			found = append(found, func() Document { return show.of(s.complete(k, r, show.lists)) })
		}
	}
	return found, nil
}

// Search answers POST of "/.search", and of a kind's endpoint and "/.search": a
// list, of both kinds or of one, whose parameters are in the body.
func (s *Service) Search(body []byte, kinds ...*Kind) (Document, error) {
	var in struct {
		Filter             string   `json:"filter"`
		Attributes         []string `json:"attributes"`
		ExcludedAttributes []string `json:"excludedAttributes"`
		StartIndex         *int     `json:"startIndex"`
		Count              *int     `json:"count"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, refuse(typeSyntax, "The body is not a SCIM SearchRequest.")
	}
	q := url.Values{"filter": {in.Filter}}
	for name, list := range map[string][]string{"attributes": in.Attributes, "excludedAttributes": in.ExcludedAttributes} {
		if len(list) > 0 {
			q.Set(name, strings.Join(list, ","))
		}
	}
	for name, n := range map[string]*int{"startIndex": in.StartIndex, "count": in.Count} {
		if n != nil {
			q.Set(name, strconv.Itoa(*n))
		}
	}
	return s.list(q, kinds...)
}

func number(q url.Values, name string, fallback int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, Invalid("The parameter %s must be a whole number.", name)
	}
	return n, nil
}

// Get answers GET of one resource.
func (s *Service) Get(k *Kind, id string, q url.Values) (Document, string, error) {
	r, err := s.Directory.Get(k, id)
	if err != nil {
		return nil, "", err
	}
	return s.shown(k, r, q)
}

// Create answers POST of a kind's endpoint.
func (s *Service) Create(k *Kind, body []byte, q url.Values) (Document, string, error) {
	d, err := k.read(body)
	if err != nil {
		return nil, "", err
	}
	if _, said := d["active"]; !said && k == Users {
		d["active"] = true
	}
	r, err := s.Directory.Create(k, d)
	if err != nil {
		return nil, "", err
	}
	return s.shown(k, r, q)
}

// Replace answers PUT of one resource.
func (s *Service) Replace(k *Kind, id string, body []byte, q url.Values) (Document, string, error) {
	d, err := k.read(body)
	if err != nil {
		return nil, "", err
	}
	r, err := s.Directory.Change(k, id, func(before Document) (Document, error) {
		// Whoever does not say whether a user is active does not change it.
		if _, said := d["active"]; !said && before["active"] != nil {
			d["active"] = before["active"]
		}
		return d, nil
	})
	if err != nil {
		return nil, "", err
	}
	return s.shown(k, r, q)
}

// Patch answers PATCH of one resource.
func (s *Service) Patch(k *Kind, id string, body []byte, q url.Values) (Document, string, error) {
	operations, err := readPatch(body)
	if err != nil {
		return nil, "", err
	}
	r, err := s.Directory.Change(k, id, func(before Document) (Document, error) { return k.patch(before, operations) })
	if err != nil {
		return nil, "", err
	}
	return s.shown(k, r, q)
}

// read reads the body of a POST or PUT.
func (k *Kind) read(body []byte) (Document, error) {
	var d Document
	if err := json.Unmarshal(body, &d); err != nil || d == nil {
		return nil, refuse(typeSyntax, "The body is not a JSON object.")
	}
	schemas, _ := d["schemas"].([]any)
	if !slices.Contains(schemas, any(k.Schema)) {
		return nil, refuse(typeSyntax, "The body's schemas must have %s.", k.Schema)
	}
	return k.clean(d)
}

func (s *Service) shown(k *Kind, r Resource, q url.Values) (Document, string, error) {
	show, err := k.projection(q)
	if err != nil {
		return nil, "", err
	}
	return show.of(s.complete(k, &r, show.lists)), r.Version(), nil
}

// document is a resource with the attributes that all have, for filters to look
// at.
func (s *Service) document(k *Kind, r *Resource, lists bool) Document {
	d := maps.Clone(r.Document(lists))
	d["schemas"], d["id"] = []any{k.Schema}, r.ID
	d["meta"] = Document{
		"resourceType": k.Name, "location": s.Address + k.Endpoint + "/" + r.ID,
		"created": moment(r.Created), "lastModified": moment(r.Modified),
	}
	return d
}

// complete is a document with what a filter has no need of: its version, and
// the addresses of what it refers to.
func (s *Service) complete(k *Kind, r *Resource, lists bool) Document {
	d := s.document(k, r, lists)
	d["meta"].(Document)["version"] = r.Version()
	for list, of := range map[string]*Kind{"members": Users, "groups": Groups} {
		if all, ok := d[list].([]any); ok {
			d[list] = s.referring(all, of)
		}
	}
	return d
}

func (s *Service) referring(all []any, to *Kind) []any {
	out := make([]any, len(all))
	for i, element := range all {
		more := Document{}
		for name, value := range element.(Document) {
			more[name] = value
		}
		id, _ := more["value"].(string)
		more["$ref"] = s.Address + to.Endpoint + "/" + id
		out[i] = more
	}
	return out
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// always are the attributes that every reply has.
var always = []string{"id", "schemas"}

// projection is how much of a document is shown.
type projection struct {
	of    func(Document) Document
	lists bool // it shows the long lists
}

// projection reads attributes and excludedAttributes.
func (k *Kind) projection(q url.Values) (projection, error) {
	only, without := q.Get("attributes"), q.Get("excludedAttributes")
	switch {
	case only != "" && without != "":
		return projection{}, Invalid("The parameters attributes and excludedAttributes exclude each other.")
	case strings.Count(only+without, ",") >= maxNames:
		return projection{}, Invalid("The parameters attributes and excludedAttributes take at most %d names.", maxNames)
	case only != "":
		names := append(strings.Split(only, ","), always...)
		return projection{lists: k.anyNamed(names, false), of: func(d Document) Document {
			out := Document{}
			for _, name := range names {
				k.pick(d, out, name)
			}
			return out
		}}, nil
	case without != "":
		names := strings.Split(without, ",")
		return projection{lists: !k.anyNamed(names, true), of: func(d Document) Document {
			out := clone(d).(Document)
			for _, name := range names {
				k.drop(out, name)
			}
			return out
		}}, nil
	}
	return projection{lists: true, of: func(d Document) Document { return d }}, nil
}

// anyNamed reports whether one of names is the long list, as a whole or not.
func (k *Kind) anyNamed(names []string, whole bool) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		a, s := k.named(name)
		return a != nil && a.Name == k.lists && (s == nil || !whole)
	})
}

// named finds what the name of an attribute in a parameter means.
func (k *Kind) named(name string) (a, s *attribute) {
	name = strings.TrimSpace(name)
	if urn, rest, ok := cutURN(name); ok {
		if !strings.EqualFold(urn, k.Schema) {
			return nil, nil
		}
		name = rest
	}
	first, sub, _ := strings.Cut(name, ".")
	a, s, _ = k.resolve("", first, sub)
	return a, s
}

func cutURN(name string) (urn, rest string, ok bool) {
	i := strings.LastIndexByte(name, ':')
	if i < 0 {
		return "", name, false
	}
	return name[:i], name[i+1:], true
}

func (k *Kind) pick(from, into Document, name string) {
	a, s := k.named(name)
	if a == nil || from[a.Name] == nil {
		return
	}
	if s == nil {
		into[a.Name] = from[a.Name]
		return
	}
	if object, ok := from[a.Name].(Document); ok {
		part, _ := into[a.Name].(Document)
		if part == nil {
			part = Document{}
		}
		part[s.Name] = object[s.Name]
		into[a.Name] = part
		return
	}
	var list []any
	for i, element := range elements(from[a.Name]) {
		part := Document{s.Name: element.(Document)[s.Name]}
		if before := elements(into[a.Name]); i < len(before) {
			before[i].(Document)[s.Name] = part[s.Name]
			part = before[i].(Document)
		}
		list = append(list, part)
	}
	into[a.Name] = list
}

func (k *Kind) drop(d Document, name string) {
	a, s := k.named(name)
	switch {
	case a == nil || slices.Contains(always, a.Name):
	case s == nil:
		delete(d, a.Name)
	default:
		for _, element := range elements(d[a.Name]) {
			if object, ok := element.(Document); ok {
				delete(object, s.Name)
			}
		}
	}
}
