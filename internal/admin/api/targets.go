package api

import "time"

// Target is one provider, model and credential behind an endpoint, as it is
// shown. ModelConfig has the parameters that are not secret;
// ModelConfigSecrets names the secret ones that are set.
type Target struct {
	TargetID string `json:"targetId"`
	Name     string `json:"name"`
	// Weight is the share of the calls among the targets of equal Order; 0: calls
	// only when others failed. Order 0 is tried first, higher ones when all of a
	// lower one failed.
	Weight             int64             `json:"weight"`
	Order              int64             `json:"order"`
	Disabled           bool              `json:"disabled"`
	ModelProvider      string            `json:"modelProvider"`
	ModelName          string            `json:"modelName"`
	ModelConfig        map[string]string `json:"modelConfig"`
	ModelConfigSecrets []string          `json:"modelConfigSecrets"`
	CredentialID       string            `json:"credentialId,omitempty"`
	Problem            string            `json:"problem,omitempty"` // why it can't be called, as a sentence
}

// TargetList are the targets of an endpoint, by Order, then Name. HeadTimeout is
// how long a target may take until the head of its reply before the next one is
// tried, such as "30s"; "0s": no limit of its own.
type TargetList struct {
	HeadTimeout string   `json:"headTimeout"`
	Targets     []Target `json:"targets"`
}

// NewTarget asks for a target. Name, ModelProvider and ModelName are required;
// Weight is 1 where it is nil. In a TargetsPut, a target that is stored is meant
// by its TargetID, or by its Name where no TargetID is given; secrets that
// ModelConfig does not name are kept then, as in a TargetPatch.
//
// ModelConfigSecrets and Problem are not read: they are here so that what was
// shown can be sent back with changes.
type NewTarget struct {
	TargetID           string            `json:"targetId,omitempty"`
	Name               string            `json:"name"`
	Weight             *int64            `json:"weight,omitempty"`
	Order              int64             `json:"order,omitempty"`
	Disabled           bool              `json:"disabled,omitempty"`
	ModelProvider      string            `json:"modelProvider"`
	ModelName          string            `json:"modelName"`
	ModelConfig        map[string]string `json:"modelConfig"`
	ModelConfigSecrets []string          `json:"modelConfigSecrets,omitempty"`
	CredentialID       string            `json:"credentialId,omitempty"`
	Problem            string            `json:"problem,omitempty"`
}

// TargetsPut replaces the list of targets, and the head timeout. What is nil
// stays.
type TargetsPut struct {
	HeadTimeout *string      `json:"headTimeout,omitempty"`
	Targets     *[]NewTarget `json:"targets,omitempty"`
}

// TargetPatch changes a target. Fields that are nil keep what is stored.
// ModelConfig replaces the parameters; secrets that it does not name are kept,
// unless the provider changes; an empty value takes one away.
type TargetPatch struct {
	Name          *string            `json:"name,omitempty"`
	Weight        *int64             `json:"weight,omitempty"`
	Order         *int64             `json:"order,omitempty"`
	Disabled      *bool              `json:"disabled,omitempty"`
	ModelProvider *string            `json:"modelProvider,omitempty"`
	ModelName     *string            `json:"modelName,omitempty"`
	ModelConfig   *map[string]string `json:"modelConfig,omitempty"`
	CredentialID  *string            `json:"credentialId,omitempty"` // "": none
}

// States of TargetHealth.
const (
	TargetOK      = "ok"      // it is called, though calls failed lately
	TargetCooling = "cooling" // it is tried last for a while
)

// TargetHealth says how calls of a target went lately.
type TargetHealth struct {
	EndpointName string `json:"endpointName"`
	TargetName   string `json:"targetName"`
	State        string `json:"state"`    // TargetOK or TargetCooling
	Failures     int    `json:"failures"` // in a row
	// Until is when a cooling target takes its turn again.
	Until      *time.Time `json:"until,omitempty"`
	LastCode   string     `json:"lastCode,omitempty"`   // of the last failure, e.g. "provider_timeout"
	LastStatus int        `json:"lastStatus,omitempty"` // HTTP status of the last failure, 0: none came
}
