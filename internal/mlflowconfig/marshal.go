package mlflowconfig

import (
	"encoding/json"
	"fmt"

	"sluice/internal/catalog"
)

// The file's shapes, as JSON.
type (
	model struct {
		Provider   string            `json:"provider"`
		Name       string            `json:"name"`
		Config     map[string]string `json:"config"`
		Credential string            `json:"credential,omitempty"`
	}
	permissions struct {
		Everyone      bool     `json:"everyone"`
		Users         []string `json:"users,omitempty"`
		Organizations []string `json:"organizations,omitempty"`
		Roles         []string `json:"roles,omitempty"`
		Projects      []string `json:"projects,omitempty"`
		Owners        []string `json:"owners,omitempty"`
	}
	target struct {
		Name     string `json:"name"`
		Weight   int    `json:"weight"`
		Order    int    `json:"order"`
		Disabled bool   `json:"disabled"`
		Model    model  `json:"model"`
	}
	endpoint struct {
		Name        string               `json:"name"`
		Type        catalog.EndpointType `json:"endpoint_type"`
		Model       *model               `json:"model,omitempty"`
		Targets     []target             `json:"targets,omitempty"`
		HeadTimeout string               `json:"head_timeout,omitempty"`
		Limit       *catalog.Limit       `json:"limit,omitempty"`
		Description *string              `json:"description,omitempty"`
		Disabled    *bool                `json:"disabled,omitempty"`
		AuditBodies *string              `json:"audit_bodies,omitempty"`
		Permissions *permissions         `json:"permissions,omitempty"`
	}
)

// Marshal writes endpoints, those made from routes too, as a file that Parse
// reads to the same endpoints, in JSON. It holds whatever secrets they hold.
func Marshal(endpoints []Endpoint) ([]byte, error) {
	list := make([]endpoint, 0, len(endpoints))
	for _, e := range endpoints {
		w := endpoint{Name: e.Name, Type: e.Type, Limit: e.Limit, Description: e.Description, Disabled: e.Disabled, AuditBodies: e.AuditBodies}
		if e.HeadTimeout != 0 {
			w.HeadTimeout = e.HeadTimeout.String()
		}
		if len(e.Targets) == 1 && e.Targets[0].plain() {
			m := modelOf(e.Targets[0])
			w.Model = &m
		} else {
			for _, t := range e.Targets {
				w.Targets = append(w.Targets, target{t.Name, t.Weight, t.Order, t.Disabled, modelOf(t)})
			}
		}
		if p := e.Permissions; p != nil {
			w.Permissions = &permissions{p.Everyone, p.Users, p.Organizations, p.Roles, p.Projects, p.Owners}
		}
		list = append(list, w)
	}
	b, err := json.Marshal(map[string][]endpoint{"endpoints": list})
	if err != nil {
		return nil, fmt.Errorf("writing endpoints as JSON: %w", err)
	}
	return b, nil
}

// plain tells whether the target is what "model:" alone says.
func (t Target) plain() bool {
	return t.Name == catalog.DefaultTarget && t.Weight == 1 && t.Order == 0 && !t.Disabled
}

func modelOf(t Target) model {
	return model{Provider: t.Provider, Name: t.Model, Config: t.Config, Credential: t.Credential}
}
