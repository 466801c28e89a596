package api

import "time"

// Credential is a named set of secrets for one kind of provider, which many
// targets can share. The values are in the vault and never shown; Secrets names
// those that are set.
type Credential struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"` // unique
	Provider string   `json:"provider"`
	Secrets  []string `json:"secrets"`
	// UsedBy are the endpoints that have a target with this credential: up to
	// 100 of the UsedByCount, by name.
	UsedBy      []string  `json:"usedBy"`
	UsedByCount int       `json:"usedByCount"`
	Created     time.Time `json:"created"`
	Rotated     time.Time `json:"rotated"`           // when a value last changed
	Problem     string    `json:"problem,omitempty"` // why it can't be opened, as a sentence
}

// NewCredential asks for a credential. All fields are required; Values holds
// secret fields of the provider only.
type NewCredential struct {
	Name     string            `json:"name"`
	Provider string            `json:"provider"`
	Values   map[string]string `json:"values"`
}

// CredentialPatch renames a credential or rotates values. Values that it does
// not name are kept; an empty one is taken away.
type CredentialPatch struct {
	Name   *string            `json:"name,omitempty"`
	Values *map[string]string `json:"values,omitempty"`
}

// CredentialList is a page of credentials.
type CredentialList struct {
	Credentials []Credential `json:"credentials"`
	Metadata    Metadata     `json:"metadata"`
}

// TargetTest asks whether a provider takes a key, before anything is saved: a
// small call is made as a target of these fields would make it. ModelConfig may
// hold secrets; those that it does not name are taken from the credential, else
// from the stored target that EndpointName and TargetName name.
type TargetTest struct {
	EndpointType  string            `json:"endpointType"`
	ModelProvider string            `json:"modelProvider"`
	ModelName     string            `json:"modelName"`
	ModelConfig   map[string]string `json:"modelConfig,omitempty"`
	CredentialID  string            `json:"credentialId,omitempty"`
	EndpointName  string            `json:"endpointName,omitempty"`
	TargetName    string            `json:"targetName,omitempty"`
}

// TargetTestResult is what came of it. Message is a sentence that names what to
// do; it never holds a secret.
type TargetTestResult struct {
	OK             bool   `json:"ok"`
	Code           string `json:"code,omitempty"` // stable, e.g. "provider_credential_rejected"
	Message        string `json:"message"`
	Status         int    `json:"status,omitempty"` // the provider's HTTP status; 0: none came
	DurationMillis int64  `json:"durationMillis"`
}
