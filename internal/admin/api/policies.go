package api

import "sluice/internal/decision"

// PolicyQuestion asks what the policies in force say of a call that somebody
// might make. Both fields are required.
type PolicyQuestion struct {
	User         string `json:"user"` // id or name
	EndpointName string `json:"endpointName"`
	// Operation is chat, completions, embeddings or native; "": the one that the
	// endpoint's type answers.
	Operation string `json:"operation,omitempty"`
	// Address is the IP address to call from. "": none is known.
	Address string `json:"address,omitempty"`
}

// PolicyAnswer is what they say: whether the user sees the endpoint, whether
// the user may call it, and why. The user is one without a token's project,
// endpoints and networks, as in the web UI.
type PolicyAnswer struct {
	UserID        string            `json:"userId"`
	UserName      string            `json:"userName"`
	Roles         []string          `json:"roles"`
	Organizations []string          `json:"organizations"` // ids
	EndpointName  string            `json:"endpointName"`
	Operation     string            `json:"operation"`
	View          decision.Decision `json:"view"`
	Invoke        decision.Decision `json:"invoke"`
}
