package api

// KindOrganization is the Candidate.Kind of an organization, beside those of
// users.
const KindOrganization = "organization"

// Candidate is a user or an organization that permissions can name, as whoever
// gives them may know it.
type Candidate struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Kind        string `json:"kind" enum:"person,service-account,organization"`
	FullName    string `json:"fullName,omitempty"`    // of a user
	MemberCount int    `json:"memberCount,omitempty"` // of an organization
}

// CandidateList is a page of candidates.
type CandidateList struct {
	Candidates []Candidate `json:"candidates"`
	Metadata   Metadata    `json:"metadata"`
}
