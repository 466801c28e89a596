// Package api holds the JSON shapes of the REST API, as the server writes them
// and the client reads them. The shapes under /api/aigateway/v1 are Domino's;
// those under /api/sluice/v1 are this project's. No shape has a field for the
// value of a secret, save the two in which a client sends one and the one
// reply that shows a new token.
package api

import "time"

// Permissions say who may call an endpoint.
type Permissions struct {
	IsEveryoneAllowed bool     `json:"isEveryoneAllowed"`
	UserIDs           []string `json:"userIds"`
	OrganizationIDs   []string `json:"organizationIds"`
	Roles             []string `json:"roles,omitempty"`
	Projects          []string `json:"projects,omitempty"`
	// OwnerIDs are users and organizations that may change the endpoint and its
	// permissions and read its part of the trail. An owner calls it only where
	// the permissions let him.
	OwnerIDs []string `json:"ownerIds,omitempty"`
}

// PermissionsPatch changes permissions: each list that is given replaces the
// one that is stored, each that is nil keeps it. Ids of organizations are
// recognised in UserIDs too, as Domino's clients send them.
type PermissionsPatch struct {
	IsEveryoneAllowed *bool     `json:"isEveryoneAllowed,omitempty"`
	UserIDs           *[]string `json:"userIds,omitempty"`
	OrganizationIDs   *[]string `json:"organizationIds,omitempty"`
	Roles             *[]string `json:"roles,omitempty"`
	Projects          *[]string `json:"projects,omitempty"`
	OwnerIDs          *[]string `json:"ownerIds,omitempty"`
}

// Limit is MLflow's rate limit: Calls in each RenewalPeriod ("minute",
// "5 minutes").
type Limit struct {
	Calls         int64  `json:"calls"`
	RenewalPeriod string `json:"renewal_period"`
	Key           string `json:"key,omitempty"`
}

// NewEndpoint asks for an endpoint (Domino's NewEndpointV1). Every field but
// Limit is required.
type NewEndpoint struct {
	EndpointName        string            `json:"endpointName"`
	EndpointType        string            `json:"endpointType"`
	EndpointPermissions *PermissionsPatch `json:"endpointPermissions"`
	ModelProvider       string            `json:"modelProvider"`
	ModelName           string            `json:"modelName"`
	ModelConfig         map[string]string `json:"modelConfig"`
	// CredentialID names a stored credential in place of secrets in ModelConfig.
	CredentialID string `json:"credentialId,omitempty"`
	Description  string `json:"description,omitempty"`
	// AuditBodies is the most that the trail keeps of bodies; empty: full.
	AuditBodies string `json:"auditBodies,omitempty" enum:"full,redacted,none"`
	Limit       *Limit `json:"limit,omitempty"`
}

// EndpointPatch changes an endpoint (Domino's UpdatedEndpointV1). Fields that
// are nil keep what is stored. ModelConfig replaces the parameters; secrets
// that it does not name are kept, unless the provider changes; an empty value
// takes one away. A Limit that points to nil takes the limit away.
type EndpointPatch struct {
	EndpointName  *string            `json:"endpointName,omitempty"`
	EndpointType  *string            `json:"endpointType,omitempty"`
	ModelProvider *string            `json:"modelProvider,omitempty"`
	ModelName     *string            `json:"modelName,omitempty"`
	ModelConfig   *map[string]string `json:"modelConfig,omitempty"`
	CredentialID  *string            `json:"credentialId,omitempty"` // "": none
	Description   *string            `json:"description,omitempty"`
	Disabled      *bool              `json:"disabled,omitempty"` // refuses every call, and keeps the endpoint
	AuditBodies   *string            `json:"auditBodies,omitempty" enum:"full,redacted,none"`
	Limit         **Limit            `json:"limit,omitempty"`
}

// Endpoint is an endpoint as it is shown (Domino's EndpointEnvelopeV1, and
// more). ModelConfig has the parameters that are not secret;
// ModelConfigSecrets names the secret ones that are set.
type Endpoint struct {
	EndpointID         string            `json:"endpointId"`
	EndpointName       string            `json:"endpointName"`
	EndpointType       string            `json:"endpointType"`
	ModelProvider      string            `json:"modelProvider"`
	ModelName          string            `json:"modelName"`
	ModelConfig        map[string]string `json:"modelConfig"`
	ModelConfigSecrets []string          `json:"modelConfigSecrets"`
	CredentialID       string            `json:"credentialId,omitempty"`
	Description        string            `json:"description"` // plain text, up to 2,000 characters
	Disabled           bool              `json:"disabled"`
	// AuditBodies is the most that the trail keeps of the bodies of its calls; the
	// installation or the policy may want less.
	AuditBodies string `json:"auditBodies" enum:"full,redacted,none"`
	// Problem is why it can't be called at the moment, as a sentence.
	Problem      string    `json:"problem,omitempty"`
	TargetCount  int       `json:"targetCount"`
	MayChange    bool      `json:"mayChange"` // the caller may change it
	MayInvoke    bool      `json:"mayInvoke"` // the caller may call it
	CreationDate time.Time `json:"creationDate"`
	UpdateDate   time.Time `json:"updateDate"`
	Limit        *Limit    `json:"limit,omitempty"`
}

// Pagination is a page's place in the whole.
type Pagination struct {
	Offset     int `json:"offset"`
	Limit      int `json:"limit"`
	TotalCount int `json:"totalCount"`
}

// Metadata goes with a page (Domino's PaginatedMetadataV1): the fields of
// Pagination are there twice because Domino's own schema is read both ways.
type Metadata struct {
	RequestID  string     `json:"requestId"`
	Notices    []string   `json:"notices"`
	Offset     int        `json:"offset"`
	Limit      int        `json:"limit"`
	TotalCount int        `json:"totalCount"`
	Pagination Pagination `json:"pagination"`
}

// EndpointList is a page of endpoints (Domino's AIGatewayEnvelopeV1).
type EndpointList struct {
	Endpoints []Endpoint `json:"endpoints"`
	Metadata  Metadata   `json:"metadata"`
}

// Changes of Apply.
const (
	Created   = "created"
	Updated   = "updated"
	Unchanged = "unchanged"
)

// Applied says what Apply did with one endpoint.
type Applied struct {
	EndpointName string `json:"endpointName"`
	Change       string `json:"change"` // created, updated or unchanged
	// Fields are what differs in one that is updated, such as "modelName" or
	// "targets.first.weight".
	Fields []string `json:"fields,omitempty"`
}

// ApplyResult is the answer of POST /api/sluice/v1/apply, in the order of the
// request.
type ApplyResult struct {
	Results  []Applied `json:"results"`
	Warnings []string  `json:"warnings"`
}
