// Package decision holds the word of the policy about one question: whether a
// caller may do a thing, why, and under which bundle revision. Policies make
// decisions, the ext_proc server and the REST API carry them out, the trail
// keeps them.
package decision

// Reason says why a decision came out as it did. Code is stable and meant for
// machines (for example "not_permitted"); Message is a sentence for people
// that says what to do.
type Reason struct {
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

// Decision is the answer of the policy. The zero value denies. Decisions share
// their reasons and obligations: they must not be changed.
type Decision struct {
	Allow   bool     `json:"allow"`
	Reasons []Reason `json:"reasons,omitempty"`
	// Obligations are conditions attached to an allow, by name.
	Obligations map[string]any `json:"obligations,omitempty"`
	// Revision names the bundle content that decided: a short content hash.
	Revision string `json:"revision,omitempty"`
}

// Code returns the code of the first reason, or "" when there is none.
func (d Decision) Code() string {
	if len(d.Reasons) == 0 {
		return ""
	}
	return d.Reasons[0].Code
}

// Message returns the sentence of the first reason, or "" when there is none.
func (d Decision) Message() string {
	if len(d.Reasons) == 0 {
		return ""
	}
	return d.Reasons[0].Message
}
