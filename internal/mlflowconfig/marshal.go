package mlflowconfig

import (
	"encoding/json"
	"fmt"

	"sluice/internal/catalog"
)

// The file's shapes, as JSON.
type (
	model struct {
		Provider string            `json:"provider"`
		Name     string            `json:"name"`
		Config   map[string]string `json:"config"`
	}
	permissions struct {
		Everyone      bool     `json:"everyone"`
		Users         []string `json:"users,omitempty"`
		Organizations []string `json:"organizations,omitempty"`
		Roles         []string `json:"roles,omitempty"`
		Projects      []string `json:"projects,omitempty"`
	}
	endpoint struct {
		Name        string               `json:"name"`
		Type        catalog.EndpointType `json:"endpoint_type"`
		Model       model                `json:"model"`
		Limit       *catalog.Limit       `json:"limit,omitempty"`
		Permissions *permissions         `json:"permissions,omitempty"`
	}
)

// Marshal writes endpoints as a file that Parse reads to the same endpoints,
// in JSON. It holds whatever secrets they hold.
func Marshal(endpoints []Endpoint) ([]byte, error) {
	list := make([]endpoint, 0, len(endpoints))
	for _, e := range endpoints {
		w := endpoint{
			Name: e.Name, Type: e.Type, Limit: e.Limit,
			Model: model{Provider: e.Provider, Name: e.Model, Config: e.Config},
		}
		if p := e.Permissions; p != nil {
			w.Permissions = &permissions{p.Everyone, p.Users, p.Organizations, p.Roles, p.Projects}
		}
		list = append(list, w)
	}
	b, err := json.Marshal(map[string][]endpoint{"endpoints": list})
	if err != nil {
		return nil, fmt.Errorf("writing endpoints as JSON: %w", err)
	}
	return b, nil
}
