package admin

import (
	"net/http"

	"sluice/internal/scim"
	"sluice/policies"
)

// scimRoutes are SCIM 2.0, by which the company's directory keeps users and
// organizations here.
func (s *server) scimRoutes() []route {
	row := func(method, path, verb, id, summary string, handle func(*call) error, d doc) route {
		d.id, d.tag, d.summary = id, tagSCIM, summary
		if d.out == nil && d.status != http.StatusNoContent {
			d.out = media(scim.MediaType)
		}
		return route{
			pattern: method + " " + scim.Base + path, access: decided, resource: policies.ResourceProvisioning, verb: verb,
			handle: handle, doc: d,
		}
	}
	const read = policies.VerbRead
	rows := []route{
		row("GET", "/ServiceProviderConfig", read, "scimReadConfig", "Show what of SCIM is served.", s.scimConfig, doc{}),
		row("GET", "/Schemas", read, "scimListSchemas", "List the schemas of users and groups.", s.scimSchemas, doc{}),
		row("GET", "/Schemas/{id}", read, "scimReadSchema", "Show a schema.", s.scimSchema, doc{}),
		row("GET", "/ResourceTypes", read, "scimListResourceTypes", "List the kinds of resources.", s.scimTypes, doc{}),
		row("GET", "/ResourceTypes/{id}", read, "scimReadResourceType", "Show a kind of resources.", s.scimType, doc{}),
	}
	body := media(scim.MediaType)
	rows = append(rows, row("POST", "/.search", policies.VerbList, "scimSearch", "List resources of all kinds, with the parameters in the body.",
		s.scimSearch(scim.Users, scim.Groups), doc{in: body}))
	for _, k := range []*scim.Kind{scim.Users, scim.Groups} {
		one := k.Endpoint + "/{id}"
		rows = append(rows,
			row("GET", k.Endpoint, policies.VerbList, "scimList"+k.Name+"s", "List "+k.Name+" resources.", s.scimList(k),
				doc{query: scimListing}),
			row("POST", k.Endpoint+"/.search", policies.VerbList, "scimSearch"+k.Name+"s",
				"List "+k.Name+" resources, with the parameters in the body.", s.scimSearch(k), doc{in: body}),
			row("POST", k.Endpoint, policies.VerbCreate, "scimCreate"+k.Name, "Create a "+k.Name+" resource.", s.scimCreate(k),
				doc{in: body, status: http.StatusCreated, also: []int{http.StatusConflict}, versioned: true, query: scimProjection}),
			row("GET", one, read, "scimRead"+k.Name, "Show a "+k.Name+" resource.", s.scimRead(k),
				doc{versioned: true, query: scimProjection}),
			row("PUT", one, policies.VerbUpdate, "scimReplace"+k.Name, "Replace a "+k.Name+" resource.", s.scimReplace(k),
				doc{in: body, also: []int{http.StatusConflict}, versioned: true, query: scimProjection}),
			row("PATCH", one, policies.VerbUpdate, "scimPatch"+k.Name, "Change a "+k.Name+" resource.", s.scimPatch(k),
				doc{in: body, also: []int{http.StatusConflict}, versioned: true, query: scimProjection}),
			row("DELETE", one, policies.VerbDelete, "scimDelete"+k.Name, "Delete a "+k.Name+" resource.", s.scimDelete(k),
				doc{status: http.StatusNoContent, versioned: true, also: []int{http.StatusBadRequest}}),
		)
	}
	return rows
}

var scimProjection = []parameter{
	{name: "attributes", kind: kindText, text: "Shows only these attributes, separated by commas."},
	{name: "excludedAttributes", kind: kindText, text: "Leaves these attributes out, separated by commas."},
}

var scimListing = with(scimProjection,
	parameter{name: "filter", kind: kindText, text: "Shows only what passes this filter, e.g. userName eq \"alice\"."},
	parameter{name: "startIndex", kind: kindInteger, text: "The first of the list to show, counted from 1.", fallback: 1},
	parameter{name: "count", kind: kindInteger, text: "How many to show, at most 1000.", fallback: 100},
)
