package api

import (
	"sluice/internal/decision"
	"sluice/policies"
)

// AccessQuestion asks who may call what. Without User and Caller it is asked
// for every user, without EndpointName for every endpoint; one of them must be
// given. Nothing is called, and nothing is recorded as a call.
type AccessQuestion struct {
	User string `json:"user,omitempty"` // id or name
	// Caller is somebody who need not exist, in place of User.
	Caller       *AccessCaller `json:"caller,omitempty"`
	EndpointName string        `json:"endpointName,omitempty"`
	// Operation is chat, completions, embeddings or native; "": the one that the
	// endpoint's type answers.
	Operation string `json:"operation,omitempty"`
	Address   string `json:"address,omitempty"` // the IP address to call from; "": none is known
}

// AccessCaller is somebody who need not exist.
type AccessCaller struct {
	Roles           []string `json:"roles,omitempty"`
	OrganizationIDs []string `json:"organizationIds,omitempty"`
	Project         string   `json:"project,omitempty"`
}

// AccessAnswers are the answers, those that allow first, then by names.
type AccessAnswers struct {
	Answers  []AccessAnswer `json:"answers"`
	Allowed  int            `json:"allowed"`  // how many of all allow
	Total    int            `json:"total"`    // how many there are; Answers has up to 1000
	Revision string         `json:"revision"` // of the policy
}

// AccessAnswer is the decision about a call by one user of one endpoint. The
// user is one without a token's project, endpoints and networks, as in the web
// UI.
type AccessAnswer struct {
	UserID        string   `json:"userId,omitempty"`
	UserName      string   `json:"userName,omitempty"`
	Roles         []string `json:"roles"`         // none for who can't sign in
	Organizations []string `json:"organizations"` // ids; likewise
	EndpointName  string   `json:"endpointName"`
	Operation     string   `json:"operation"`
	// Sees says whether lists show the endpoint to the user.
	Sees    bool              `json:"sees"`
	Allow   bool              `json:"allow"`
	Reasons []decision.Reason `json:"reasons"`
	// Obligations are conditions attached to a call that is allowed, by name.
	Obligations map[string]any `json:"obligations,omitempty"`
	// Hindrance says why a call that is allowed would fail all the same: the
	// endpoint is switched off, or has a problem.
	Hindrance string `json:"hindrance,omitempty"`
}

// Role says what a role lets its users do in the REST API.
type Role struct {
	Name    string `json:"name"`
	Users   int    `json:"users"`   // how many have it
	BuiltIn bool   `json:"builtIn"` // the policy that comes with the gateway knows it
	// May is, by resource and verb, what may be touched: "all", "permitted",
	// "owned" or "own".
	May       map[string]map[string]string `json:"may"`
	Endpoints []string                     `json:"endpoints"` // whose permissions name the role
}

// RoleList are the roles that somebody has, that permissions name, or that the
// built-in policy knows, by name. The policy in force was asked about each.
type RoleList struct {
	Everyone map[string]map[string]string `json:"everyone"` // what everyone may who has signed in
	Roles    []Role                       `json:"roles"`
	Revision string                       `json:"revision"` // of the policy
}

// PolicyCheck is what a dry run of the configured bundles found.
type PolicyCheck struct {
	OK     bool             `json:"ok"`              // they compile, and their tests pass
	Error  string           `json:"error,omitempty"` // what is wrong, with file and line
	Report *policies.Report `json:"report,omitempty"`
}

// PolicyFiles are the files of a bundle in force.
type PolicyFiles struct {
	Name  string          `json:"name"`
	Files []policies.File `json:"files"`
}
