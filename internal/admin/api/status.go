package api

import "time"

// Status is the state of the gateway, for administrators.
type Status struct {
	Version string    `json:"version"`
	Go      string    `json:"go"`
	Started time.Time `json:"started"`
	Now     time.Time `json:"now"`
	Ready   bool      `json:"ready"`
	Parts   []Part    `json:"parts"`
	// Targets are those that are cooling, or that failed lately.
	Targets []TargetHealth `json:"targets"`
}

// Part is one part of the gateway. Missing says, while it is not ready, what
// is missing; Detail is the part's own report.
type Part struct {
	Name    string `json:"name"`
	Ready   bool   `json:"ready"`
	Missing string `json:"missing,omitempty"`
	Detail  any    `json:"detail,omitempty"`
}
