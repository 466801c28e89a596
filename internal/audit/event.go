package audit

import (
	"time"

	"sluice/internal/identity"
)

// Kinds of records about exchanges and endpoints, as clients of Domino's
// audit API know them. Other events carry kinds of their callers' choosing.
const (
	KindAccessEndpoint            = "AccessEndpoint"
	KindDenyEndpoint              = "DenyEndpoint"
	KindCreateEndpoint            = "CreateEndpoint"
	KindUpdateEndpoint            = "UpdateEndpoint"
	KindDeleteEndpoint            = "DeleteEndpoint"
	KindChangeEndpointPermissions = "ChangeEndpointPermissions"
)

// Kinds of the events that the trail writes about itself.
const (
	// KindTailCut: a record that was half-written when the process or the
	// machine died was cut off the end of the log and kept aside.
	KindTailCut = "TrailTailCut"
	// KindRecordsMissing: the log ends before the head that was kept apart
	// from it, or records behind a damaged one had to be set aside. Verify
	// reports it as a loss.
	KindRecordsMissing = "TrailRecordsMissing"
	// KindPartitionDropped: retention removed the oldest partition.
	KindPartitionDropped = "TrailPartitionDropped"
)

// TargetEndpoint is the TargetType of events about an endpoint: they are found
// by the endpoint filters of Query.
const TargetEndpoint = "endpoint"

// TargetUser is the TargetType of events about a user.
const TargetUser = "user"

// Event is an administrative change or something that happened to the system.
type Event struct {
	Time         time.Time         `json:"time"` // zero means now
	Kind         string            `json:"kind"`
	By           *identity.Caller  `json:"by,omitempty"` // nil: the system itself
	ClientAddr   string            `json:"clientAddr,omitempty"`
	Certificate  string            `json:"certificate,omitempty"` // names the client certificate that was shown
	Node         string            `json:"node,omitempty"`        // as Exchange.Node
	RequestID    string            `json:"requestId,omitempty"`
	TargetType   string            `json:"targetType,omitempty"`
	TargetID     string            `json:"targetId,omitempty"`
	TargetName   string            `json:"targetName,omitempty"`
	EndpointType string            `json:"endpointType,omitempty"`
	Changes      []Change          `json:"changes,omitempty"`
	Metadata     map[string]string `json:"metadata,omitempty"`
}

// Change is one field before and after. The caller writes "changed" in place
// of the values of a secret.
type Change struct {
	Field  string `json:"field"`
	Before string `json:"before"`
	After  string `json:"after"`
}
