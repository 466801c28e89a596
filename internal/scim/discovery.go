package scim

import "encoding/json"

// list is a list of all that there is, without pages.
func list(all ...any) Document {
	return Document{
		"schemas":      []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
		"totalResults": len(all), "startIndex": 1, "itemsPerPage": len(all), "Resources": all,
	}
}

// ProviderConfig answers GET of /ServiceProviderConfig.
func (s *Service) ProviderConfig() Document {
	supported := func(yes bool) Document { return Document{"supported": yes} }
	return Document{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		"patch":   supported(true),
		"bulk":    Document{"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
		"filter":  Document{"supported": true, "maxResults": maxCount},
		"sort":    supported(false), "etag": supported(true), "changePassword": supported(false),
		"authenticationSchemes": []Document{{
			"type": "oauthbearertoken", "name": "API token", "primary": true,
			"description": "A token of a user or service account with the role provisioner, as a bearer token.",
			"specUri":     "https://www.rfc-editor.org/info/rfc6750",
		}},
		"meta": Document{"resourceType": "ServiceProviderConfig", "location": s.Address + "/ServiceProviderConfig"},
	}
}

// Schemas answers GET of /Schemas.
func (s *Service) Schemas() Document { return list(s.schema(Users), s.schema(Groups)) }

// Schema answers GET of /Schemas/{id}; ok is false where there is none.
func (s *Service) Schema(id string) (d Document, ok bool) {
	for _, k := range []*Kind{Users, Groups} {
		if k.Schema == id {
			return s.schema(k), true
		}
	}
	return nil, false
}

func (s *Service) schema(k *Kind) Document {
	var d Document
	if err := json.Unmarshal(k.schema, &d); err != nil {
		panic(err) // it was read at the start
	}
	d["meta"] = Document{"resourceType": "Schema", "location": s.Address + "/Schemas/" + k.Schema}
	return d
}

// ResourceTypes answers GET of /ResourceTypes.
func (s *Service) ResourceTypes() Document {
	return list(s.resourceType(Users), s.resourceType(Groups))
}

// ResourceType answers GET of /ResourceTypes/{id}; ok is false where there is
// none.
func (s *Service) ResourceType(id string) (d Document, ok bool) {
	for _, k := range []*Kind{Users, Groups} {
		if k.Name == id {
			return s.resourceType(k), true
		}
	}
	return nil, false
}

func (s *Service) resourceType(k *Kind) Document {
	return Document{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"},
		"id":      k.Name, "name": k.Name, "endpoint": k.Endpoint, "schema": k.Schema, "schemaExtensions": []Document{},
		"meta": Document{"resourceType": "ResourceType", "location": s.Address + "/ResourceTypes/" + k.Name},
	}
}
